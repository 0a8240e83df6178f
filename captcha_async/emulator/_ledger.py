"""The tasks of the emulated service and the account's money; no I/O, `now` is an argument."""

from __future__ import annotations

import heapq
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import attrs

from .._ref import TaskId
from ._callbacks import CallbackPlan

__all__ = ["EmulatedTask", "Ledger"]


@attrs.define(eq=False, kw_only=True)
class EmulatedTask:
    """A task at the emulated service; the emulator's own object, so only to be read."""

    task_id: TaskId
    """Its id, an integer or a UUID as the service has it."""
    type: str
    """The wire type."""
    names: frozenset[str] = attrs.field(repr=False)
    """Everything that the type may be called in a script, in lower case."""
    created: float
    """Moment of creation on the event loop's clock."""
    ready_at: float
    """Moment when the task ends; infinite if it never does."""
    at_once: bool = False
    """Whether createTask itself replied with the result."""
    price: Decimal
    """What a solution costs."""
    callback_url: str | None = attrs.field(default=None, repr=False)
    """Where the result is posted, if createTask named an address."""
    callback: CallbackPlan = attrs.field(factory=CallbackPlan, repr=False)
    """How the callback goes."""
    solution: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """The `solution` object that it ends with; empty if it fails."""
    error: str | None = None
    """Code of the error that the task ends with."""
    status: Literal["processing", "ready", "failed", "expired"] = "processing"
    """`expired` when the result is no longer kept."""
    charged: bool = False
    """Whether the price was taken from the balance."""
    polls: int = 0
    """Calls of getTaskResult for it."""
    last_poll: float | None = None
    """Moment of the last of them on the event loop's clock."""
    reported: bool = False
    """Whether the answer was reported as wrong."""
    confirmed: bool = False
    """Whether the answer was reported as right."""
    variables: dict[str, Any] = attrs.field(factory=dict, repr=False)
    """What was pushed to the task while it ran."""
    called_back: bool | None = None
    """Whether the callback was accepted; None while there was none."""


class Ledger:
    """Every task by id, what is due next, and the balance."""

    def __init__(
        self,
        balance: Decimal,
        *,
        retention: float,
        max_tasks: int | None,
        charged_codes: frozenset[str] = frozenset(),
    ) -> None:
        self.balance = balance
        self.tasks: dict[TaskId, EmulatedTask] = {}
        self.created = self.processing = self.solved = self.failed = 0
        self.spent = Decimal(0)
        self._retention = retention
        self._charged_codes = charged_codes
        self._max_tasks = max_tasks
        self._reserved = Decimal(0)
        # Heap of (moment, number, task): when the task ends, then when its result is dropped.
        self._due: list[tuple[float, int, EmulatedTask]] = []

    def can_pay(self, price: Decimal) -> bool:
        """Whether the balance covers one more task besides those in flight."""
        free = self.balance - self._reserved
        return free > 0 and free >= price

    def add(self, task: EmulatedTask) -> None:
        """Take a task in."""
        self.created += 1
        self.processing += 1
        self._reserved += task.price
        self.tasks[task.task_id] = task
        heapq.heappush(self._due, (task.ready_at, self.created, task))
        self._forget_old()

    def settle(self, now: float) -> None:
        """End the tasks that are ready by now, and drop the results that were kept long enough."""
        while self._due and self._due[0][0] <= now:
            _, number, task = heapq.heappop(self._due)
            if task.status == "processing":
                self._end(task)
                heapq.heappush(self._due, (task.ready_at + self._retention, number, task))
            else:
                task.status, task.solution = "expired", {}

    def find(self, task_id: object) -> EmulatedTask | None:
        """Return a task by the id that a caller sent; digits in a string are a number too."""
        if isinstance(task_id, bool) or not isinstance(task_id, int | str):
            return None
        found = self.tasks.get(task_id)
        if found is None and isinstance(task_id, str) and task_id.isdecimal():
            found = self.tasks.get(int(task_id[:30]))
        return found

    def _end(self, task: EmulatedTask) -> None:
        self.processing -= 1
        self._reserved -= task.price
        if task.error is None:
            task.status = "ready"
            self.solved += 1
        else:
            task.status = "failed"
            self.failed += 1
        if task.error is None or task.error in self._charged_codes:
            task.charged = True
            self.balance -= task.price
            self.spent += task.price

    def refund(self, task: EmulatedTask) -> None:
        """Pay back what a task cost."""
        if task.charged:
            task.charged = False
            self.balance += task.price
            self.spent -= task.price

    def _forget_old(self) -> None:
        """Keep the memory of a long run bounded: the oldest go, once their results are dropped."""
        if self._max_tasks is None or len(self.tasks) <= self._max_tasks:
            return
        oldest = next(iter(self.tasks))
        if self.tasks[oldest].status == "expired":
            del self.tasks[oldest]
