"""Entry: one submission in the journal, as the parts of the client see it."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from .._ref import TaskId
from ..errors import JournalError
from ._owner import Owner
from ._patience import LONGEST, PATIENCE
from ._record import Place, Record, State, dump_solution

if TYPE_CHECKING:
    from ._writer import Writer

__all__ = ["Entry"]

logger = logging.getLogger("captcha_async")


class Entry:
    """What the client tells the journal of one submission; without a journal it does nothing.

    Each method records a step. Only `begin` can fail: from then on the task may be paid for, so
    nothing of the journal may stand in the way of its answer. `begin` and `accepted` alone wait,
    and no longer than `LONGEST` and `PATIENCE` say.
    """

    __slots__ = ("_keep_solutions", "_record", "_strict", "_under_way", "_writer")

    def __init__(
        self,
        writer: Writer | None = None,
        record: Record | None = None,
        *,
        strict: bool = True,
        keep_solutions: bool = False,
    ) -> None:
        self._writer = writer
        self._record = record or Record(Owner("", b""), "")
        self._strict = strict
        self._keep_solutions = keep_solutions
        # From `begin` until the outcome of createTask was recorded; the writer counts these.
        self._under_way = False

    @property
    def place(self) -> Place | None:
        """Where it stands in a batch."""
        return self._record.place

    @property
    def key(self) -> Any:
        """Its key in a batch; None if it is in none."""
        return self._record.key

    @property
    def token(self) -> str:
        """Its callback's token; empty if no other process can have it."""
        return self._record.token or ""

    @property
    def reserved(self) -> Decimal | None:
        """The money that was set aside for it, as long as nobody knows its cost."""
        record = self._record
        if record.reserved is None or record.cost is not None or record.has_solution:
            return None
        return Decimal(record.reserved)

    @property
    def age(self) -> float:
        """Seconds since its submission, when it was read from the file."""
        return self._record.age

    def is_beside(self, other: Entry | None) -> bool:
        """Tell whether it and *other* are certainly two lines of a journal."""
        if other is None or other is self or self._writer is None or other._writer is None:
            return False
        ours, theirs = self._record, other._record
        return ours.number != theirs.number and None not in (ours.number, theirs.number)

    @property
    def keeps(self) -> bool:
        """Whether there is a journal."""
        return self._writer is not None

    async def begin(self) -> None:
        """Record that createTask is about to be sent; what was recorded is safe afterwards.

        Raises:
            JournalError: it could not be recorded, so nothing must be sent.
        """
        if self._writer is None:
            return
        self._under_way = True
        self._writer.begun()
        try:
            await self._writer.put_durably(self._record, LONGEST if self._strict else PATIENCE)
        except JournalError:
            if self._strict:
                self.drop()
                raise
        except BaseException:
            self.drop()
            raise

    async def accepted(self, task_id: TaskId, token: str = "") -> None:
        """Record the task's id, and wait until it is safe, or as long as that can be waited for.

        Args:
            task_id: the task's id.
            token: its callback's, if other processes may keep that.
        """
        self._record.state, self._record.task_id = "open", task_id
        self._record.token = token or None
        if self._writer is None:
            return
        try:
            await self._writer.put_durably(self._record, PATIENCE)
        except JournalError:
            pass  # told by the writer, and the record stays in its queue
        finally:
            self._end_submission()

    def uncertain(self) -> None:
        """Record that nobody knows whether a task was created."""
        if self._under_way:
            self._put("uncertain")
            self._end_submission()

    def drop(self) -> None:
        """Forget a submission that the service has certainly not accepted."""
        if self._under_way and self._writer is not None:
            self._writer.put(self._record, remove=True)
            self._end_submission()

    def polled(self, polls: int) -> None:
        """Record how many polls were made."""
        self._record.polls = polls
        self._put()

    def answered(
        self,
        raw: Mapping[str, Any],
        cost: Decimal | None,
        polls: int,
        elapsed: float,
        since: float | None = None,
    ) -> None:
        """Record the answer; the task is open until somebody has taken it.

        Args:
            raw: the solution as the service sent it.
            cost: what it charged.
            polls: how many were made.
            elapsed: seconds from submission to answer.
            since: seconds after the submission at which there was no answer yet.
        """
        if self._writer is None:
            return
        record = self._record
        record.cost = None if cost is None else str(cost)
        record.polls, record.elapsed, record.since = polls, elapsed, since
        if self._keep_solutions and not record.has_solution:
            record.solution = dump_solution(raw)
            if record.solution is None:
                logger.warning(
                    "The solution of task %s is no JSON, so the journal cannot keep it.",
                    record.task_id,
                )
            self._put()

    def collected(self) -> None:
        """Record that the answer was taken."""
        if self._record.state == "open":
            self._put("solved")
            # It is in the file, or on its way there; in memory it would only be a burden.
            self._record.solution = None

    def failed(self, error: str, cost: Decimal | None = None) -> None:
        """Record that the task ended without an answer, and what it cost all the same."""
        self._record.error = error
        self._record.cost = None if cost is None else str(cost)
        self._put("failed")

    def expired(self) -> None:
        """Record that the answer cannot be had any more."""
        self._put("expired")

    def _put(self, state: State | None = None) -> None:
        if state is not None:
            self._record.state = state
        if self._writer is not None:
            self._writer.put(self._record)

    def _end_submission(self) -> None:
        if self._under_way and self._writer is not None:
            self._under_way = False
            self._writer.ended()
