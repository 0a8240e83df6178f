"""A waiting line: who waits for the same thing gets it in order of arrival.

What is waited for, and when there is some, is known to whoever has the line: slots, turns of a
rate, or a share of either. An idle line has no timer, only the first in it is ever awake, and who
is cancelled takes nothing with it.
"""

from __future__ import annotations

from types import TracebackType

import anyio

__all__ = ["Place", "WaitingLine"]

LEAST_WAIT = 1e-6
"""Seconds; a timer may fire a clock tick early, and what is left then is less than it can wait."""


class WaitingLine:
    """Those who wait, the first one first."""

    __slots__ = ("places",)

    def __init__(self) -> None:
        # In order of arrival; each place as long as its block lasts.
        self.places: dict[Place, None] = {}

    def __len__(self) -> int:
        return len(self.places)

    def wake(self) -> None:
        """Let the first one look again."""
        for place in self.places:
            place.wake()
            break


class Place:
    """A place in a line: `with Place(line) as place:`.

    Inside, whoever is first and finds what it waits for takes it and leaves; else it calls `wait`.
    """

    __slots__ = ("_event", "_line")

    def __init__(self, line: WaitingLine) -> None:
        self._line = line
        # New for each wait.
        self._event: anyio.Event | None = None

    def __enter__(self) -> Place:
        self._line.places[self] = None
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        del self._line.places[self]
        self._line.wake()

    @property
    def is_first(self) -> bool:
        """Whether it is its turn."""
        return next(iter(self._line.places)) is self

    def wake(self) -> None:
        """Let it look again."""
        if self._event is not None:
            self._event.set()

    async def wait(self, moment: float) -> None:
        """Wait until it may have become its turn, or until that *moment* if it is first."""
        event = self._event = anyio.Event()
        if moment == float("inf") or not self.is_first:
            # Only something that is given back is waited for: that needs no timer.
            await event.wait()
        else:
            with anyio.move_on_after(max(moment - anyio.current_time(), LEAST_WAIT)):
                await event.wait()
