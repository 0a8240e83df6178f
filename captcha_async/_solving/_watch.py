"""Collecting many tasks with few hands: a heap of due moments, and some pollers.

A task in flight costs an entry in the heap here, where one that is awaited on its own costs the
event loop a task with its scopes and timers. Batches wait in this way; it is as polite as the
other, because the polls are made by the same collector under the same ledgers.
"""

from __future__ import annotations

import copy
import heapq
import math
from collections.abc import Callable
from itertools import count
from typing import Any, Generic, TypeVar

import anyio
import attrs

from .._account._fuse import Fuse
from .._outcome import Solved
from ..errors import CaptchaError
from ._pending import PendingTask

__all__ = ["Watch"]

T = TypeVar("T")

BUSY_FOR = 0.5
"""Seconds after which a task is looked at again that somebody else is polling."""

GRAIN = 0.02
"""Due moments are rounded up to multiples of this, so that one wake-up serves several tasks."""

End = Callable[[T, Solved[Any] | CaptchaError], None]


@attrs.define(eq=False)
class _Watched(Generic[T]):
    """A task in flight."""

    pending: PendingTask[Any]
    label: T
    deadline: float
    """Moment at which the wait for it ends."""
    wait: float
    """What to call the time allowed, in the error."""
    turn: int = 0
    """Number of its entry in the heap that counts; older ones are left there and passed over."""


class Watch(Generic[T]):
    """Tasks in flight that are collected together.

    Args:
        fuse: ends all of them when the account cannot be used any more.
        pollers: how many may be polled at once.
        on_end: called once for each task, with its label and what came of it.
    """

    def __init__(self, fuse: Fuse, pollers: int, on_end: End[T]) -> None:
        self._fuse = fuse
        self._pollers = pollers
        self._on_end = on_end
        self._watched: dict[_Watched[T], None] = {}
        # (due, turn, task), the earliest first
        self._heap: list[tuple[float, int, _Watched[T]]] = []
        self._turns = count(1)
        # Held by the poller that waits for the next moment; set when that has become earlier.
        self._turn = anyio.Lock(fast_acquire=True)
        self._earlier = anyio.Event()
        self._over = False

    def __repr__(self) -> str:
        return f"<Watch of {len(self._watched)} tasks>"

    def add(self, pending: PendingTask[Any], label: T, deadline: float, wait: float) -> None:
        """Watch a task until it ends or its *deadline* passes.

        Args:
            pending: the task.
            label: what `on_end` gets to tell it from others.
            deadline: moment at which the wait for it ends.
            wait: what to call the time allowed, in the error.
        """
        one = _Watched(pending, label, deadline, wait)
        pending.watched(deadline, lambda: self._plan(one, anyio.current_time()))
        if self._over:
            # Its submission has outlived the watch: nobody waits for it any more.
            pending.unwatched()
            return
        self._watched[one] = None
        self._replan(one)

    async def run(self) -> None:
        """Poll what is due, until cancelled; then nobody waits for the rest any more."""
        try:
            async with anyio.create_task_group() as group:
                for _ in range(self._pollers):
                    group.start_soon(self._poll)
        finally:
            self._over = True
            for one in self._watched:
                one.pending.unwatched()

    async def _poll(self) -> None:
        while True:
            due, one = self._take() or await self._wait()
            await self._look(one, due)

    def _take(self) -> tuple[float, _Watched[T]] | None:
        """Take the first task that is due."""
        now = anyio.current_time()
        while self._heap and self._heap[0][0] <= now:
            due, turn, one = heapq.heappop(self._heap)
            if turn == one.turn:
                return due, one
        return None

    async def _wait(self) -> tuple[float, _Watched[T]]:
        """Wait until a task is due; one poller waits for the moment, the others for it."""
        async with self._turn:
            while True:
                taken = self._take()
                if taken is not None:
                    return taken
                self._earlier = anyio.Event()
                try:
                    with self._fuse.guard("poll", self._next()):
                        await self._earlier.wait()
                except CaptchaError as error:
                    self._fail_all(error)
                    # Not under the fuse, which would only say the same again.
                    self._earlier = anyio.Event()
                    with anyio.CancelScope(deadline=self._next()):
                        await self._earlier.wait()

    def _next(self) -> float:
        return self._heap[0][0] if self._heap else float("inf")

    def _fail_all(self, error: CaptchaError) -> None:
        """End everything: the account, or the client, is out of use."""
        for one in list(self._watched):
            # What has ended needs no account any more.
            if one.pending.done:
                self._end(one, _outcome_of(one.pending))
            elif not one.pending.busy:
                self._end(one, copy.copy(error))
        # Those are left that are being polled. What others poll is looked at again when it is due.
        self._heap = [entry for entry in self._heap if entry[1] == entry[2].turn]
        heapq.heapify(self._heap)

    async def _look(self, one: _Watched[T], due: float) -> None:
        """Poll a task, unless it has ended or the schedule has changed its mind."""
        pending = one.pending
        if not pending.done and not pending.busy and not pending.expired():
            if self._plan_later(one, due):
                return
            try:
                await pending.look(due)
            except CaptchaError as error:
                self._end(one, error)
                return
        if pending.done:
            self._end(one, _outcome_of(pending))
        elif pending.expired():
            self._end(one, pending.timed_out(one.wait))
        elif pending.busy:
            # Somebody else polls it just now.
            self._plan(one, min(anyio.current_time() + BUSY_FOR, one.deadline))
        else:
            self._replan(one)

    def _end(self, one: _Watched[T], outcome: Solved[Any] | CaptchaError) -> None:
        if one not in self._watched:
            return
        del self._watched[one]
        one.turn = 0
        if isinstance(outcome, CaptchaError):
            outcome.ref = outcome.ref or one.pending.ref
        one.pending.unwatched(outcome if isinstance(outcome, CaptchaError) else None)
        self._on_end(one.label, outcome)

    def _plan_later(self, one: _Watched[T], due: float) -> bool:
        """Put a task off if others have meanwhile taught that it is too early."""
        later = one.pending.put_off(due)
        if later is None:
            return False
        self._plan(one, _rounded(later))
        return True

    def _replan(self, one: _Watched[T]) -> None:
        self._plan(one, _rounded(one.pending.due()))

    def _plan(self, one: _Watched[T], due: float) -> None:
        if one in self._watched:
            one.turn = next(self._turns)
            heapq.heappush(self._heap, (due, one.turn, one))
            if self._heap[0][1] == one.turn:
                self._earlier.set()


def _outcome_of(pending: PendingTask[Any]) -> Solved[Any] | CaptchaError:
    """Return what came of a task that is done."""
    try:
        return pending.outcome()
    except CaptchaError as error:
        return error


def _rounded(moment: float) -> float:
    return math.ceil(moment / GRAIN) * GRAIN if moment < float("inf") else moment
