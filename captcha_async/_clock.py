"""The wall clock, for what another process or another machine is to understand.

All else is told on the event loop's clock, `anyio.current_time()`, which tests can make virtual.
What reads that one often keeps what `clock` returns.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

import anyio
from anyio.lowlevel import current_token

__all__ = ["clock", "utc_at", "utc_now", "wall_time"]


def clock() -> Callable[[], float]:
    """Return what tells the time of the event loop that runs the caller.

    It is `anyio.current_time`, which looks for the event loop at each call; that costs ten times
    as much as to ask it. To be kept only by what belongs to this event loop.
    """
    loop = current_token().native_token
    return getattr(loop, "time", anyio.current_time)


def wall_time() -> float:
    """Return the seconds since 1970-01-01 UTC."""
    return time.time()


def utc_now() -> datetime:
    """Return the UTC time of now."""
    return datetime.fromtimestamp(wall_time(), UTC)


def utc_at(moment: float) -> datetime:
    """Return the UTC time of a *moment* of the event loop's clock, past or to come."""
    return datetime.fromtimestamp(wall_time() + moment - anyio.current_time(), UTC)
