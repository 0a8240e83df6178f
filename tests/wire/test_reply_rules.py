"""createTask's, getTaskResult's and posted replies are read by the same rules."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async import CAPMONSTER, CAPSOLVER, TWO_CAPTCHA, errors
from captcha_async.services._error_codes import ERROR_CODES
from captcha_async.wire._posted import FORM, read_posted
from captcha_async.wire._refusals import as_code
from captcha_async.wire._replies import (
    Created,
    Reply,
    TaskResult,
    read_account,
    read_created,
    read_reported,
    read_task_id,
    read_task_result,
)
from captcha_async.wire._values import get, spelled

ANSWER = {"gRecaptchaResponse": "TOKEN"}


def made(**fields: Any) -> Reply:
    """Make a reply of these fields."""
    return Reply(200, orjson.dumps(fields))


def failure(read: Any, reply: Reply, service: Any = TWO_CAPTCHA) -> errors.CaptchaError:
    """Return the error that a reply is read as."""
    with pytest.raises(errors.CaptchaError) as caught:
        read(service, reply)
    return caught.value


# -- letter case -----------------------------------------------------------------------------------

DOCUMENTED = ("errorId", "errorCode", "taskId", "status", "solution", "cost", "endTime", "request")


def spellings(name: str) -> st.SearchStrategy[str]:
    """The name in some letter cases, and something that is as long."""
    return st.sampled_from([name, name.upper(), name.lower(), name.swapcase(), "x" * len(name)])


@given(
    st.lists(
        st.tuples(st.sampled_from(DOCUMENTED).flatmap(spellings), st.integers(0, 3)), max_size=6
    )
)
def test_documented_keys_are_spelled_as_they_are_found(pairs: list[tuple[str, int]]) -> None:
    """Where there are several the documented spelling counts, then the first; none gets lost."""
    data: dict[str, Any] = dict(pairs)
    found = spelled(data)
    assert [found.get(name) for name in DOCUMENTED] == [get(data, name) for name in DOCUMENTED]
    assert data.items() <= found.items()


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "errorId": st.sampled_from([0, 1]),
            "errorCode": st.sampled_from(["ERROR_ZERO_BALANCE", "NEW"]),
            "taskId": st.sampled_from([5, "a-b", 0]),
            "status": st.sampled_from(["ready", "processing", "failed", "odd"]),
            "solution": st.sampled_from([{"token": "t"}, {}, "text"]),
            "cost": st.just("0.1"),
            "ip": st.just("192.0.2.1"),
            "solveCount": st.just(2),
            "token": st.just("t"),
            "request": st.just("word"),
        },
    )
)
def test_letter_case_changes_nothing(fields: dict[str, Any]) -> None:
    """Every reply means the same in capitals, but for what is kept of it as it came."""
    for read in (read_created, read_task_result):
        found = []
        for body in (fields, {name.upper(): value for name, value in fields.items()}):
            try:
                found.append(read(CAPMONSTER, made(**body)))
            except errors.CaptchaError as error:
                found.append((type(error), str(error)))
        for each in found:
            if isinstance(each, TaskResult):
                each.doubt = None
            if isinstance(each, Created) and isinstance(each.task_id, str):
                each.task_id = each.task_id[:8]
        assert found[0] == found[1]


# -- status before solution -----------------------------------------------------------------------


@pytest.mark.parametrize("status", ["processing", "idle", "Processing", "IN PROGRESS", "queued"])
@pytest.mark.parametrize("solution", [{"gRecaptchaResponse": ""}, {}, None, [], ANSWER, "x"])
def test_not_yet_is_believed_before_the_solution(status: str, solution: Any) -> None:
    """A placeholder, or whatever else stands beside it, is no answer in either reply."""
    fields = {"errorId": 0, "taskId": 5, "status": status, "solution": solution}
    assert read_created(CAPMONSTER, made(**fields)) == Created(5)
    result = read_task_result(CAPMONSTER, made(**fields))
    assert (result.kind, result.solution) == ("processing", None)


@pytest.mark.parametrize("status", ["ready", "READY", "completed", "done", None, ""])
@pytest.mark.parametrize("solution", [ANSWER, ["TOKEN"], 4711, {"odd": {"x": 1}}, [{"a": 0}]])
def test_an_answer_of_any_form_is_kept_in_either_reply(status: Any, solution: Any) -> None:
    """With an id and without; what it means is for the task's model to say."""
    fields = {"errorId": 0, "status": status, "solution": solution, "cost": "0.002"}
    result = read_task_result(CAPMONSTER, made(**fields))
    assert (result.kind, result.solution, result.cost) == ("answer", solution, Decimal("0.002"))
    created = read_created(CAPMONSTER, made(taskId=5, **fields))
    assert created == Created(5, solution, Decimal("0.002"))
    unnamed = read_created(CAPMONSTER, made(**fields))
    assert unnamed.solution == solution
    assert str(unnamed.task_id).startswith("unnamed-")


