"""The registry: the accepted tasks of a client, keyed on taskId, until they end."""

from __future__ import annotations

from decimal import Decimal
from itertools import islice
from typing import Any, Generic, Protocol, TypeVar

import anyio

from .._account._spending import Spending
from .._account._statistics import Counters
from .._outcome import Solved
from .._ref import TaskId
from ..errors import CaptchaError, ClientClosed

__all__ = ["Registry"]

FORGET_AFTER = 3600.0
"""Seconds after which an accepted task that nobody awaits is given up; its result is long gone."""

MOST_EXHAUSTED = 1_000
"""How many failed tasks are remembered."""


class _Pending(Protocol):
    """What the registry has to know of a pending task."""

    @property
    def task_id(self) -> TaskId: ...

    @property
    def wire_type(self) -> str: ...

    @property
    def polls(self) -> int: ...

    def take_reserved(self) -> Decimal: ...

    @property
    def attended(self) -> bool: ...

    @property
    def has_answer(self) -> bool: ...

    def forgettable(self, limit: float) -> bool: ...

    def read_callback(self) -> None: ...

    def end_callback(self, *, polled: bool = False) -> None: ...

    def abandon(self, error: CaptchaError | None) -> None: ...


P = TypeVar("P", bound=_Pending)


class Registry(Generic[P]):
    """The accepted tasks of one client that have not ended, keyed on taskId."""

    def __init__(self, counters: Counters, spending: Spending) -> None:
        self.counters = counters
        self.spending = spending
        # In order of acceptance. An entry leaves when its task ends or is forgotten.
        self._open: dict[TaskId, P] = {}
        self._orphans: dict[TaskId, P] = {}
        # Tasks that must not be polled again, so that attaching one cannot start anew (rule 7).
        self._exhausted: dict[TaskId, P] = {}

    def __len__(self) -> int:
        return len(self._open)

    @property
    def orphans(self) -> tuple[P, ...]:
        """Paid tasks whose answer nobody waits for any more."""
        return tuple(self._orphans.values())

    @property
    def uncollected(self) -> tuple[P, ...]:
        """The orphans, and what nobody has begun to wait for."""
        waiting = {key: pending for key, pending in self._open.items() if not pending.attended}
        return tuple({**waiting, **self._orphans}.values())

    def get(self, task_id: TaskId) -> P | None:
        """Return the task of that id: open, ended without an answer, or with one not yet taken."""
        known = self._open.get(task_id) or self._exhausted.get(task_id)
        return known or self._orphans.get(task_id)

    def add(self, pending: P) -> None:
        """Keep an accepted task until it ends."""
        self._forget_old()
        self._open[pending.task_id] = pending

    def orphan(self, pending: P) -> None:
        """Note that the last waiter of *pending* has gone."""
        if pending.task_id in self._open:
            self._orphans[pending.task_id] = pending

    def adopt(self, pending: P) -> None:
        """Note that somebody waits for *pending* again."""
        self._orphans.pop(pending.task_id, None)

    def ended(self, pending: P, outcome: Solved[Any] | CaptchaError) -> None:
        """Drop a task that has ended, and count how."""
        solved = outcome if isinstance(outcome, Solved) else None
        self._settle(pending, solved)
        pending.end_callback(polled=pending.polls > 0)
        self._open.pop(pending.task_id, None)
        self._orphans.pop(pending.task_id, None)
        if solved is None:
            self.counters.failed += 1
            self._exhausted[pending.task_id] = pending
            if len(self._exhausted) > MOST_EXHAUSTED:
                del self._exhausted[next(iter(self._exhausted))]
            return
        self.counters.solved += 1
        self.counters.latencies.add(solved.elapsed)

    def keep(self, pending: P) -> None:
        """Note that the answer of *pending* has not reached anybody."""
        self._orphans[pending.task_id] = pending

    def _settle(self, pending: P, solved: Solved[Any] | None) -> None:
        if solved is None:
            self.spending.release(pending.take_reserved())
        else:
            self.spending.spend(pending.wire_type, pending.take_reserved(), solved.cost)

    def close(self) -> None:
        """Expect nothing of any task any more: the client is closed."""
        # A handler of events may attach a task meanwhile.
        for pending in list(self._open.values()):
            pending.read_callback()
            if pending.has_answer:
                self.keep(pending)
                continue
            pending.end_callback()
            pending.abandon(ClientClosed("The client was closed; nobody waited for the task."))

    def _forget_old(self) -> None:
        limit = anyio.current_time() - FORGET_AFTER
        # Two at a time keep up with one that is added.
        for tasks in (self._open, self._orphans):
            for task_id, pending in list(islice(tasks.items(), 2)):
                if pending.forgettable(limit):
                    self._open.pop(task_id, None)
                    self._orphans.pop(task_id, None)
                    self.spending.presume(pending.take_reserved())
                    pending.end_callback()
                    pending.abandon(None)
