"""PendingTask and the registry: futures keyed on taskId.

Whoever awaits a pending task does the polling; there is no background task. The first waiter runs
the poll loop under the task's lock; the others wait for the lock and find the outcome, or take
over if the first one was cancelled.
"""

from __future__ import annotations

import copy
from collections.abc import Generator
from decimal import Decimal
from typing import Any, Generic, TypeVar

import anyio

from ._collect import TRANSIENT, Answer, Collector, OpenTask
from ._outcome import Solved
from ._ref import TaskId, TaskRef
from ._spending import Spending
from ._statistics import Counters
from .errors import (
    AccountError,
    CaptchaError,
    ClientClosed,
    SolveTimeout,
    UnreadableSolution,
    invalid,
)
from .tasks._model import Solution, Task

__all__ = ["PendingTask", "Registry", "check_timeout"]

S_co = TypeVar("S_co", bound=Solution, covariant=True)

FORGET_AFTER = 3600.0
"""Seconds after which an accepted task that nobody awaits is given up; its result is long gone."""

MOST_EXHAUSTED = 1_000
"""How many failed tasks are remembered."""


def check_timeout(timeout: float | None) -> None:
    """Refuse a timeout that is no number of seconds."""
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise invalid("timeout", timeout, "a number of seconds, or None")


class PendingTask(Generic[S_co]):
    """A task that the service has accepted: `await` it for its answer.

    Made by `submit` and `attach`. It may be awaited by several at once, and again after a timeout.
    """

    def __init__(
        self, state: OpenTask, collector: Collector, registry: Registry, timeout: float
    ) -> None:
        self._state = state
        self._collector = collector
        self._registry = registry
        self._default_timeout = timeout
        self._lock = anyio.Lock()
        self._waiters = 0
        # Set once, by `_resolve` or `_fail`; after that no request is made.
        self._solved: Solved[S_co] | None = None
        self._error: CaptchaError | None = None

    def __repr__(self) -> str:
        state = "solved" if self._solved else "failed" if self._error else "processing"
        return f"<PendingTask {self.task_id} {self._state.type} {state}, {self.polls} polls>"

    @property
    def task_id(self) -> TaskId:
        """The service's id of the task."""
        return self._state.task_id

    @property
    def task(self) -> Task[S_co] | None:
        """The task; None if it was taken up from a reference."""
        return self._state.task

    @property
    def ref(self) -> TaskRef:
        """A reference for `client.attach`, also in another process."""
        return self._collector.ref(self._state)

    @property
    def polls(self) -> int:
        """Polls made so far."""
        return self._state.ledger.polls

    @property
    def reserved(self) -> Decimal:
        """Money set aside for the task until it ends."""
        return self._state.reserved

    @property
    def done(self) -> bool:
        """Whether the task has ended, one way or the other."""
        return self._solved is not None or self._error is not None

    def __await__(self) -> Generator[Any, Any, Solved[S_co]]:
        return self.result().__await__()

    async def result(self, timeout: float | None = None) -> Solved[S_co]:
        """Wait for the answer.

        Args:
            timeout: seconds to wait; None for the service's default for this kind of task.

        Raises:
            SolveTimeout: no answer came in time; the task can be awaited again.
            PollLimitReached: the service allows no further poll of this task.
            CaptchaError: the task failed.
        """
        check_timeout(timeout)
        wait = self._default_timeout if timeout is None else timeout
        with anyio.move_on_after(wait):
            await self._wait()
        if not self.done:
            raise self.timed_out(wait)
        return self._outcome()

    async def peek(self) -> Solved[S_co] | None:
        """Return the answer if it is there, or None while the task is processing.

        Makes one poll at most, and none while the service's gap since the last one is not over or
        another waiter is polling.

        Raises:
            CaptchaError: the task failed, or the poll did.
        """
        if not self.done:
            try:
                self._lock.acquire_nowait()
            except anyio.WouldBlock:
                return None
            try:
                if self._collector.may_poll(self._state):
                    await self._settle(self._collector.poll(self._state))
            finally:
                self._lock.release()
        return self._outcome() if self.done else None

    def answered(self, solution: Any, cost: Decimal | None) -> None:
        """Take an answer that came without a poll."""
        try:
            self._resolve(self._collector.read(self._state, solution, cost))
        except UnreadableSolution as error:
            error.ref = self.ref
            self._fail(error)

    async def _wait(self) -> None:
        self._waiters += 1
        self._registry.adopt(self)
        try:
            async with self._lock:
                if not self.done:
                    await self._settle(self._collector.wait(self._state))
        finally:
            self._waiters -= 1
            if not self._waiters and not self.done:
                self._registry.orphan(self)

    async def _settle(self, collecting: Any) -> None:
        """Await *collecting* and keep what it tells of the task's end."""
        try:
            answer = await collecting
        except CaptchaError as error:
            if _is_final(error):
                self._fail(error)
            raise
        if answer is not None:
            self._resolve(answer)

    def _resolve(self, answer: Answer) -> None:
        self._solved = Solved(
            solution=answer.solution,  # type: ignore[arg-type]  # read by the task's own model
            task=self._state.task,
            cost=answer.cost,
            elapsed=anyio.current_time() - self._state.born,
            polls=self.polls,
            ref=self.ref,
        )
        self._registry.ended(self, self._solved)

    def _fail(self, error: CaptchaError) -> None:
        self._error = error
        self._registry.ended(self, None)

    def _outcome(self) -> Solved[S_co]:
        if self._solved is not None:
            return self._solved
        assert self._error is not None
        # A copy for each waiter, so that their tracebacks do not grow into one another.
        raise copy.copy(self._error) from self._error.__cause__

    def timed_out(self, wait: float) -> SolveTimeout:
        """Make the error for a wait that ended at its deadline, and count it."""
        self._registry.counters.timed_out += 1
        state = self._state
        error = SolveTimeout(
            f"Task {state.task_id} has no answer after {wait:g} s and {self.polls} polls (last "
            f"status: {state.status or 'none'}); it is paid for: await it again, or attach its "
            "ref.",
            ref=self.ref,
            polls=self.polls,
            last_status=state.status,
        )
        error.__cause__ = state.trouble
        return error

    def forgettable(self, limit: float) -> bool:
        """Tell whether the task was born before *limit* and nobody waits for it."""
        return self._state.born < limit and not self._waiters


