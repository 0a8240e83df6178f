"""Taking up what an earlier client has left, as the journal has it: single tasks, and batches."""

from __future__ import annotations

import logging
from typing import Any, Literal

import anyio

from .._journal import BatchRecord, Entry, Record
from .._outcome import Solved
from .._ref import TaskRef
from .._solving._engine import Engine
from .._solving._pending import PendingTask
from .._solving._submit import Draft
from ..errors import SubmitUncertain, TaskExpired
from ..tasks._model import Task
from ..wire import load_solution
from ..wire._models import spec_of

__all__ = ["Resumption", "take_up"]

logger = logging.getLogger("captcha_async")


async def take_up(
    engine: Engine, record: Record, entry: Entry, task: Task[Any] | None = None
) -> PendingTask[Any]:
    """Return the pending task of a record that is open; makes no request.

    Raises:
        JournalError: its stored answer cannot be read.
    """
    solution = await engine.journal.solution(record)
    pending = engine.take_up(record.ref(), entry, task)
    if pending.done:
        return pending
    if solution is not None:
        pending.answered(solution, record.decimal_cost)
    elif is_too_old(engine, record):
        # Asking for ids that are long gone gets an account banned.
        pending.give_up(
            TaskExpired(
                f"Task {record.task_id} was submitted {record.age:.0f} s ago: its result is not "
                "kept that long, so it was not asked for; create a new task."
            )
        )
    return pending


def is_too_old(engine: Engine, record: Record) -> bool:
    """Tell whether the service has certainly dropped the result."""
    if record.has_solution:
        return False
    solving = engine.service.poll_times(spec_of(record.task_type).family).timeout
    return record.age > solving + engine.service.result_retention


class Resumption:
    """A batch's keys: which are to be solved, and what there is of the others.

    `open` before the first key, `is_done` or `look_up` for each, and `close` after the last.

    Args:
        engine: the client's.
        name: the batch's name.
        indexed: whether its whole numbers are indexes, under which a task has to stay the same.
        resume: whether what the journal has is used, and not only added to.
        resend: whether uncertain submissions are sent again.
    """

    def __init__(
        self, engine: Engine, name: str, *, indexed: bool, resume: bool, resend: bool
    ) -> None:
        self._engine = engine
        self._name = name
        self._indexed = indexed
        self._resume = resume
        self._resend = resend
        # From `open` to `close`, if there is a journal.
        self._record: BatchRecord | None = None

    async def open(self) -> None:
        """Begin: look whether the journal is at hand, and keep others from the batch's keys.

        Batches without a name that resume nothing do not look at what others write; any other batch
        has its name alone.

        Raises:
            InvalidArgument: another batch of that name is running.
            JournalError: the journal cannot be read.
        """
        journal = self._engine.journal
        if journal.journal is None:
            return
        self._record = journal.enter_batch(self._name, alone=self._resume or bool(self._name))
        if self._resume:
            await journal.read_taken(self._record)

    def close(self) -> None:
        """End: let others have the batch's name. May be called again, or without `open`."""
        if self._record is not None:
            self._record = None
            self._engine.journal.leave_batch(self._name)

    def is_done(self, key: Any, task: Task[Any]) -> bool:
        """Tell whether nothing is left to do for a key: its answer was taken, and is not stored.

        It costs little; `look_up` says `skip` for such a key as well, and what is wrong with one.
        """
        if self._record is None or not self._resume or not isinstance(task, Task):
            return False
        return self._record.is_taken(key, task, indexed=self._indexed and type(key) is int)

    async def look_up(self, draft: Draft, key: Any) -> Solved[Any] | Literal["skip"] | None:
        """Give *draft* its place, and its pending task if there is one.

        Returns:
            The answer that is stored; `skip` if the answer was taken and is not stored; None if
            there is none.

        Raises:
            SubmitUncertain: whether a task exists is unknown, and it is not to be sent again.
            OtherTasks: the batch has no name, and is not the one that the journal has; nothing of
                it may be sent.
            InvalidArgument: the key is of no use, was there before, or belongs to another task.
            JournalError: the journal cannot be read.
        """
        if self._record is None:
            return None
        indexed = self._indexed and type(key) is int
        draft.place = self._record.place(key, draft.task, indexed=indexed)
        found = await self._record.find(draft.place) if self._resume else None
        if found is None:
            return None
        record, entry = found
        if record.state == "solved":
            return await self._restore(record, draft.task)
        if record.state == "open":
            if is_too_old(self._engine, record):
                entry.expired()
                logger.warning("Task %s was paid for, and its result is gone.", record.task_id)
            else:
                draft.pending = await take_up(self._engine, record, entry, draft.task)
        elif self._resend:
            await self._engine.journal.forget(record.number or 0)
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
        """Make the answer anew of what the journal has of one that was taken."""
        if not record.has_solution:
            return "skip"
        solution: Any = await self._engine.journal.solution(record)
        if solution is None:
            # Damaged, as a warning has told; whoever keeps answers wants this one again.
            return None
        life = task.spec.token_life
        born = anyio.current_time() - record.age
        return Solved(
            solution=load_solution(type(task), solution),
            task=task,
            cost=record.decimal_cost,
            elapsed=record.elapsed or 0.0,
            polls=record.polls,
            ref=TaskRef(record.owner.service, record.task_id or 0, record.task_type, record.polls),
            # The token may have been made right after the service last said that there is none.
            expires_at=None if life is None else born + (record.since or 0.0) + life,
            replayed=True,
        )