def test_two_answers_without_an_id_are_two_tasks() -> None:
    """The ids made for them differ."""
    reply = made(status="ready", solution=ANSWER)
    assert read_created(CAPSOLVER, reply).task_id != read_created(CAPSOLVER, reply).task_id


@pytest.mark.parametrize("key", ["token", "gRecaptchaResponse", "TEXT", "answer"])
def test_an_answer_beside_the_status_is_an_answer(key: str) -> None:
    """Some put the token at the top."""
    result = read_task_result(CAPMONSTER, made(errorId=0, status="ready", **{key: "T"}))
    assert result.kind == "answer"
    assert list(result.solution.values()) == ["T"]


def test_a_bare_text_is_what_each_model_looks_for() -> None:
    """2captcha has a type that answers with a text; JSON in a text is the object itself."""
    text = read_task_result(TWO_CAPTCHA, made(status="ready", solution=" 8 "))
    assert text.solution == {"text": "8", "token": "8", "answer": "8"}
    inner = read_task_result(TWO_CAPTCHA, made(status="ready", solution='{"challenge": "c"}'))
    assert inner.solution == {"challenge": "c"}


@pytest.mark.parametrize("solution", [None, {}, [], "", "  "])
def test_ready_without_a_solution_is_doubtful(solution: Any) -> None:
    """It may be there a moment later; the whole reply is kept for whoever looks."""
    result = read_task_result(CAPMONSTER, made(status="ready", solution=solution, new=1))
    assert (result.kind, result.status) == ("unknown_status", "ready")
    assert isinstance(result.doubt, errors.UnreadableSolution)
    assert result.doubt.raw == {"status": "ready", "solution": solution, "new": 1}
    odd = read_task_result(CAPMONSTER, made(STATUS="ready", solution=solution))
    assert isinstance(odd.doubt, errors.UnreadableSolution)
    assert odd.doubt.raw == {"STATUS": "ready", "solution": solution}


@pytest.mark.parametrize(
    "fields",
    [
        {"status": "error"},
        {"status": "lost", "solution": {"gRecaptchaResponse": ""}},
        {"status": None, "errorId": 0},
        {"errorId": 0},
        {"status": 7},
        {"status": "rejected", "errorDescription": "Too hard."},
    ],
)
def test_a_status_that_nobody_knows_is_doubtful(fields: dict[str, Any]) -> None:
    """The error has what the service said."""
    result = read_task_result(CAPMONSTER, made(**fields))
    assert result.kind == "unknown_status"
    assert isinstance(result.doubt, errors.UnknownServiceError)
    assert repr(str(fields.get("status") or "nothing")) in str(result.doubt)
    assert result.doubt.description == fields.get("errorDescription")


@pytest.mark.parametrize("solution", [None, {}, ANSWER])
def test_failed_is_the_end(solution: Any) -> None:
    """capsolver documents it: solving has ended without an answer."""
    error = failure(read_task_result, made(status="Failed", solution=solution), CAPSOLVER)
    assert type(error) is errors.Unsolvable
    assert type(failure(read_created, made(status="failed"), CAPSOLVER)) is errors.Unsolvable


