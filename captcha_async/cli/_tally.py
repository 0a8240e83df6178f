"""What the demo and `batch` count, by task type; its size does not grow with the solves."""

from __future__ import annotations

import math
import random
from collections import Counter
from decimal import Decimal
from typing import Any

import attrs

from .. import Solved
from ..errors import CaptchaError
from ..tasks import Task
from ..wire._models import model_name

__all__ = ["Row", "Tally"]

SAMPLE = 10_000
"""Solve times that are kept of a type; of more, a random choice of so many."""


@attrs.frozen
class Row:
    """One line of the table; the last one is of all types together."""

    task_type: str
    solved: int
    failed: int
    p50: float | None
    """Seconds from submission to answer."""
    p95: float | None
    polls_per_task: float | None
    requests: int
    """createTask and polls of the tasks that have ended."""
    spent: str
    """Sum of what the service charged for the solved ones."""


@attrs.define
class _Group:
    """The ended tasks of one type."""

    solved: int = 0
    failed: int = 0
    polls: int = 0
    requests: int = 0
    spent: Decimal = Decimal(0)
    times: list[float] = attrs.field(factory=list)
    """Seconds of the solves, or of a random choice of them."""
    polls_of: Counter[int] = attrs.field(factory=Counter)
    """How many solves took how many polls."""
    _chance: random.Random = attrs.field(factory=lambda: random.Random(0), repr=False)

    def add_solved(self, solved: Solved[Any]) -> None:
        self.solved += 1
        self.polls += solved.polls
        self.polls_of[solved.polls] += 1
        self.requests += 1 + solved.polls
        self.spent += solved.cost or 0
        if len(self.times) < SAMPLE:
            self.times.append(solved.elapsed)
        elif (place := self._chance.randrange(self.solved)) < SAMPLE:
            self.times[place] = solved.elapsed

    def add_failed(self, error: CaptchaError) -> None:
        self.failed += 1
        self.requests += 1 + (error.ref.polls if error.ref else 0)

    def row(self, name: str) -> Row:
        """Sum up."""
        seconds = sorted(self.times)
        return Row(
            task_type=name,
            solved=self.solved,
            failed=self.failed,
            p50=quantile(seconds, 0.5),
            p95=quantile(seconds, 0.95),
            polls_per_task=self.polls / self.solved if self.solved else None,
            requests=self.requests,
            spent=str(self.spent),
        )


@attrs.define
class Tally:
    """Outcomes as they come in."""

    # In the order in which the types first ended; the last error of each class is kept.
    _groups: dict[str, _Group] = attrs.field(factory=dict, init=False)
    _all: _Group = attrs.field(factory=_Group, init=False)
    errors: dict[str, CaptchaError] = attrs.field(factory=dict, init=False)

    def add_solved(self, task: Task[Any], solved: Solved[Any]) -> None:
        """Count a solve."""
        self._group(task).add_solved(solved)
        self._all.add_solved(solved)

    def add_failed(self, task: Task[Any], error: CaptchaError) -> None:
        """Count a failure."""
        self._group(task).add_failed(error)
        self._all.add_failed(error)
        self.errors[type(error).__name__] = error

    def times(self, task_type: str | None = None) -> list[float]:
        """Return the solve times of a type, or of all; a random choice where they are many."""
        group = self._all if task_type is None else self._groups[task_type]
        return group.times

    def polls(self) -> dict[int, int]:
        """Return how many solves took how many polls."""
        return dict(sorted(self._all.polls_of.items()))

    def rows(self) -> list[Row]:
        """Return a line for each type, by name."""
        return [group.row(name) for name, group in sorted(self._groups.items())]

    def total(self) -> Row:
        """Return the line of all types together."""
        return self._all.row("all types")

    def _group(self, task: Task[Any]) -> _Group:
        return self._groups.setdefault(model_name(task), _Group())


def quantile(ordered: list[float], share: float) -> float | None:
    """Return the smallest value that at least *share* of all do not exceed."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None
