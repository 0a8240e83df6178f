"""The receiver on its own: what it answers, what it lets through, and what it forgets."""

from __future__ import annotations

import json
import logging
import tracemalloc
import weakref
from itertools import repeat
from typing import Any

import anyio
import orjson
import pytest
from anyio import wait_all_tasks_blocked
from callback_calls import PUBLIC, READY, Poster, call
from hypothesis import given
from hypothesis import strategies as st

from captcha_async import CallbackReceiver, InvalidArgument
from captcha_async._callbacks import Callback
from captcha_async._callbacks._reception import MOST_BYTES
from captcha_async._callbacks._tokens import MOST_ENDED
from captcha_async.wire._posted import FORM, read_posted

BODY = orjson.dumps(READY)


def make(**options: Any) -> tuple[CallbackReceiver, Poster, Callback]:
    """Return a receiver, what posts to it, and a callback that it awaits."""
    receiver = CallbackReceiver(PUBLIC, **options)
    callback = receiver.expect()
    assert callback is not None
    return receiver, Poster(receiver), callback


def path_of(callback: Callback) -> str:
    """Return the path of a callback, below the public URL."""
    return callback.url.removeprefix(PUBLIC)


def part(body: bytes) -> dict[str, Any]:
    """Return a part of a body that goes on."""
    return {"type": "http.request", "body": body, "more_body": True}


# -- what is answered -----------------------------------------------------------------------------


async def test_a_callback_is_taken_and_wakes_who_waits() -> None:
    """The body is put down as it is, for the waiter to read."""
    _, poster, callback = make()
    async with anyio.create_task_group() as group:
        group.start_soon(callback.wait_arrived)
        await wait_all_tasks_blocked()
        reply = await poster.send(callback.url, content=BODY)
    assert (reply.status_code, reply.content) == (200, b"")
    assert callback.take() == BODY


async def test_each_submission_has_a_url_of_its_own() -> None:
    """The token is the last part of the path, and has at least 128 bits."""
    receiver = CallbackReceiver(f"{PUBLIC}/")
    urls = {getattr(receiver.expect(), "url", "") for _ in range(100)}
    assert len(urls) == 100
    for url in urls:
        base, _, token = url.rpartition("/")
        assert base == PUBLIC
        assert len(token) >= 22  # 22 characters of 6 bits each


async def test_an_unknown_token_is_not_found() -> None:
    """Neither a guessed token nor a path without one is known."""
    receiver, poster, callback = make()
    for url in (PUBLIC, f"{PUBLIC}/", f"{PUBLIC}/guess", f"{callback.url}x", f"{PUBLIC}/%ff%00é"):
        assert (await poster.send(url, content=BODY)).status_code == 404
    assert not callback.arrived
    assert receiver.statistics().refused == 5


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
async def test_another_method_is_refused(method: str) -> None:
    """Only a POST is a callback, and a GET that brings a result in its query."""
    receiver, poster, callback = make()
    reply = await poster.send(callback.url, method)
    assert (reply.status_code, reply.headers["allow"]) == (405, "POST")
    assert not callback.arrived
    assert receiver.statistics().refused == 1


async def test_a_large_body_is_refused() -> None:
    """Over the bound nothing is read on, whether or not the length was told beforehand."""
    receiver, poster, callback = make()
    assert await call(receiver, path_of(callback), repeat(part(b" " * 65536))) == 413
    told = [(b"content-length", b"%d" % (MOST_BYTES + 1))]
    assert await call(receiver, path_of(callback), headers=told) == 413
    assert not callback.arrived
    assert receiver.statistics().refused == 2
    assert (await poster.send(callback.url, content=BODY.ljust(MOST_BYTES))).status_code == 200


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b"{}", b"null", b'{"status"', b'{"id": 5}', b"\xff\xfe", b"[" * 5000],
)
async def test_an_unreadable_body_is_refused(body: bytes) -> None:
    """It does not use the token up: the result may still come."""
    receiver, poster, callback = make()
    assert (await poster.send(callback.url, content=body)).status_code == 400
    assert not callback.arrived
    assert receiver.statistics().refused == 1
    assert (await poster.send(callback.url, content=BODY)).status_code == 200
    assert callback.arrived


async def test_a_body_that_names_another_task_is_refused() -> None:
    """Where a service sends the id, it is checked, as a number or as a string."""
    receiver, poster, callback = make()
    callback.bind(123)
    for task_id, status in ((124, 400), ("124", 400), ("123", 200)):
        reply = await poster.send(callback.url, json={**READY, "taskId": task_id})
        assert reply.status_code == status
    assert callback.arrived
    assert receiver.statistics().refused == 2


