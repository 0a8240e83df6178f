"""What a client has done so far, while it is counted: at a cost that does not grow with it."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from ._statistics import LatencyStatistics

__all__ = ["Counters", "LatencyHistogram"]

MOST_TYPES = 256
"""Of how many task types the times are kept."""


class LatencyHistogram:
    """Counts durations in buckets that are 5 % wide, so that its size is bounded."""

    _STEP = math.log(1.05)
    _SMALLEST = 1e-3

    def __init__(self) -> None:
        # {bucket number: how many}
        self._buckets: dict[int, int] = {}
        self._count = 0
        self._sum = 0.0
        self._longest = 0.0

    def __len__(self) -> int:
        return self._count

    def include(self, other: LatencyHistogram) -> None:
        """Add all that *other* has counted."""
        for bucket, count in other._buckets.items():
            self._buckets[bucket] = self._buckets.get(bucket, 0) + count
        self._count += other._count
        self._sum += other._sum
        self._longest = max(self._longest, other._longest)

    def add(self, seconds: float) -> None:
        """Count one duration."""
        bucket = int(math.log(max(seconds, self._SMALLEST) / self._SMALLEST) / self._STEP)
        self._buckets[bucket] = self._buckets.get(bucket, 0) + 1
        self._count += 1
        self._sum += seconds
        self._longest = max(self._longest, seconds)

    def quantile(self, share: float) -> float | None:
        """Return the duration that *share* of all do not exceed."""
        left = share * self._count
        for bucket in sorted(self._buckets):
            left -= self._buckets[bucket]
            if left <= 1e-9:
                middle = self._SMALLEST * math.exp((bucket + 0.5) * self._STEP)
                return min(middle, self._longest)
        return None

    def snapshot(self) -> LatencyStatistics:
        """Return the numbers of now."""
        # Imported late, with all that is told of a client: few programs ask.
        from ._statistics import LatencyStatistics

        if not self._count:
            return LatencyStatistics(0, None, None, None, None)
        return LatencyStatistics(
            self._count,
            self._sum / self._count,
            self.quantile(0.5),
            self.quantile(0.95),
            self._longest,
        )


@attrs.define(eq=False, repr=False)
class Counters:
    """The numbers while they are counted."""

    submitted: int = 0
    solved: int = 0
    failed: int = 0
    timed_out: int = 0
    uncertain: int = 0
    requests: int = 0
    polls: int = 0
    retries: int = 0
    moved: int = 0
    hedged: int = 0
    wasted: int = 0
    wasted_cost: Decimal = Decimal(0)
    latencies: LatencyHistogram = attrs.field(factory=LatencyHistogram)
    times: dict[str, LatencyHistogram] = attrs.field(factory=dict)
    """How long solves took, by the name of the task model."""

    def solved_in(self, kind: str, seconds: float) -> None:
        """Count how long the solve of a task of this *kind* took."""
        self.latencies.add(seconds)
        if kind not in self.times:
            if len(self.times) >= MOST_TYPES:
                del self.times[next(iter(self.times))]
            self.times[kind] = LatencyHistogram()
        self.times[kind].add(seconds)

    def typical(self, kind: str, share: float, at_least: int = 1) -> float | None:
        """Return the seconds within which *share* of the solves of a kind ended.

        None while fewer than *at_least* are known.
        """
        times = self.times.get(kind)
        return None if times is None or len(times) < at_least else times.quantile(share)
