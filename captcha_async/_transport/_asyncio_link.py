"""A connection as a protocol of asyncio's (or uvloop's) own event loop."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, cast

from ._connect import connect_socket
from ._lane_errors import ReadError, ReadTimeout, WriteTimeout
from ._messages import EVER, NothingSent, Origin
from ._quiet import readiness

__all__ = ["AsyncioLink", "open_asyncio_link"]

# What may have arrived before it is asked for; the rest waits in the system's buffers.
READ_AHEAD = 256 * 1024

CLOCK_TICK = 1e-3
"""Seconds by which a timer may fire early."""


class AsyncioLink(asyncio.Protocol):
    """A connection whose bytes the event loop brings: no task switch, one wake-up for a reply."""

    sends_at_once: int | None = None

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._readable: Callable[[int], list[Any]]
        # What has arrived and was not yet asked for.
        self._parts: list[bytes] = []
        self._size = 0
        self._ended = False
        self._error: Exception | None = None
        self._lost = False
        # Set while the system's buffers are full: from `pause_writing` to `resume_writing`.
        self._stuffed = False
        # Whoever waits for any of the above to change; there is at most one.
        self._waiter: asyncio.Future[bool] | None = None
        # Up to when it waits, and a timer that fires then or before; set by `_wait`, and the timer
        # also when it has fired. It is cancelled with the connection.
        self._deadline = EVER
        self._timer: asyncio.TimerHandle | None = None

    # -- called by the lane -----------------------------------------------------------------------

    def is_quiet(self) -> bool:
        """Tell whether the connection is open and nothing has come that was not asked for."""
        # The last question goes to the system: what the loop has not yet looked at counts as well.
        return not (self._ended or self._parts or self._transport.is_closing() or self._readable(0))

    def is_flushed(self) -> bool:
        """Tell whether all that was given to `send` has left."""
        return not self._stuffed and not self._transport.get_write_buffer_size()

    async def send(self, data: bytes, deadline: float) -> None:
        """Send bytes; the loop keeps what the system does not take, so a reply can come first."""
        if self._ended or self._transport.is_closing():
            raise NothingSent
        self._transport.write(data)
        while self._stuffed and not self._parts and not self._ended:
            if not await self._wait(deadline):
                raise WriteTimeout("the server takes no more of the request")

    async def receive(self, deadline: float) -> bytes:
        """Wait for bytes until a moment; empty when the other side has ended the connection."""
        while not self._parts and not self._ended:
            if not await self._wait(deadline):
                raise ReadTimeout("no reply came in time")
        if self._parts:
            return self._take()
        if self._error is not None:
            raise ReadError(str(self._error) or type(self._error).__name__)
        return b""

    async def aclose(self) -> None:
        """Close the connection at once."""
        self._transport.abort()
        while not self._lost:
            await self._wait(EVER)

    def abandon(self) -> None:
        """Let go of the connection without its event loop, which has ended."""
        # asyncio's transport cannot be closed any more; but the other side hears of the end.
        with suppress(OSError):
            self._transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    # -- called by the event loop -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)
        self._readable = readiness(transport.get_extra_info("socket").fileno())

    def data_received(self, data: bytes) -> None:
        """Keep what came."""
        self._parts.append(data)
        self._size += len(data)
        if self._size > READ_AHEAD and not self._transport.is_closing():
            self._transport.pause_reading()
        self._wake()

    def eof_received(self) -> bool | None:
        """Note the end; the transport then closes itself."""
        self._ended = True
        self._wake()
        return None

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end, and why."""
        if not self._ended:
            self._error = exc
        self._ended = self._lost = True
        self._wake()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def pause_writing(self) -> None:
        """Note that the other side does not keep up."""
        self._stuffed = True

    def resume_writing(self) -> None:
        """Note that it does again."""
        self._stuffed = False
        self._wake()

    # -- inside -----------------------------------------------------------------------------------

    def _take(self) -> bytes:
        data = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._parts.clear()
        if self._size > READ_AHEAD and not self._transport.is_closing():
            self._transport.resume_reading()
        self._size = 0
        return data

    def _wake(self, *, changed: bool = True) -> None:
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(changed)

    async def _wait(self, deadline: float) -> bool:
        """Wait for a change; False if none came before the *deadline*."""
        waiter: asyncio.Future[bool] = self._loop.create_future()
        self._waiter = waiter
        self._deadline = deadline
        # A timer of the loop's: a cancel scope for each read would cost ten times as much. And it
        # stays for the next reads, which end later: it then finds that it has come too early.
        if self._timer is None or self._timer.when() > deadline:
            self._set_timer()
        try:
            return await waiter
        finally:
            self._waiter = None

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._deadline < EVER:
            self._timer = self._loop.call_at(self._deadline, self._expire)

    def _expire(self) -> None:
        self._timer = None
        if self._waiter is None:
            return
        if self._deadline > self._loop.time() + CLOCK_TICK:
            self._set_timer()
        else:
            self._wake(changed=False)


async def open_asyncio_link(origin: Origin, ssl_context: ssl.SSLContext | None) -> AsyncioLink:
    """Connect, by TLS with its settings; raises OSError or ssl.SSLError."""
    connected = await connect_socket(origin.host, origin.port)
    options: dict[str, Any] = {}
    if ssl_context is not None:
        options = {"ssl": ssl_context, "server_hostname": origin.host}
    loop = asyncio.get_running_loop()
    _, link = await loop.create_connection(AsyncioLink, sock=connected, **options)
    return link
