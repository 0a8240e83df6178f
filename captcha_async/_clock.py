"""The wall clock, for what another process or another machine is to understand.

All else is told on the event loop's clock, `anyio.current_time()`, which tests can make virtual.
"""

from __future__ import annotations

import time
from datetime import UTC, datetime

import anyio

__all__ = ["utc_at", "wall_time"]


def wall_time() -> float:
    """Return the seconds since 1970-01-01 UTC."""
    return time.time()


def utc_at(moment: float) -> datetime:
    """Return the UTC time of a *moment* of the event loop's clock, past or to come."""
    return datetime.fromtimestamp(wall_time() + moment - anyio.current_time(), UTC)
