"""The brake: what an account does when createTask after createTask brings no reply.

One lost reply is bad luck; a row of them is an outage of the service, or of a gateway before it,
and each further createTask is one more that may have been paid for. So from the first failure on
one createTask goes at a time, each failure makes the next one wait longer, and after ten of unknown
outcome in a row the fuse opens. A reply that can be read ends all of that.
"""

from __future__ import annotations

import anyio

__all__ = ["FAILURES_TO_STOP", "OUTAGE_WINDOW", "Brake"]

FAILURES_TO_STOP = 10
"""createTask calls of unknown outcome in a row after which the fuse opens."""

OUTAGE_WINDOW = 60.0
"""Seconds until the probe that finds out whether the outage is over."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0


class Brake:
    """Counts the createTask calls in a row that brought no reply."""

    __slots__ = ("_failures", "_news", "_trying", "_until", "uncertain")

    def __init__(self) -> None:
        # Failures in a row, and those of unknown outcome among them.
        self._failures = 0
        self.uncertain: int = 0
        # Moment from which on the next createTask may go, and whether one is on the wire that was
        # let out to see.
        self._until = float("-inf")
        self._trying = False
        # Set, and replaced, when either changes.
        self._news = anyio.Event()

    def pass_nowait(self) -> bool:
        """Let a createTask pass, unless it has to wait; each that passes is ended by one of below.

        The one that is let out to see has to end before the next one may pass.
        """
        if not self._failures:
            return True
        if self._trying or anyio.current_time() < self._until:
            return False
        self._trying = True
        return True

    async def pass_through(self) -> None:
        """Wait until a createTask may pass."""
        while not self.pass_nowait():
            with anyio.CancelScope(deadline=float("inf") if self._trying else self._until):
                await self._news.wait()

    def failed(self, *, uncertain: bool) -> None:
        """Note a createTask without a reply."""
        self._failures += 1
        self.uncertain += uncertain
        wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self._failures - 1, 10))
        self._until = anyio.current_time() + wait
        self._end()

    def answered(self) -> None:
        """Note a reply to a createTask."""
        self._failures = self.uncertain = 0
        self._end()

    def unused(self) -> None:
        """Note the end of a createTask that tells nothing, such as a cancelled one."""
        if self._failures:
            self._end()

    def shift(self, seconds: float) -> None:
        """Go over to a clock that is ahead by so many *seconds*; nobody is waiting."""
        self._until += seconds
        self._news = anyio.Event()

    def _end(self) -> None:
        self._trying = False
        self._news.set()
        self._news = anyio.Event()
