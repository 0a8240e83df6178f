"""What a client has done so far, at a cost that does not grow with it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from decimal import Decimal

import attrs

from .._callbacks import CallbackStatistics
from .._sharing._port import ShareStatistics
from .._transport import LaneStatistics
from ._fuse import FuseState

__all__ = ["Counters", "LatencyHistogram", "LatencyStatistics", "Statistics"]

MOST_TYPES = 256
"""Of how many task types the times are kept."""


@attrs.frozen
class LatencyStatistics:
    """How long solves took, in seconds from submission to answer; None before the first one."""

    count: int
    """Solves that ended with an answer."""
    mean: float | None
    """Arithmetic mean, exact."""
    p50: float | None
    """Median, to within 5 %."""
    p95: float | None
    """95th percentile, to within 5 %."""
    longest: float | None
    """The longest one, exact."""


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
        if not self._count:
            return LatencyStatistics(0, None, None, None, None)
        return LatencyStatistics(
            self._count,
            self._sum / self._count,
            self.quantile(0.5),
            self.quantile(0.95),
            self._longest,
        )


@attrs.frozen(kw_only=True)
class Statistics:
    """A client's numbers at one moment.

    Some are of the account, which clients may share: `queued`, `slots`, `spent`, `fuse` and
    `lanes`; those are of all its clients.
    """

    submitted: int
    """Tasks that the service accepted."""
    solved: int
    """Tasks whose answer came."""
    failed: int
    """Tasks that ended with an error of the service."""
    timed_out: int
    """Waits that ended at their deadline; their tasks can still be collected."""
    uncertain: int
    """createTask calls whose outcome is unknown."""
    in_flight: int
    """Accepted tasks that have not ended."""
    queued: int
    """Solves that wait for a slot."""
    slots: int
    """Tasks that solves may have in flight now; adapts to what the account has room for."""
    orphans: int
    """Accepted tasks that nobody waits for any more."""
    requests: int
    """Requests sent, of all kinds."""
    polls: int
    """Of these, polls."""
    retries: int
    """createTask calls sent again because the service had not accepted the one before."""
    spent: Decimal
    """Sum of the costs that the service told, or of the prices given for `max_spend`."""
    fuse: FuseState
    """`closed` lets everything pass, `open` nothing, `half-open` one probe."""
    lanes: LaneStatistics | None
    """The connections; None with an httpx client of yours."""
    latencies: LatencyStatistics
    """How long solves took."""
    callbacks: CallbackStatistics | None = None
    """What became of this client's callbacks; None without a receiver."""
    moved: int = 0
    """Times that a task which an account had not accepted went on to another one."""
    hedged: int = 0
    """Second tasks, created because the first was slow (`hedge`)."""
    wasted: int = 0
    """Tokens of a stock that expired unused."""
    wasted_cost: Decimal = Decimal(0)
    """What those have cost; it is in `spent` too."""
    share: ShareStatistics | None = None
    """What is known of the account's other processes; None if it is not shared, and for the sum of
    several accounts."""
    retry_in: float | None = None
    """Seconds until something that has failed is sent again, or may be: while the fuse is open, its
    probe. None if nothing is."""
    accounts: Mapping[str, Statistics] = attrs.field(factory=dict)
    """The same for each account of the client, by its name; there this is empty."""


@attrs.define
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