async def test_an_id_that_came_too_early_is_checked_later() -> None:
    """A callback may overtake createTask's reply; once that is there, a wrong id is found out."""
    receiver, poster, callback = make()
    assert (await poster.send(callback.url, json={**READY, "taskId": 1})).status_code == 200
    callback.bind(2)
    assert not callback.arrived
    assert receiver.statistics().refused == 1
    assert (await poster.send(callback.url, json={**READY, "taskId": 2})).status_code == 200
    assert callback.arrived


async def test_repeats_get_the_same_answer_and_change_nothing() -> None:
    """Before and after the task's end."""
    receiver, poster, callback = make()
    await poster.send(callback.url, content=BODY)
    other = {**READY, "solution": {"gRecaptchaResponse": "another"}}
    assert (await poster.send(callback.url, json=other)).status_code == 200
    assert callback.take() == BODY
    callback.end(polled=False)
    assert (await poster.send(callback.url, json=other)).status_code == 200
    assert not callback.arrived
    numbers = receiver.statistics()
    assert (numbers.by_callback, numbers.duplicate, numbers.late) == (1, 2, 0)


async def test_a_late_callback_changes_nothing() -> None:
    """The task has ended by a poll before."""
    receiver, poster, callback = make()
    callback.end(polled=True)
    for _ in range(2):
        assert (await poster.send(callback.url, content=BODY)).status_code == 200
    numbers = receiver.statistics()
    assert (numbers.by_poll, numbers.late, numbers.duplicate, numbers.waiting) == (1, 1, 1, 0)


async def test_a_sender_that_goes_away_is_forgotten() -> None:
    """A half body is none, and nothing is sent to nobody."""
    receiver, _, callback = make()
    messages = [part(BODY[:9]), {"type": "http.disconnect"}]
    assert await call(receiver, path_of(callback), messages) is None
    assert not callback.arrived


# -- as an ASGI app -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "root"),
    [("/TOKEN", ""), ("/captcha/TOKEN", "/captcha"), ("/TOKEN", "/captcha"), ("/x/y/TOKEN", "/x")],
)
async def test_it_can_be_mounted_anywhere(path: str, root: str) -> None:
    """Whatever the proxy or the framework strips of the path: the last part is the token."""
    receiver, _, callback = make()
    path = path.replace("/TOKEN", path_of(callback))
    assert (
        await call(receiver, path, [{"type": "http.request", "body": BODY}], root_path=root) == 200
    )


async def test_a_server_s_lifespan_is_answered() -> None:
    """There is nothing to start or to end."""
    sent: list[str] = []

    async def receive() -> Any:
        return {}

    async def send(message: Any) -> None:
        sent.append(message["type"])

    await CallbackReceiver(PUBLIC)({"type": "lifespan"}, receive, send)
    assert sent == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_other_protocols_are_refused() -> None:
    """A websocket is a mistake in the mounting."""
    with pytest.raises(ValueError, match="websocket"):
        await CallbackReceiver(PUBLIC)({"type": "websocket"}, None, None)  # type: ignore[arg-type]


# -- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize("url", ["crawler.example", "ftp://x", "https://x/?a=1", "https://x/#a", 5])
def test_a_wrong_public_url_is_refused(url: Any) -> None:
    """It has to be a full URL to which the token can be added."""
    with pytest.raises(InvalidArgument, match="public_url"):
        CallbackReceiver(url)


def test_verify_is_a_truth_value() -> None:
    """A string is a mistake."""
    with pytest.raises(InvalidArgument, match="verify"):
        CallbackReceiver(PUBLIC, verify="yes")  # type: ignore[arg-type]


async def test_without_an_address_nothing_can_be_expected() -> None:
    """The error says what is missing."""
    with pytest.raises(InvalidArgument, match=r"public_url must be given, or .* served"):
        CallbackReceiver().expect()


# -- secrets and memory ---------------------------------------------------------------------------


