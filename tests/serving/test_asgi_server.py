"""An ASGI app behind our server: what it is told, and what becomes of what it sends."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest

from captcha_async._serving import _asgi_server
from captcha_async._serving._asgi import App, Receive, Scope, Send
from captcha_async._serving._asgi_server import serve_app
from captcha_async._serving._messages import Bounds

pytestmark = pytest.mark.real_time


@asynccontextmanager
async def calling(app: App) -> AsyncIterator[httpx.AsyncClient]:
    """Serve an app and give a client of it."""
    async with (
        serve_app(app, "127.0.0.1", 0, "the app") as url,
        httpx.AsyncClient(base_url=url, trust_env=False) as http,
    ):
        yield http


async def answer(send: Send, body: bytes = b"", *headers: tuple[bytes, bytes]) -> None:
    """Send a whole answer."""
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def test_the_app_is_told_all_of_the_request() -> None:
    """Method, decoded path, query, headers and the whole body."""
    seen: list[Any] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.extend([dict(scope), await receive()])
        await answer(send)

    async with calling(app) as http:
        await http.put("/a%20b/%C3%A9?x=%20", content=b"body", headers={"X-Own": "Value"})
    scope, message = seen
    assert (scope["type"], scope["method"], scope["scheme"]) == ("http", "PUT", "http")
    assert (scope["path"], scope["raw_path"]) == ("/a b/é", b"/a%20b/%C3%A9")
    assert (scope["query_string"], scope["root_path"]) == (b"x=%20", "")
    assert (b"x-own", b"Value") in scope["headers"]
    assert message == {"type": "http.request", "body": b"body", "more_body": False}


async def test_an_answer_in_parts_arrives_whole() -> None:
    """Its length is told, whatever the app says of it."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"x", b"y"), (b"content-length", b"99"), (b"Transfer-Encoding", b"chunked")]
        await send({"type": "http.response.start", "status": 201, "headers": headers})
        for part in (b"on", b"e"):
            await send({"type": "http.response.body", "body": part, "more_body": True})
        await send({"type": "http.response.body"})

    async with calling(app) as http:
        for _ in range(2):
            reply = await http.get("/")
            assert (reply.status_code, reply.content) == (201, b"one")
            assert (reply.headers["x"], reply.headers["content-length"]) == ("y", "3")


async def test_the_answer_to_a_head_tells_the_length() -> None:
    """As the app says it, without a body."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send, b"", (b"content-length", b"99"))

    async with calling(app) as http:
        for _ in range(2):
            reply = await http.head("/")
            assert (reply.headers["content-length"], reply.content) == ("99", b"")


async def test_an_app_without_an_answer_is_a_500(caplog: pytest.LogCaptureFixture) -> None:
    """Whether it fails, which is logged, or forgets to answer."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/fail":
            raise LookupError("mine")

    with caplog.at_level(logging.ERROR):
        async with calling(app) as http:
            assert (await http.get("/")).status_code == 500
            assert not caplog.records
            assert (await http.get("/fail")).status_code == 500
    assert "the app failed" in caplog.text


async def test_the_app_learns_when_the_caller_is_gone() -> None:
    """And, for who waits for that, when the answer is complete."""
    told: list[str] = []
    over = anyio.Event()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        if scope["path"] == "/answer":
            await answer(send)
        else:
            asked.set()
        told.append((await receive())["type"])
        over.set()

    async with calling(app) as http:
        await http.get("/answer")
        await over.wait()
        over, asked = anyio.Event(), anyio.Event()
        async with anyio.create_task_group() as group:
            group.start_soon(http.get, "/")
            await asked.wait()
            group.cancel_scope.cancel()
        await over.wait()
    assert told == ["http.disconnect"] * 2


async def test_a_body_that_is_too_large_does_not_reach_the_app(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It is refused by its length."""
    monkeypatch.setattr(_asgi_server, "BOUNDS", Bounds(body_bytes=10))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send)

    async with calling(app) as http:
        assert (await http.post("/", content=b"x" * 10)).status_code == 200
        assert (await http.post("/", content=b"x" * 11)).status_code == 413


async def test_an_app_that_never_ends_is_cancelled_at_the_end() -> None:
    """Nothing outlives the server."""
    ends: list[str] = []

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await answer(send)
        try:
            await anyio.sleep_forever()
        finally:
            ends.append("ended")

    async with calling(app) as http:
        assert (await http.get("/")).status_code == 200
    assert ends == ["ended"]
