"""A lane made of httpx's own transport, restricted to one connection: for proxies and HTTP/2."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import anyio
import attrs
import httpx

from ._messages import KEEP_ALIVE, MAX_REPLY_BYTES, Call, Origin, RawReply

__all__ = ["HttpxLane", "default_ssl_context"]


@cache
def default_ssl_context() -> ssl.SSLContext:
    """Make the TLS settings as httpx has them, once per process: loading the roots is slow."""
    context = httpx.create_ssl_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class HttpxLane:
    """One connection, by httpx's own transport.

    Args:
        ssl_context: the TLS settings; with *http2* not one that others use, since httpx writes
            into it which protocols are offered.
        proxy: URL of the proxy.
        http2: offer HTTP/2.
    """

    reusable = True

    def __init__(
        self, ssl_context: ssl.SSLContext, proxy: str | None = None, *, http2: bool = False
    ) -> None:
        self._transport = httpx.AsyncHTTPTransport(
            verify=ssl_context,
            proxy=proxy,
            http2=http2,
            limits=httpx.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE
            ),
        )

    def is_ready_for(self, origin: Origin) -> bool:
        """Tell that it is; the transport opens its connection anew when it has to."""
        return True

    async def exchange(self, call: Call) -> RawReply:
        """Send a request and read its whole reply."""
        request = _request(call)
        response = await self._transport.handle_async_request(request)
        try:
            body = await _read(response, request)
        finally:
            await response.aclose()
        return RawReply(
            response.status_code,
            response.headers.raw,
            body,
            response.extensions.get("http_version", b"HTTP/1.1"),
            response.extensions.get("reason_phrase", b""),
        )

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()

    def abandon(self) -> None:
        """Let go of the connection without its event loop, which has ended; it closes itself."""


def _request(call: Call) -> httpx.Request:
    async def trace(event: str, _: dict[str, Any]) -> None:
        if call.sending is not None and event.endswith("send_request_headers.started"):
            call.sending()

    head = call.head
    length = [(b"content-length", b"%d" % len(call.body))] if call.body or head.sized else []
    return httpx.Request(
        head.method,
        head.url,
        headers=head.headers + length,
        stream=_Body(call.body),
        extensions={"timeout": attrs.asdict(call.timeouts), "trace": trace},
    )


class _Body(httpx.AsyncByteStream):
    """A request's body. Not a generator as httpx's: a cancelled write would leave it half run."""

    def __init__(self, content: bytes) -> None:
        self._parts = [content]

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        if not self._parts:
            raise StopAsyncIteration
        return self._parts.pop()


async def _read(response: httpx.Response, request: httpx.Request) -> bytes:
    chunks: list[bytes] = []
    size = 0
    stream = response.stream
    assert isinstance(stream, httpx.AsyncByteStream)
    with anyio.CancelScope() as scope:
        async for chunk in stream:
            size += len(chunk)
            if size > MAX_REPLY_BYTES:
                # Leaving the loop would leave httpcore's generators half run; a cancellation
                # inside of them ends them properly.
                scope.cancel()
            else:
                chunks.append(chunk)
    if size > MAX_REPLY_BYTES:
        raise httpx.RemoteProtocolError(
            f"the reply has more than {MAX_REPLY_BYTES} bytes", request=request
        )
    return b"".join(chunks)
