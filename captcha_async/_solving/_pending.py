"""PendingTask: the future of a task that the service has accepted.

Whoever awaits a pending task does the polling; there is no background task. The first waiter runs
the poll loop; the others wait for its end and find the outcome, or take over if it was cancelled.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Generator
from decimal import Decimal
from typing import Any, Generic, TypeVar, cast

import anyio

from .._account._fuse import Guard
from .._events import Via
from .._outcome import Solved
from .._ref import TaskId, TaskRef
from ..errors import CaptchaError, SolveTimeout, UnreadableSolution, invalid
from ..tasks._model import Solution, Task
from ..wire._models import spec_of
from ._collect import Answer, Collector, OpenTask, ends_the_task
from ._registry import Registry

__all__ = ["PendingTask", "check_timeout"]

S_co = TypeVar("S_co", bound=Solution, covariant=True)


def check_timeout(timeout: float | None) -> None:
    """Refuse a timeout that is no number of seconds."""
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise invalid("timeout", timeout, "a number of seconds, or None")


class PendingTask(Generic[S_co]):
    """A task that the service has accepted: `await` it for its answer.

    Made by `submit` and `attach`. It may be awaited by several at once, and again after a timeout.
    """

    def __init__(
        self,
        state: OpenTask,
        collector: Collector,
        registry: Registry[PendingTask[Any]],
        timeout: float,
    ) -> None:
        self._state = state
        self._collector = collector
        self._registry = registry
        self._default_timeout = timeout
        self._waiters = 0
        # Whether somebody polls; the event is there only while others wait for the end of that.
        self._busy = False
        self._idle: anyio.Event | None = None
        # Set once, by `_resolve` or `_fail_if_final`; after that no request is made.
        self._solved: Solved[S_co] | None = None
        self._error: CaptchaError | None = None

    def __repr__(self) -> str:
        state = "solved" if self._solved else "failed" if self._error else "processing"
        return f"<PendingTask {self.task_id} {self._state.type} {state}, {self.polls} polls>"

    @property
    def task_id(self) -> TaskId:
        """The service's id of the task."""
        return self._state.task_id

    @property
    def task(self) -> Task[S_co] | None:
        """The task; None if it was taken up from a reference."""
        return self._state.task

    @property
    def ref(self) -> TaskRef:
        """A reference for `client.attach`, also in another process."""
        return self._collector.ref(self._state)

    @property
    def polls(self) -> int:
        """Polls made so far."""
        return self._state.ledger.polls

    @property
    def wire_type(self) -> str:
        """The task's type on the wire, as far as it is known."""
        return self._state.type if self._state.task is None else self._state.task.type

    def take_reserved(self) -> Decimal:
        """Return the money set aside for the task; from then on it is none."""
        reserved, self._state.reserved = self._state.reserved, Decimal(0)
        return reserved

    @property
    def done(self) -> bool:
        """Whether the task has ended, one way or the other."""
        return self._solved is not None or self._error is not None

    @property
    def has_answer(self) -> bool:
        """Whether the answer is there."""
        return self._solved is not None

    @property
    def attended(self) -> bool:
        """Whether somebody waits for it."""
        return self._waiters > 0

    def __await__(self) -> Generator[Any, Any, Solved[S_co]]:
        return self.result().__await__()

    async def result(self, timeout: float | None = None) -> Solved[S_co]:
        """Wait for the answer.

        Args:
            timeout: seconds to wait; None for the service's default for this kind of task.

        Raises:
            SolveTimeout: no answer came in time; the task can be awaited again.
            PollLimitReached: the service allows no further poll of this task.
            CaptchaError: the task failed.
        """
        check_timeout(timeout)
        wait = self._default_timeout if timeout is None else timeout
        return await self.result_until(anyio.current_time() + wait, wait)

    async def result_until(self, deadline: float, wait: float) -> Solved[S_co]:
        """Wait for the answer until a moment; *wait* is what to call it in the error."""
        await self.wait_until(deadline, wait)
        self.taken()
        return self.outcome()

    async def wait_until(self, deadline: float, wait: float) -> None:
        """Wait for the end of the task, as `result_until` does, and leave the answer to be taken.

        Raises:
            CaptchaError: there is no answer.
        """
        self._adopt()
        if not self.done:
            await self._wait(deadline, wait)
        self.outcome()

    async def _wait(self, deadline: float, wait: float) -> None:
        """Wait as one of those who do."""
        self._waiters += 1
        try:
            with self._collector.guard(deadline) as guard:
                await self._collect(guard)
            if not self.done:
                raise self.timed_out(wait)
        except CaptchaError as error:
            error.ref = error.ref or self.ref
            self._leave(error)
            if not self.done:
                raise
        except BaseException:
            self._leave(None)
            raise
        else:
            self._leave(None)

    def _adopt(self) -> None:
        """Note that somebody is going to wait, and read what came while nobody did."""
        self._registry.adopt(self)
        if self._state.events is not None and not self.done:
            self._state.events.awaited(self.ref)
        self.read_callback()

    def _leave(self, error: CaptchaError | None) -> None:
        """Note that a wait is over; *error* is what ended it before the task ended."""
        self._waiters -= 1
        if not self._waiters and not self.done:
            self._registry.orphan(self)
            self.abandon(error)

    def abandon(self, error: CaptchaError | None) -> None:
        """Tell that nobody waits for the task any more, if that is so."""
        if self._state.events is not None and not self._waiters and not self.done:
            self._state.events.abandoned(self.ref, error)

    async def peek(self) -> Solved[S_co] | None:
        """Return the answer if it is there, or None while the task is processing.

        Makes one poll at most, and none while the service's gap since the last one is not over or
        another waiter is polling.

        Raises:
            CaptchaError: the task failed, or the poll did.
        """
        self.read_callback()
        if not self.done:
            if self._busy:
                return None
            self._busy = True
            try:
                if self._collector.may_poll(self._state):
                    answer = await self._collector.look(self._state)
                    if answer is not None:
                        self._resolve(answer)
            except CaptchaError as error:
                self._fail_if_final(error)
                raise
            finally:
                self._hand_over()
        if not self.done:
            return None
        self.taken()
        return self.outcome()

    def taken(self) -> None:
        """Note that the answer has reached whoever asked for it."""
        if self._solved is not None:
            self._registry.adopt(self)
            self._state.entry.collected()

    def give_up(self, error: CaptchaError) -> None:
        """End the task with *error*, without a request."""
        error.ref = self.ref
        self._fail_if_final(error)

    def answered(self, solution: Any, cost: Decimal | None, via: Via = "journal") -> None:
        """Take an answer that came without a poll."""
        if self._state.events is not None:
            self._state.events.via = via
        try:
            self._resolve(self._collector.read(self._state, solution, cost))
        except UnreadableSolution as error:
            error.ref = self.ref
            self._fail_if_final(error)

    def end_callback(self, *, polled: bool = False) -> None:
        """Expect no callback any more; *polled* if it is a poll that has told the task's end."""
        if self._state.callback is not None:
            self._state.callback.end(polled=polled)

    def read_callback(self) -> None:
        """Take the answer if it was posted while nobody waited: that needs no request."""
        if self.done or self._busy:
            return
        try:
            answer = self._collector.called_back(self._state)
        except CaptchaError as error:
            self._fail_if_final(error)
        else:
            if answer is not None:
                self._resolve(answer)

    async def _collect(self, guard: Guard) -> None:
        """Poll until the task ends, or wait for somebody who does."""
        while not self.done:
            if self._busy:
                self._idle = self._idle or anyio.Event()
                await self._idle.wait()
                continue
            self._busy = True
            try:
                self._resolve(await self._collector.wait(self._state, guard))
            except CaptchaError as error:
                self._fail_if_final(error)
                raise
            finally:
                self._hand_over()

    def _hand_over(self) -> None:
        """Let others find the outcome, or take over."""
        self._busy = False
        if self._idle is not None:
            self._idle.set()
            self._idle = None

    def _fail_if_final(self, error: CaptchaError) -> None:
        if ends_the_task(error):
            self._error = error
            self._state.entry.failed(type(error).__name__)
            if self._state.events is not None:
                self._state.events.ended(self.ref, error)
            self._registry.ended(self, error)

    def _resolve(self, answer: Answer) -> None:
        state = self._state
        life = spec_of(state.type).token_life
        elapsed = anyio.current_time() - state.born
        state.entry.answered(answer.solution.raw, answer.cost, self.polls, elapsed)
        self._solved = solved = Solved(
            # Read by the task's own model.
            solution=cast("S_co", answer.solution),
            task=self._state.task,
            cost=answer.cost,
            elapsed=elapsed,
            polls=self.polls,
            ref=self.ref,
            key=state.entry.key if state.task is None else None,
            # The token may have been made right after the service last said that there is none.
            expires_at=None if life is None else state.born + state.since + life,
        )
        if state.events is not None:
            state.events.ended(self.ref, solved)
        self._registry.ended(self, solved)

    def timed_out(self, wait: float) -> SolveTimeout:
        """Make the error for a wait that ended at its deadline, and count it."""
        self._registry.counters.timed_out += 1
        state = self._state
        error = SolveTimeout(
            f"Task {state.task_id} has no answer after {wait:g} s (polls: {self.polls}, last "
            f"status: {state.status or 'none'}); it is paid for: await it again, or attach its "
            "ref.",
            ref=self.ref,
            polls=self.polls,
            last_status=state.status,
        )
        error.__cause__ = state.trouble
        return error

    # -- for who waits for many at once (see `_watch`) -------------------------------------------

    @property
    def busy(self) -> bool:
        """Whether it is being polled."""
        return self._busy

    def watched(self, deadline: float, on_arrival: Callable[[], None]) -> None:
        """Count a watch among the waiters; it is told when a callback arrives."""
        self._adopt()
        self._waiters += 1
        self._state.deadline = deadline
        if self._state.callback is not None:
            self._state.callback.notify(on_arrival)

    def unwatched(self, error: CaptchaError | None = None) -> None:
        """Count the watch no more; *error* is what has ended it, if the task has not."""
        self._state.deadline = float("inf")
        self._leave(error)

    def due(self) -> float:
        """Return the moment of the next poll, or of the end of the wait."""
        if self.done:
            return anyio.current_time()
        return min(self._collector.next_poll(self._state), self._state.deadline)

    def put_off(self, due: float) -> float | None:
        """Return a later moment for a poll that is *due*, if it has become worth while."""
        later = self._collector.put_off(self._state, due)
        return None if later is None else min(later, self._state.deadline)

    def expired(self) -> bool:
        """Tell whether the watch's deadline has passed."""
        return anyio.current_time() >= self._state.deadline

    async def look(self, due: float) -> None:
        """Poll once, for a watch; what was *due* earlier has queued since then.

        Raises:
            CaptchaError: the task failed, or it is not to be polled any more.
        """
        self._busy = True
        try:
            answer = await self._collector.attempt(self._state, due)
            if answer is not None:
                self._resolve(answer)
        except CaptchaError as error:
            self._fail_if_final(error)
            raise
        finally:
            self._hand_over()

    def outcome(self) -> Solved[S_co]:
        """Return the answer of a task that is done.

        Raises:
            CaptchaError: it failed.
        """
        if self._solved is not None:
            return self._solved
        assert self._error is not None
        # A copy for each waiter, so that their tracebacks do not grow into one another.
        raise copy.copy(self._error) from self._error.__cause__

    def forgettable(self, limit: float) -> bool:
        """Tell whether the task was born before *limit* and nobody waits for it."""
        return self._state.born < limit and not self.attended
