"""Direct lanes for tests, servers for them, and replies that are normal and odd."""

from __future__ import annotations

import ssl

import anyio
import httpx
from raw_server import read_request, reply

from captcha_async._transport._direct_lane import DirectLane
from captcha_async._transport._heads import head_of
from captcha_async._transport._lane_errors import LaneError
from captcha_async._transport._lanes import LanePool, LaneStatistics
from captcha_async._transport._messages import EVER, Call
from captcha_async._transport._tls import default_ssl_context

OK = reply(b'{"errorId": 0}')


class LaneTransport(httpx.AsyncBaseTransport):
    """A pool as a transport of httpx's, so that it can be held against httpx's own one."""

    def __init__(self, pool: LanePool) -> None:
        self._pool = pool

    def __repr__(self) -> str:
        return repr(self._pool)

    def statistics(self) -> LaneStatistics:
        """Return the pool's numbers."""
        return self._pool.statistics()

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request over a lane; an error is httpx's of the same name."""
        body, timeouts = await request.aread(), request.extensions.get("timeout", {})
        # A lane knows no step by itself: the first that would end ends them all.
        shortest = min(
            (seconds for seconds in timeouts.values() if seconds is not None), default=EVER
        )
        try:
            raw = await self._pool.exchange(Call(head_of(request), body), shortest)
        except LaneError as error:
            raise getattr(httpx, type(error).__name__)(str(error), request=request) from error
        return httpx.Response(
            raw.status,
            headers=raw.headers,
            stream=httpx.ByteStream(raw.body),
            extensions={"http_version": raw.version, "reason_phrase": raw.reason},
        )

    async def aclose(self) -> None:
        """Close the pool."""
        await self._pool.aclose()


def make_pool(size: int = 4, ssl_context: ssl.SSLContext | None = None) -> LaneTransport:
    """Make a pool of direct lanes."""
    return LaneTransport(LanePool(lambda: DirectLane(ssl_context), size))


def stock_transport() -> httpx.AsyncHTTPTransport:
    """Make httpx's own transport, with TLS settings that need not be made anew each time."""
    return httpx.AsyncHTTPTransport(verify=default_ssl_context())


def stock_client() -> httpx.AsyncClient:
    """Make a client as httpx has it."""
    return httpx.AsyncClient(transport=stock_transport())


async def always(stream: anyio.abc.ByteStream, *, answer: bytes = OK) -> None:
    """Answer every request with the same."""
    while True:
        await read_request(stream)
        await stream.send(answer)


async def once(stream: anyio.abc.ByteStream, *, answer: bytes = OK) -> None:
    """Answer one request, and close the connection."""
    await read_request(stream)
    await stream.send(answer)


HTTP = b"HTTP/1.1 200 OK\r\n"
RESPONSES: dict[str, bytes] = {
    "plain": OK,
    "odd letter case": HTTP + b"cOnTeNt-LeNgTh: 2\r\nX-THING: Ab\r\n\r\n{}",
    "repeated header": reply(b"{}", headers=b"set-cookie: a=b\r\nset-cookie: c=d\r\n"),
    "latin-1 header": reply(b"{}", headers=b"x-name: caf\xe9\r\n"),
    "empty body": reply(b""),
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "not modified": b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n",
    "no reason": b"HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\n{}",
    "odd status": reply(b"{}", b"299 Odd"),
    "status without a meaning": reply(b"{}", b"599 Whatever"),
    "redirect": reply(b"", b"302 Found", headers=b"location: /elsewhere\r\n"),
    "error page": reply(b"<html>", b"502 Bad Gateway"),
    "chunked": HTTP + b"transfer-encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
    "trailers": HTTP + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\nx: y\r\n\r\n",
    "until the end": HTTP + b"content-type: text/plain\r\n\r\nuntil the end",
    "old protocol": b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    "connection: close": reply(b"{}", headers=b"connection: close\r\n"),
    "interim": b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + OK,
    "bare line ends": OK.replace(b"\r\n", b"\n"),
    "surplus": OK + b"HTTP/1.1 200 OK\r\n",
    "nothing": b"",
    "half a head": OK[:20],
    "half a body": OK[:-3],
    "half a chunk": HTTP + b"transfer-encoding: chunked\r\n\r\n9\r\n{",
    "two lengths": HTTP + b"content-length: 2\r\ncontent-length: 3\r\n\r\n{}",
    "bad length": HTTP + b"content-length: x\r\n\r\n{}",
    "bad chunk": HTTP + b"transfer-encoding: chunked\r\n\r\nzz\r\n{}",
    "not HTTP": b"SSH-2.0-OpenSSH\r\n\r\n",
    "large header": reply(b"{}", headers=b"x: " + b"y" * 50_000 + b"\r\n"),
    "giant header": reply(b"{}", headers=b"x: " + b"y" * 300_000 + b"\r\n"),
}


async def outcome(client: httpx.AsyncClient, method: str, url: str) -> object:
    """Return all of a response, or the error's type."""
    try:
        response = await client.request(method, url, timeout=5)
    except httpx.TransportError as error:
        return type(error), error.request.method
    version, reason = (response.extensions[name] for name in ("http_version", "reason_phrase"))
    return response.status_code, version, reason, response.headers.raw, response.content
