"""One moment of a batch: its numbers, and the line that tells them where nothing can be drawn."""

from __future__ import annotations

from collections import deque
from decimal import Decimal

import attrs

__all__ = ["Frame", "Pace", "describe", "duration", "money", "seconds", "spending"]

RECENT = 30.0
"""Seconds that count for the rate."""


@attrs.frozen(kw_only=True)
class Frame:
    """The numbers of a batch at one moment."""

    lines: int = 0
    """Lines that are done with: ended, skipped, bad or empty."""
    total: int | None = None
    """Lines of the file; None if that is not known."""
    solved: int = 0
    failed: int = 0
    skipped: int = 0
    bad: int = 0
    waiting: int = 0
    """Tasks that were read and are not accepted yet."""
    in_flight: int = 0
    rate: float = 0.0
    """Tasks that ended per second, lately."""
    rates: list[float] = attrs.field(factory=list)
    """The same in parts of the time so far."""
    p50: float | None = None
    p95: float | None = None
    times: list[float] = attrs.field(factory=list)
    """Solve times, or a random choice of them."""
    spent: Decimal = Decimal(0)
    cap: Decimal | None = None
    state: str = "nothing sent yet"
    """What the service is like."""
    mood: str = "good"
    """How bad that is: `good`, `warn` or `bad`."""
    last_error: str = ""
    elapsed: float = 0.0
    note: str = ""
    """What is going on besides."""

    @property
    def eta(self) -> float | None:
        """Seconds to go; None if that cannot be told."""
        if self.total is None or not self.rate or self.note or self.mood == "bad":
            return None
        return max(0, self.total - self.lines) / self.rate

    @property
    def in_the_end(self) -> Decimal | None:
        """What will have been spent, if it goes on like this; None if that cannot be told."""
        if self.total is None or not self.solved or not self.spent:
            return None
        ended = self.solved + self.failed
        # What is said besides is that no more is sent.
        left = self.in_flight if self.note else max(0, self.total - self.lines)
        forecast = self.spent + self.spent / ended * left
        return forecast if self.cap is None else min(forecast, self.cap)


class Pace:
    """How many per second, lately."""

    def __init__(self) -> None:
        # (moment, count), the oldest first; a look every tenth of a second makes 300 of them.
        self._looks: deque[tuple[float, int]] = deque()

    def look(self, now: float, count: int) -> float:
        """Note a *count* and return by how much it grows."""
        self._looks.append((now, count))
        while self._looks[0][0] < now - RECENT:
            self._looks.popleft()
        then, before = self._looks[0]
        return (count - before) / (now - then) if now > then else 0.0


def describe(frame: Frame) -> str:
    """Return a frame as one line of plain text."""
    lines = f"{frame.lines}" if frame.total is None else f"{frame.lines}/{frame.total}"
    parts = [
        f"{duration(frame.elapsed)}  lines {lines}  solved {frame.solved}  failed {frame.failed}",
        f"skipped {frame.skipped}" if frame.skipped else "",
        f"bad {frame.bad}" if frame.bad else "",
        f"waiting {frame.waiting}  in flight {frame.in_flight}  {frame.rate:.1f}/s",
        f"p50 {seconds(frame.p50)}  p95 {seconds(frame.p95)}  spent {spending(frame)}",
        frame.state,
        "" if frame.eta is None else f"ETA {duration(frame.eta)}",
        frame.note,
    ]
    return "  ".join(part for part in parts if part)


def spending(frame: Frame) -> str:
    """Return what is spent, of how much, and what it will be in the end."""
    told = money(frame.spent)
    if frame.cap is not None:
        told += f" of {frame.cap}"
    if frame.in_the_end is not None:
        told += f", about {money(frame.in_the_end)} in the end"
    return told


def seconds(value: float | None) -> str:
    """Return a solve time."""
    return "-" if value is None else f"{value:.1f} s"


def money(value: Decimal) -> str:
    """Return a sum in the service's currency."""
    return f"{value:.4f}" if value < 10 else f"{value:.2f}"


def duration(value: float | None) -> str:
    """Return a time of perhaps hours."""
    if value is None:
        return "-:--"
    hours, rest = divmod(int(value), 3600)
    minutes, whole = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
