"""What the demo counts, by task type."""

from __future__ import annotations

import math
from typing import Any

import attrs

from .._outcome import Solved
from ..errors import CaptchaError
from ..tasks import Task

__all__ = ["Row", "Tally"]


@attrs.frozen
class Row:
    """One line of the demo's table; the last one is of all types together."""

    task_type: str
    solved: int
    failed: int
    p50: float | None
    """Seconds from submission to answer."""
    p95: float | None
    polls_per_task: float | None
    requests: int
    """createTask and polls of the tasks that have ended."""


@attrs.define
class _Group:
    """The ended tasks of one type."""

    # [(seconds, polls)]
    solves: list[tuple[float, int]] = attrs.field(factory=list)
    failed: int = 0
    requests: int = 0

    def row(self, name: str) -> Row:
        """Sum up."""
        seconds = sorted(seconds for seconds, _ in self.solves)
        polls = sum(polls for _, polls in self.solves)
        return Row(
            task_type=name,
            solved=len(seconds),
            failed=self.failed,
            p50=quantile(seconds, 0.5),
            p95=quantile(seconds, 0.95),
            polls_per_task=polls / len(seconds) if seconds else None,
            requests=self.requests,
        )


@attrs.define
class Tally:
    """Outcomes as they come in."""

    # In the order in which the types first ended; the last error of each class is kept.
    _groups: dict[str, _Group] = attrs.field(factory=dict, init=False)
    errors: dict[str, CaptchaError] = attrs.field(factory=dict, init=False)

    def add_solved(self, task: Task[Any], solved: Solved[Any]) -> None:
        """Count a solve."""
        group = self._group(task)
        group.solves.append((solved.elapsed, solved.polls))
        group.requests += 1 + solved.polls

    def add_failed(self, task: Task[Any], error: CaptchaError) -> None:
        """Count a failure."""
        group = self._group(task)
        group.failed += 1
        group.requests += 1 + (error.ref.polls if error.ref else 0)
        self.errors[type(error).__name__] = error

    def rows(self) -> list[Row]:
        """Return a line for each type, by name."""
        return [group.row(name) for name, group in sorted(self._groups.items())]

    def total(self) -> Row:
        """Return the line of all types together."""
        total = _Group()
        for group in self._groups.values():
            total.solves += group.solves
            total.failed += group.failed
            total.requests += group.requests
        return total.row("all types")

    def _group(self, task: Task[Any]) -> _Group:
        return self._groups.setdefault(type(task).__name__, _Group())


def quantile(ordered: list[float], share: float) -> float | None:
    """Return the smallest value that at least *share* of all do not exceed."""
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None
