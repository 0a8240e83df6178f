"""Taking up a batch that an earlier client, or another process, has left.

The journal has what this process has done, and the shared records what all processes that share the
account have. What the journal says was taken is not asked for elsewhere.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Literal

from .._journal import BatchRecord, Entry, OtherTasks, Record
from .._outcome import Solved
from .._solving._solve import Solve
from .._solving._solver import Solver
from .._solving._stored import is_too_old, stored_answer, take_up
from ..errors import SubmitUncertain
from ..tasks._model import Task
from ..wire import load_solution

if TYPE_CHECKING:
    from .._solving._shared import Known, SharedKeys

__all__ = ["Resumption"]

logger = logging.getLogger("captcha_async")


class Resumption:
    """A batch's keys: which are to be solved, and what there is of the others.

    `open` before the first key, `is_done` or `look_up` for each, and `close` after the last.

    Args:
        solver: the client's.
        name: the batch's name.
        indexed: whether its whole numbers are indexes, under which a task has to stay the same.
        resume: whether what the journal has is used, and not only added to.
        resend: whether uncertain submissions are sent again.
        shared: the keys that other processes know as well, if the account is shared.
    """

    def __init__(
        self,
        solver: Solver,
        name: str,
        *,
        indexed: bool,
        resume: bool,
        resend: bool,
        shared: SharedKeys | None = None,
    ) -> None:
        self._solver = solver
        self._journal = solver.books.journal
        self._name = name
        self._indexed = indexed
        self._resume = resume
        self._resend = resend
        self._shared = shared if resume else None
        # From `open` to `close`, if there is a journal, or keys are shared.
        self._record: BatchRecord | None = None

    @property
    def resumes(self) -> bool:
        """Whether a key may have been paid for before."""
        return self._resume

    @property
    def is_shared(self) -> bool:
        """Whether other processes are asked for each key."""
        return self._shared is not None

    async def open(self) -> None:
        """Begin: keep others from the batch's keys, and read which of them are done.

        Batches without a name that resume nothing do not look at what others write; any other batch
        has its name alone.

        Raises:
            InvalidArgument: another batch of that name is running.
            JournalError: the journal cannot be read.
        """
        if self._journal.journal is None and self._shared is None:
            return
        alone = self._journal.journal is not None and (self._resume or bool(self._name))
        self._record = self._journal.enter_batch(self._name, alone=alone)
        if self._resume and self._journal.journal is not None:
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
        if solve.place is None:
            indexed = self._indexed and type(solve.key) is int
            solve.place = self._record.place(solve.key, solve.task, indexed=indexed)
            self._check_name(solve.key)
        found = None
        if self._resume and self._journal.journal is not None:
            found = await self._record.find(solve.place)
        if found is not None and found[0].state == "solved":
            return await self._restore(found[0], solve.task)
        known = None
        if self._shared is not None:
            known = await self._shared.find(solve.place, solve.task, found, solve.deadline)
            if known.solve is not None:
                return known.solve
        return await self._take_up(solve, found, known)

    def _check_name(self, key: Any) -> None:
        """Refuse indexes of a batch without a name where other processes have such batches."""
        if self._shared is not None and not self._name and self._indexed and type(key) is int:
            raise OtherTasks(
                "The tasks of this batch have no keys, and it has no name, so that another "
                "process which shares the account could take its answers for those of its own: "
                "give it a mapping with keys of yours, or batch(tasks, name='shop', resume=True).",
                field="name",
                rule="given, or the tasks have keys, since other processes share the account",
            )

    async def _take_up(
        self, solve: Solve, found: tuple[Record, Entry] | None, known: Known | None
    ) -> Solve | None:
        """Return the task that the journal has; None if it is to be submitted."""
        if found is not None and found[0].state == "open":
            record, entry = found
            if is_too_old(self._solver, record):
                entry.expired()
                logger.warning("Task %s was paid for, and its result is gone.", record.task_id)
            else:
                earlier = await take_up(self._solver, record, entry, solve.task)
                if known is not None and earlier.record is None:
                    earlier.record = known.entry
                return earlier
        elif found is not None or (known is not None and known.doubt):
            if not self._resend:
                raise SubmitUncertain(
                    "createTask was sent for this key before its process ended, and no reply was "
                    "recorded; a task may exist: look at the account, then pass "
                    "resend_uncertain=True to send it again."
                )
            if found is not None:
                await self._journal.forget(found[0].number or 0)
        solve.record = None if known is None else known.entry
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
        return stored_answer(self._solver, record, load_solution(type(task), solution), task)
