"""Collecting an answer: waiting for a task, looking after it, requesting its result.

Whoever awaits a task does the polling; there is no background task. The first waiter polls, the
others wait for the end of that and find the outcome, or take over if it was cancelled.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable
from decimal import Decimal
from itertools import count
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from .._account._fuse import Guard
from .._account._pause import LONGEST_PAUSE
from .._polling._overdue import overdue_age
from ..errors import (
    AccountError,
    AccountUnavailable,
    CapacityError,
    CaptchaError,
    ClientClosed,
    ProtocolError,
    RateLimited,
    ServiceError,
    TaskExpired,
    TransportError,
    UnreadableSolution,
)
from ..tasks._model import Solution
from ..wire import load_solution
from ..wire._details import Details
from ..wire._replies import Created, TaskResult
from ._books import Books, outcome_of
from ._grain import on_grain
from ._solve import EVER, Solve

if TYPE_CHECKING:
    from .._callbacks import Callback

__all__ = ["Collector"]

logger = logging.getLogger("captcha_async")

# The task itself is none the worse for these: the next poll may bring the answer.
TRANSIENT = (TransportError, CapacityError, ProtocolError)

MOST_DOUBTS = 2
"""Replies of an unknown meaning after which a task has ended (see `TaskResult.doubt`)."""

LEARNED_FROM = 4
"""One in so many callbacks is learned from: without polls there is little to plan."""

ARRIVAL = 0.1
"""Seconds before its arrival at which the result of a callback was not there yet."""

WORTH_A_WAIT = 0.05
"""Seconds by which a poll must have been put off for its task to sleep once more."""

OLD, OF_MORE = 10.0, 0.05
"""Beyond this age, by this share of what it is older: while polls get dearer all the time, those of
slow tasks would be put off by a little again and again."""

JUST_CREATED = 10.0
"""Seconds after createTask in which a first "no such task" is not believed yet."""


@attrs.define(eq=False, repr=False)
class Answer:
    """A task's solution as it arrived."""

    solution: Solution
    cost: Decimal | None
    details: Details


