"""The connections of one server: how many there may be, and how they end."""

from __future__ import annotations

from typing import Protocol

import anyio

from ._conversation import Conversation
from ._messages import Bounds, Response

__all__ = ["BUSY", "READ_AHEAD", "Connections", "Served"]

GRACE = 1.0
"""Seconds for requests that are under way when the server stops; hanging ones are cut off then."""

READ_AHEAD = 64 * 1024
"""Bytes that are taken in while an answer is owed; the rest waits in the system's buffers."""

BUSY = Response(503, ((b"retry-after", b"1"),)).encode(close=True)


class Served(Protocol):
    """A connection, as the server sees it."""

    conversation: Conversation

    def wake(self) -> None:
        """See to what has changed in the conversation."""
        ...

    def cut(self) -> None:
        """Close it without waiting for anything."""
        ...


class Connections:
    """Those that are open now."""

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        # In the order of their coming. Each takes itself out when it is closed.
        self.open: dict[Served, None] = {}
        # Set when none is open any more; made when the server stops.
        self._none: anyio.Event | None = None
        # Set for good when the server stops.
        self._stopping = False

    @property
    def full(self) -> bool:
        """Whether there may be no more."""
        return len(self.open) >= self._bounds.connections

    def admit(self, connection: Served) -> bool:
        """Take a connection in; False if there are too many."""
        if self._stopping:
            return False
        if self.full and not self._make_room():
            return False
        self.open[connection] = None
        return True

    def discard(self, connection: Served) -> None:
        """Forget a connection that is closed."""
        self.open.pop(connection, None)
        if self._none is not None and not self.open:
            self._none.set()

    async def end(self) -> None:
        """Let what is under way come to its end, for a short while, and close all."""
        self._stopping = True
        none = self._none = anyio.Event()
        if not self.open:
            return
        try:
            for connection in list(self.open):
                connection.conversation.stop()
                connection.wake()
            with anyio.move_on_after(GRACE, shield=True):
                await none.wait()
        finally:
            for connection in list(self.open):
                connection.cut()
            # The event loop closes them in its next round.
            with anyio.move_on_after(GRACE, shield=True):
                await none.wait()

    def _make_room(self) -> bool:
        """Close the connection that has been idle longest, if one is."""
        idle = [connection for connection in self.open if connection.conversation.is_idle]
        if not idle:
            return False
        oldest = min(idle, key=lambda connection: connection.conversation.deadline)
        # It counts no more, though the event loop has yet to close it.
        self.discard(oldest)
        oldest.cut()
        return True
