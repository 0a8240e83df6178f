"""Taking up what an earlier client has left, as the journal has it: single tasks, and batches."""

from __future__ import annotations

import logging
from typing import Any, Literal

from .._journal import BatchRecord, Entry, Record
from .._outcome import Solved
from .._ref import TaskRef
from .._solving._solve import Solve
from .._solving._solver import Solver
from ..errors import SubmitUncertain, TaskExpired
from ..tasks._model import Task
from ..wire import load_solution
from ..wire._models import spec_of

__all__ = ["Resumption", "take_up"]

logger = logging.getLogger("captcha_async")


async def take_up(
    solver: Solver, record: Record, entry: Entry, task: Task[Any] | None = None
) -> Solve:
    """Return the task of a record that is open; makes no request.

    Raises:
        JournalError: its stored answer cannot be read.
    """
    solution = await solver.books.journal.solution(record)
    solve = solver.take_up(record.ref(), entry, task)
    if solve.done:
        return solve
    if solution is not None:
        solver.collector.answered(solve, solution, record.decimal_cost, "journal")
    elif is_too_old(solver, record):
        # Asking for ids that are long gone gets an account banned.
        solver.books.failed(
            solve,
            TaskExpired(
                f"Task {record.task_id} was submitted {record.age:.0f} s ago: its result is not "
                "kept that long, so it was not asked for; create a new task."
            ),
        )
    return solve


def is_too_old(solver: Solver, record: Record) -> bool:
    """Tell whether the service has certainly dropped the result."""
    if record.has_solution:
        return False
    service = solver.account.service
    solving = service.poll_times(spec_of(record.task_type).family).timeout
    return record.age > solving + service.result_retention


class Resumption:
    """A batch's keys: which are to be solved, and what there is of the others.

    Args:
        solver: the client's.
        name: the batch's name.
        indexed: whether its whole numbers are indexes, under which a task has to stay the same.
        resume: whether what the journal has is used, and not only added to.
        resend: whether uncertain submissions are sent again.
    """

    def __init__(
        self, solver: Solver, name: str, *, indexed: bool, resume: bool, resend: bool
    ) -> None:
        self._solver = solver
        self._journal = solver.books.journal
        self._name = name
        self._indexed = indexed
        self._resume = resume
        self._resend = resend
        self._known = BatchRecord(name)

    async def open(self) -> None:
        """Read what the journal has.

        Raises:
            JournalError: it cannot be read.
        """
        if self._resume:
            self._known = await self._journal.batch(self._name)

    async def look_up(self, solve: Solve) -> Solve | Solved[Any] | Literal["skip"] | None:
        """Give *solve* its place, and look what there is of it.

        Returns:
            The task if it was accepted and has not ended; the answer that is stored; `skip` if the
            answer was taken and is not stored; None if there is nothing.

        Raises:
            SubmitUncertain: whether a task exists is unknown, and it is not to be sent again.
            InvalidArgument: the key is of no use, or belongs to another task.
            JournalError: the journal cannot be read.
        """
        if self._journal.journal is None or solve.task is None:
            return None
        task = solve.task
        indexed = self._indexed and type(solve.key) is int
        solve.place = self._known.place(solve.key, task, indexed=indexed)
        found = self._known.find(solve.place)
        if found is None:
            return None
        record, entry = found
        if record.state == "solved":
            return await self._restore(record, task) or "skip"
        if record.state == "open":
            if is_too_old(self._solver, record):
                entry.expired()
                logger.warning("Task %s was paid for, and its result is gone.", record.task_id)
            else:
                return await take_up(self._solver, record, entry, task)
        elif self._resend:
            await self._journal.forget(record.number or 0)
        else:
            raise SubmitUncertain(
                "createTask was sent for this key before the process ended, and no reply was "
                "recorded; a task may exist: look at the account, then pass resend_uncertain=True "
                "to send it again."
            )
        return None

    async def _restore(self, record: Record, task: Task[Any]) -> Solved[Any] | None:
        solution: Any = await self._journal.solution(record)
        if solution is None:
            return None
        return Solved(
            solution=load_solution(type(task), solution),
            task=task,
            cost=record.decimal_cost,
            elapsed=record.elapsed or 0.0,
            polls=record.polls,
            ref=TaskRef(record.owner.service, record.task_id or 0, record.task_type, record.polls),
        )
