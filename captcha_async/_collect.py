"""Collecting one task's answer: the poll, and the loop around it."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anyio
import attrs

from . import wire
from ._api import Api
from ._gateway import Gateway
from ._polling import PollLedger, Schedule
from ._ref import TaskId, TaskRef
from ._replies import TaskResult
from .errors import (
    CapacityError,
    CaptchaError,
    ProtocolError,
    TransportError,
    UnreadableSolution,
)
from .services import Service
from .tasks._model import Solution, Task

__all__ = ["Answer", "Collector", "OpenTask"]

# The task itself is none the worse for these: the next poll may bring the answer.
TRANSIENT = (TransportError, CapacityError, ProtocolError)


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
    status: str | None = None
    """What the last poll said."""
    trouble: CaptchaError | None = None
    """Why the last poll brought no status."""


class Collector:
    """Polls the tasks of one service."""

    def __init__(self, api: Api, gateway: Gateway, service: Service, schedule: Schedule) -> None:
        self._api = api
        self._gateway = gateway
        self._service = service
        self._schedule = schedule

    def ref(self, task: OpenTask) -> TaskRef:
        """Make the reference that collects *task* in another process."""
        return TaskRef(self._service.name, task.task_id, task.type, task.ledger.polls)

    def read(self, task: OpenTask, solution: Any, cost: Decimal | None) -> Answer:
        """Read a solution that arrived for *task*."""
        model = task.type if task.task is None else type(task.task)
        return Answer(wire.load_solution(model, solution), cost)

    async def wait(self, task: OpenTask) -> Answer:
        """Poll until *task* ends.

        Raises:
            CaptchaError: the task failed; or it is not to be polled any more.
        """
        while True:
            try:
                await self._gateway.sleep_until(self._next_poll(task))
                answer = await self.poll(task)
            except CaptchaError as error:
                error.ref = error.ref or self.ref(task)
                if isinstance(error, UnreadableSolution) or not isinstance(error, TRANSIENT):
                    raise
                task.trouble = error
            else:
                if answer is not None:
                    return answer

    def may_poll(self, task: OpenTask) -> bool:
        """Tell whether the gap since the last poll is over."""
        return anyio.current_time() >= task.ledger.allowed_at()

    async def poll(self, task: OpenTask) -> Answer | None:
        """Poll once; None while the task is processing.

        Raises:
            CaptchaError: the task failed, the poll did, or no further poll is allowed.
        """
        try:
            result = await self._gateway.call("poll", lambda: self._request(task))
            task.status = result.status
            task.trouble = None
            age = anyio.current_time() - task.born
            self._schedule.observe(task.family, age, result.solution is not None)
            if result.solution is None:
                return None
            return self.read(task, result.solution, result.cost)
        except CaptchaError as error:
            error.ref = self.ref(task)
            raise

    async def _request(self, task: OpenTask) -> TaskResult:
        """Ask for the result; keeps the task's ledger whatever happens."""
        task.ledger.begin(self._service.name)
        sent, asked = True, 0.0
        try:
            return await self._api.get_task_result(task.task_id)
        except TransportError as error:
            sent = error.sent
            raise
        except CapacityError as error:
            asked = error.retry_after or 0.0
            raise
        finally:
            task.ledger.end(anyio.current_time(), sent=sent, wait=asked)

    def _next_poll(self, task: OpenTask) -> float:
        now = anyio.current_time()
        age = self._schedule.next_poll(task.family, now - task.born, task.ledger.polls)
        return max(task.born + age, task.ledger.allowed_at())
