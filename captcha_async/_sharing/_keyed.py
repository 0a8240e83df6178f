"""KeyedEntry: one keyed submission in the shared records, as the parts of the client see it."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import anyio
import attrs

from .._clock import wall_time
from .._journal import BY_KEY, Place
from .._journal._record import dump_solution
from .._ref import TaskRef
from ..errors import AccountUnavailable
from ._record import Seen, TaskRecord, new_tag
from ._records import Records

__all__ = ["KeyedEntry"]

CLAIM = 2.0
"""Seconds that a createTask which has its turn waits for its key, and a poll for a record."""
ACCEPT = 2.0
"""Seconds that an accepted task waits for being written down."""
FOLLOW = 1.0
"""Seconds from one look at a task that another member collects to the next."""


class KeyedEntry:
    """What the client tells the shared records of one submission, and asks them.

    A task is *ours* while this member collects it. It is not when another one does, or when nobody
    here waits for it, so that any member may: then who waits follows the record, and takes the task
    over as soon as nobody else collects it.

    Args:
        records: the account's.
        place: where the task stands.
        expected: tag of a record that may be replaced.
        found: what there is, for a task that was taken up.
        certain: whether our own journal has the task, whatever the records say.
    """

    __slots__ = (
        "_begun",
        "_certain",
        "_expected",
        "_record",
        "_records",
        "asking",
        "awaited",
        "due",
        "lost",
        "ours",
        "place",
    )

    def __init__(
        self,
        records: Records,
        place: Place,
        *,
        expected: str = "",
        found: TaskRecord | None = None,
        certain: bool = False,
    ) -> None:
        self._records = records
        self.place: Place = place
        self._expected = expected
        # What was written or found last; None before the first claim.
        self._record = found
        # Whether it was this entry that has sent the task.
        self._begun = False
        self._certain = certain
        self.ours: bool = found is None
        # Whether who submits it collects it as well.
        self.awaited: bool = place.batch != BY_KEY
        # Whether the store is being asked, so that a time-out is its fault.
        self.asking: bool = False
        # How often it has broken off while the key was being taken.
        self.lost: int = 0
        # Moment of the next look, while it is not ours.
        self.due: float = float("-inf")

    # -- submitting -------------------------------------------------------------------------------

    async def ready(self) -> None:
        """Wait until the key can be taken.

        Raises:
            AccountUnavailable: the store does not answer.
        """
        self.asking = True
        await self._records.ready()
        self.asking = False

    async def begin(self, task_type: str) -> bool:
        """Take the key, right before createTask is sent.

        Returns:
            False if another one has it: nothing must be sent.

        Raises:
            AccountUnavailable: nobody can tell; nothing must be sent.
        """
        record = TaskRecord(
            tag=new_tag(),
            batch=self.place.batch,
            key=self.place.key,
            mark=self.place.mark,
            state="sending",
            type=task_type,
            at=wall_time(),
        )
        self.asking = True
        try:
            taken = await self._records.claim(record, self._expected, CLAIM)
        except AccountUnavailable as error:
            self.lost += error.retryable
            raise
        self.asking = False
        if taken:
            self._record, self._expected, self._begun = record, "", True
        return taken

    def unavailable(self) -> AccountUnavailable:
        """Return the error of a submission whose time is over while the store is asked."""
        return self._records.unavailable()

    @property
    def token(self) -> str:
        """Its callback's token; empty if it has none."""
        return "" if self._record is None else self._record.token

    async def accepted(self, ref: TaskRef, token: str = "") -> None:
        """Write the task's id, and wait until it is there, or as long as that can be waited for.

        Args:
            ref: the task's reference.
            token: its callback's, if it has one.
        """
        if self._record is not None:
            self._put(state="open", ref=ref, token=token, free=not self.awaited)
            self.ours = self.awaited
            await self._records.saved(self._record, ACCEPT)

    def uncertain(self) -> None:
        """Write that nobody knows whether a task was created."""
        if self._record is not None:
            self._put(state="uncertain")

    def drop(self) -> None:
        """Forget a submission that the service has certainly not accepted: the key is free."""
        if self._record is not None:
            self._records.forget(self._record)
            self._record = None

    # -- collecting -------------------------------------------------------------------------------

    async def follow(self) -> TaskRecord | None:
        """Look what has become of a task that is not ours; if nobody collects it, it is ours then.

        Returns:
            The record, if the task has ended or is `ours` now; None if another member collects it.

        Raises:
            AccountUnavailable: the store does not answer.
        """
        now = anyio.current_time()
        self.due = now + FOLLOW
        # Others are polled meanwhile, and by few hands.
        seen = await self._records.look(self.place, now + CLAIM)
        if seen is not None:
            if not self._is_it(seen.record):
                return self._replaced()
            if seen.record.state in ("solved", "failed"):
                return seen.record
            if seen.living and not seen.record.free:
                return None
        return await self._take_over(seen)

    def _replaced(self) -> TaskRecord:
        """Return the end of a task whose key has another one by now, so that it has failed."""
        assert self._record is not None
        if self._certain:
            # Nobody but us knows of it, or the user has said that it may be paid again.
            self.ours = True
            return self._record
        return attrs.evolve(self._record, state="failed", error=None)

    async def _take_over(self, seen: Seen | None) -> TaskRecord | None:
        known = self._record if seen is None or seen.record.ref is None else seen.record
        assert known is not None
        adopted = known.adopted or not self._begun
        record = attrs.evolve(known, tag=new_tag(), state="open", free=False, adopted=adopted)
        expected = "" if seen is None else seen.record.tag
        # Cut off, it is left to whoever comes next.
        undo = attrs.evolve(record, free=True)
        if not await self._records.claim(record, expected, CLAIM, undo=undo):
            # Another one was quicker.
            return None
        self._record, self.ours = record, True
        # What the dead had polled nobody knows.
        return known if seen is None or seen.living else attrs.evolve(known, polled_at=None)

    def _is_it(self, there: TaskRecord) -> bool:
        ours = self._record
        return ours is None or ours.ref is None or there.ref is None or there.ref == ours.ref

    def let_go(self, polls: int) -> None:
        """Let any member collect the task: nobody here waits for it."""
        if self._record is not None and self.ours and self._record.state == "open":
            self._put(free=True, polls=polls, polled_at=wall_time())
            self.ours, self.due = False, float("-inf")

    def answered(
        self,
        raw: Mapping[str, Any],
        cost: Decimal | None,
        polls: int,
        elapsed: float,
        since: float | None,
    ) -> None:
        """Write the answer, for as long as a result lives."""
        if self._record is not None and (self.ours or self._begun):
            self._put(
                state="solved",
                solution=dump_solution(raw),
                cost=None if cost is None else str(cost),
                polls=polls,
                elapsed=elapsed,
                since=since,
                free=False,
            )

    def failed(self, error: str) -> None:
        """Write that the task has ended without an answer: the key may be submitted again."""
        if self._record is not None and (self.ours or self._begun):
            self._put(state="failed", error=error, free=False)

    def _put(self, **changes: Any) -> None:
        assert self._record is not None
        self._record = attrs.evolve(self._record, **changes)
        self._records.put(self._record)
