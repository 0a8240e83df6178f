"""How a run went over time, in a list that stays short however long it takes."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import Any

import attrs

from ...errors import CaptchaError

__all__ = ["Failures", "Point", "Series"]

MOST_POINTS = 600


@attrs.frozen
class Point:
    """The numbers at one moment."""

    seconds: float
    solved: int
    failed: int
    in_flight: int
    spent: Decimal


class Series:
    """Points at even distances; when there are too many, every other one goes."""

    def __init__(self) -> None:
        self.points: list[Point] = []
        self._every = 0.5

    def add(self, point: Point, *, last: bool = False) -> None:
        """Keep a point if it is time for one."""
        if self.points and not last and point.seconds - self.points[-1].seconds < self._every:
            return
        self.points.append(point)
        if len(self.points) > MOST_POINTS:
            del self.points[1::2]
            self._every *= 2

    def rates(self, count: int) -> list[float]:
        """Return how many tasks ended per second, in *count* or fewer parts of the time so far."""
        if len(self.points) < 2:
            return []
        first, last = self.points[0].seconds, self.points[-1].seconds
        width = (last - first) / count or 1.0
        ended: Counter[int] = Counter()
        for before, after in zip(self.points, self.points[1:], strict=False):
            place = min(count - 1, int((after.seconds - first) / width))
            ended[place] += after.solved + after.failed - before.solved - before.failed
        return [ended[place] / width for place in range(count)]


class Failures:
    """Failures by class and code, with one example of each."""

    def __init__(self) -> None:
        # {(class, code): [count, last message]}
        self._groups: dict[tuple[str, str], list[Any]] = {}

    def add(self, error: CaptchaError) -> None:
        """Count a failure."""
        name = (type(error).__name__, getattr(error, "code", None) or "")
        group = self._groups.setdefault(name, [0, ""])
        group[0] += 1
        group[1] = str(error)

    def rows(self) -> list[tuple[str, str, int, str]]:
        """Return (class, code, count, last message), the most frequent first."""
        rows = [(*name, count, text) for name, (count, text) in self._groups.items()]
        return sorted(rows, key=lambda row: -row[2])
