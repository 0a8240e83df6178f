"""Collecting many tasks with few hands: a heap of due moments, and some pollers.

A task in flight costs an entry in the heap here, where one that is awaited on its own costs the
event loop a task with its scopes and timers. Batches wait in this way; it is as polite as the
other, because the polls are made by the same collector, and gap and cap are kept by the record.
"""

from __future__ import annotations

import copy
import heapq
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import count
from typing import TYPE_CHECKING

import anyio

from .._account._account import Account
from .._account._fuse import RequestKind
from .._clock import clock
from .._handlers import each
from .._serving._library import name_library
from .._transport import Loop, Turn, asyncio_loop
from ..errors import CaptchaError
from ._books import Books, outcome_of
from ._collect import Collector
from ._grain import on_grain
from ._hands import Hands
from ._outcomes import Outcomes
from ._solve import EVER, Solve

if TYPE_CHECKING:
    from anyio.abc import TaskGroup

__all__ = ["Watch"]

BEHIND = 0.2
"""Seconds by which polls are late when there are more tasks than the process can follow. They are
paid for, and whoever submits more of them waits meanwhile; beyond that the schedule leaves polls
out."""

NEAR = 2.0
"""Request time-outs before its deadline from which on a task is polled inside of a scope."""

BUSY_FOR = 0.5
"""Seconds after which a task is looked at again that somebody else is polling."""