async def test_no_token_is_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Neither in a repr nor in a log record, whatever is sent."""
    caplog.set_level(logging.DEBUG, "captcha_async")
    receiver, poster, callback = make()
    token = callback.url.rpartition("/")[2]
    shown = repr(receiver) + repr(callback)
    await poster.send(callback.url, "PUT")
    await poster.send(callback.url, content=b"")
    await poster.send(callback.url, content=BODY)
    callback.end(polled=False)
    shown += repr(receiver) + repr(callback) + caplog.text
    assert "HTTP 405" in shown
    assert token not in shown
    assert "03AGdBq2" not in shown


async def test_a_flood_of_unknown_tokens_costs_no_memory() -> None:
    """What nobody awaits leaves nothing behind."""
    receiver = CallbackReceiver(PUBLIC)
    await call(receiver, "/first")
    tracemalloc.start()
    before = tracemalloc.get_traced_memory()[0]
    for number in range(2000):
        assert await call(receiver, f"/{number:032}") == 404
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert grown < 20_000
    assert receiver.statistics().refused == 2001


async def test_ended_callbacks_are_forgotten_in_the_end() -> None:
    """The last ones are known, so that repeats get their answer; the memory is bounded."""
    receiver, poster, first = make()
    first.end(polled=True)
    last = first
    for _ in range(MOST_ENDED):
        callback = receiver.expect()
        assert callback is not None
        callback.end(polled=True)
        last = callback
    assert (await poster.send(first.url, content=BODY)).status_code == 404
    assert (await poster.send(last.url, content=BODY)).status_code == 200


async def test_a_watch_is_told_of_each_body_and_let_go_at_the_end() -> None:
    """Not of repeats; and what it is told by is not kept for as long as repeats may come."""
    _, poster, callback = make()

    class Watch:
        """Counts what it is told."""

        told = 0

        def look(self) -> None:
            self.told += 1

    watch = Watch()
    callback.notify(watch.look)
    for number in (1, 2):
        for _ in range(2):
            await poster.send(callback.url, content=BODY)
        assert watch.told == number
        assert callback.take() == BODY
    gone = weakref.ref(watch)
    callback.end(polled=False)
    del watch
    assert gone() is None
    assert (await poster.send(callback.url, content=BODY)).status_code == 200


@pytest.mark.parametrize(("method", "body"), [("GET", b"ok\n"), ("HEAD", b"")])
async def test_its_health_can_be_asked_for(method: str, body: bytes) -> None:
    """Under the path of the mount; nothing is counted."""
    receiver, poster, _ = make()
    reply = await poster.send(f"{PUBLIC}/health", method)
    assert (reply.status_code, reply.content) == (200, body)
    assert reply.headers["content-length"] == "3"
    assert (await poster.send(f"{PUBLIC}/health")).status_code == 404
    assert receiver.statistics().refused == 1


# -- the forms of a body --------------------------------------------------------------------------

SOLVED = {"errorId": 0, "status": "ready", "solution": "TOKEN", "taskId": "51"}


@pytest.mark.parametrize(
    ("content_type", "body", "query"),
    [
        (FORM, b"id=51&code=TOKEN", b""),
        (f"{FORM}; charset=utf-8", b"id=51&code=TOKEN", b"unrelated=1"),
        ("", b"", b"id=51&code=TOKEN"),
        ("application/json", b'{"id": "51", "code": "TOKEN"}', b""),
    ],
)
def test_the_pingback_is_read(content_type: str, body: bytes, query: bytes) -> None:
    """2captcha posts `id` and `code`, or puts them into the query."""
    posted = read_posted(content_type, body, query)
    assert posted is not None
    assert posted.task_id == "51"
    assert orjson.loads(posted.reply) == SOLVED


@pytest.mark.parametrize("code", ["ERROR_CAPTCHA_UNSOLVABLE", "CAPCHA_NOT_READY"])
def test_a_pingback_may_tell_of_an_error(code: str) -> None:
    """The code is then an error code."""
    posted = read_posted(FORM, f"id=51&code={code}".encode(), b"")
    assert posted is not None
    expected = {"errorId": 1, "errorCode": code.replace("CAPCHA", "CAPTCHA"), "taskId": "51"}
    assert orjson.loads(posted.reply) == expected


def test_the_reply_of_get_task_result_may_come_as_a_form() -> None:
    """Its solution stands in it as JSON."""
    body = b"errorId=0&status=ready&taskId=7&solution=%7B%22token%22%3A%22T%22%7D"
    posted = read_posted(FORM, body, b"")
    assert posted is not None
    assert posted.task_id == "7"
    assert orjson.loads(posted.reply)["solution"] == {"token": "T"}


@pytest.mark.parametrize("content_type", ["", "text/plain", "application/json", FORM])
def test_json_is_json_whatever_it_is_called(content_type: str) -> None:
    """Content types are not to be relied on."""
    posted = read_posted(content_type, BODY, b"")
    assert posted is not None
    assert posted.reply == BODY


@given(
    st.sampled_from(["", FORM, "application/json"]),
    st.binary() | st.text().map(str.encode),
    st.binary(),
)
def test_any_bytes_can_be_read(content_type: str, body: bytes, query: bytes) -> None:
    """There is no body that raises."""
    posted = read_posted(content_type, body, query)
    assert posted is None or isinstance(posted.reply, bytes)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=5,
)
NAMES = st.sampled_from(["id", "taskId", "code", "status", "solution", "errorId", "Status"])


@given(st.dictionaries(NAMES, JSON))
def test_any_object_can_be_read(fields: dict[str, Any]) -> None:
    """Known names may hold anything."""
    posted = read_posted("", json.dumps(fields).encode(), b"")
    assert posted is None or posted.reply
