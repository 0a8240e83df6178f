"""Keys that the processes which share an account have in common: what is known of one, and by whom.

The journal tells what this process has done, the shared records what all have. Who knows more
counts: an answer before an id, and an id before a doubt.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Iterable
from typing import Any

import anyio
import attrs

from .._clock import wall_time
from .._journal import BY_KEY, Entry, Place, Record, UncertainSubmission, dump_key
from .._journal._keys import load_key
from .._ref import TaskRef
from .._sharing._keyed import KeyedEntry
from .._sharing._record import Seen, TaskRecord, new_tag
from .._sharing._records import LOOKED, Records
from ..errors import AccountUnavailable, CaptchaError, QueueTimeout, invalid
from ..tasks._model import Task
from ._solve import Solve
from ._solver import Solver
from ._told import failure_of, told_by

__all__ = ["Known", "SharedKeys"]

LOOK_AGAIN = 0.5
"""Seconds from one look at a createTask on its way elsewhere to the next."""
DOUBTS = ("sending", "uncertain")


@attrs.frozen(kw_only=True)
class Known:
    """What is known of a key."""

    solve: Solve | None = None
    """Its task, which another process or an earlier client has submitted."""
    entry: KeyedEntry
    """Its line in the shared records, for whoever submits it now or takes up what the journal
    has."""
    doubt: bool = False
    """Whether a task may exist of which nobody knows."""
    failure: CaptchaError | None = None
    """Why its last task has no answer."""


class SharedKeys:
    """The keys of one client whose account other processes share.

    Args:
        solver: the client's.
        records: those of its first account that is shared.
    """

    def __init__(self, solver: Solver, records: Records) -> None:
        self._solver = solver
        self._records = records

    async def find(
        self,
        place: Place,
        task: Task[Any] | None,
        found: tuple[Record, Entry] | None,
        deadline: float | None = None,
    ) -> Known:
        """Return what there is of a key, once nobody is about to submit it.

        Args:
            place: where it stands.
            task: the task that the caller has for it.
            found: what the journal has of it.
            deadline: moment up to which a createTask on its way elsewhere is waited for; None for
                who only asks.

        Raises:
            AccountUnavailable: the store does not answer.
            QueueTimeout: the createTask of another process was not over by the deadline.
            InvalidArgument: the key is another task's, or of an account that the client has not.
        """
        await self._solver.join()
        if deadline is None:
            deadline = anyio.current_time() + LOOKED
        seen = await self._settled(place, deadline)
        record = None if seen is None else seen.record
        if record is not None and place.mark and record.mark and place.mark != record.mark:
            rule = "that of no other task that a process of this account has submitted"
            raise invalid("key", load_key(place.key), rule)
        if seen is not None and seen.record.state in ("open", "solved"):
            solve = await self._take_up(seen.record, task, found)
            if solve is not None:
                assert solve.record is not None
                return Known(solve=solve, entry=solve.record)
        if found is not None and found[0].state in ("open", "solved"):
            return Known(entry=self._of_journal(place, found[0], record))
        doubt = record is not None and record.state in DOUBTS
        doubt = doubt or (found is not None and found[0].state in DOUBTS)
        entry = KeyedEntry(self._records, place, expected="" if record is None else record.tag)
        failure = None
        if record is not None and record.ref is not None:
            failure = failure_of(record.error, record.ref)
        return Known(entry=entry, doubt=doubt, failure=failure)

    async def _settled(self, place: Place, deadline: float) -> Seen | None:
        """Look at a record, again and again while another process is submitting the key."""
        service = self._solver.seats.first.account
        # Whoever lives has an end to it by then.
        give_up = anyio.current_time() + 2 * service.limits.request_timeout
        while True:
            seen = await self._records.look(place, deadline)
            if seen is None or seen.record.state != "sending" or not seen.living:
                return seen
            if anyio.current_time() >= give_up:
                return seen
            await anyio.sleep_until(min(anyio.current_time() + LOOK_AGAIN, deadline))
            if anyio.current_time() >= deadline:
                raise QueueTimeout(
                    "Another process is submitting this key, and its createTask was not over in "
                    "time; nothing was paid here: try the key again later."
                )

    async def _take_up(
        self, record: TaskRecord, task: Task[Any] | None, found: tuple[Record, Entry] | None
    ) -> Solve | None:
        """Return the task of a record; None if its result is certainly gone."""
        ref = record.ref
        if ref is None or self._is_too_old(record, ref):
            return None
        ref = attrs.evolve(ref, polls=record.polls)
        entry = await self._entry(record, ref, found)
        # Two batches of ours may have the same key; the second follows the first.
        solve = self._solver.take_up(ref, entry, task, apart=True)
        if solve.record is not None:
            return solve
        solve.place, solve.key = record.place, load_key(record.key)
        solve.record = KeyedEntry(self._records, record.place, found=record)
        if record.state == "solved" and not solve.done:
            self._solver.books.told(solve, told_by(solve, record), record.since)
        return solve

    async def _entry(
        self, record: TaskRecord, ref: TaskRef, found: tuple[Record, Entry] | None
    ) -> Entry | None:
        """Return the task's line in our journal, which is to outlive us as well."""
        journal = self._solver.books.journal
        if journal.journal is None:
            return None
        if found is not None and found[0].state == "open" and found[0].task_id == ref.task_id:
            return found[1]
        if found is not None and found[0].state in DOUBTS:
            # It was accepted after all, and only our process did not live to hear of it.
            await found[1].accepted(ref.task_id)
            return found[1]
        owner = self._solver.seats.of_ref(ref).account.owner
        return journal.taken_over(ref, record.place, owner)

    def _is_too_old(self, record: TaskRecord, ref: TaskRef) -> bool:
        """Tell whether the service has certainly dropped the result, and it is not here either."""
        service = self._solver.seats.of_ref(ref).account.service
        life = service.poll_times(ref.task_type).timeout + service.result_retention
        return record.solution is None and record.age > life

    def _of_journal(self, place: Place, ours: Record, there: TaskRecord | None) -> KeyedEntry:
        """Return the line of a task that only our journal knows to be accepted."""
        known = TaskRecord(
            tag=new_tag() if there is None else there.tag,
            batch=place.batch,
            key=place.key,
            mark=place.mark,
            state="open",
            type=ours.task_type,
            at=wall_time() - ours.age,
            ref=None if ours.task_id is None else ours.ref(),
            polls=ours.polls,
        )
        return KeyedEntry(self._records, place, found=known, certain=True)

    # -- what the dead have left ------------------------------------------------------------------

    async def left_open(self) -> AsyncGenerator[Solve]:
        """Take up what members that are gone have paid for; each goes to one who asks.

        Raises:
            AccountUnavailable: the store does not answer.
        """
        await self._solver.join()
        await self._records.adopt()
        while self._records.adopted:
            record = next(iter(self._records.adopted))
            solve = await self._take_up(record, None, None)
            # Whoever is cancelled before finds it again.
            self._records.adopted.pop(record, None)
            if solve is not None and not solve.waiters:
                yield solve

    async def not_ours(self, places: Iterable[Place]) -> set[Place]:
        """Return those of which other members that are there have taken over the tasks.

        Raises:
            AccountUnavailable: the store does not answer.
        """
        await self._solver.join()
        theirs: set[Place] = set()

        # All of them fail for the same reason, which is told as itself and not as a group.
        failures: list[AccountUnavailable] = []

        async def look(place: Place) -> None:
            try:
                seen = await self._records.look(place)
            except AccountUnavailable as error:
                failures.append(error)
                group.cancel_scope.cancel()
                return
            if seen is not None and seen.record.adopted and seen.living:
                theirs.add(place)

        async with anyio.create_task_group() as group:
            for place in places:
                group.start_soon(look, place)
        if failures:
            raise failures[0]
        return theirs

    def give(self, solve: Solve, place: Place, ours: Record) -> None:
        """Give a task that the journal has its line in the shared records."""
        if solve.record is None and not solve.done:
            solve.record = self._of_journal(place, ours, None)

    async def uncertain(self) -> list[UncertainSubmission]:
        """Return the submissions of which nobody knows whether they have created a task.

        Raises:
            AccountUnavailable: the store does not answer.
        """
        await self._solver.join()
        return [
            UncertainSubmission(
                number=0,
                task_type=record.type,
                age=record.age,
                batch=None if record.batch == BY_KEY or not record.key else record.batch,
                key=load_key(record.key) if record.key else None,
                unread="" if record.key else key,
            )
            for key, record in await self._records.left()
            if record.state in DOUBTS
        ]

    async def forget(self, submission: UncertainSubmission) -> None:
        """Let the key of an uncertain submission be used again.

        Raises:
            AccountUnavailable: the store does not answer.
        """
        await self._solver.join()
        if submission.unread:
            await self._records.forgotten_unread(submission.unread)
            return
        batch = BY_KEY if submission.batch is None else submission.batch
        seen = await self._records.look(Place(batch, dump_key(submission.key), None))
        if seen is not None and seen.record.state in DOUBTS and not seen.living:
            await self._records.forgotten(seen.record)