class Watch:
    """Tasks in flight that are collected together.

    Args:
        books: the client's books.
        collector: polls them.
        outcomes: where each task is put that has ended, or whose wait has.
    """

    def __init__(self, books: Books, collector: Collector, outcomes: Outcomes) -> None:
        self._books = books
        self._collector = collector
        self._outcomes = outcomes
        # Each enters by `add` and leaves by `_end`.
        self._watched: dict[Solve, None] = {}
        # (moment, turn, task), the earliest first. Of the entries of a task the one counts that has
        # its `Solve.turn`; older ones are left there and passed over.
        self._heap: list[tuple[float, int, Solve]] = []
        self._turns = count(1)
        # Those whose callback has come, until that is read; and what comes with the next one.
        self._posted: list[Solve] = []
        self._more_posted: Turn | None = None
        # Comes when the next moment has become earlier, if somebody waits for that.
        self._earlier: Turn | None = None
        # They poll what is due: (moment, task). Each account has hands of its own, as many as it
        # has lanes, so that those of one that does not reply are not missed by the others.
        self._hands: dict[Account, Hands[tuple[float, Solve]]] = {}
        self._stops: dict[Account, _Stop] = {}
        self._over = False
        # Of the event loop where it runs: what tells the time, and the loop if it is asyncio's.
        self._now: Callable[[], float] = anyio.current_time
        self._loop: Loop | None = None

    def __repr__(self) -> str:
        return f"<Watch of {len(self._watched)} tasks>"

    def add(self, solve: Solve) -> None:
        """Watch an accepted task until it ends or its deadline passes."""
        try:
            self._books.adopted(solve)
            self._collector.read_callback(solve)
        except BaseException:
            self._books.abandoned(solve, None)
            raise
        if self._over:
            # Its submission has outlived the watch: nobody waits for it any more.
            self._books.abandoned(solve, None)
            return
        self._watched[solve] = None
        if solve.account not in self._stops:
            stop = _Stop(partial(self._stop, solve.account), solve.tenant)
            self._stops[solve.account] = stop
            solve.account.gates.fuse.guards[stop] = None
        if solve.callback is not None:
            solve.callback.notify(partial(self._note_posted, solve))
        self._replan(solve)

    @property
    def is_behind(self) -> bool:
        """Whether polls are late, so that there should be no more tasks for now."""
        for hands in self._hands.values():
            oldest = hands.oldest
            if oldest is not None and self._now() > oldest[0] + BEHIND:
                return True
        return False

    @property
    def polled(self) -> int:
        """How many tasks there are whose polls take time; none if their callbacks are awaited."""
        newest = next(reversed(self._watched), None)
        return 0 if newest is None or newest.callback is not None else len(self._watched)

    # -- when -------------------------------------------------------------------------------------

    async def run(self) -> None:
        """Poll what is due, until cancelled; then nobody waits for the rest any more."""
        self._now, self._loop = clock(), asyncio_loop()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._read_posted)
                while True:
                    self._line_up(group)
                    next_due = self._heap[0][0] if self._heap else EVER
                    next_looks = [hands.look_again for hands in self._hands.values()]
                    self._earlier = Turn(self._loop)
                    await self._earlier.wait(min(next_due, *next_looks, EVER))
                    self._earlier = None
                    for hands in self._hands.values():
                        if hands.lend_more(group):
                            self._time_out(hands)
        finally:
            self._over = True
            for account, stop in self._stops.items():
                del account.gates.fuse.guards[stop]
            each(lambda solve: self._books.abandoned(solve, None), list(self._watched))

    def _line_up(self, group: TaskGroup) -> None:
        """Give to the hands what is due."""
        now = self._now()
        while self._heap and self._heap[0][0] <= now:
            due, turn, solve = heapq.heappop(self._heap)
            if turn == solve.turn:
                self._hands_for(solve.account).give((due, solve), group)

    def _hands_for(self, account: Account) -> Hands[tuple[float, Solve]]:
        hands = self._hands.get(account)
        if hands is None:
            hands = self._hands[account] = Hands(self._poll, account.limits.connections)
            hands.open()
        return hands

    def _time_out(self, hands: Hands[tuple[float, Solve]]) -> None:
        """End the waits that are over while all hands are full."""
        now = self._now()
        for _, solve in hands.left:
            if solve.deadline <= now:
                self._end_late(solve)

    def _replan(self, solve: Solve) -> None:
        """Plan the next look at a task, unless its account cannot be used any more."""
        if solve.done:
            self._plan(solve, 0.0)
            return
        fuse = solve.account.gates.fuse
        if solve.tenant.closed or fuse.error is not None:
            try:
                solve.tenant.check()
                fuse.check("poll")
            except CaptchaError as error:
                self._end(solve, error)
                return
        due = self._collector.next_poll(solve, solve.deadline)
        self._plan(solve, on_grain(due, solve, solve.deadline))

    def _plan(self, solve: Solve, due: float) -> None:
        if solve in self._watched:
            solve.turn = next(self._turns)
            heapq.heappush(self._heap, (due, solve.turn, solve))
            if self._earlier is not None and self._heap[0][1] == solve.turn:
                self._earlier.come()

    # -- what -------------------------------------------------------------------------------------

    def _note_posted(self, solve: Solve) -> None:
        self._posted.append(solve)
        if self._more_posted is not None:
            self._more_posted.come()

    async def _read_posted(self) -> None:
        """Read callbacks as they come: that takes no request, and so none of the hands."""
        name_library()
        while True:
            posted, self._posted = self._posted, []
            for solve in posted:
                if solve in self._watched and not solve.busy:
                    self._collector.read_callback(solve)
                if solve.done:
                    self._end_late(solve)
                else:
                    # A hand polls it, or will do so: it was of no use, or is to be confirmed.
                    self._plan(solve, 0.0)
            self._more_posted = Turn(self._loop)
            if not self._posted:
                await self._more_posted.wait(EVER)

    async def _poll(self, planned: tuple[float, Solve]) -> None:
        """Poll a task, unless it has ended or the schedule has changed its mind."""
        due, solve = planned
        if solve not in self._watched:
            return
        now = self._now()
        if solve.outcome is None and not solve.busy and now < solve.deadline:
            later = self._collector.put_off(solve, due, solve.deadline)
            if later is not None:
                self._plan(solve, on_grain(later, solve, solve.deadline))
                return
            solve.busy = True
            try:
                look = self._collector.look(solve, solve.deadline, due)
                await (_up_to(solve.deadline, look) if _is_bounded(solve, now) else look)
            except CaptchaError as error:
                self._end(solve, error)
                return
            finally:
                solve.hand_over()
            now = self._now()
        if solve.done or now >= solve.deadline:
            self._end_late(solve)
        elif solve.busy:
            # Somebody else polls it just now.
            self._plan(solve, min(now + BUSY_FOR, solve.deadline))
        else:
            self._replan(solve)

    def _end_late(self, solve: Solve) -> None:
        """End the watch over a task that has ended, or whose deadline has passed."""
        if solve in self._watched:
            late = None if solve.done else self._books.timed_out(solve, solve.allowed)
            self._end(solve, late)

    def _end(self, solve: Solve, error: CaptchaError | None) -> None:
        """End the watch over a task: it is done, or *error* is why nobody waits any more."""
        if solve not in self._watched:
            return
        del self._watched[solve]
        solve.turn = 0
        if error is not None:
            error.ref = error.ref or solve.ref
        self._books.abandoned(solve, error)
        if error is not None:
            self._outcomes.ended(solve, error)
            return
        try:
            self._outcomes.ended(solve, outcome_of(solve))
        except CaptchaError as failure:
            self._outcomes.ended(solve, failure)

    def _stop(self, account: Account, error: CaptchaError) -> None:
        """End everything at an account that cannot be used any more."""

        def stop(solve: Solve) -> None:
            # What has ended needs no account any more; what is polled will be told by that.
            if solve.done:
                self._end(solve, None)
            elif not solve.busy:
                self._end(solve, copy.copy(error))

        each(stop, [solve for solve in self._watched if solve.account is account])


def _is_bounded(solve: Solve, now: float) -> bool:
    """Tell whether a poll has to be ended at its task's deadline.

    A scope takes a tenth of a poll's CPU; and a poll that need not queue is over long before a
    deadline that is far away.
    """
    account = solve.account
    gates, limits = account.gates, account.limits
    queues = limits.requests_per_second is not None or gates.member is not None
    near = solve.deadline < now + NEAR * limits.request_timeout
    return near or queues or gates.pause.lasts


async def _up_to(deadline: float, work: Awaitable[None]) -> None:
    with anyio.CancelScope(deadline=deadline):
        await work


class _Stop:
    """A watch's place among those that a fuse stops when it blows."""

    __slots__ = ("_stop", "kind", "tenant")

    def __init__(self, stop: Callable[[CaptchaError], None], tenant: object) -> None:
        self._stop = stop
        self.kind: RequestKind = "poll"
        self.tenant: object | None = tenant

    def stop(self, error: CaptchaError) -> None:
        """End what waits with *error*."""
        self._stop(error)
