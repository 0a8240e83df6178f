"""A client's statistics, put together of what its accounts and its books have counted."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

import attrs

from .._account._counters import LatencyHistogram
from .._account._fuse import FuseState
from .._account._statistics import Statistics
from .._callbacks import CallbackStatistics
from .._transport import LaneStatistics
from ._books import Books
from ._seat import Seat
from ._seats import Seats

__all__ = ["statistics_of"]

# What is added up over the accounts.
SUMS = (
    "submitted", "solved", "failed", "timed_out", "uncertain", "in_flight", "queued", "slots",
    "orphans", "requests", "polls", "retries", "moved", "hedged", "wasted",
)  # fmt: skip


def statistics_of(seats: Seats, books: Books) -> Statistics:
    """Return a client's numbers of now, and those of each of its accounts."""
    parts = {seat.tenant.name: _part(seat, books) for seat in seats}
    if len(parts) == 1:
        (only,) = parts.values()
        return attrs.evolve(only, accounts=parts)
    return _sum(list(parts.values()), seats, parts)


def _part(seat: Seat, books: Books) -> Statistics:
    account, counters = seat.account, seat.tenant.counters
    member = account.gates.member
    return Statistics(
        submitted=counters.submitted,
        solved=counters.solved,
        failed=counters.failed,
        timed_out=counters.timed_out,
        uncertain=counters.uncertain,
        in_flight=seat.tenant.open,
        queued=account.gates.slots.waiting,
        slots=account.gates.slots.limit,
        orphans=sum(solve.tenant is seat.tenant for solve in books.orphans),
        requests=counters.requests,
        polls=counters.polls,
        retries=counters.retries,
        spent=account.gates.spending.total,
        fuse=account.gates.fuse.state,
        lanes=account.lanes(),
        latencies=counters.latencies.snapshot(),
        callbacks=seat.tenant.callbacks.statistics(),
        moved=counters.moved,
        hedged=counters.hedged,
        wasted=counters.wasted,
        wasted_cost=counters.wasted_cost,
        share=None if member is None else member.statistics(),
        retry_in=account.gates.retry_in(),
    )


def _sum(parts: list[Statistics], seats: Seats, accounts: dict[str, Statistics]) -> Statistics:
    latencies = LatencyHistogram()
    for seat in seats:
        latencies.include(seat.tenant.counters.latencies)
    lanes = [part.lanes for part in parts if part.lanes is not None]
    callbacks = [part.callbacks for part in parts if part.callbacks is not None]
    numbers: dict[str, Any] = {name: sum(getattr(part, name) for part in parts) for name in SUMS}
    return Statistics(
        **numbers,
        spent=sum((part.spent for part in parts), Decimal(0)),
        wasted_cost=sum((part.wasted_cost for part in parts), Decimal(0)),
        fuse=_fuse(part.fuse for part in parts),
        lanes=_added(LaneStatistics, lanes) if len(lanes) == len(parts) else None,
        latencies=latencies.snapshot(),
        callbacks=_added(CallbackStatistics, callbacks) if callbacks else None,
        retry_in=min((part.retry_in for part in parts if part.retry_in is not None), default=None),
        accounts=accounts,
    )


def _fuse(states: Iterable[FuseState]) -> FuseState:
    """Tell whether anything passes: what the most open of the accounts lets through."""
    known = set(states)
    return "closed" if "closed" in known else "half-open" if "half-open" in known else "open"


def _added(kind: Any, parts: list[Any]) -> Any:
    names = attrs.fields_dict(kind)
    return kind(**{name: sum(getattr(part, name) for part in parts) for name in names})
