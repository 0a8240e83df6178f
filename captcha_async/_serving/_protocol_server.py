"""Connections as protocols of asyncio's (or uvloop's) own event loop."""

from __future__ import annotations

import asyncio
import math
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import cast

import anyio
from anyio.abc import TaskGroup

from ._connections import BUSY, READ_AHEAD, Connections
from ._conversation import Conversation, answer_at_once
from ._first_read import Accepter, Movable
from ._library import name_library
from ._messages import Bounds, Handler, Response

__all__ = ["serve_by_protocol"]

BACKLOG = 2048

ROUND = 1.0
"""Seconds between two looks at the deadlines: a timer for each connection would cost more."""


@asynccontextmanager
async def serve_by_protocol(
    listener: socket.socket, handler: Handler, bounds: Bounds
) -> AsyncGenerator[None]:
    """Serve what comes to a bound socket, as long as the block lasts."""
    connections = Connections(bounds)

    def make() -> _Connection:
        return _Connection(connections, handler, bounds)

    def answer(data: bytes) -> bytes | None:
        return None if connections.full else answer_at_once(handler, bounds, data)

    name_library("asyncio")
    async with anyio.create_task_group() as task_group:
        accepting = await _accept(listener, make, answer, task_group)
        task_group.start_soon(_watch_deadlines, connections)
        try:
            yield
        finally:
            accepting.close()
            await connections.end()
            task_group.cancel_scope.cancel()


async def _accept(
    listener: socket.socket,
    make: Callable[[], Movable],
    answer: Callable[[bytes], bytes | None],
    task_group: TaskGroup,
) -> Accepter | asyncio.Server:
    accepter = Accepter(listener, make, answer, task_group)
    try:
        accepter.start()
    except NotImplementedError:
        # As on Windows, where asyncio accepts by other means.
        loop = asyncio.get_running_loop()
        return await loop.create_server(make, sock=listener, backlog=BACKLOG)
    return accepter


async def _watch_deadlines(connections: Connections) -> None:
    while True:
        await anyio.sleep(ROUND)
        now = anyio.current_time()
        for connection in list(connections.open):
            cast(_Connection, connection).check(now)


class _Connection(Movable):
    """One connection; its handler answers by it."""

    def __init__(self, connections: Connections, handler: Handler, bounds: Bounds) -> None:
        self._loop = asyncio.get_running_loop()
        self._connections = connections
        self._bounds = bounds
        self._transport: asyncio.Transport
        self.conversation = Conversation(handler, self, bounds, self._loop.time())
        # Called when the other side goes away without its answer; None if nobody asked for it.
        self._on_gone: Callable[[], None] | None = None
        # While the handler is given requests, so that an answer at once does not do so as well.
        self._proceeding = False
        # Bytes that came while an answer is owed; beyond READ_AHEAD reading pauses until then.
        self._ahead = 0
        # Set when nothing more is sent, while what comes is still taken in.
        self._half_closed = False
        # When it is cut, whatever it does: set while the other side does not take what is sent.
        self._cut_at = math.inf

    # -- called by the handler --------------------------------------------------------------------

    def respond(self, response: Response) -> None:
        """Answer the request of now."""
        self._on_gone = None
        self.conversation.respond(response, self._loop.time())
        if not self._proceeding:
            self.wake()

    def when_gone(self, callback: Callable[[], None]) -> None:
        """Have *callback* called if the other side goes away before it has its answer."""
        self._on_gone = callback

    # -- called by the server ---------------------------------------------------------------------

    @property
    def is_idle(self) -> bool:
        """Whether nothing is to be said before more has come."""
        return self.conversation.is_idle and self._cut_at == math.inf

    def wake(self) -> None:
        """Do what can be done now: read on, and send."""
        conversation = self.conversation
        if self._cut_at == math.inf and not self._proceeding:
            self._proceeding = True
            try:
                conversation.proceed(self._loop.time())
            finally:
                self._proceeding = False
        out = conversation.take()
        if out:
            self._transport.write(out)
        if conversation.ended:
            self._close()
        elif conversation.lingers:
            self._end_sending()
        if not conversation.is_answering:
            self._read_on()

    def cut(self) -> None:
        """Close it without waiting for anything."""
        self._transport.abort()

    def check(self, now: float) -> None:
        """End what lasts too long."""
        if now >= self._cut_at:
            self._transport.abort()
        elif now >= self.conversation.deadline:
            self.conversation.expire(now)
            self.wake()

    def _read_on(self) -> None:
        if self._ahead > READ_AHEAD and self._cut_at == math.inf:
            self._transport.resume_reading()
        self._ahead = 0

    def _end_sending(self) -> None:
        if not self._half_closed:
            self._half_closed = True
            self._transport.write_eof()

    def _close(self) -> None:
        if not self._transport.is_closing():
            self._cut_at = min(self._cut_at, self._loop.time() + self._bounds.write_time)
            self._transport.close()

    # -- called by the event loop -----------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, unless there are too many."""
        self._transport = cast(asyncio.Transport, transport)
        if not self._connections.admit(self):
            self._transport.write(BUSY)
            self.conversation.hang_up()
            self._close()

    def move(self, transport: asyncio.Transport) -> None:
        """Take another transport, which has been told what the one before was."""
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        """Take in what came."""
        self.conversation.receive(data)
        if self.conversation.is_answering:
            self._ahead += len(data)
            if self._ahead > READ_AHEAD:
                self._transport.pause_reading()
        else:
            self.wake()

    def eof_received(self) -> None:
        """Note the end; the transport then closes itself."""
        self.conversation.hang_up()

    def connection_lost(self, exc: Exception | None) -> None:
        """Note the end."""
        self.conversation.hang_up()
        self._connections.discard(self)
        on_gone, self._on_gone = self._on_gone, None
        if on_gone is not None:
            on_gone()

    def pause_writing(self) -> None:
        """Note that the other side does not keep up: it gets no more answers until it does."""
        self._cut_at = self._loop.time() + self._bounds.write_time
        self._transport.pause_reading()

    def resume_writing(self) -> None:
        """Note that it does again."""
        if not self._transport.is_closing():
            self._cut_at = math.inf
            self._transport.resume_reading()
            self.wake()
