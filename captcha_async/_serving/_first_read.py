"""Accepting on asyncio, with the first request answered straight from the socket.

Most callbacks come over a connection of their own, and are there when it is accepted. Then the
answer is sent and the connection closed at once, and nothing is made for it. A transport of the
event loop's for each, and the task that makes it, would cost more than all the rest; so a
connection gets one only if something is left undone after a read: a request that is not whole, or
an answer that is not given, or not taken.
"""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Callable
from typing import cast

import anyio
from anyio.abc import TaskGroup

__all__ = ["Accepter", "Movable"]

READ_SIZE = 65536

GROWTH, AT_ONCE = 1.1, 64
"""Connections that are accepted in one go at most, so that others of the loop have their turn."""

LAST = getattr(socket, "MSG_MORE", 0)
"""Has the end of the connection travel with the answer before it, where the system can do that:
each packet more wakes the other side once more."""

NO_RESOURCES = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
PAUSE = 0.1
"""Seconds to wait if the system cannot accept one more connection."""


class Movable(asyncio.Protocol):
    """A protocol whose connection may get another transport."""

    @property
    def is_idle(self) -> bool:
        """Whether it has nothing to say but to what comes next, unless that it closes."""
        raise NotImplementedError

    def move(self, transport: asyncio.Transport) -> None:
        """Write to this transport from now on."""
        raise NotImplementedError


