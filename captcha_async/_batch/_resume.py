"""Taking up what an earlier client has left, as the journal has it: single tasks, and batches."""

from __future__ import annotations

import logging
from typing import Any, Literal

import anyio

from .._journal import BatchRecord, Entry, Record
from .._outcome import Solved
from .._ref import TaskRef
from .._solving._solve import Solve
from .._solving._solver import Solver
from ..errors import SubmitUncertain, TaskExpired, UnreadableSolution
from ..tasks._model import Solution, Task
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
        try:
            read = solver.collector.read(solve, solution)
        except UnreadableSolution as error:
            solver.books.failed(solve, error)
        else:
            solver.books.solved(solve, _stored_answer(record, read, task), "journal")
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
    solving = service.poll_times(record.task_type).timeout
    return record.age > solving + service.result_retention


def _stored_answer(record: Record, solution: Solution, task: Task[Any] | None) -> Solved[Any]:
    """Make an answer anew of what the journal has of it, as old as it is."""
    life = spec_of(record.task_type).token_life
    born = anyio.current_time() - record.age
    return Solved(
        solution=solution,
        task=task,
        cost=record.decimal_cost,
        elapsed=record.elapsed or 0.0,
        polls=record.polls,
        ref=TaskRef(record.owner.service, record.task_id or 0, record.task_type, record.polls),
        key=record.key if task is None else None,
        # The token may have been made right after the service last said that there is none.
        expires_at=None if life is None else born + (record.since or 0.0) + life,
        replayed=True,
    )


class Resumption:
    """A batch's keys: which are to be solved, and what there is of the others.

    `open` before the first key, `is_done` or `look_up` for each, and `close` after the last.

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
        # From `open` to `close`, if there is a journal.
        self._record: BatchRecord | None = None

    async def open(self) -> None:
        """Begin: keep others from the batch's keys, and read which of them are done.

        Batches without a name that resume nothing do not look at what others write; any other batch
        has its name alone.

        Raises:
            InvalidArgument: another batch of that name is running.
            JournalError: the journal cannot be read.
        """
        if self._journal.journal is None:
            return
        alone = self._resume or bool(self._name)
        self._record = self._journal.enter_batch(self._name, alone=alone)
        if self._resume:
            await self._journal.read_taken(self._record)

    def close(self) -> None:
        """End: let others have the batch's name. May be called again, or without `open`."""
        if self._record is not None:
            self._record = None
            self._journal.leave_batch(self._name)

    def is_done(self, key: Any, task: Task[Any]) -> bool:
        """Tell whether nothing is left to do for a key: its answer was taken, and is not stored.

        It costs little; `look_up` says `skip` for such a key as well, and what is wrong with one.
        """
        if self._record is None or not self._resume or not isinstance(task, Task):
            return False
        return self._record.is_taken(key, task, indexed=self._indexed and type(key) is int)

    async def look_up(self, solve: Solve) -> Solve | Solved[Any] | Literal["skip"] | None:
        """Give *solve* its place, and look what there is of it.

        Returns:
            The task if it was accepted and has not ended; the answer that is stored; `skip` if the
            answer was taken and is not stored; None if there is nothing.

        Raises:
            SubmitUncertain: whether a task exists is unknown, and it is not to be sent again.
            OtherTasks: the batch has no name, and is not the one that the journal has; nothing of
                it may be sent.
            InvalidArgument: the key is of no use, was there before, or belongs to another task.
            JournalError: the journal cannot be read.
        """
        if self._record is None or solve.task is None:
            return None
        task = solve.task
        indexed = self._indexed and type(solve.key) is int
        solve.place = self._record.place(solve.key, task, indexed=indexed)
        found = await self._record.find(solve.place) if self._resume else None
        if found is None:
            return None
        record, entry = found
        if record.state == "solved":
            return await self._restore(record, task)
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

    async def _restore(
        self, record: Record, task: Task[Any]
    ) -> Solved[Any] | Literal["skip"] | None:
        """Return the stored answer of a key whose answer was taken; None if it has to be made."""
        if not record.has_solution:
            return "skip"
        solution: Any = await self._journal.solution(record)
        if solution is None:
            # Damaged, as a warning has told; whoever keeps answers wants this one again.
            return None
        return _stored_answer(record, load_solution(type(task), solution), task)
