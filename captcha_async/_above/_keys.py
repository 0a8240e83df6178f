"""Tasks by key: what a program that hands out ids of its own needs, over restarts.

The journal has the key with each submission, and so have the records that the processes of a shared
account have in common. In this process the tasks are known by it as well, so that what was taken
can be had again while the client lives.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Generator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from .. import errors
from .._journal import BY_KEY, Entry, Place, Record, dump_key, mark_of
from .._journal._keys import load_key
from .._outcome import Solved
from .._solving._solve import Solve
from .._solving._solver import Solver
from .._solving._stored import is_too_old, take_up
from .._solving._submit import KeyTaken
from ..errors import CaptchaError, QueueTimeout, SubmitUncertain, TaskExpired, invalid
from ..tasks._model import Task
from ._left import shared_keys

if TYPE_CHECKING:
    from .._solving._shared import Known, SharedKeys

__all__ = ["KeyedTasks"]

MOST = 10_000
"""How many tasks are known in the process; of others the journal alone knows."""
LOOKED = 15.0
"""Seconds that a lookup waits for a createTask on its way here, as for one on its way elsewhere."""


class KeyedTasks:
    """The tasks of one client that were submitted with a key, or solved with one.

    Args:
        solver: the client's.
    """

    def __init__(self, solver: Solver) -> None:
        self._solver = solver
        # The keys that other processes know as well, if the account is shared.
        self.shared: SharedKeys | None = shared_keys(solver)
        self._journal = solver.books.journal
        # By key as JSON, the oldest first. Each enters when the service has accepted it, or when
        # the journal is asked for it; the oldest leaves when there are too many.
        self._known: dict[str, Solve] = {}
        # Of each key that is being submitted or looked up; leaves with the last who waits for it.
        self._turns: dict[str, _Turn] = {}
        # {task: how many solve it now}: the last who leaves gives its slot back.
        self._solving: dict[Solve, int] = {}

    async def submit(self, solve: Solve, key: Any) -> Solve:
        """Have a task accepted, unless there is one of that key.

        Returns:
            The task of that key: *solve*, or an earlier one.

        Raises:
            InvalidArgument: the key is another task's, or cannot be recorded.
            SubmitUncertain: whether there is a task of that key is unknown.
            TaskExpired: its answer was taken, and is not stored.
            CaptchaError: it was not accepted.
        """
        place = self._enter(solve, key)
        async with self._turn(place, solve.deadline) as turn:
            return await self._accepted(solve, place, turn)

    async def solve(self, solve: Solve, key: Any, attempts: int = 1) -> Solved[Any]:
        """Collect the answer of a key's task, which is created if there is none.

        In contrast with `submit`, a task that is in flight here has a slot; and one deadline holds
        for all of it.

        Args:
            solve: the task.
            key: the key.
            attempts: how many tasks may be waited for, if one proves unsolvable or its answer
                unreadable.

        Raises:
            InvalidArgument: the key is another task's, or cannot be recorded.
            SubmitUncertain: whether there is a task of that key is unknown.
            TaskExpired: its answer was taken, and is not stored.
            CaptchaError: there is no answer.
        """
        solved = await self._solver.solve(solve, attempts, partial(self._answer, key=key))
        return solved if solved.task is not None else attrs.evolve(solved, task=solve.task)

    async def _answer(self, solve: Solve, key: Any) -> Solve:
        """Have the answer of a key's task, which stays to be taken; return that task."""
        place = self._enter(solve, key)
        with self._slot_of(solve):
            async with self._turn(place, solve.deadline) as turn:
                found = await self._accepted(solve, place, turn)
            with self._slot_of(found):
                if found is not solve:
                    self._follow(solve, found)
                await self._solver.collector.wait(found, solve.deadline, solve.allowed)
        return found

    def _follow(self, solve: Solve, found: Solve) -> None:
        """Have *solve* stand for a task that was found, which counts among those in flight now."""
        self._solver.books.moved(solve, found.account, found.tenant, refused=False)
        if found.lacks_slot:
            self._solver.take_free_slot(found)
        if solve.wait is None:
            # Only the solving is bounded, and it begins now.
            solve.deadline = anyio.current_time() + solve.allowed

    async def _accepted(self, solve: Solve, place: Place, turn: _Turn) -> Solve:
        """Return the task of a key: an earlier one, or *solve*, once it is accepted."""
        while not solve.accepted:
            earlier = await self._find(place, solve.task, solve)
            if earlier is not None and not _has_failed(earlier):
                return earlier
            await self._submit(solve, turn)
        return solve

    async def _submit(self, solve: Solve, turn: _Turn) -> None:
        turn.solve = solve
        try:
            await self._solver.submit(solve)
        except KeyTaken:
            # Another process was quicker, and it is its task that counts.
            solve.account.give_back_slot(solve)
        finally:
            turn.solve = None
            if solve.accepted:
                self._remember(solve)

    async def look_up(self, key: Any) -> Solve | None:
        """Return the task of a key; None if there is none.

        Raises:
            InvalidArgument: there is no journal, and the account is not shared.
            SubmitUncertain: whether there is a task of that key is unknown.
            TaskExpired: its answer was taken, and is not stored.
            QueueTimeout: its createTask is on its way, and was not over in time.
            AccountUnavailable: the shared account's store does not answer.
            CaptchaError: the task has failed.
            JournalError: the journal cannot be read.
        """
        place = self._place(key, None)
        here, turn = self._known.get(place.key), self._turns.get(place.key)
        if turn is not None and turn.is_queued:
            # Until it is sent there is nothing to be known of it, and that may be long.
            return here
        if here is not None and not _has_failed(here):
            return here
        async with self._turn(place, anyio.current_time() + LOOKED):
            return await self._find(place, None)

    # -- inside -----------------------------------------------------------------------------------

    def _enter(self, solve: Solve, key: Any) -> Place:
        """Give a task its key."""
        assert solve.task is not None
        place = self._place(key, solve.task)
        solve.key, solve.place = key, place
        return place

    def _place(self, key: Any, task: Task[Any] | None) -> Place:
        if self._journal.journal is None and self.shared is None:
            raise self._journal.missing()
        return Place(BY_KEY, dump_key(key), None if task is None else mark_of(task))

    @asynccontextmanager
    async def _turn(self, place: Place, deadline: float) -> AsyncGenerator[_Turn]:
        """Let one after the other at a key.

        Raises:
            QueueTimeout: those before were not through by the *deadline*.
        """
        turn = self._turns.setdefault(place.key, _Turn())
        turn.users += 1
        try:
            with anyio.CancelScope(deadline=deadline) as waiting:
                await turn.lock.acquire()
            if waiting.cancelled_caught:
                raise QueueTimeout(
                    "Another call is submitting this key, and was not through in time; nothing was "
                    "paid for this one: try the key again later."
                )
            try:
                yield turn
            finally:
                turn.lock.release()
        finally:
            turn.users -= 1
            if not turn.users:
                del self._turns[place.key]

    @contextmanager
    def _slot_of(self, solve: Solve) -> Generator[None]:
        """Keep a task's slot for those who solve it, until the last of them leaves."""
        self._solving[solve] = self._solving.get(solve, 0) + 1
        try:
            yield
        finally:
            self._solving[solve] -= 1
            if not self._solving[solve]:
                del self._solving[solve]
                if solve.has_slot and solve.has_answer:
                    solve.account.gates.slots.succeeded()
                solve.account.give_back_slot(solve)

    async def _find(
        self, place: Place, task: Task[Any] | None, submitted: Solve | None = None
    ) -> Solve | None:
        """Return the task of a key; where there is none, *submitted* is made ready for it."""
        here = self._known.get(place.key)
        if here is not None and (self.shared is None or not _has_failed(here)):
            _check_same(place, here.place)
            return here
        found = None if self._journal.journal is None else await self._journal.find(place)
        if found is not None:
            _check_same(place, found[0].place)
        known = None
        if self.shared is not None:
            deadline = None if submitted is None else submitted.deadline
            known = await self.shared.find(place, task, found, deadline)
            if known.solve is not None:
                self._remember(known.solve)
                return known.solve
        revived = None if found is None else await self._revive(place, *found, task)
        return self._with_record(revived, known, submitted)

    def _with_record(
        self, revived: Solve | None, known: Known | None, submitted: Solve | None
    ) -> Solve | None:
        """Give a task its line in the shared records, if there are such."""
        if known is None:
            return revived
        if revived is not None:
            revived.record = revived.record or known.entry
            return revived
        if known.doubt:
            raise _uncertain()
        if submitted is not None:
            submitted.record = known.entry
            # Of what is only submitted nobody knows yet who will ask for it, and where.
            known.entry.awaited = submitted.wants_slot
        elif known.failure is not None:
            raise known.failure
        return None

    async def _revive(
        self, place: Place, record: Record, entry: Entry, task: Task[Any] | None
    ) -> Solve | None:
        """Make a task anew of what the journal has of it; None if *task* is to be solved anew."""
        if record.state == "open" and is_too_old(self._solver, record):
            entry.expired()
            record.state = "expired"
        if record.state in ("failed", "expired"):
            if task is None:
                raise _failure(record)
            return None
        if record.state == "solved" and not record.has_solution:
            raise TaskExpired(
                f"The answer of task {record.task_id} was taken by an earlier client, and the "
                "journal does not keep answers: give it keep_solutions=True, or take another key."
            )
        if record.state not in ("open", "solved"):
            raise _uncertain()
        solve = await take_up(self._solver, record, entry, task)
        solve.place = record.place
        self._remember(solve)
        return solve

    def _remember(self, solve: Solve) -> None:
        assert solve.place is not None
        self._known[solve.place.key] = solve
        if len(self._known) > MOST:
            del self._known[next(iter(self._known))]