class Accepter:
    """Accepts connections, and gives each to a protocol.

    Args:
        listener: does not block.
        make_protocol: of a connection.
        answer: gives the answer to what a connection begins with, if that is all; else None.
        task_group: owns the making of transports.
    """

    def __init__(
        self,
        listener: socket.socket,
        make_protocol: Callable[[], Movable],
        answer: Callable[[bytes], bytes | None],
        task_group: TaskGroup,
    ) -> None:
        self._loop = asyncio.get_running_loop()
        self._listener = listener
        self._make_protocol = make_protocol
        self._answer = answer
        self._task_group = task_group
        # How many to accept in one go. It grows slowly while there are any, and starts anew when
        # there are fewer: to look for one that is not there costs as much as to accept it.
        self._most = 1.0
        # While accepting pauses because the system can open no more.
        self._pause: asyncio.TimerHandle | None = None

    def start(self) -> None:
        """Begin.

        Raises:
            NotImplementedError: this event loop does not tell when a socket can be read.
        """
        self._pause = None
        self._loop.add_reader(self._listener, self._accept)

    def close(self) -> None:
        """Accept no more, and close the listener."""
        if self._pause is not None:
            self._pause.cancel()
        self._loop.remove_reader(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        for _ in range(int(self._most)):
            try:
                connected, _address = self._listener.accept()
            except OSError as error:
                # Otherwise there is none, or it has gone already.
                if error.errno in NO_RESOURCES:
                    self._loop.remove_reader(self._listener)
                    self._pause = self._loop.call_later(PAUSE, self.start)
                self._most = 1.0
                return
            connected.setblocking(False)
            self._begin(connected)
        self._most = min(GROWTH * self._most, AT_ONCE)

    def _begin(self, connected: socket.socket) -> None:
        """Answer what has come already, or leave the connection to a protocol."""
        data = answer = None
        try:
            data = connected.recv(READ_SIZE)
            answer = self._answer(data) if data else None
            if answer is not None:
                # It is smaller than any buffer, and the first that is sent.
                connected.send(answer, LAST)
        except (BlockingIOError, InterruptedError):
            pass
        except OSError:
            data = b""
        if data == b"" or answer is not None:
            connected.close()
        else:
            _Direct(connected, self._make_protocol(), self._task_group).begin(data)


class _Direct(asyncio.Protocol):
    """A transport for as long as nothing is left undone after a read.

    Then the connection is closed, or a transport of the event loop's takes it over.
    """

    def __init__(self, connected: socket.socket, protocol: Movable, task_group: TaskGroup) -> None:
        self._loop = asyncio.get_running_loop()
        self._socket = connected
        self._protocol = protocol
        self._task_group = task_group
        # While the event loop is asked to tell of bytes; while the protocol has them.
        self._waiting = self._reading = False
        # Set when the socket is closed here; while another transport is made for it; and when that
        # has it, which then closes it.
        self._ended = self._moving = self._moved = False
        # What was asked for meanwhile, for the other transport to do.
        self._out: list[bytes] = []
        self._closing = self._aborted = self._half_closed = self._paused = False

    def begin(self, data: bytes | None) -> None:
        """Take what has come already; None to wait for it."""
        self._reading = True
        self._protocol.connection_made(cast(asyncio.Transport, self))
        self._reading = False
        if self._closing:
            self._go_on()
        elif data is not None:
            self._take(data)
        else:
            self._wait()

    # -- called by the protocol -------------------------------------------------------------------

    def write(self, data: bytes) -> None:
        """Send bytes, once the read is done."""
        self._out.append(data)

    def write_eof(self) -> None:
        """Send no more after that."""
        self._half_closed = True

    def is_closing(self) -> bool:
        """Tell whether `close` or `abort` was called."""
        return self._closing

    def close(self) -> None:
        """Close when all is sent."""
        self._closing = True
        if self._waiting and not self._reading:
            self._go_on()

    def abort(self) -> None:
        """Close at once."""
        self._closing = self._aborted = True
        if not self._reading and not self._moving:
            self._end()

    def pause_reading(self) -> None:
        """Let the other transport begin without reading."""
        self._paused = True

    def resume_reading(self) -> None:
        """Let it begin with reading."""
        self._paused = False

    # -- inside -----------------------------------------------------------------------------------

    def _read(self) -> None:
        try:
            data = self._socket.recv(READ_SIZE)
        except (BlockingIOError, InterruptedError):
            return
        except OSError:
            self._end()
            return
        self._take(data)

    def _take(self, data: bytes) -> None:
        self._reading = True
        try:
            if data:
                self._protocol.data_received(data)
            else:
                self._protocol.eof_received()
                self._closing = True
        except BaseException:
            self._end()
            raise
        self._reading = False
        self._go_on()

    def _go_on(self) -> None:
        """Send what there is; then wait for more, or close, or have another transport made."""
        if self._out and not self._aborted:
            data = b"".join(self._out)
            try:
                sent = self._socket.send(data)
            except (BlockingIOError, InterruptedError):
                sent = 0
            except OSError:
                self._end()
                return
            self._out = [data[sent:]] if sent < len(data) else []
        if self._aborted or (self._closing and not self._out):
            self._end()
        elif self._protocol.is_idle and not self._out:
            self._wait()
        else:
            self._stop_waiting()
            self._task_group.start_soon(self._move)

    async def _move(self) -> None:
        if self._ended:
            return
        self._moving = True
        try:
            # It takes two rounds of the loop, and given up halfway it would leave the socket open.
            with anyio.CancelScope(shield=True):
                await self._loop.connect_accepted_socket(lambda: self, self._socket)
        finally:
            if not self._moved:
                self._end()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Give the other transport what it has to do, and the protocol."""
        self._moved = True
        moved = cast(asyncio.Transport, transport)
        moved.set_protocol(self._protocol)
        self._protocol.move(moved)
        for data in self._out:
            moved.write(data)
        if self._half_closed:
            moved.write_eof()
        if self._aborted:
            moved.abort()
        elif self._closing:
            moved.close()
        elif self._paused:
            moved.pause_reading()

    def _wait(self) -> None:
        if not self._waiting:
            self._waiting = True
            self._loop.add_reader(self._socket, self._read)

    def _stop_waiting(self) -> None:
        if self._waiting:
            self._waiting = False
            self._loop.remove_reader(self._socket)

    def _end(self) -> None:
        self._stop_waiting()
        if not self._ended:
            self._ended = True
            self._socket.close()
            self._protocol.connection_lost(None)
