"""Direct lanes next to httpx's own transport: the same requests, the same responses."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
from lanes import OK, RESPONSES, always, make_pool, once, outcome, stock_client, stock_transport
from raw_server import raw_server, read_request, reply

from captcha_async._transport import _direct_lane
from captcha_async._transport._fast_framing import FastReader
from captcha_async._transport._h11_framing import H11Reader

pytestmark = pytest.mark.real_time


@pytest.fixture(params=[H11Reader, FastReader], ids=["h11", "httptools"])
def reader(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Make lanes use one parser, then the other."""
    monkeypatch.setattr(_direct_lane, "make_reader", request.param)


@pytest.mark.usefixtures("reader")
@pytest.mark.parametrize("name", RESPONSES)
async def test_responses_are_those_of_httpx(name: str) -> None:
    """Normal and odd ones, each twice: the second shows what the first left behind."""
    async with (
        raw_server(partial(once, answer=RESPONSES[name])) as url,
        stock_client() as stock,
        httpx.AsyncClient(transport=make_pool()) as client,
    ):
        for method in ("POST", "POST", "GET"):
            expected = await outcome(stock, method, url)
            assert await outcome(client, method, url) == expected


@pytest.mark.usefixtures("reader")
async def test_a_head_request_is_answered_without_a_body() -> None:
    """And its lane goes on."""
    answer = reply(b"{}").removesuffix(b"{}")
    pool = make_pool()
    async with (
        raw_server(partial(always, answer=answer)) as url,
        stock_client() as stock,
        httpx.AsyncClient(transport=pool) as client,
    ):
        for _ in range(2):
            assert await outcome(client, "HEAD", url) == await outcome(stock, "HEAD", url)
        assert pool.statistics().opened == 1


async def stream_of_pieces() -> AsyncIterator[bytes]:
    """Yield a body piece by piece."""
    yield b'{"a": '
    yield b"1}"


REQUESTS: dict[str, Callable[[], dict[str, Any]]] = {
    "get": lambda: {"method": "GET", "url": "/a%20b/c?d=e&f#g"},
    "post": lambda: {"method": "POST", "url": "/createTask", "content": b"{}"},
    "empty post": lambda: {"method": "POST", "url": "/createTask"},
    "json": lambda: {"method": "PUT", "url": "/", "json": {"ключ": "é"}},
    "form": lambda: {"method": "POST", "url": "/", "data": {"a": "b c"}},
    "headers": lambda: {
        "method": "POST",
        "url": "/",
        "headers": [("X-Thing", "Ab"), ("x-thing", "cd"), ("Host", "other.example")],
        "content": b"x",
    },
    "login": lambda: {"method": "DELETE", "url": "/", "auth": ("user", "password")},
}


def parsed(request: bytes) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    """Split a request into its start line, its headers in an order of their own, and its body."""
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.split(b"\r\n")
    pairs = [line.partition(b":")[::2] for line in lines]
    return first, sorted((name.lower(), value.strip()) for name, value in pairs), body


@pytest.mark.parametrize("name", REQUESTS)
async def test_requests_are_those_of_httpx(name: str) -> None:
    """The same bytes but for the order and letter case of the headers."""
    seen: list[bytes] = []

    async def handler(stream: anyio.abc.ByteStream) -> None:
        seen.append(await read_request(stream))
        await stream.send(OK)

    async with raw_server(handler) as url:
        for transport in (stock_transport(), make_pool()):
            async with httpx.AsyncClient(transport=transport, base_url=url) as client:
                assert (await client.request(**REQUESTS[name]())).status_code == 200
    assert parsed(seen[0]) == parsed(seen[1])


async def test_a_streamed_request_is_sent_with_its_length() -> None:
    """A pool's requests are small, so they need no chunks."""
    seen: list[bytes] = []

    async def handler(stream: anyio.abc.ByteStream) -> None:
        seen.append(await read_request(stream))
        await stream.send(OK)

    async with raw_server(handler) as url, httpx.AsyncClient(transport=make_pool()) as client:
        await client.post(url, content=stream_of_pieces())
    assert seen[0].endswith(b'\r\n\r\n{"a": 1}')
    assert b"transfer-encoding" not in seen[0].lower()
