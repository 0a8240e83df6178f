"""Collecting one task's answer: the poll, and the loop around it."""

from __future__ import annotations

import logging
from decimal import Decimal
from itertools import count
from typing import Any

import anyio
import attrs

from .._account._api import Api
from .._account._fuse import Guard
from .._account._gateway import Gateway
from .._callbacks import Callback, overdue_age
from .._events import SolveEvents
from .._journal import Entry
from .._polling._schedule import PollLedger, PollState, Schedule
from .._ref import TaskId, TaskRef
from ..errors import (
    AccountError,
    CapacityError,
    CaptchaError,
    ClientClosed,
    ProtocolError,
    ServiceError,
    TaskExpired,
    TransportError,
    UnreadableSolution,
)
from ..services import Service
from ..tasks._model import Solution, Task
from ..wire import load_solution
from ..wire._replies import TaskResult

__all__ = ["Answer", "Collector", "OpenTask", "ends_the_task"]

logger = logging.getLogger("captcha_async.requests")

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


@attrs.frozen
class Answer:
    """A task's solution as it arrived."""

    solution: Solution
    cost: Decimal | None


@attrs.define(eq=False)
class OpenTask:
    """What is known of an accepted task that has not ended."""

    task_id: TaskId
    task: Task[Any] | None
    type: str
    """Name of the task model."""
    family: str
    born: float
    """Moment of its submission, or of its attachment."""
    ledger: PollLedger
    reserved: Decimal = Decimal(0)
    """The money set aside for it."""
    deadline: float = float("inf")
    """Moment until which it is waited for, where no scope tells."""
    status: str | None = None
    """What the last poll said."""
    trouble: CaptchaError | None = None
    """Why the last poll brought no status."""
    doubts: int = 0
    """Polls whose reply was neither an answer, nor "not yet", nor an error."""
    number: int = 0
    """Serial number among the tasks that were polled; 0 before the first poll is planned."""
    last: float = 0.0
    """Age at the end of the last poll."""
    since: float = 0.0
    """Age at which it was last known to be unsolved."""
    callback: Callback | None = None
    """Where its result is to be posted, if it has such an address."""
    entry: Entry = attrs.field(factory=Entry)
    """Its line in the journal."""
    events: SolveEvents | None = None
    """Where to tell what happens to it, if anybody listens."""


