"""The wire methods: what an error quotes of the service is blanked, and our own words are not."""

from __future__ import annotations

import traceback
from typing import Any

import httpx
import orjson
import pytest

from captcha_async import (
    CAPMONSTER,
    CaptchaError,
    InsufficientBalance,
    KeyRejected,
    Proxy,
    RawTask,
    RecaptchaV2Task,
    SubmitUncertain,
    UnknownServiceError,
)
from captcha_async._account._api import Api
from captcha_async._transport import HttpTransport

KEY = "SECRETKEY0123456789abc"
PASSWORD = "pr0xy/PASS'word"
TOKEN = "t0ken-of-a-callback-that-nobody-guesses"
CALLBACK = f"https://crawler.example/captcha/{TOKEN}"
SECRETS = (KEY, PASSWORD, TOKEN, "pr0xy", "S'word")


def task_with(password: str) -> RecaptchaV2Task:
    """Make a task whose proxy has this password."""
    proxy = Proxy("http", "203.0.113.5", 8080, "user", password)
    return RecaptchaV2Task(website_url="https://example.com", website_key="6Lc-key", proxy=proxy)


async def refused(
    answer: Any, *, key: str = KEY, task: Any = None, status: int = 200, step: str = "create"
) -> CaptchaError:
    """Let the service answer with this, and return the error."""

    def handler(request: httpx.Request) -> httpx.Response:
        found = answer(request) if callable(answer) else answer
        if isinstance(found, Exception):
            raise found
        if isinstance(found, bytes):
            return httpx.Response(status, content=found)
        return httpx.Response(status, json=found)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        service = CAPMONSTER.evolve(base_url="https://u:l0gin-of-mirror@mirror.example")
        api = Api(HttpTransport(http_client=client), service, key, request_timeout=5)
        try:
            await ask(api, step, task or task_with(PASSWORD), answer)
        except CaptchaError as error:
            return error
    raise AssertionError("there was no error")


async def ask(api: Api, step: str, task: Any, posted: Any) -> None:
    """Call the method of this step."""
    if step == "create":
        await api.create_task(task, callback_url=CALLBACK)
    elif step == "poll":
        await api.get_task_result(5, task, CALLBACK)
    elif step == "balance":
        await api.get_balance()
    else:
        api.read_callback(orjson.dumps(posted), task, CALLBACK)


def check(error: CaptchaError) -> None:
    """No text of the error, of what is behind it, or of its attributes holds a secret."""
    text = "".join(traceback.format_exception(error)) + repr(vars(error))
    for secret in (*SECRETS, "l0gin-of-mirror"):
        assert secret not in text


ECHOES: dict[str, Any] = {
    "description": {
        "errorId": 1,
        "errorCode": "ERROR_X",
        "errorDescription": f"{KEY} {PASSWORD} {CALLBACK} l0gin-of-mirror",
    },
    "long description": {
        "errorId": 1,
        "errorCode": "ERROR_X",
        # Cut in the middle of a secret, if it were cut first.
        "errorDescription": "x" * 290 + KEY + PASSWORD,
    },
    "code": {"errorId": 1, "errorCode": f"ERROR_{KEY}_{TOKEN}"},
    "known code": {"errorId": 1, "errorCode": "ERROR_ZERO_BALANCE", "errorDescription": KEY},
    "page": f"<html>{KEY}&amp;{PASSWORD}</html>".encode(),
    "text": f"ERROR: {KEY}".encode(),
    "whole request": lambda request: request.content,
}


@pytest.mark.parametrize("step", ["create", "poll", "balance"])
@pytest.mark.parametrize("status", [200, 400, 500])
@pytest.mark.parametrize("name", ECHOES)
async def test_what_the_service_echoes_is_blanked(name: str, status: int, step: str) -> None:
    """Wherever it puts our secrets."""
    answer = ECHOES[name]
    if step == "balance" and name != "whole request":
        # Nothing of a task is sent along, so a service could not know of it.
        answer = {
            "errorId": 1,
            "errorCode": f"E {KEY}",
            "errorDescription": f"{KEY} l0gin-of-mirror",
        }
    check(await refused(answer, status=status, step=step))


@pytest.mark.parametrize("name", ["description", "code", "known code"])
async def test_what_a_callback_echoes_is_blanked(name: str) -> None:
    """A posted answer is a reply like any other."""
    answer = dict(
        ECHOES[name], errorDescription=f"{KEY} {PASSWORD} {CALLBACK}", errorCode=f"E_{KEY}"
    )
    check(await refused(answer, step="callback"))


