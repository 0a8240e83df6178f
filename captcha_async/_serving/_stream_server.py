"""Connections over anyio's streams, as used on trio: a task for each."""

from __future__ import annotations

import errno
import math
import socket
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager

import anyio
from anyio.abc import SocketListener, SocketStream, TaskGroup

from ._connections import BUSY, READ_AHEAD, Connections
from ._conversation import Conversation
from ._messages import Bounds, Handler, Response

__all__ = ["serve_by_streams"]

READ_SIZE = 65536

NO_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
PAUSE = 0.1
"""Seconds to wait if the system cannot accept one more connection."""


@asynccontextmanager
async def serve_by_streams(
    listener: socket.socket, handler: Handler, bounds: Bounds
) -> AsyncGenerator[None]:
    """Serve what comes to a bound socket, as long as the block lasts."""
    connections = Connections(bounds)
    async with (
        await SocketListener.from_socket(listener) as accepting,
        anyio.create_task_group() as task_group,
    ):
        accepter = _Accepter(accepting, connections, handler, bounds)
        task_group.start_soon(accepter.run, task_group)
        try:
            yield
        finally:
            # Which ends the accepter, too.
            with anyio.CancelScope(shield=True):
                await accepting.aclose()
            await connections.end()
            task_group.cancel_scope.cancel()


class _Accepter:
    """Starts a task for each connection that is made."""

    def __init__(
        self, listener: SocketListener, connections: Connections, handler: Handler, bounds: Bounds
    ) -> None:
        self._listener = listener
        self._connections = connections
        self._handler = handler
        self._bounds = bounds

    async def run(self, task_group: TaskGroup) -> None:
        """Accept until the listener is closed."""
        while True:
            try:
                stream = await self._listener.accept()
            except anyio.ClosedResourceError:
                return
            except OSError as error:
                # Otherwise the one that was to be accepted has gone already.
                if error.errno in NO_RESOURCES:
                    await anyio.sleep(PAUSE)
            else:
                task_group.start_soon(self._serve, stream)

    async def _serve(self, stream: SocketStream) -> None:
        connection = _Connection(stream, self._handler, self._bounds)
        try:
            await connection.run(self._connections)
        finally:
            self._connections.discard(connection)
            connection.forsake()
            await anyio.aclose_forcefully(stream)


class _Connection:
    """One connection; its handler answers by it."""

    def __init__(self, stream: SocketStream, handler: Handler, bounds: Bounds) -> None:
        self._stream = stream
        self._bounds = bounds
        self.conversation = Conversation(handler, self, bounds, anyio.current_time())
        # Called when the other side goes away without its answer; None if nobody asked for it.
        self._on_gone: Callable[[], None] | None = None
        # Cancelled when there is something else to do than to wait for bytes; one for each wait.
        self._reading = anyio.CancelScope()
        # Cancelled to cut the connection.
        self._scope = anyio.CancelScope()
        # Bytes that came since the last answer; beyond READ_AHEAD none are read until it is given.
        self._ahead = 0
        # Set when nothing more is sent, while what comes is still taken in.
        self._half_closed = False

    # -- called by the handler --------------------------------------------------------------------

    def respond(self, response: Response) -> None:
        """Answer the request of now."""
        self._on_gone = None
        self.conversation.respond(response, anyio.current_time())
        self._reading.cancel()

    def when_gone(self, callback: Callable[[], None]) -> None:
        """Have *callback* called if the other side goes away before it has its answer."""
        self._on_gone = callback

    # -- called by the server ---------------------------------------------------------------------

    async def run(self, connections: Connections) -> None:
        """Talk until the end."""
        with self._scope:
            try:
                if not connections.admit(self):
                    await self._send(BUSY)
                    return
                while not self.conversation.ended:
                    await self._receive()
                    self.conversation.proceed(anyio.current_time())
                    await self._send(self.conversation.take())
            except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError):
                pass

    def forsake(self) -> None:
        """Tell whoever works on an answer that nobody waits for it any more."""
        self.conversation.hang_up()
        on_gone, self._on_gone = self._on_gone, None
        if on_gone is not None:
            on_gone()

    def wake(self) -> None:
        """See to what has changed in the conversation."""
        self._reading.cancel()

    def cut(self) -> None:
        """Close it without waiting for anything."""
        self._scope.cancel()

    # -- inside -----------------------------------------------------------------------------------

    async def _receive(self) -> None:
        conversation = self.conversation
        with anyio.CancelScope(deadline=conversation.deadline) as self._reading:
            if self._ahead > READ_AHEAD:
                await anyio.sleep(math.inf)
            try:
                data = await self._stream.receive(READ_SIZE)
            except anyio.EndOfStream:
                conversation.hang_up()
                return
            self._ahead += len(data)
            conversation.receive(data)
        now = anyio.current_time()
        if not conversation.is_answering:
            self._ahead = 0
        if now >= conversation.deadline:
            conversation.expire(now)

    async def _send(self, data: bytes) -> None:
        if data:
            with anyio.move_on_after(self._bounds.write_time) as scope:
                await self._stream.send(data)
            if scope.cancelled_caught:
                self.conversation.hang_up()
        if self.conversation.lingers and not self._half_closed:
            self._half_closed = True
            await self._stream.send_eof()
