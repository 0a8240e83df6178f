"""Retry-After: how long a service asks to be left alone, in every form of RFC 9110. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable

from .._clock import wall_time

__all__ = ["MOST_SECONDS", "read_retry_after"]

MOST_SECONDS = 86_400.0
"""What asks for more than a day is taken for a day: it is a fault, or as good as "never"."""

# The three forms of an HTTP date, and seconds; the dates first, for they hold numbers too. A comma
# stands inside of the first two as well as between the values of repeated headers.
_DATE = re.compile(
    r"[A-Za-z]{3,9},\s*\d{1,2}[ -][A-Za-z]{3}[ -]\d{2,4}\s+\d{1,2}:\d{2}:\d{2}(?:\s*[A-Za-z+\d-]+)?"
    r"|[A-Za-z]{3}\s+[A-Za-z]{3}\s+\d{1,2}\s+\d{1,2}:\d{2}:\d{2}\s+\d{4}"
)
_SECONDS = re.compile(r"[+-]?[0-9]+(?:\.[0-9]*)?")


def read_retry_after(
    value: str | None, date: str | None = None, now: Callable[[], float] = wall_time
) -> float | None:
    """Return the seconds to wait, from 0 to a day; None if the header says nothing readable.

    A date is taken relative to the reply's own, so that a wrong clock here or there does not
    matter. Of several values the longest counts: who waits too long loses time, who asks too
    early gets banned.

    Args:
        value: the header; repeated ones joined by commas.
        date: the reply's Date header.
        now: tells the wall clock's time, for a date in a reply that has none of its own.
    """
    if not value:
        return None
    found: list[float] = []

    def take(match: re.Match[str]) -> str:
        moment = _moment(match[0])
        if moment is not None:
            sent = _moment(date)
            found.append(moment - (now() if sent is None else sent))
        return ","

    rest = _DATE.sub(take, value[:1000])
    found += [float(part) for part in map(str.strip, rest.split(",")) if _SECONDS.fullmatch(part)]
    return min(max(0.0, *found), MOST_SECONDS) if found else None


def _moment(text: str | None) -> float | None:
    """Read an HTTP date as seconds since 1970-01-01 UTC, or None."""
    if not text:
        return None
    # Imported late, because hardly any reply has such a date.
    from email.utils import mktime_tz, parsedate_tz

    try:
        parts = parsedate_tz(text.strip())
        return None if parts is None else float(mktime_tz(parts))
    except (TypeError, ValueError, OverflowError, IndexError):
        return None