def test_a_profile_may_know_more_words_for_not_yet() -> None:
    """For a service of one's own."""
    service = CAPMONSTER.evolve(not_yet=frozenset({"cooking"}))
    assert read_task_result(service, made(status="Cooking")).kind == "processing"


# -- codes, wherever they stand -------------------------------------------------------------------

TEXTS = ["{}", '"{}"', "{}\n", "\ufeff{}", "{}: see the docs", " {} ", "{}|later"]


@pytest.mark.parametrize("code", sorted(ERROR_CODES))
@pytest.mark.parametrize("form", TEXTS)
def test_a_known_code_as_bare_text_is_that_code(code: str, form: str) -> None:
    """Whatever the method, the letter case and the content type."""
    for text in (form.format(code), form.format(code).lower()):
        reply = Reply(200, text.encode())
        if ERROR_CODES[code].error is None:
            assert read_task_result(TWO_CAPTCHA, reply).kind == "processing"
            continue
        for read in (read_created, read_task_result, read_account, read_reported):
            error = failure(read, reply)
            assert type(error) is ERROR_CODES[code].error
            assert isinstance(error, errors.ServiceError)
            assert error.code == code


@pytest.mark.parametrize(
    "fields",
    [
        {"errorId": 0, "taskId": "ERROR_ZERO_BALANCE"},
        {"errorId": 0, "taskId": "error_zero_balance"},
        {"errorId": 0, "taskId": "ERROR: ERROR_ZERO_BALANCE"},
        {"errorId": 0, "taskId": "ERROR_ZERO_BALANCE: top up"},
        {"errorId": "ERROR_ZERO_BALANCE"},
        {"errorId": 0, "errorCode": "ERROR_ZERO_BALANCE"},
        {"errorId": 10},
        {"errorId": "10", "errorCode": None},
        {"errorId": 1, "errorCode": 10},
        {"status": 0, "request": "ERROR_ZERO_BALANCE"},
        {"error": "ERROR_ZERO_BALANCE"},
    ],
)
def test_a_code_is_found_wherever_it_stands(fields: dict[str, Any]) -> None:
    """It is never taken for a task's id, and nothing is uncertain then."""
    error = failure(read_created, made(**fields))
    assert type(error) is errors.InsufficientBalance
    assert "ERROR_ZERO_BALANCE" in str(error)


@pytest.mark.parametrize(
    "text", ["ERROR_NEW_ONE", "ERROR: 1005", "ERROR: LIMIT_EXCEED", "ERROR: try again later"]
)
def test_an_unknown_code_is_an_error_all_the_same(text: str) -> None:
    """As the whole reply and in place of the id; a sentence cannot be an id either."""
    for reply in (Reply(200, text.encode()), made(errorId=0, taskId=text)):
        assert type(failure(read_created, reply)) is errors.UnknownServiceError
    for odd in ("LIMIT_EXCEED", "not enough money"):
        assert type(failure(read_created, made(taskId=odd))) is errors.UnknownServiceError


def test_no_error_is_believed_too() -> None:
    """A code such as SUCCESS beside errorId 0 is none."""
    fields = {"errorId": 0, "errorCode": "SUCCESS", "status": "processing"}
    assert read_task_result(CAPMONSTER, made(**fields)).kind == "processing"


@pytest.mark.parametrize("body", [b"OK|17", b"ok|17\n", b'{"status": 1, "request": "17"}'])
def test_the_older_interface_s_words_are_understood(body: bytes) -> None:
    """What follows OK is the id, or the answer."""
    assert read_created(TWO_CAPTCHA, Reply(200, body)) == Created("17")
    result = read_task_result(TWO_CAPTCHA, Reply(200, body))
    assert result.solution == {"text": "17", "token": "17", "answer": "17"}


