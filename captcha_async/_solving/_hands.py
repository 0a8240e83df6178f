"""Hands: a few tasks of the event loop that do many pieces of work, one after the other.

A task of its own for each piece would wait for a lane most of the time. Few hands with their hands
full cost less: so there are as many as it takes for nothing to be left lying, and no more.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Generic, TypeVar

import anyio

from .._clock import clock
from .._serving._library import name_library
from .._transport import Loop, Turn, asyncio_loop, stand_alone
from ._solve import CLOCK_TICK, EVER

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["Hands"]

T = TypeVar("T")

FEW = 4
"""How many there are before anybody has to wait; so many replies share a turn of the event loop."""

AT_HAND = 4
"""Pieces for each hand that may lie."""

PATIENCE = 0.02
"""Seconds for which work may lie before there are to be twice as many hands."""

LATE = 0.25
"""The same where the event loop is late: it is busy, and more hands would not help."""


class Hands(Generic[T]):
    """Tasks of the event loop that do *work*; started when needed, and used again.

    Args:
        work: does one piece.
        most: how many hands there are at most.
    """

    def __init__(self, work: Callable[[T], Awaitable[None]], most: int) -> None:
        self._work = work
        self._most = most
        self._enough = min(FEW, most)
        # What was given, and that no hand has taken yet; since when there is something, or there
        # were more hands; and when it is to be looked at.
        self._given: deque[T] = deque()
        self._since = self._look_at = 0.0
        # Those that are not at rest, and the turns of those that are; the last is woken first.
        self._at_work = 0
        self._resting: list[Turn] = []
        # Comes when something is taken, if somebody waits for that.
        self._taken: Turn | None = None
        # Set once, by `end`.
        self._over = False
        # Of the event loop where they are: what tells the time, and the loop if it is asyncio's.
        self._now: Callable[[], float] = anyio.current_time
        self._loop: Loop | None = None

    @property
    def oldest(self) -> T | None:
        """What was given first of what no hand has taken."""
        return self._given[0] if self._given else None

    @property
    def left(self) -> tuple[T, ...]:
        """What no hand has taken."""
        return tuple(self._given)

    def open(self) -> None:
        """Begin, in the event loop where the work is to be done."""
        self._now, self._loop = clock(), asyncio_loop()

    def give(self, piece: T, group: TaskGroup) -> None:
        """Have a piece of work done, by a hand in *group*."""
        if not self._given:
            self._since = self._now()
            self._look_at = self._since + PATIENCE
        self._given.append(piece)
        self._lend(group)

    def _lend(self, group: TaskGroup) -> None:
        if self._at_work < self._enough:
            self._at_work += 1
            if self._resting:
                self._resting.pop().come()
            else:
                group.start_soon(self._run)

    @property
    def look_again(self) -> float:
        """Moment at which `lend_more` is to be called; none if nothing lies."""
        return self._look_at if self._given else EVER

    def lend_more(self, group: TaskGroup) -> bool:
        """Have twice as many hands, if something has been lying for too long; tell whether it has.

        The most hands there may be can be full as well; then it lies on.
        """
        now = self._now()
        if not self._given or now + CLOCK_TICK < self._look_at:
            return False
        if self._enough == self._most:
            self._look_at = now + LATE
            return True
        is_late = now > self._look_at + PATIENCE
        self._look_at = now + PATIENCE
        if not is_late or now >= self._since + LATE:
            self._since = now
            self._enough = min(2 * self._enough, self._most)
            for _ in range(len(self._given)):
                self._lend(group)
        return True

    async def room(self, group: TaskGroup) -> None:
        """Wait until no more lies than the hands take in a moment, or until there are more hands.

        With less at hand they would never seem too few: the next piece would come too late for it.
        """
        while len(self._given) >= AT_HAND * self._enough:
            await self._wait_taken(group)

    async def all_taken(self, group: TaskGroup) -> None:
        """Wait until all that was given is taken, by more hands if need be."""
        while self._given:
            await self._wait_taken(group)

    async def _wait_taken(self, group: TaskGroup) -> None:
        self._taken = Turn(self._loop)
        if not await self._taken.wait(self.look_again):
            self.lend_more(group)
        self._taken = None

    def end(self) -> None:
        """Let the hands go home when they have nothing to do; nothing more is given."""
        self._over = True
        for turn in self._resting:
            turn.come()

    async def _run(self) -> None:
        name_library()
        # Nobody else knows this task.
        with stand_alone():
            while True:
                while self._given:
                    piece = self._given.popleft()
                    if self._taken is not None:
                        self._taken.come()
                    await self._work(piece)
                self._at_work -= 1
                if self._over:
                    return
                turn = Turn(self._loop)
                self._resting.append(turn)
                await turn.wait(EVER)