@pytest.mark.parametrize(
    "task",
    [
        RawTask("XTask", {"proxyPassword": PASSWORD}),
        RawTask("XTask", {"proxy": f"http://user:{PASSWORD}@203.0.113.5:8080"}),
        RawTask("XTask", {"proxy": f"user:{PASSWORD}@203.0.113.5:8080"}),
        RawTask("XTask", {"proxy": Proxy("http", "203.0.113.5", 8080, "user", PASSWORD)}),
        RawTask("XTask", proxy=Proxy("http", "203.0.113.5", 8080, "user", PASSWORD)),
    ],
)
async def test_a_raw_tasks_password_is_blanked_too(task: RawTask) -> None:
    """However the service wants to have the proxy."""
    answer = {"errorId": 1, "errorCode": "ERROR_X", "errorDescription": PASSWORD}
    for step in ("create", "poll", "callback"):
        check(await refused(answer, task=task, step=step))


@pytest.mark.parametrize(
    "error",
    [
        httpx.RemoteProtocolError(f"illegal status line: bytearray(b'{KEY}')"),
        httpx.ReadError(f"{KEY}"),
        ValueError(f"{KEY} {PASSWORD!r}"),
        KeyError(KEY.encode()),
    ],
)
async def test_what_a_transport_quotes_is_blanked(error: Exception) -> None:
    """Also in the errors behind ours, which a traceback shows."""
    found = await refused(error)
    check(found)
    assert isinstance(found, SubmitUncertain)
    assert type(error).__name__ in str(found)


async def test_our_own_words_are_left_alone() -> None:
    """A key `key` and a password `a` are in the service's words, and in ours by chance."""
    answer = {
        "errorId": 1,
        "errorCode": "ERROR_KEY_DOES_NOT_EXIST",
        "errorDescription": "no such key: key a",
    }
    error = await refused(answer, key="key", task=task_with("a"))
    assert isinstance(error, KeyRejected)
    assert error.code == "ERROR_KEY_DOES_NOT_EXIST"
    assert error.description == "no such ***: *** ***"
    plain = await refused(answer | {"errorDescription": ""})
    assert str(error) == str(plain).replace(
        "ERROR_KEY_DOES_NOT_EXIST", "ERROR_KEY_DOES_NOT_EXIST (no such ***: *** ***)"
    )


async def test_a_known_code_is_known_whatever_the_key_is() -> None:
    """The error's class does not hang on what is blanked."""
    answer = {"errorId": 1, "errorCode": "ERROR_ZERO_BALANCE"}
    error = await refused(answer, key="ZERO")
    assert isinstance(error, InsufficientBalance)
    assert error.code == "ERROR_ZERO_BALANCE"
    assert "ERROR_ZERO_BALANCE" in str(error)
    unknown = await refused({"errorId": 1, "errorCode": "ERROR_NULL_X"}, key="NULL")
    assert isinstance(unknown, UnknownServiceError)
    assert unknown.code == "ERROR_***_X"


async def test_a_status_is_a_quotation_too() -> None:
    """It ends up in `SolveTimeout.last_status`."""

    def handler(request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, json={"errorId": 0, "status": f"waiting {KEY} {PASSWORD}"})

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        api = Api(HttpTransport(http_client=client), CAPMONSTER, KEY, request_timeout=5)
        result = await api.get_task_result(5, task_with(PASSWORD))
    assert result.status == "waiting *** ***"


async def test_an_uncertain_submission_names_its_cause() -> None:
    """Whoever looks at the account wants to know what went wrong."""
    error = await refused(httpx.ReadError("connection reset by peer"))
    assert isinstance(error, SubmitUncertain)
    assert "(ReadError: connection reset by peer)" in str(error)


async def test_what_a_poll_says_is_read_anew_where_anything_differs() -> None:
    """A reply that says "not yet" is known by its bytes; one that asks to wait is another one."""
    not_yet, ready = {"errorId": 0, "status": "processing"}, {"gRecaptchaResponse": "token"}
    replies = [
        httpx.Response(200, json=not_yet),
        httpx.Response(200, json=not_yet, headers={"date": "Sat, 28 Nov 2026 07:00:00 GMT"}),
        httpx.Response(200, json=not_yet, headers={"retry-after": "7"}),
        httpx.Response(200, json=not_yet),
        httpx.Response(200, json={**not_yet, "status": "ready", "solution": ready}),
        httpx.Response(200, json={"errorId": 1, "errorCode": "ERROR_ZERO_BALANCE"}),
    ]
    waiting = iter(replies)
    transport = httpx.MockTransport(lambda _: next(waiting))
    async with httpx.AsyncClient(transport=transport) as client:
        api = Api(HttpTransport(http_client=client), CAPMONSTER, KEY, request_timeout=5)
        results = [await api.get_task_result(5) for _ in range(5)]
        with pytest.raises(InsufficientBalance):
            await api.get_task_result(5)
    assert [result.status for result in results] == [*["processing"] * 4, "ready"]
    assert [result.retry_after for result in results] == [None, None, 7, None, None]
    assert results[1] is results[0], "the second it was sent in says nothing of the task"
    assert results[-1].solution == ready
