"""A lane made of httpx's own transport, restricted to one connection: for proxies and HTTP/2."""

from __future__ import annotations

import ssl

import anyio
import httpx

from ._carry import Watch, carry, is_silent
from ._lane_errors import ReadTimeout
from ._messages import KEEP_ALIVE, Call, Origin, RawReply

__all__ = ["HttpxLane"]


class HttpxLane:
    """One connection, by httpx's own transport.

    Args:
        ssl_context: the TLS settings; with *http2* not one that others use, since httpx writes
            into it which protocols are offered.
        proxy: URL of the proxy.
        http2: offer HTTP/2.
    """

    def __init__(
        self, ssl_context: ssl.SSLContext, proxy: str | None = None, *, http2: bool = False
    ) -> None:
        self.reusable = False
        self._last: httpx.Response | None = None
        self._transport = httpx.AsyncHTTPTransport(
            verify=ssl_context,
            proxy=proxy,
            http2=http2,
            limits=httpx.Limits(
                max_connections=1, max_keepalive_connections=1, keepalive_expiry=KEEP_ALIVE
            ),
        )

    def is_ready_for(self, origin: Origin) -> bool:
        """Tell whether its connection is open and nothing has come that was not asked for.

        For another origin the transport opens a connection anew.
        """
        return self._last is not None and is_silent(self._last)

    async def exchange(self, call: Call) -> RawReply:
        """Send a request and read its whole reply."""
        self.reusable = False
        watch = Watch(call, once=call.once)
        request = _request(call)
        watch.attach(request, call.body)
        try:
            with anyio.CancelScope(deadline=call.deadline):
                raw, self._last, self.reusable = await carry(self._transport, request)
                return raw
            raise ReadTimeout("no reply came in time")
        except BaseException as error:
            await watch.settle(error)
            raise

    async def aclose(self) -> None:
        """Close the connection."""
        self.reusable = False
        await self._transport.aclose()

    def abandon(self) -> None:
        """Let go of the connection without its event loop, which has ended; it closes itself."""


def _request(call: Call) -> httpx.Request:
    head = call.head
    length = [(b"content-length", b"%d" % len(call.body))] if call.body or head.sized else []
    return httpx.Request(
        head.method,
        head.url,
        headers=head.headers + length,
        stream=httpx.ByteStream(b""),
        # None waits for ever: the deadline is kept above.
        extensions={"timeout": dict.fromkeys(("connect", "read", "write", "pool"))},
    )
