"""Hedging: a second task at another account when the first one is slower than usual.

It costs twice, and so it is off unless asked for, and counted. The first answer wins; the other
task is among the orphans afterwards.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Protocol

import anyio

from ..errors import CaptchaError
from ._collect import Collector
from ._group import single
from ._seats import Seats
from ._solve import EVER, Solve

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["Hedge"]

logger = logging.getLogger("captcha_async")

ENOUGH = 20
"""Solves of a type at an account from which its times are believed."""


class Makes(Protocol):
    """Who makes tasks, and has them accepted."""

    def make(self, task: Any, timeout: float | None = None, **details: Any) -> Solve:
        """Make the record of a task."""
        ...

    async def submit(self, solve: Solve) -> None:
        """Have it accepted."""
        ...


class Hedge:
    """Waits for answers, with a second task where the first one is slow.

    Args:
        share: of the earlier tasks of a type, beyond which a task is slow.
        seats: the client's accounts.
        collector: collects the answers.
        makes: creates the second task.
    """

    def __init__(self, share: float, seats: Seats, collector: Collector, makes: Makes) -> None:
        self._share = share
        self._seats = seats
        self._collector = collector
        self._makes = makes

    async def wait(self, solve: Solve) -> Solve:
        """Wait for the answer of an accepted task; return the task that has it.

        Raises:
            CaptchaError: there is no answer.
        """
        slow_age = solve.tenant.counters.typical(solve.type, self._share, ENOUGH)
        due = EVER if slow_age is None else solve.born + slow_age
        if solve.done or due >= solve.deadline:
            await self._collector.wait(solve, solve.deadline, solve.allowed)
            return solve
        race = _Race(self._collector)
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(race.run, solve, group)
                group.start_soon(self._second, solve, due, race, group)
        except BaseExceptionGroup as several:
            raise single(several) from None
        return race.result()

    async def _second(self, solve: Solve, due: float, race: _Race, group: TaskGroup) -> None:
        """Create a second task when the first one has become slow, and wait for it too."""
        await anyio.sleep_until(due)
        second = self._makes.make(
            solve.task,
            solve.deadline - anyio.current_time(),
            callback_url=solve.callback_url,
            soft_id=solve.soft_id,
            extra=solve.extra,
            wants_slot=solve.wants_slot,
            tried=(solve.account,),
            elsewhere=True,
        )
        if race.over or not self._seats.ordered(second):
            return
        race.running += 1
        try:
            await self._makes.submit(second)
            second.tenant.counters.hedged += 1
        except CaptchaError as error:
            logger.info("No second task for a slow one: %s", error)
            race.ended(group)
        else:
            race.running -= 1
            await race.run(second, group)
        finally:
            second.account.give_back_slot(second)


class _Race:
    """Two tasks, of which the first to have an answer wins."""

    def __init__(self, collector: Collector) -> None:
        self._collector = collector
        self._winner: Solve | None = None
        self._error: CaptchaError | None = None
        # How many may still win.
        self.running = 0

    @property
    def over(self) -> bool:
        """Whether it is decided."""
        return self._winner is not None

    async def run(self, solve: Solve, group: TaskGroup) -> None:
        """Wait for the answer of one of them."""
        self.running += 1
        try:
            await self._collector.wait(solve, solve.deadline, solve.allowed)
        except CaptchaError as error:
            # The first one's error is told: its task is the one that was asked for.
            self._error = self._error or error
            self.ended(group)
        else:
            self._winner = self._winner or solve
            group.cancel_scope.cancel()

    def ended(self, group: TaskGroup) -> None:
        """Note that one of them cannot win any more."""
        self.running -= 1
        if not self.running:
            group.cancel_scope.cancel()

    def result(self) -> Solve:
        """Return the winner.

        Raises:
            CaptchaError: there is none.
        """
        if self._winner is None:
            assert self._error is not None
            raise self._error
        return self._winner