def _is_final(error: CaptchaError) -> bool:
    """Tell whether the task ended with *error*, so that no later wait can bring its answer."""
    if isinstance(error, UnreadableSolution):
        return True
    return not isinstance(error, (*TRANSIENT, AccountError, ClientClosed))


class Registry:
    """The accepted tasks of one client that have not ended, keyed on taskId."""

    def __init__(self, counters: Counters, spending: Spending) -> None:
        self.counters = counters
        self.spending = spending
        # In order of acceptance. An entry leaves when its task ends or is forgotten.
        self._open: dict[TaskId, PendingTask[Any]] = {}
        self._orphans: dict[TaskId, PendingTask[Any]] = {}
        # Tasks that must not be polled again, so that attaching one cannot start anew (rule 7).
        self._exhausted: dict[TaskId, PendingTask[Any]] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def orphans(self) -> tuple[PendingTask[Any], ...]:
        """Paid tasks whose answer nobody waits for any more."""
        return tuple(self._orphans.values())

    def get(self, task_id: TaskId) -> PendingTask[Any] | None:
        """Return the open or exhausted task of that id."""
        return self._open.get(task_id) or self._exhausted.get(task_id)

    def add(self, pending: PendingTask[Any]) -> None:
        """Keep an accepted task until it ends."""
        self._forget_old()
        self._open[pending.task_id] = pending

    def orphan(self, pending: PendingTask[Any]) -> None:
        """Note that the last waiter of *pending* has gone."""
        if pending.task_id in self._open:
            self._orphans[pending.task_id] = pending

    def adopt(self, pending: PendingTask[Any]) -> None:
        """Note that somebody waits for *pending* again."""
        self._orphans.pop(pending.task_id, None)

    def ended(self, pending: PendingTask[Any], solved: Solved[Any] | None) -> None:
        """Drop a task that has ended, and count how."""
        self._settle(pending, solved)
        self._open.pop(pending.task_id, None)
        self._orphans.pop(pending.task_id, None)
        if solved is None:
            self.counters.failed += 1
            self._exhausted[pending.task_id] = pending
            if len(self._exhausted) > MOST_EXHAUSTED:
                del self._exhausted[next(iter(self._exhausted))]
            return
        self.counters.solved += 1
        self.counters.latencies.add(solved.elapsed)

    def keep(self, pending: PendingTask[Any]) -> None:
        """Note that the answer of *pending* has not reached anybody."""
        self._orphans[pending.task_id] = pending

    def _settle(self, pending: PendingTask[Any], solved: Solved[Any] | None) -> None:
        if solved is None:
            self.spending.release(pending.reserved)
        else:
            kind = pending.ref.task_type if pending.task is None else pending.task.type
            self.spending.spend(kind, pending.reserved, solved.cost)

    def _forget_old(self) -> None:
        limit = anyio.current_time() - FORGET_AFTER
        for task_id, pending in list(self._open.items())[:2]:
            if pending.forgettable(limit):
                del self._open[task_id]
                self._orphans.pop(task_id, None)
