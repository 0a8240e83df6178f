"""The decoder: any bytes and any JSON end in a value or a CaptchaError, never in anything else."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async import CAPMONSTER, TWO_CAPTCHA, CaptchaError, errors
from captcha_async.services._error_codes import ERROR_CODES, NUMERIC_CODES
from captcha_async.wire._replies import (
    Created,
    Reply,
    TaskResult,
    read_balance,
    read_created,
    read_reported,
    read_task_result,
    read_user_agent,
)

READERS = [read_created, read_task_result, read_balance, read_reported, read_user_agent]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
keys = st.sampled_from(
    ["errorId", "errorCode", "errorDescription", "taskId", "status", "solution", "cost", "balance"]
)
replies = st.builds(
    Reply,
    st.sampled_from([200, 204, 302, 400, 401, 402, 403, 404, 408, 429, 500, 503]),
    st.binary(max_size=200)
    | st.dictionaries(keys, json_values).map(lambda value: orjson.dumps(value, default=str))
    | json_values.map(lambda value: repr(value).encode("utf-8", "replace")),
    st.none() | st.text(max_size=30) | st.just("Wed, 21 Oct 2026 07:28:00 GMT"),
    st.none() | st.text(max_size=30) | st.just("Wed, 21 Oct 2026 07:28:00 GMT"),
)


@pytest.mark.parametrize("read", READERS, ids=lambda read: read.__name__)
@given(reply=replies)
def test_any_reply_is_a_value_or_one_of_our_errors(read: Any, reply: Reply) -> None:
    """Nothing that a service or a gateway sends raises anything else."""
    for service in (CAPMONSTER, TWO_CAPTCHA):
        with suppress(CaptchaError):
            read(service, reply)


def make(status: int = 200, **fields: Any) -> Reply:
    """Make a reply of these fields."""
    return Reply(status, orjson.dumps(fields))


@pytest.mark.parametrize("code", sorted(ERROR_CODES))
@pytest.mark.parametrize("status", [200, 400, 402, 403, 429, 500])
def test_every_documented_code_is_read_whatever_the_status(code: str, status: int) -> None:
    """The JSON is believed before the HTTP status."""
    reply = make(status, errorId=1, errorCode=code, errorDescription="As it is.", taskId=0)
    if ERROR_CODES[code].error is None:
        assert read_task_result(CAPMONSTER, reply) == TaskResult("processing")
        return
    for read in (read_created, read_task_result, read_balance, read_reported):
        with pytest.raises(errors.ServiceError) as caught:
            read(CAPMONSTER, reply)
        error = caught.value
        assert type(error) is ERROR_CODES[code].error
        assert (error.code, error.description, error.error_id) == (code, "As it is.", 1)
        assert error.http_status == status
        assert str(error) == (f"capmonster answered {code} (As it is): {ERROR_CODES[code].advice}.")


def test_an_unknown_code_keeps_everything() -> None:
    """Code, description, errorId and HTTP status are there for the caller."""
    reply = make(418, errorId=99, errorCode="ERROR_TEAPOT", errorDescription="short and stout")
    with pytest.raises(errors.UnknownServiceError, match="ERROR_TEAPOT") as caught:
        read_created(CAPMONSTER, reply)
    error = caught.value
    assert (error.code, error.description) == ("ERROR_TEAPOT", "short and stout")
    assert (error.error_id, error.http_status) == (99, 418)


@pytest.mark.parametrize("number", sorted(NUMERIC_CODES))
def test_a_numeric_error_without_a_code_is_understood(number: int) -> None:
    """anti-captcha and 2captcha number their errors."""
    with pytest.raises(errors.ServiceError) as caught:
        read_created(TWO_CAPTCHA, make(errorId=number))
    assert caught.value.code == NUMERIC_CODES[number]


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, errors.TransportError),
        (402, errors.TransportError),
        (403, errors.TransportError),
        (407, errors.TransportError),
        (511, errors.TransportError),
        (429, errors.RateLimited),
        (500, errors.ServiceUnavailable),
        (503, errors.ServiceUnavailable),
        (404, errors.ProtocolError),
        (200, errors.ProtocolError),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b'{"message": "no"}'])
def test_a_status_without_json_means_what_it_says(
    status: int, kind: type[CaptchaError], body: bytes
) -> None:
    """Bare statuses of services and gateways are mapped.

    On a poll a refusal without the service's own code is no word about the account: whoever could
    create the task may ask for its result.
    """
    with pytest.raises(kind) as caught:
        read_task_result(CAPMONSTER, Reply(status, body))
    assert type(caught.value) is kind
    assert str(status) in str(caught.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, errors.KeyRejected), (402, errors.InsufficientBalance), (403, errors.KeyRejected)],
)
@pytest.mark.parametrize("read", [read_created, read_balance, read_reported])
def test_a_bare_refusal_is_about_the_account_and_a_page_is_not(
    read: Any, status: int, kind: type[CaptchaError]
) -> None:
    """A firewall's page must not stop an account; nothing was created by what it has refused."""
    for body in (b"", b'{"message": "no"}'):
        with pytest.raises(kind):
            read(CAPMONSTER, Reply(status, body))
    for body in (
        b"<html>Attention Required!</html>",
        b"\xef\xbb\xbf <!doctype html>",
        b"Forbidden",
    ):
        with pytest.raises(errors.TransportError) as caught:
            read(CAPMONSTER, Reply(status, body, "17"))
        error = caught.value
        assert (error.sent, error.http_status, error.retry_after) == (False, status, 17)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"errorId": 0, "taskId": 7654321}, Created(7654321)),
        ({"taskId": "uuid"}, Created("uuid")),
        ({"errorid": 0, "TASKID": 5}, Created(5)),
        ({"taskId": 5, "errorCode": None, "errorDescription": ""}, Created(5)),
    ],
)
def test_createtask_replies(fields: dict[str, Any], expected: Created) -> None:
    """An id is an id, however the rest looks."""
    assert read_created(CAPMONSTER, make(**fields)) == expected


@pytest.mark.parametrize("cost", [0.002, "0.002", 1, "free", None, True, [], "NaN", "Infinity"])
def test_a_cost_is_a_decimal_or_nothing(cost: Any) -> None:
    """Services send costs as numbers and as strings."""
    body = {"status": "ready", "solution": {"text": "x"}, "cost": cost}
    result = read_task_result(CAPMONSTER, Reply(200, orjson.dumps(body)))
    assert (result.cost is not None) == (cost in (0.002, "0.002", 1) and cost is not True)


def test_very_deep_json_is_no_crash() -> None:
    """A nesting bomb is a protocol error."""
    with pytest.raises(errors.ProtocolError):
        read_task_result(CAPMONSTER, Reply(200, b"[" * 100_000))
