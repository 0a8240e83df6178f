"""Tasks by key: what a program that hands out ids of its own needs, over restarts.

The journal has the key with each submission, and so have the records that the processes of a shared
account have in common. In this process the tasks are known by it as well, so that what was taken
can be had again while the client lives.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio

from .. import errors
from .._journal import BY_KEY, Entry, Place, Record, dump_key, mark_of
from .._solving._solve import Solve
from .._solving._solver import Solver
from .._solving._stored import is_too_old, take_up
from .._solving._submit import KeyTaken
from ..errors import CaptchaError, SubmitUncertain, TaskExpired, invalid
from ..tasks._model import Task
from ._left import shared_keys

if TYPE_CHECKING:
    from .._solving._shared import Known, SharedKeys

__all__ = ["KeyedTasks"]

MOST = 10_000
"""How many tasks are known in the process; of others the journal alone knows."""


class KeyedTasks:
    """The tasks of one client that were submitted with a key.

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
        assert solve.task is not None
        place = self._place(key, solve.task)
        solve.key, solve.place = key, place
        async with self._turn(place.key):
            while not solve.accepted:
                earlier = await self._find(place, solve.task, solve)
                if earlier is not None and not _has_failed(earlier):
                    return earlier
                # Where another process is quicker, it is its task that counts.
                with suppress(KeyTaken):
                    await self._submit(solve)
        return solve

    async def _submit(self, solve: Solve) -> None:
        try:
            await self._solver.submit(solve)
        finally:
            if solve.accepted:
                self._remember(solve)

    async def look_up(self, key: Any) -> Solve | None:
        """Return the task of a key; None if there is none.

        Raises:
            InvalidArgument: there is no journal, and the account is not shared.
            SubmitUncertain: whether there is a task of that key is unknown.
            TaskExpired: its answer was taken, and is not stored.
            AccountUnavailable: the shared account's store does not answer.
            JournalError: the journal cannot be read.
        """
        place = self._place(key, None)
        async with self._turn(place.key):
            return await self._find(place, None)

    # -- inside -----------------------------------------------------------------------------------

    def _place(self, key: Any, task: Task[Any] | None) -> Place:
        if self._journal.journal is None and self.shared is None:
            raise self._journal.missing()
        return Place(BY_KEY, dump_key(key), None if task is None else mark_of(task))

    def _turn(self, text: str) -> _Turn:
        turn = self._turns.get(text)
        if turn is None:
            turn = self._turns[text] = _Turn(self._turns, text)
        return turn

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


class _Turn:
    """One after the other for one key: `async with`; it leaves *turns* with its last user."""

    def __init__(self, turns: dict[str, _Turn], text: str) -> None:
        self._turns = turns
        self._text = text
        self._lock = anyio.Lock()
        self._users = 0

    async def __aenter__(self) -> None:
        self._users += 1
        try:
            await self._lock.acquire()
        except BaseException:
            self._leave()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()
        self._leave()

    def _leave(self) -> None:
        self._users -= 1
        if not self._users:
            self._turns.pop(self._text, None)


def _check_same(place: Place, there: Place | None) -> None:
    if there is not None and place.mark and there.mark and place.mark != there.mark:
        raise invalid("key", place.key, "that of no other task in the journal")


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
