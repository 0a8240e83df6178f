"""A connection as a protocol of asyncio's (or uvloop's) own event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar, cast

from ._connect import connect_socket
from ._lane_errors import ReadError, ReadTimeout, WriteTimeout
from ._messages import EVER, NothingSent, Origin
from ._quiet import readiness

__all__ = ["AsyncioLink", "connected", "open_asyncio_link"]

L = TypeVar("L", bound="AsyncioLink")

# What may have arrived before it is asked for; the rest waits in the system's buffers.
READ_AHEAD = 256 * 1024

BUFFER = 16 * 1024
"""Bytes that are received in one go: as many as a record of TLS has at most."""

CLOCK_TICK = 1e-3
"""Seconds by which a timer may fire early."""


class AsyncioLink(asyncio.BufferedProtocol):
    """A connection whose bytes the event loop brings: no task switch, one wake-up for a reply.

    It brings them into a buffer that stays. Without one it would take 256 KiB from the system for
    whatever it receives, and give them back, which takes as long as all the rest of a request.
    """

    sends_at_once: int | None = None

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport
        self._readable: Callable[[int], list[Any]]
        self._buffer = memoryview(bytearray(BUFFER))
        # What has arrived and was not yet asked for.
        self._parts: list[bytes] = []
        self._size = 0
        self._ended = False
        self._error: Exception | None = None
        self._lost = False
        # False while the loop keeps bytes: from `pause_writing` to `resume_writing`.
        self.flushed = True
        # Whoever waits for bytes, or for their end; there is at most one.
        self._reader: asyncio.Future[bytes] | None = None
        # Whoever waits for any of the above to change; there is at most one.
        self._watcher: asyncio.Future[None] | None = None
        # Up to when the one or the other waits, and a timer that fires then or before, with its
        # moment: set with each wait if need be, and when it has fired. It ends with the connection.
        self._deadline = self._fires_at = EVER
        self._timer: asyncio.TimerHandle | None = None

    # -- called by the lane -----------------------------------------------------------------------

    def is_quiet(self) -> bool:
        """Tell whether the connection is open and nothing has come that was not asked for."""
        # The last question goes to the system: what the loop has not yet looked at counts as well.
        return not (self._ended or self._parts or self._readable(0))

    async def send(self, data: bytes, deadline: float) -> None:
        """Send bytes; the loop keeps what the system does not take, so a reply can come first."""
        if self._ended or self._transport.is_closing():
            raise NothingSent
        self._transport.write(data)
        while not (self.flushed or self._parts or self._ended):
            await self._change(deadline)

    def receive(self, deadline: float) -> asyncio.Future[bytes]:
        """Wait for bytes until a moment; empty when the other side has ended the connection."""
        reader: asyncio.Future[bytes] = asyncio.Future(loop=self._loop)
        self._reader = reader
        self._deadline = deadline
        if self._parts or self._ended:
            self._tell(reader)
        elif self._fires_at > deadline:
            # A timer of the loop's: a cancel scope for each read would cost ten times as much. And
            # it stays for the next reads, which end later: it then finds that it came too early.
            self._set_timer(deadline)
        return reader

    async def aclose(self) -> None:
        """Close the connection at once."""
        self._transport.abort()
        while not self._lost:
            await self._change(EVER)

    def abandon(self) -> None:
        """Let go of the connection without its event loop, which has ended."""
        # asyncio's transport cannot be closed any more; but the other side hears of the end.
        # uvloop's socket refuses this with a TypeError: it is closed with the loop.
        with suppress(OSError, TypeError):
            self._transport.get_extra_info("socket").shutdown(socket.SHUT_RDWR)

    # -- called by the event loop -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and have it tell of any byte that it keeps."""
        self._transport = cast(asyncio.Transport, transport)
        self._readable = readiness(transport.get_extra_info("socket").fileno())
        self._transport.set_write_buffer_limits(high=0)

    def get_buffer(self, sizehint: int) -> memoryview:
        """Return where to put what comes; what came before is not there any more."""
        return self._buffer

    def buffer_updated(self, nbytes: int) -> None:
        """Hand over what came, or keep it if nobody waits for it."""
        self._hand_over(self._buffer[:nbytes].tobytes())

    def _hand_over(self, data: bytes) -> None:
        reader = self._reader
        if reader is not None and not reader.done():
            reader.set_result(data)
            return
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
        self._set_timer(EVER)

    def pause_writing(self) -> None:
        """Note that the other side does not keep up."""
        self.flushed = False

    def resume_writing(self) -> None:
        """Note that it does again."""
        self.flushed = True
        self._wake()

    # -- inside -----------------------------------------------------------------------------------

    def _tell(self, reader: asyncio.Future[bytes]) -> None:
        """Give what has arrived to whoever waits for it, or the end."""
        if self._parts:
            reader.set_result(b"".join(self._parts))
            self._parts.clear()
            if self._size > READ_AHEAD and not self._transport.is_closing():
                self._transport.resume_reading()
            self._size = 0
        elif self._error is not None:
            reader.set_exception(ReadError(str(self._error) or type(self._error).__name__))
        else:
            reader.set_result(b"")

    def _wake(self) -> None:
        """Have whoever waits look at what has changed."""
        if self._watcher is not None and not self._watcher.done():
            self._watcher.set_result(None)
        if self._ended and self._reader is not None and not self._reader.done():
            self._tell(self._reader)

    async def _change(self, deadline: float) -> None:
        """Wait for a change.

        Raises:
            WriteTimeout: none came before the *deadline*.
        """
        self._watcher = self._loop.create_future()
        self._deadline = deadline
        if self._fires_at > deadline:
            self._set_timer(deadline)
        await self._watcher

    def _set_timer(self, moment: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._fires_at = moment
        self._timer = self._loop.call_at(moment, self._expire) if moment < EVER else None

    def _expire(self) -> None:
        if self._deadline > self._loop.time() + CLOCK_TICK:
            self._set_timer(self._deadline)
            return
        self._set_timer(EVER)
        if self._reader is not None and not self._reader.done():
            self._reader.set_exception(ReadTimeout("no reply came in time"))
        elif self._watcher is not None and not self._watcher.done():
            self._watcher.set_exception(WriteTimeout("the server takes no more of the request"))


async def open_asyncio_link(origin: Origin) -> AsyncioLink:
    """Connect; raises OSError."""
    return await connected(AsyncioLink, origin)


async def connected(make_link: Callable[[], L], origin: Origin) -> L:
    """Connect a link to *origin*; raises OSError."""
    connection = await connect_socket(origin.host, origin.port)
    loop = asyncio.get_running_loop()
    _, link = await loop.create_connection(make_link, sock=connection)
    return link