@pytest.mark.parametrize("text", ["ERROR: upstream timed out", "<html>ERROR_ZERO_BALANCE</html>"])
def test_a_gateway_s_words_are_not_the_service_s(text: str) -> None:
    """What became of the request stays unknown."""
    assert type(failure(read_created, Reply(502, text.encode()))) is errors.SubmitUncertain


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-32"])
def test_json_of_any_encoding_is_read(encoding: str) -> None:
    """With a byte order mark, or what comes after the object."""
    for end in ("", "\n<!-- cached -->", "\0"):
        body = ('{"errorId": 0, "taskId": 5}' + end).encode(encoding)
        assert read_created(CAPMONSTER, Reply(200, body)) == Created(5)


# -- ids and numbers ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "task_id"),
    [
        (5, 5),
        (2**63 - 1, 2**63 - 1),
        (5.0, 5),
        ("17", "17"),
        (" 17 ", "17"),
        ("61138bb6-19fb-11ec-a9c8-0242ac110006", "61138bb6-19fb-11ec-a9c8-0242ac110006"),
        (0, None),
        ("0", None),
        ("", None),
        (-1, None),
        (True, None),
        (1.5, None),
        (None, None),
        ([5], None),
        ("a\nb", None),
        ("x" * 201, None),
        ("ERROR_ZERO_BALANCE", None),
    ],
)
def test_an_id_is_kept_as_it_came(value: Any, task_id: Any) -> None:
    """What can be no id is none."""
    assert read_task_id({"taskId": value}) == task_id


@pytest.mark.parametrize(
    "cost", ["-0.001", -1, "1E+1000000", "1e999", "NaN", "-Infinity", "sNaN", 1e300, "9" * 5000]
)
def test_a_cost_that_cannot_be_is_none(cost: Any) -> None:
    """Never negative, never without bound, never an exception."""
    result = read_task_result(CAPMONSTER, made(status="ready", solution=ANSWER, cost=cost))
    assert (result.kind, result.cost) == ("answer", None)
    odd = b'{"status": "ready", "solution": {"token": "T"}, "cost": 1e999}'
    assert read_task_result(CAPMONSTER, Reply(200, odd)).cost is None


@given(st.decimals() | st.floats() | st.integers(-(2**63), 2**63) | st.text())
def test_any_cost_can_be_summed(cost: Any) -> None:
    """Whatever a service sends as a cost, a sum of it stays a small number."""
    body = orjson.dumps({"status": "ready", "solution": ANSWER, "cost": cost}, default=str)
    found = read_task_result(CAPMONSTER, Reply(200, body)).cost
    if found is not None:
        assert 0 <= found <= 1_000_000
        assert len(f"{found + Decimal('0.002'):f}") < 40


def test_a_balance_may_be_negative_and_bounded_it_is() -> None:
    """Some accounts have a debt; a number without bound is no balance."""
    assert read_account(CAPMONSTER, made(balance="-1.5")).balance == Decimal("-1.5")
    assert type(failure(read_account, made(balance="1E+1000000"))) is errors.ProtocolError


# -- posted replies -------------------------------------------------------------------------------


@pytest.mark.parametrize("code", sorted(ERROR_CODES))
def test_a_pingback_s_code_is_read_as_in_a_reply(code: str) -> None:
    """Also the codes that do not start with ERROR_."""
    posted = read_posted(FORM, b"id=51&code=" + code.encode(), b"")
    assert posted is not None
    if ERROR_CODES[code].error is None:
        assert read_task_result(TWO_CAPTCHA, Reply(200, posted.reply)) == TaskResult("processing")
    else:
        error = failure(read_task_result, Reply(200, posted.reply))
        assert type(error) is ERROR_CODES[code].error


def test_json_with_a_byte_order_mark_is_json_under_any_content_type() -> None:
    """A form has no braces."""
    body = b'\xef\xbb\xbf{"errorId": 0, "status": "ready", "taskId": 5, "solution": {"token": "T"}}'
    posted = read_posted(FORM, body, b"")
    assert posted is not None
    assert (posted.task_id, posted.reply) == (5, body)


@given(st.uuids().map(str))
def test_a_uuid_is_no_code(text: str) -> None:
    """It is known for an id at once, and would not be taken for a code otherwise."""
    assert as_code(text, in_place_of_id=True) is None
    assert as_code(f" {text}", in_place_of_id=True) is None
