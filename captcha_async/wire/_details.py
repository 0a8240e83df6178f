"""What some services tell of a solved task besides its answer. Pure; nothing here raises."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import attrs

from ._values import read_text

__all__ = ["NO_DETAILS", "Details", "read_count", "read_details", "read_moment"]

LONGEST_ADDRESS = 100

# Seconds since 1970 up to the year 5138; larger numbers are something else.
LATEST = 10**11


@attrs.frozen
class Details:
    """What a service tells of a solved task; each None where it does not."""

    ip: str | None = attrs.field(default=None, repr=False)
    created: datetime | None = None
    ended: datetime | None = None
    workers: int | None = None


NO_DETAILS = Details()

_NAMES = frozenset(("ip", "createTime", "endTime", "solveCount"))


def read_details(data: Mapping[str, Any]) -> Details:
    """Read a getTaskResult reply in the documented spelling; what has another form is passed over.

    Most replies have none of them.
    """
    if _NAMES.isdisjoint(data):
        return NO_DETAILS
    ip = read_text(data.get("ip"))
    return Details(
        ip=ip if ip and ip.isprintable() and len(ip) <= LONGEST_ADDRESS else None,
        created=read_moment(data.get("createTime")),
        ended=read_moment(data.get("endTime")),
        workers=read_count(data.get("solveCount")),
    )


def read_moment(value: Any) -> datetime | None:
    """Read seconds since 1970, as a number or as text; None for 0 and for what is none."""
    seconds = read_count(value)
    return datetime.fromtimestamp(seconds, UTC) if seconds and seconds < LATEST else None


def read_count(value: Any) -> int | None:
    """Read a whole number from 0 on, as a number or as text; None for all else."""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is int:
        return value if 0 <= value < 10**18 else None
    text = read_text(value)
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None