class Collector:
    """Polls the tasks of one service."""

    def __init__(
        self,
        api: Api,
        gateway: Gateway,
        service: Service,
        schedule: Schedule,
    ) -> None:
        self._api = api
        self._gateway = gateway
        self._service = service
        self._schedule = schedule
        self._numbers = count(1)

    def ref(self, task: OpenTask) -> TaskRef:
        """Make the reference that collects *task* in another process."""
        return TaskRef(self._service.name, task.task_id, task.type, task.ledger.polls)

    def read(self, task: OpenTask, solution: Any, cost: Decimal | None) -> Answer:
        """Read a solution that arrived for *task*."""
        model = task.type if task.task is None else type(task.task)
        return Answer(load_solution(model, solution), cost)

    def guard(self, deadline: float) -> Guard:
        """Return what a wait for an answer has to happen in."""
        return self._gateway.fuse.guard("poll", deadline)

    async def wait(self, task: OpenTask, guard: Guard) -> Answer:
        """Poll until *task* ends, inside of *guard*.

        Raises:
            CaptchaError: the task failed; or it is not to be polled any more.
        """
        while True:
            await self._sleep_until_due(task)
            guard.busy = True
            try:
                answer = await self.attempt(task)
            finally:
                guard.busy = False
            if answer is not None:
                return answer

    async def attempt(self, task: OpenTask, due: float | None = None) -> Answer | None:
        """Look once; a failure after which the next poll may bring the answer is only noted.

        Args:
            task: what to look after.
            due: moment at which it should have been polled, if that is not now.

        Raises:
            CaptchaError: the task failed; or it is not to be polled any more.
        """
        try:
            return await self.look(task, due)
        except CaptchaError as error:
            error.ref = error.ref or self.ref(task)
            if not _is_passing(error):
                raise
            task.trouble = error
            return None

    def may_poll(self, task: OpenTask) -> bool:
        """Tell whether the gap since the last poll is over."""
        return anyio.current_time() >= task.ledger.allowed_at()

    async def look(self, task: OpenTask, due: float | None = None) -> Answer | None:
        """Read the callback of *task* if it has come, else poll; None while it is processing.

        Raises:
            CaptchaError: as `poll` does.
        """
        callback = task.callback
        if callback is None or not callback.arrived:
            return await self._poll_unless_posted(task, due)
        if not callback.verify:
            return self.called_back(task)
        await anyio.sleep_until(task.ledger.allowed_at())
        try:
            answer = await self.poll(task)
        except TRANSIENT:
            callback.discard()
            raise
        if answer is None:
            callback.discard()
        callback.take()
        return answer

    async def _poll_unless_posted(self, task: OpenTask, due: float | None) -> Answer | None:
        """Poll; if that fails, an answer that was posted meanwhile counts more."""
        try:
            return await self.poll(task, due)
        except CaptchaError:
            answer = self.called_back(task)
            if answer is None:
                raise
            return answer

    def called_back(self, task: OpenTask) -> Answer | None:
        """Return the answer that was posted, if one was and needs no confirmation.

        Raises:
            ServiceError: the task failed.
        """
        callback = task.callback
        body = None if callback is None or callback.verify else callback.take()
        if callback is None or body is None:
            return None
        try:
            result = self._api.read_callback(body, task.task)
            task.status = result.status
            if result.doubt is not None:
                # Only the service itself can tell now.
                task.trouble = result.doubt
                callback.discard()
            if result.solution is None:
                return None
            answer = self.read(task, result.solution, result.cost)
            if task.events is not None:
                task.events.via = "callback"
        except CaptchaError as error:
            error.ref = self.ref(task)
            if _tells_the_end(error):
                raise
            # No answer, and no failure of the task: only the service itself can tell now.
            task.trouble = error
            callback.discard()
            return None
        if task.number % LEARNED_FROM == 0:
            self._learn(task, callback.came_at - task.born)
        return answer

    def _learn(self, task: OpenTask, age: float) -> None:
        """Tell the schedule that the task was solved just at this *age*."""
        before, state = max(task.since, age - ARRIVAL), self._state(task)
        self._schedule.observe(state, before, before, ready=False)
        self._schedule.observe(attrs.evolve(state, since=before), age, age, ready=True)

    async def poll(self, task: OpenTask, due: float | None = None) -> Answer | None:
        """Poll once; None while the task is processing.

        Raises:
            CaptchaError: the task failed, the poll did, or no further poll is allowed.
        """
        called = anyio.current_time() if due is None else due
        try:
            result = await self._gateway.call("poll", lambda: self._request(task, called))
            task.status = result.status
            task.trouble = None
            if result.doubt is not None:
                task.doubts += 1
                if task.doubts >= MOST_DOUBTS:
                    raise result.doubt
            if result.solution is None:
                return None
            return self.read(task, result.solution, result.cost)
        except CaptchaError as error:
            error.ref = self.ref(task)
            raise

    async def _request(self, task: OpenTask, called: float) -> TaskResult:
        """Ask for the result; keeps the task's ledger whatever happens."""
        task.ledger.begin(self._service.name)
        task.entry.polled(task.ledger.polls)
        begun = anyio.current_time()
        self._schedule.observe_queueing(begun - called, begun)
        state = self._state(task)
        status: str | None = None
        failure: CaptchaError | None = None
        try:
            result = await self._api.get_task_result(task.task_id, task.task)
            status = result.status
        except CaptchaError as error:
            failure = error
            raise
        finally:
            now = anyio.current_time()
            sent = failure.sent if isinstance(failure, TransportError) else True
            asked = None if failure is None else failure.retry_after
            task.ledger.end(now, sent=sent, wait=asked or 0.0)
            task.last = now - task.born
            self._tell(task, begun, status, failure)
        ready = result.solution is not None
        self._schedule.observe(state, begun - task.born, task.last, ready)
        if not ready:
            task.since = begun - task.born
        return result

    def _tell(
        self, task: OpenTask, begun: float, status: str | None, error: CaptchaError | None
    ) -> None:
        """Log a poll, and tell it to whoever listens."""
        said = type(error).__name__ if error else status or "cancelled"
        logger.debug("getTaskResult of task %s: %s", task.task_id, said)
        if task.events is not None:
            task.events.polled(self.ref(task), begun, status, error)

    async def _sleep_until_due(self, task: OpenTask) -> None:
        """Wait for the moment of the next poll, or until the callback has come."""
        due = self.next_poll(task)
        while True:
            if task.callback is None or not task.callback.awaited:
                await anyio.sleep_until(due)
            else:
                with anyio.CancelScope(deadline=due):
                    await task.callback.wait_arrived()
                    return
            # Meanwhile other tasks may have taught the schedule that it is too early.
            later = self.put_off(task, due)
            if later is None:
                return
            due = later

    def put_off(self, task: OpenTask, due: float) -> float | None:
        """Return a later moment for a poll that is *due*, if it has become worth while."""
        later = self.next_poll(task)
        return later if later > due + WORTH_A_WAIT else None

    def next_poll(self, task: OpenTask) -> float:
        """Return the moment of the next poll; with a callback that has come, the present."""
        if task.callback is not None and task.callback.arrived:
            return anyio.current_time()
        state = self._state(task)
        if task.callback is not None and task.callback.awaited:
            overdue = task.born + overdue_age(self._schedule, state, self._service)
            if anyio.current_time() < overdue:
                return max(overdue, task.ledger.allowed_at())
        due = task.born + self._schedule.next_poll(state)
        return max(due, task.ledger.allowed_at())

    def _state(self, task: OpenTask) -> PollState:
        """Return what the schedule is told of a task."""
        task.number = task.number or next(self._numbers)
        deadline = task.deadline
        if deadline == float("inf"):
            deadline = anyio.current_effective_deadline()
        return PollState(
            type=task.type,
            family=task.family,
            number=task.number,
            polls=task.ledger.polls,
            last=task.last,
            since=task.since,
            deadline=deadline - task.born,
            attached=task.task is None,
        )


def ends_the_task(error: CaptchaError) -> bool:
    """Tell whether no later wait can bring the answer of a task that ended a wait with *error*."""
    return not (_is_passing(error) or isinstance(error, AccountError | ClientClosed))


def _is_passing(error: CaptchaError) -> bool:
    """Tell whether the next poll may bring the answer."""
    return isinstance(error, TRANSIENT) and not isinstance(error, UnreadableSolution)


def _tells_the_end(error: CaptchaError) -> bool:
    """Tell whether an error that was posted says that the task has failed."""
    return isinstance(error, ServiceError) and not isinstance(
        error, CapacityError | AccountError | TaskExpired
    )
