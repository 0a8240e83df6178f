"""Solver: one solve, from its queueing to its answer, under one deadline."""

from __future__ import annotations

import copy
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from weakref import ref as weak

import anyio

from .._account._account import Account
from .._account._retry import Retries
from .._handlers import each
from .._outcome import Solved
from .._ref import TaskRef
from ..errors import (
    CaptchaError,
    JournalError,
    ServiceError,
    SubmitUncertain,
    UnreadableSolution,
    Unsolvable,
)
from ..tasks._model import Task
from ..wire._models import model_name, spec_of
from ._asker import Asker
from ._books import Books, outcome_of
from ._collect import Collector
from ._pending import PendingTask
from ._router import Router
from ._seat import Seat
from ._seats import Seats
from ._solve import EVER, Solve
from ._submit import Submitter

if TYPE_CHECKING:
    from .._journal import Entry
    from .._sharing._records import Records
    from ._hedge import Hedge
    from ._outcomes import Outcomes
    from ._watch import Watch

__all__ = ["Solver"]


class Solver:
    """Solves the tasks of one client.

    Args:
        seats: the accounts where they are solved.
        books: the client's books.
        retries: how often a request is repeated.
        hedge: share of the earlier tasks beyond which a second one is created; None for never.
    """

    def __init__(
        self,
        seats: Seats,
        books: Books,
        retries: Retries,
        hedge: float | None = None,
    ) -> None:
        self.seats: Seats = seats
        self.books: Books = books
        self.asker: Asker = Asker(seats, retries)
        self.collector: Collector = Collector(books)
        # Whether the journal has yet to be asked for what was spent before; it is once.
        self._unread = True
        # The accounts that have to be joined with other processes first; most clients have none.
        self._shared = [seat.account for seat in seats if seat.account.gates.member is not None]
        # Made by the first that asks, in an event loop.
        self._recalling: anyio.Lock | None = None
        submitter = Submitter(books, self.collector, retries)
        self._router = Router(seats, submitter, books, retries)
        hedges = hedge is not None and len(seats) > 1
        self._hedge: Hedge | None = None
        if hedges:
            # Imported late: few clients want it.
            from ._hedge import Hedge

            self._hedge = Hedge(hedge or 0.0, seats, self.collector, self)

    @property
    def records(self) -> Records | None:
        """The records of keys, of the first account that is shared; None if none is."""
        members = (account.gates.member for account in self._shared)
        return next((member.records for member in members if member is not None), None)

    async def join(self) -> None:
        """Join the processes that share the accounts, where these are shared.

        Raises:
            AccountUnavailable: a store refuses; waiting would not help.
        """
        for account in self._shared:
            await account.gates.join()

    async def recall_spending(self) -> None:
        """Let the spending cap know once what earlier clients have spent, as the journal has it."""
        self._recalling = self._recalling or anyio.Lock()
        async with self._recalling:
            if not self._unread:
                return
            for seat in self.seats:
                await self._read_spending(seat)
            self._unread = False

    async def _read_spending(self, seat: Seat) -> None:
        limits, journal = seat.account.limits, self.books.journal.journal
        if limits.max_spend is None or journal is None:
            return
        gates = seat.account.gates
        # Of a shared account its store knows what was spent.
        if gates.member is not None:
            return
        # A client of the same account and journal may have done so before.
        if gates.first_to_recall(journal.path):
            # A journal with warnings has told its trouble.
            with suppress(JournalError):
                spent = await self.books.journal.spent(limits.per, seat.account.owner)
                gates.spending.recall(spent)

    # -- one solve --------------------------------------------------------------------------------

    def make(self, task: Any, timeout: float | None = None, **details: Any) -> Solve:
        """Make the record of a task that is to be solved within *timeout* seconds from now."""
        is_task = isinstance(task, Task)
        account = self.seats.first.account
        return Solve(
            task=task,
            type=model_name(task) if is_task else "",
            family=task.spec.family if is_task else "",
            account=account,
            tenant=self.seats.first.tenant,
            deadline=EVER if timeout is None else account.now() + timeout,
            wait=timeout,
            **details,
        )

    async def solve(
        self,
        solve: Solve,
        attempts: int = 1,
        answer: Callable[[Solve], Awaitable[Solve]] | None = None,
    ) -> Solved[Any]:
        """Create the task and collect its answer, under one deadline for both.

        Args:
            solve: the task.
            attempts: how many tasks may be created, if one proves unsolvable or its answer
                unreadable.
            answer: how one of them is created and collected, if not by `answer`.

        Raises:
            CaptchaError: there is no answer.
        """
        answer = answer or self.answer
        while True:
            try:
                solve = await answer(solve)
            except (Unsolvable, UnreadableSolution):
                attempts -= 1
                if attempts < 1 or self.is_late(solve):
                    raise
                solve = self.anew(solve)
            else:
                self.books.taken(solve)
                return outcome_of(solve)

    async def answer(self, solve: Solve) -> Solve:
        """Create the task and collect its answer, which stays to be taken.

        Returns:
            The task that has the answer: *solve*, or a second one in its place (`hedge`).

        Raises:
            CaptchaError: there is no answer.
        """
        try:
            await self.submit(solve)
            if self._hedge is None:
                winner = solve
                await self.collector.wait(solve, solve.deadline, solve.allowed)
            else:
                winner = await self._hedge.wait(solve)
            winner.account.gates.slots.succeeded()
            return winner
        finally:
            solve.account.give_back_slot(solve)

    def anew(self, solve: Solve) -> Solve:
        """Make the record of another task in place of one that brought nothing: elsewhere, if it
        can be, and with the same deadline for all of them.
        """
        # Without a timeout only the solving is bounded, of each task anew.
        left = None if solve.wait is None else max(0.0, solve.deadline - anyio.current_time())
        return self._like(solve, left, (*solve.tried, solve.account))

    def renewed(self, solve: Solve) -> Solve:
        """Make the record of a task again whose time begins only now."""
        return self._like(solve, solve.wait, solve.tried)

    def _like(self, solve: Solve, timeout: float | None, tried: tuple[Account, ...]) -> Solve:
        return self.make(
            solve.task,
            timeout,
            callback_url=solve.callback_url,
            soft_id=solve.soft_id,
            extra=solve.extra,
            wants_slot=solve.wants_slot,
            tried=tried,
        )

    @staticmethod
    def is_late(solve: Solve) -> bool:
        """Tell whether no further task can be made within the deadline of this one."""
        return solve.wait is not None and anyio.current_time() >= solve.deadline

    async def submit(self, solve: Solve) -> None:
        """Create the task, unless it was taken up already, before its deadline.

        Raises:
            CaptchaError: it was not accepted, or nobody knows whether it was.
        """
        self.books.queued(solve)
        try:
            if solve.deadline == EVER:
                await self._submit(solve)
            else:
                with anyio.CancelScope(deadline=solve.deadline):
                    await self._submit(solve)
                if not solve.accepted:
                    raise self._not_accepted(solve)
        except BaseException as caught:
            error = caught if isinstance(caught, CaptchaError) else None
            if solve.accepted:
                self.books.left_alone(solve, error)
            else:
                self.books.dropped(solve, error)
            raise
        if solve.wait is None:
            # Only the solving is bounded, and it begins now.
            solve.deadline = solve.account.now() + solve.allowed

    async def _submit(self, solve: Solve) -> None:
        if self._shared:
            await self.join()
        if self._unread:
            await self.recall_spending()
        if not solve.accepted:
            await self._router.submit(solve)
        elif solve.wants_slot:
            await self._take_slot(solve)

    @staticmethod
    def take_free_slot(solve: Solve) -> None:
        """Have a task that was taken up count among those in flight, if a slot is free.

        It is not waited for: the task is there, and its answer is kept for minutes only.
        """
        with suppress(anyio.WouldBlock):
            solve.account.gates.slots.semaphore.acquire_nowait()
            solve.has_slot = True

    async def _take_slot(self, solve: Solve) -> None:
        semaphore = solve.account.gates.slots.semaphore
        # While no task can be created, what is paid for can be collected without one.
        with suppress(ServiceError):
            with solve.account.gates.fuse.guard("create", tenant=solve.tenant):
                await semaphore.acquire()
            solve.has_slot = True

    def not_begun(self, solve: Solve) -> CaptchaError:
        """Drop a task whose deadline passed before anybody had a hand free for it; return why."""
        self.books.queued(solve)
        error = self._not_accepted(solve)
        self.books.dropped(solve, error)
        return error

    def _not_accepted(self, solve: Solve) -> CaptchaError:
        wait = solve.allowed
        error: CaptchaError = self.books.timed_out(solve, wait)
        if not solve.uncertain:
            if solve.record is not None and solve.record.asking:
                return solve.record.unavailable()
            member = solve.account.gates.member
            return (None if member is None else member.unavailable()) or error
        return SubmitUncertain(
            f"The deadline of {wait:g} s passed while createTask was on its way and no reply came; "
            "a task may exist, so look at the account before you send it again."
        )

    # -- what was accepted ------------------------------------------------------------------------

    async def result(self, solve: Solve, timeout: float | None) -> Solved[Any]:
        """Wait for the answer of an accepted task, and take it.

        Args:
            solve: the task.
            timeout: seconds to wait; None for the service's default.

        Raises:
            CaptchaError: there is no answer.
        """
        if not solve.done:
            solve.account.enter()
            if timeout is None:
                timeout = solve.account.service.poll_times(solve.type).timeout
            await self.collector.wait(solve, anyio.current_time() + timeout, timeout)
        self.books.taken(solve)
        return outcome_of(solve)

    async def peek(self, solve: Solve) -> Solved[Any] | None:
        """Poll once at most, and take the answer if it is there.

        Raises:
            CaptchaError: the task failed, or the poll did.
        """
        if not solve.done:
            solve.account.enter()
            try:
                await self.collector.peek(solve)
            except BaseException:
                if solve.has_answer:
                    # It came, and something else was raised, as by a handler of events.
                    self.books.kept(solve)
                raise
        if not solve.done:
            return None
        self.books.taken(solve)
        return outcome_of(solve)

    def take_up(
        self,
        ref: TaskRef,
        entry: Entry | None,
        task: Task[Any] | None = None,
        *,
        apart: bool = False,
    ) -> Solve:
        """Return the task of *ref*: the one that is known, or a new record of it.

        Args:
            ref: the task's reference.
            entry: its line in the journal.
            task: the task.
            apart: whether one that somebody waits for is left alone, for whoever does not poll.

        Raises:
            InvalidArgument: the client has no such account.
        """
        seat = self.seats.of_ref(ref)
        known = self.books.find(seat.tenant, ref.task_id)
        # Two lines of a journal are two tasks, though the service gave both the same id.
        twin = known is not None and entry is not None and entry.is_beside(known.entry)
        twin = twin or (apart and known is not None and known.waiters > 0)
        if known is not None and not twin:
            return known
        solve = Solve(
            task=task,
            type=ref.task_type,
            family=spec_of(ref.task_type).family,
            account=seat.account,
            tenant=seat.tenant,
        )
        self.books.taken_up(solve, ref, entry)
        if known is not None and isinstance(known.outcome, CaptchaError):
            # What holds for the id holds for both (rule 7).
            self.books.failed(solve, copy.copy(known.outcome))
        return solve

    def handle(self, solve: Solve) -> PendingTask[Any]:
        """Return the user's handle of a task; there is one at a time."""
        handle = None if solve.handle is None else solve.handle()
        if handle is None:
            handle = PendingTask(solve, self)
            solve.handle = weak(handle)
        return handle

    # -- many -------------------------------------------------------------------------------------

    def watch(self, outcomes: Outcomes) -> Watch:
        """Make a watch over tasks that are collected together."""
        # Imported late: whoever solves one by one has none.
        from ._watch import Watch

        return Watch(self.books, self.collector, outcomes)

    async def drain(self, seconds: float) -> None:
        """Wait for the answers that nobody waits for; they are orphans then, to be looked at."""
        deadline = anyio.current_time() + seconds

        async def wait_for(solve: Solve) -> None:
            with suppress(CaptchaError):
                if not solve.done:
                    await self.collector.wait(solve, deadline, seconds)
                outcome_of(solve)
                self.books.kept(solve)

        async with anyio.create_task_group() as group:
            for solve in self.books.uncollected:
                group.start_soon(wait_for, solve)

    def read_callbacks(self) -> None:
        """Take what was posted for tasks that nobody waits for; they are orphans then."""

        def read(solve: Solve) -> None:
            try:
                self.collector.read_callback(solve)
            finally:
                if solve.has_answer:
                    self.books.kept(solve)

        each(read, self.books.open)
