"""A gate of one process: slots or turns, as many as its share of the account allows.

It has the methods of `RateLimitedSemaphore`, and as there, entry is in order of arrival, an idle
gate has no timer, and a cancelled waiter takes nothing with it. Only the share comes from outside,
and may change at any time.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from types import TracebackType

import anyio
import attrs
from anyio.lowlevel import checkpoint_if_cancelled

from .._waiting_line import Place, WaitingLine
from ._messages import Ask

__all__ = ["Gate", "GateStatistics"]

LEAST_SPARE = 8


@attrs.frozen
class GateStatistics:
    """What a gate is doing."""

    capacity: int | None
    """The share: entries that this process may have now; None for any number."""
    borrowed: int
    """Entries that count now."""
    waiting: int
    """Callers that wait."""
    entered: int
    """Entries so far."""


class Gate:
    """Slots, or turns of a rate, that may be taken.

    Args:
        valid: tells whether the share is in force at a moment of the event loop's clock.
        ask: called when the share is used up, or when something may be given back.
        window: seconds for which an entry counts; None for slots, which count until released.
    """

    def __init__(
        self,
        valid: Callable[[float], bool],
        ask: Callable[[], None],
        window: float | None = None,
    ) -> None:
        self._valid = valid
        self._ask = ask
        self.window: float | None = window
        # Set by each grant; -1 for no limit.
        self._share = 0
        self._used = 0
        self._entered = 0
        # Moments of the entries that count, for a rate.
        self._entries: deque[float] = deque()
        self._line = WaitingLine()
        # What the last answered report wanted, and whether others wait, as far as is known.
        self._told = 0
        self.hungry: bool = False

    def __repr__(self) -> str:
        return f"<Gate {self._used} of {self._share}, {len(self._line)} waiting>"

    def statistics(self) -> GateStatistics:
        """Return the numbers of now."""
        self._drop_old(anyio.current_time())
        share = None if self._share < 0 else self._share
        return GateStatistics(share, self._used, len(self._line), self._entered)

    # -- entering ---------------------------------------------------------------------------------

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def acquire_nowait(self) -> None:
        """Enter at once.

        Raises:
            anyio.WouldBlock: the share is used up or not in force, or others wait.
        """
        if not self.try_acquire():
            raise anyio.WouldBlock

    def try_acquire(self) -> bool:
        """Enter at once if that is possible; tell whether it was."""
        # Without a limit the moment matters to nobody, and need not be asked for.
        now = 0.0 if self._share < 0 else anyio.current_time()
        if self._line.places or self._opening(now) > now:
            return False
        self._enter(now)
        return True

    async def acquire(self) -> None:
        """Enter as soon as the share allows."""
        await checkpoint_if_cancelled()
        if not self.try_acquire():
            await self._wait()

    async def _wait(self) -> None:
        with Place(self._line) as place:
            # The store may know already that more is wanted, and gives it when there is some.
            if self._told <= self._share or not self._valid(anyio.current_time()):
                self._ask()
            while True:
                now = anyio.current_time()
                opening = self._opening(now)
                if opening <= now and place.is_first:
                    break
                await place.wait(opening)
            self._enter(now)

    def release(self) -> None:
        """Give a slot back; a turn counts for its window whatever happens.

        Raises:
            RuntimeError: nobody has taken a slot.
        """
        if self.window is not None:
            return
        if not self._used:
            raise RuntimeError("release() without acquire()")
        self._used -= 1
        if self._used >= self._share >= 0 or (self.hungry and not self._line.places):
            self._ask()
        self._line.wake()

    def _opening(self, now: float) -> float:
        """Return the moment from which one more may enter; infinite if only a grant can tell."""
        if self._share < 0:
            return now
        self._drop_old(now)
        if not self._valid(now):
            return float("inf")
        if self._used < self._share:
            return now
        if self.window is None or not self._share:
            return float("inf")
        return self._entries[self._used - self._share] + self.window

    def _drop_old(self, now: float) -> None:
        if self.window is not None:
            while self._entries and self._entries[0] + self.window <= now:
                self._entries.popleft()
            self._used = len(self._entries)

    def _enter(self, now: float) -> None:
        self._entered += 1
        if self.window is None:
            self._used += 1
        elif self._share >= 0:
            self._entries.append(now)
            self._used = len(self._entries)

    def shift(self, seconds: float) -> None:
        """Go over to a clock that is ahead by so many *seconds*; nobody is waiting."""
        self._entries = deque(entry + seconds for entry in self._entries)

    # -- the share --------------------------------------------------------------------------------

    def inherit(self, used: int) -> None:
        """Count who has entered a gate before this one, and is going to leave here."""
        self._used = used

    def ask(self, now: float, *, leaving: bool = False) -> Ask:
        """Tell what is used and wanted."""
        self._drop_old(now)
        firm = self._used + (0 if leaving else len(self._line))
        return Ask(
            used=self._used,
            firm=firm,
            spare=0 if self.hungry or leaving else max(LEAST_SPARE, firm),
            had=self._share if self._share > 0 and self._valid(now) else 0,
        )

    def grant(self, share: int, told: Ask) -> bool:
        """Take a share that answers what was *told*; true if something is free by telling again."""
        shrunk = 0 <= share < told.had
        self._told = told.firm
        self.resize(share)
        return shrunk

    def resize(self, share: int) -> None:
        """Take a share; who has entered stays in, also above it."""
        self._share = share
        # More has been waited for since, and the store does not know.
        if 0 <= share < self._used + len(self._line) and self._told <= share:
            self._ask()
        self._line.wake()

    def wake(self) -> None:
        """Let the first waiter look again."""
        self._line.wake()

    def others_wait(self, level: int) -> None:
        """Note that others wait, and ask if there is something to give back: more than is used, or
        more than *level*.
        """
        self.hungry = True
        if self._share > level or self._share > self._used + len(self._line):
            self._ask()

    def due(self) -> float:
        """Return the moment at which a turn comes free that others wait for."""
        if self.hungry and self.window is not None and self._entries:
            return self._entries[0] + self.window
        return float("inf")
