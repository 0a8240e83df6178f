"""What there is to see of a shared account, for who only looks."""

from __future__ import annotations

from typing import Any

from ._fuse_side import read_error
from ._messages import NANO, POOLS, SECOND, Report
from ._state import State
from ._store import Posts, Store

__all__ = ["close_fuses", "overview"]


def overview(state: State, posts: Posts) -> dict[str, Any]:
    """Return what is kept of an account as JSON has it; seconds, and money in full units."""
    terms = state.terms
    capacities = (state.limit // 1000, terms.submits, terms.requests)
    windows = (None, terms.submits_window / SECOND, terms.requests_window / SECOND)
    shared: dict[str, Any] = {}
    for name, pool, capacity, window in zip(POOLS, state.pools, capacities, windows, strict=True):
        if window is not None and not capacity:
            continue
        wanted = sum(
            entry.holds[POOLS.index(name)].want - entry.holds[POOLS.index(name)].used
            for entry in state.members.values()
            if not entry.gone
        )
        shared[name] = {
            "capacity": capacity,
            "booked": pool.total,
            "used": pool.used,
            "waiting": max(0, wanted),
            "hungry": len(pool.queue),
        }
        if window is not None:
            shared[name]["window"] = window
    return {
        "members": [_member(name, state) for name in _by_age(state)],
        **shared,
        "in_flight": terms.in_flight,
        "spent": sum(state.spent.values()) / NANO,
        "lent": state.lent / NANO,
        "max_spend": terms.cap / NANO if terms.cap else None,
        "per": terms.per / SECOND,
        "fuses": [_fuse(scope, state) for scope in state.fuses if state.fuses[scope].error],
        "callbacks": {"handed_over": posts.handed_over, "kept": posts.kept},
        "pause": max(0, state.pause - state.now) / SECOND,
        "settling": max(0, state.grace - state.now) / SECOND,
    }


def _by_age(state: State) -> list[str]:
    return sorted(state.members, key=lambda name: (state.members[name].joined, name))


def _member(name: str, state: State) -> dict[str, Any]:
    entry = state.members[name]
    slots = entry.holds[0]
    left = (entry.expires - state.now) / SECOND
    return {
        "id": name,
        "state": _presence(entry.gone, left, state.terms.lease / SECOND),
        "slots": slots.booked,
        "used": slots.used,
        "waiting": max(0, slots.want - slots.used),
        "lent": entry.outstanding / NANO,
        "lease": round(left, 3),
    }


def _presence(gone: bool, left: float, lease: float) -> str:
    """Tell whether a member is there; one that is well has most of its lease left at any time."""
    if gone:
        return "gone"
    return "late" if left < 0 else "silent" if left < 0.7 * lease else "there"


def _fuse(scope: str, state: State) -> dict[str, Any]:
    fuse = state.fuses[scope]
    error = read_error(fuse.error)
    return {
        "egress": scope or None,
        "error": type(error).__name__,
        "message": str(error),
        "left": max(0, fuse.until - state.now) / SECOND,
    }


async def close_fuses(store: Store, state: State, me: str) -> int:
    """Close all fuses that are blown, and return how many; the limits stay as they are."""
    blown = [scope for scope, fuse in state.fuses.items() if fuse.error]
    for scope in blown:
        report = Report(
            terms=state.terms,
            leaving=True,
            fuse_do="close",
            fuse_scope=scope,
            fuse_number=-1,
        )
        await store.exchange(me, report)
    return len(blown)
