"""What a client has done so far, as it is told."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import attrs

from .._callbacks import CallbackStatistics
from .._transport import LaneStatistics
from ._fuse import FuseState

if TYPE_CHECKING:
    from .._sharing._port import ShareStatistics

__all__ = ["LatencyStatistics", "Statistics"]


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
    probe; 0 while it is on its way. None if nothing is."""
    accounts: Mapping[str, Statistics] = attrs.field(factory=dict)
    """The same for each account of the client, by its name; there this is empty."""
