"""Taking up what an earlier client has left, as the journal has it: single tasks, and batches."""

from __future__ import annotations

import logging
from typing import Any, Literal

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
        self._known = BatchRecord(name)

    async def open(self) -> None:
        """Read what the journal has.

        Raises:
            JournalError: it cannot be read.
        """
        if self._resume:
            self._known = await self._engine.journal.batch(self._name)

    async def look_up(self, draft: Draft, key: Any) -> Solved[Any] | Literal["skip"] | None:
        """Give *draft* its place, and its pending task if there is one.

        Returns:
            The answer that is stored; `skip` if the answer was taken and is not stored; None if
            there is none.

        Raises:
            SubmitUncertain: whether a task exists is unknown, and it is not to be sent again.
            InvalidArgument: the key is of no use, or belongs to another task.
            JournalError: the journal cannot be read.
        """
        if self._engine.journal.journal is None:
            return None
        indexed = self._indexed and type(key) is int
        draft.place = self._known.place(key, draft.task, indexed=indexed)
        found = self._known.find(draft.place)
        if found is None:
            return None
        record, entry = found
        if record.state == "solved":
            return await self._restore(record, draft.task) or "skip"
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

    async def _restore(self, record: Record, task: Task[Any]) -> Solved[Any] | None:
        solution: Any = await self._engine.journal.solution(record)
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
