"""A lane made of httpx's own transport, restricted to one connection."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator
from functools import cache
from typing import Any

import anyio
import httpx

__all__ = ["MAX_REPLY_BYTES", "HttpxLane", "default_ssl_context"]

MAX_REPLY_BYTES = 8 * 1024 * 1024
"""A larger reply is not of this protocol; reading it would only fill the memory."""

# It must outlive the gap between polls, or every poll opens a connection of its own.
KEEP_ALIVE = 60.0


@cache
def default_ssl_context() -> ssl.SSLContext:
    """Make the TLS settings as httpx has them, once per process: loading the roots is slow."""
    return httpx.create_ssl_context()


class HttpxLane:
    """One connection, by httpx's own transport."""

    def __init__(self, ssl_context: ssl.SSLContext | None, proxy: str | None) -> None:
        self._transport = httpx.AsyncHTTPTransport(
            verify=ssl_context or default_ssl_context(),
            proxy=proxy,
            limits=httpx.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE
            ),
        )

    async def exchange(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its whole reply."""
        sending = request.extensions.get("sending")

        async def trace(event: str, _: dict[str, Any]) -> None:
            if sending is not None and event.endswith("send_request_headers.started"):
                sending()

        request.extensions["trace"] = trace
        request.stream = _Body(request.content)
        response = await self._transport.handle_async_request(request)
        try:
            body = await _read(response, request)
        finally:
            await response.aclose()
        return httpx.Response(
            response.status_code,
            headers=response.headers,
            stream=httpx.ByteStream(body),
            extensions=response.extensions,
        )

    async def aclose(self) -> None:
        """Close the connection."""
        await self._transport.aclose()


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
