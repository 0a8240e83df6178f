"""Outcomes: what of many tasks has ended, in the order of the ends, until somebody reads it."""

from __future__ import annotations

from collections import deque
from typing import Any

import anyio

from .._outcome import Solved
from .._transport import Turn, asyncio_loop
from ..errors import CaptchaError
from ._solve import EVER, Solve

__all__ = ["Outcomes"]


class Outcomes:
    """The tasks of one batch: those under way, and those that have ended.

    Each task enters by `entered` and leaves by one of `ended`, `skipped_over` and `dropped_out`.
    """

    def __init__(self) -> None:
        self.read: int = 0
        self.solved: int = 0
        self.failed: int = 0
        self.skipped: int = 0
        self.dropped: int = 0
        self._under_way: dict[Solve, None] = {}
        # What waits for a reader; not a stream, in which a cancelled reader may lose an item.
        self._waiting: deque[tuple[Solve, Solved[Any] | CaptchaError]] = deque()
        # The waits of readers for something to read: each comes with the next, and leaves then.
        self._readers: list[Turn] = []
        # Set, and replaced, when the last one under way has ended.
        self._idle = anyio.Event()
        self._over = False

    @property
    def under_way(self) -> tuple[Solve, ...]:
        """Tasks that have not ended."""
        return tuple(self._under_way)

    @property
    def unread(self) -> tuple[Solve, ...]:
        """Tasks that have ended and that nobody has read."""
        return tuple(solve for solve, _ in self._waiting)

    @property
    def has_unread(self) -> bool:
        """Whether there are any."""
        return bool(self._waiting)

    @property
    def in_flight(self) -> int:
        """How many have not ended."""
        return len(self._under_way)

    # -- written ----------------------------------------------------------------------------------

    def entered(self, solve: Solve) -> None:
        """Count a task that is to be solved."""
        self.read += 1
        self._under_way[solve] = None

    def ended(self, solve: Solve, outcome: Solved[Any] | CaptchaError) -> None:
        """Put what came of a task where a reader finds it."""
        if self._left(solve):
            if isinstance(outcome, Solved):
                self.solved += 1
                solve.account.gates.slots.succeeded()
            else:
                self.failed += 1
            self._waiting.append((solve, outcome))
            self._tell()

    def skipped_over(self, solve: Solve) -> None:
        """Count a task that was solved and taken before."""
        self.skipped += self._left(solve)

    def passed_over(self) -> None:
        """Count a task that was solved and taken before, and did not even enter."""
        self.read += 1
        self.skipped += 1

    def dropped_out(self, solve: Solve) -> None:
        """Count a task that is not submitted after all."""
        self.dropped += self._left(solve)

    def exchanged(self, solve: Solve, earlier: Solve) -> None:
        """Go on with an *earlier* task in place of one that has entered."""
        del self._under_way[solve]
        self._under_way[earlier] = None

    def _left(self, solve: Solve) -> bool:
        if solve not in self._under_way:
            return False
        del self._under_way[solve]
        solve.account.give_back_slot(solve)
        if not self._under_way:
            self._idle.set()
            self._idle = anyio.Event()
        return True

    def end(self) -> None:
        """Let readers have what is there, and then no more."""
        self._over = True
        self._tell()

    def clear(self) -> None:
        """Drop what nobody has read."""
        self._waiting.clear()

    # -- read -------------------------------------------------------------------------------------

    async def wait_idle(self) -> None:
        """Wait until all that have entered have ended."""
        while self._under_way:
            await self._idle.wait()

    async def next(self) -> tuple[Solve, Solved[Any] | CaptchaError] | None:
        """Return the next task that has ended, and what came of it; None if there will be none."""
        while not self._waiting:
            if self._over:
                return None
            turn = Turn(asyncio_loop())
            self._readers.append(turn)
            try:
                await turn.wait(EVER)
            finally:
                if turn in self._readers:
                    self._readers.remove(turn)
        return self._waiting.popleft()

    def _tell(self) -> None:
        """Wake the readers."""
        if self._readers:
            readers, self._readers = self._readers, []
            for turn in readers:
                turn.come()
