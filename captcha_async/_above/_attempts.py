"""Attempts: the loop of whoever submits a form until an answer is taken there.

What becomes of each answer is seen from the way the loop goes on, and reported to the service: by
the block's own task group, so that nobody waits for a report.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Generic, Self, TypeVar

import anyio
from anyio import AsyncContextManagerMixin
from anyio.abc import TaskGroup

from .._outcome import Solved
from .._solving._books import outcome_of
from .._solving._group import single
from .._solving._solve import Solve
from .._solving._solver import Solver
from ..errors import CaptchaError, UnreadableSolution, Unsolvable
from ..tasks._model import Solution

__all__ = ["SolveAttempts"]

S = TypeVar("S", bound=Solution)

logger = logging.getLogger("captcha_async")

REPORT_PATIENCE = 2.0
"""Seconds for which the end of the block waits at most for reports that are under way."""


class SolveAttempts(AsyncContextManagerMixin, Generic[S]):
    """Answers to one task, solved anew each time round; made by `CaptchaClient.attempts`.

    Iterate over it with `async for`, inside of its `async with`. Leaving the loop by `break` or
    `return` says that the answer was right, going round says that it was wrong, and an exception
    says neither. That is reported where the service takes such reports; they never raise, and
    nobody waits for them, but for up to two seconds at the end of the block.
    """

    def __init__(self, solver: Solver, first: Solve, attempts: int) -> None:
        self._solver = solver
        # The task of now; another one each time round.
        self._solve = first
        self._left = attempts
        self._most = attempts
        # What was handed out last, and of which nobody knows yet whether it was right.
        self._handed: Solved[S] | None = None
        self._reports: TaskGroup | None = None

    def __repr__(self) -> str:
        return f"<SolveAttempts: {self.made} of {self._most} made>"

    @property
    def made(self) -> int:
        """Tasks that were created, or tried to be, so far."""
        return self._most - self._left

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self, None]:
        if self._reports is not None:
            raise RuntimeError("attempts can be entered once; call client.attempts(...) again")
        self._solver.seats.enter()
        self._solve = self._solver.renewed(self._solve)
        error: BaseException | None = None
        try:
            async with anyio.create_task_group() as self._reports:
                try:
                    yield self
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as caught:
                    # Raised below, outside of the group, which would wrap it in an ExceptionGroup.
                    error = caught
                else:
                    self._tell(correct=True)
                self._left = 0
                self._reports.cancel_scope.deadline = anyio.current_time() + REPORT_PATIENCE
        except BaseExceptionGroup as several:
            error = error or single(several)
        if error is not None:
            raise error

    def __aiter__(self) -> AsyncIterator[Solved[S]]:
        return self

    async def __anext__(self) -> Solved[S]:
        if self._reports is None:
            raise RuntimeError(
                "attempts are opened first: `async with client.attempts(task, 3) as attempts:` and "
                "inside of it `async for solved in attempts:`"
            )
        self._tell(correct=False)
        while self._left:
            if self._left < self._most:
                self._solve = self._solver.anew(self._solve)
            self._left -= 1
            try:
                self._solve = await self._solver.answer(self._solve)
            except (Unsolvable, UnreadableSolution):
                if not self._left or self._solver.is_late(self._solve):
                    raise
                continue
            self._solver.books.taken(self._solve)
            self._handed = outcome_of(self._solve)
            return self._handed
        raise StopAsyncIteration

    def _tell(self, *, correct: bool) -> None:
        """Report what was handed out last."""
        handed, self._handed = self._handed, None
        if handed is not None and self._reports is not None:
            self._reports.start_soon(self._report, handed, correct)

    async def _report(self, answer: Solved[Any], correct: bool) -> None:
        try:
            reported = await self._solver.asker.report(answer, correct=correct)
        except CaptchaError as error:
            logger.debug("An answer could not be reported: %s", error)
        else:
            if not reported.taken:
                logger.debug("A report was not taken: %s", reported.why)
