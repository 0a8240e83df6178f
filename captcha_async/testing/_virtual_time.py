"""An asyncio event loop whose clock jumps to the next timer instead of waiting for it.

The trio side is `trio.testing.MockClock`. Only for tests without real sockets and threads: the
clock would run past an answer that is still on its way. The pytest plugin offers it to users.
"""

from __future__ import annotations

import asyncio
import selectors
from collections.abc import Mapping
from typing import Any

__all__ = ["VirtualTimeLoop"]

Events = list[tuple[selectors.SelectorKey, int]]


class _JumpingSelector(selectors.BaseSelector):
    """Asks the real selector without waiting, and spends the wait on a clock of its own."""

    def __init__(self) -> None:
        self._real = selectors.DefaultSelector()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> Events:
        # No timer is set: only another thread or a socket can go on, so really wait.
        if timeout is None:
            return self._real.select(None)
        events = self._real.select(0)
        if not events and timeout > 0:
            self.now += timeout
        return events

    def register(self, fileobj: Any, events: int, data: object = None) -> selectors.SelectorKey:
        return self._real.register(fileobj, events, data)

    def unregister(self, fileobj: Any) -> selectors.SelectorKey:
        return self._real.unregister(fileobj)

    def get_map(self) -> Mapping[Any, selectors.SelectorKey]:
        return self._real.get_map()

    def close(self) -> None:
        self._real.close()


class VirtualTimeLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; it starts at 0, like trio's mock clock."""

    def __init__(self) -> None:
        self._virtual = _JumpingSelector()
        super().__init__(self._virtual)

    def time(self) -> float:
        return self._virtual.now