class Collector:
    """Collects the answers of one client's tasks."""

    def __init__(self, books: Books) -> None:
        self._books = books
        self._numbers = count(1)

    # -- waiting ----------------------------------------------------------------------------------

    async def wait(self, solve: Solve, deadline: float, wait: float) -> None:
        """Wait until *solve* has ended; then its answer is there to be taken.

        Args:
            solve: an accepted task.
            deadline: moment at which the wait ends.
            wait: what to call the time allowed, in the error.

        Raises:
            CaptchaError: there is no answer.
        """
        error: CaptchaError | None = None
        try:
            self._books.adopted(solve)
            self.read_callback(solve)
            if not solve.done:
                with self._guard(solve, deadline) as guard:
                    await self._poll_until_done(solve, guard, deadline)
                if not solve.done:
                    raise self._books.timed_out(solve, wait)
        except CaptchaError as caught:
            error = caught
            error.ref = error.ref or solve.ref
            if not solve.done:
                raise
        except BaseException:
            if solve.has_answer:
                # Whoever waited for it will not take it.
                self._books.kept(solve)
            raise
        finally:
            self._books.abandoned(solve, error)
        outcome_of(solve)

    def _guard(self, solve: Solve, deadline: float) -> Guard:
        solve.tenant.check()
        return solve.account.gates.fuse.guard("poll", deadline, solve.tenant)

    async def _poll_until_done(self, solve: Solve, guard: Guard, deadline: float) -> None:
        """Poll until the task ends, or wait for somebody who does."""
        while not solve.done:
            if solve.busy:
                await solve.wait_idle()
                continue
            solve.busy = True
            try:
                await self._sleep_until_due(solve, deadline)
                guard.busy = True
                await self.look(solve, deadline)
            finally:
                guard.busy = False
                solve.hand_over()

    async def _sleep_until_due(self, solve: Solve, deadline: float) -> None:
        """Wait for the moment of the next poll, or until the callback has come."""
        due = on_grain(self.next_poll(solve, deadline), solve, deadline)
        while True:
            if solve.callback is None or not solve.callback.awaited:
                await anyio.sleep_until(due)
            else:
                with anyio.CancelScope(deadline=due):
                    await solve.callback.wait_arrived()
                    return
            # Meanwhile other tasks may have taught the schedule that it is too early.
            later = self.put_off(solve, due, deadline)
            if later is None:
                return
            due = on_grain(later, solve, deadline)

    def next_poll(self, solve: Solve, deadline: float) -> float:
        """Return the moment of the next poll; with a callback that has come, the present."""
        callback, schedule = solve.callback, solve.account.schedule
        if callback is not None and callback.arrived:
            return solve.account.now()
        if solve.record is not None and not solve.record.ours:
            return max(solve.record.due, solve.account.now())
        solve.number = solve.number or next(self._numbers)
        state = solve.poll_state(deadline)
        if callback is not None and callback.awaited and not callback.resumed:
            overdue = solve.born + overdue_age(schedule, state, solve.account.service)
            if solve.account.now() < overdue:
                return max(overdue, solve.next_allowed)
        return max(solve.born + schedule.next_poll(state), solve.next_allowed)

    def put_off(self, solve: Solve, due: float, deadline: float) -> float | None:
        """Return a later moment for a poll that is *due*, if it has become worth while."""
        if solve.callback is not None and solve.callback.arrived:
            return None
        later = self.next_poll(solve, deadline)
        least = max(WORTH_A_WAIT, OF_MORE * (due - solve.born - OLD))
        return later if later > due + least else None

    # -- looking ----------------------------------------------------------------------------------

    async def look(self, solve: Solve, deadline: float = EVER, due: float | None = None) -> None:
        """Read the callback if it has come, else poll once; what comes of it is in the books.

        Called by whoever has made *solve* busy. A failure after which the next poll may bring the
        answer is only noted.

        Args:
            solve: an accepted task that has not ended.
            deadline: moment at which the wait for it ends.
            due: moment at which it should have been polled, if that is not now.

        Raises:
            CaptchaError: the task has failed; or it is not to be polled any more.
        """
        try:
            if solve.callback is None and solve.record is None:
                # Nobody but the service can tell.
                answer = await self._request(solve, deadline, due)
                if answer is not None:
                    self._take(solve, answer)
            else:
                await self._look(solve, deadline, due)
        except CaptchaError as error:
            error.ref = error.ref or solve.ref
            if solve.done:
                return
            if self._is_too_early(solve, error):
                solve.trouble = error
                return
            if _ends_the_task(error):
                self._books.failed(solve, error)
            if not _is_passing(error) or _is_our_own(error):
                raise
            solve.trouble = error

    async def _look(self, solve: Solve, deadline: float, due: float | None) -> None:
        callback = solve.callback
        if callback is not None and callback.resumed and not callback.arrived:
            # What reaches other processes is kept for the one that has submitted the task.
            await solve.tenant.callbacks.fetch(callback.token.decode())
        if callback is not None and callback.arrived and not callback.verify:
            self._read_posted(solve)
            return
        if solve.record is not None and not solve.record.ours and not await self._follow(solve):
            return
        if callback is None or not callback.arrived:
            try:
                answer = await self._request(solve, deadline, due)
            except CaptchaError:
                # An answer that was posted meanwhile counts more.
                self._read_posted(solve)
                if not solve.done:
                    raise
                return
        else:
            answer = await self._confirm(solve, callback, deadline)
        if answer is not None:
            self._take(solve, answer)

    def _take(self, solve: Solve, answer: Answer) -> None:
        self._books.answered(solve, answer.solution, answer.cost, "poll", answer.details)

    async def _follow(self, solve: Solve) -> bool:
        """Ask after a task that other processes may collect; tell whether to poll for it now."""
        # Imported late: only of a shared account do others tell.
        from ._told import polled_elsewhere, told_by

        assert solve.record is not None
        try:
            record = await solve.record.follow()
        except AccountUnavailable as error:
            solve.trouble = error
            return False
        if record is None:
            solve.status = "processing"
        elif solve.record.ours:
            polled_elsewhere(solve, record)
            await self.recall(solve, record.token)
            self._read_posted(solve)
        else:
            self._books.told(solve, told_by(solve, record), record.since)
        may_poll = not solve.done and solve.may_poll(anyio.current_time())
        return solve.record.ours and may_poll

    async def recall(self, solve: Solve, token: str) -> None:
        """Expect the callback of a task that was taken up: it may have come meanwhile."""
        callbacks = solve.tenant.callbacks
        if not token or solve.done or solve.callback is not None:
            return
        solve.callback = callbacks.expect_again(token)
        if solve.callback is not None:
            solve.callback.bind(solve.ref.task_id)
            await callbacks.fetch(token)

    async def _confirm(self, solve: Solve, callback: Callback, deadline: float) -> Answer | None:
        """Ask the service itself about what was posted."""
        await anyio.sleep_until(solve.next_allowed)
        try:
            answer = await self._request(solve, deadline, None)
        except TRANSIENT:
            callback.discard()
            raise
        if answer is None:
            callback.discard()
        callback.take()
        return answer

    def _is_too_early(self, solve: Solve, error: CaptchaError) -> bool:
        """Tell whether a task that "does not exist" may just not be known everywhere yet.

        The first time, and within seconds of its creation: then it is asked for once more.
        """
        if not isinstance(error, TaskExpired) or solve.doubted or solve.task is None:
            return False
        solve.doubted = solve.account.now() - solve.born < JUST_CREATED
        return solve.doubted

    async def peek(self, solve: Solve) -> None:
        """Poll once, if that is allowed now and nobody else does.

        Raises:
            CaptchaError: the task has failed, or the poll has.
        """
        self.read_callback(solve)
        if solve.done or solve.busy or not solve.may_poll(solve.account.now()):
            return
        solve.busy = True
        try:
            await self._look(solve, solve.account.now(), None)
        except CaptchaError as error:
            error.ref = error.ref or solve.ref
            if _is_our_own(error) or self._is_too_early(solve, error):
                return
            if _ends_the_task(error) and not solve.done:
                self._books.failed(solve, error)
            raise
        finally:
            solve.hand_over()
            if solve.record is not None and not solve.waiters and not solve.done:
                solve.record.let_go(solve.polls)

    # -- what was posted --------------------------------------------------------------------------

    def read_callback(self, solve: Solve) -> None:
        """Take what was posted while nobody waited: that needs no request."""
        if not solve.done and not solve.busy:
            try:
                self._read_posted(solve)
            except CaptchaError as error:
                self._books.failed(solve, error)

    def _read_posted(self, solve: Solve) -> None:
        """Read the answer that was posted, if one was and needs no confirmation.

        Raises:
            ServiceError: the task failed.
        """
        callback = solve.callback
        body = None if callback is None or callback.verify else callback.take()
        if callback is None or body is None:
            return
        try:
            result = solve.account.api.read_callback(body, solve.task, solve.told_url)
            solve.status = result.status
            if result.doubt is not None:
                # Only the service itself can tell now.
                solve.trouble = result.doubt
                callback.discard()
            if result.solution is None:
                return
            solution = self.read(solve, result.solution)
        except CaptchaError as error:
            error.ref = solve.ref
            if _tells_the_end(error):
                raise
            # No answer, and no failure of the task: only the service itself can tell now.
            solve.trouble = error
            callback.discard()
            return
        if solve.number % LEARNED_FROM == 0:
            self._learn(solve, callback.came_at - solve.born)
        self._books.answered(solve, solution, result.cost, "callback", result.details)

    def _learn(self, solve: Solve, age: float) -> None:
        """Tell the schedule that the task was solved just at this *age*."""
        schedule = solve.account.schedule
        before = max(solve.since, age - ARRIVAL)
        solve.number = solve.number or next(self._numbers)
        state = solve.poll_state(EVER)
        schedule.observe(state, before, before, ready=False)
        schedule.observe(attrs.evolve(state, since=before), age, age, ready=True)

    # -- requesting -------------------------------------------------------------------------------

    async def _request(self, solve: Solve, deadline: float, due: float | None) -> Answer | None:
        """Ask for the result once; None while the task is processing.

        Raises:
            CaptchaError: the task failed, the poll did, or no further poll is allowed.
        """
        account, schedule = solve.account, solve.account.schedule
        called = account.now() if due is None else due
        async with account.admit("poll", solve.tenant, deadline=deadline) as admission:
            begun = account.now()
            state = solve.poll_state(deadline)
            if not solve.begin_poll(begun):
                # The one with the same id was polled meanwhile.
                return None
            schedule.observe_queueing(begun - called, begun)
            result: TaskResult | None = None
            failure: CaptchaError | None = None
            try:
                result = await _ask(solve)
                admission.asked_to_wait(result.retry_after)
            except CaptchaError as error:
                failure = error
                failure.ref = solve.ref
                raise
            finally:
                now = account.now()
                sent = failure.sent if isinstance(failure, TransportError) else True
                told = failure or result
                asked = None if told is None else told.retry_after
                solve.end_poll(now, sent=sent, wait=min(asked or 0.0, LONGEST_PAUSE))
                status = None if result is None else result.status
                self._books.polled(solve, begun, status, failure)
        assert result is not None
        sent_at = begun - solve.born
        schedule.observe(state, sent_at, now - solve.born, result.solution is not None)
        if result.doubt is not None:
            solve.doubts += 1
            if solve.doubts >= MOST_DOUBTS:
                raise result.doubt
        if result.solution is None:
            solve.since = sent_at
            return None
        return Answer(self.read(solve, result.solution), result.cost, result.details)

    def read(self, solve: Solve, solution: Any) -> Solution:
        """Read a solution that arrived, by the task's own model.

        Raises:
            UnreadableSolution: it is none; it is in the error.
        """
        return load_solution(solve.type if solve.task is None else type(solve.task), solution)

    def answered(self, solve: Solve, created: Created) -> None:
        """Take an answer that came with createTask's reply."""
        try:
            read = self.read(solve, created.solution)
        except UnreadableSolution as error:
            self._books.failed(solve, error)
        else:
            self._books.answered(solve, read, created.cost, "reply", created.details)


def _ask(solve: Solve) -> Awaitable[TaskResult]:
    assert solve.task_id is not None
    api = solve.account.api
    return api.get_task_result(solve.task_id, solve.task, solve.told_url)


def _ends_the_task(error: CaptchaError) -> bool:
    """Tell whether no later wait can bring the answer of a task that ended a wait with *error*."""
    return not (_is_passing(error) or isinstance(error, AccountError | ClientClosed))


def _is_passing(error: CaptchaError) -> bool:
    """Tell whether the next poll may bring the answer."""
    return isinstance(error, TRANSIENT) and not isinstance(error, UnreadableSolution)


def _is_our_own(error: CaptchaError) -> bool:
    """Tell whether we have held the poll back ourselves; nothing was sent."""
    return isinstance(error, RateLimited) and error.until is not None


def _tells_the_end(error: CaptchaError) -> bool:
    """Tell whether an error that was posted says that the task has failed."""
    return isinstance(error, ServiceError) and not isinstance(
        error, CapacityError | AccountError | TaskExpired
    )