@attrs.define(eq=False)
class _Turn:
    """Whose turn it is at one key."""

    lock: anyio.Lock = attrs.field(factory=anyio.Lock)
    users: int = 0
    """Who has it, and who waits for it."""
    solve: Solve | None = None
    """What is being submitted; set by who has the turn, for that time."""

    @property
    def is_queued(self) -> bool:
        """Whether what is to be submitted waits for a slot, so that nothing of it is sent."""
        return self.solve is not None and self.solve.wants_slot and not self.solve.has_slot


def _check_same(place: Place, there: Place | None) -> None:
    if there is not None and place.mark and there.mark and place.mark != there.mark:
        raise invalid("key", load_key(place.key), "that of no other task in the journal")


def _uncertain() -> SubmitUncertain:
    return SubmitUncertain(
        "createTask was sent for this key, and no reply was recorded; a task may exist: look at "
        "the account, then forget the submission (`client.uncertain()`)."
    )


def _has_failed(solve: Solve) -> bool:
    return isinstance(solve.outcome, CaptchaError)


def _failure(record: Record) -> CaptchaError:
    """Return why a task has brought no answer, as the journal has it."""
    known = record.state == "failed" and record.error in errors.__all__
    kind: type[CaptchaError] = getattr(errors, record.error or "") if known else TaskExpired
    why = f"it failed ({record.error})" if known else "its result is gone"
    error = kind(
        f"Task {record.task_id} of an earlier client has no answer: {why}; submit it again."
    )
    error.ref = None if record.task_id is None else record.ref()
    return error
