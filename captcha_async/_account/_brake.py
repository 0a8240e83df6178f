"""The brake: what an account does when createTask after createTask brings no reply.

One lost reply is bad luck; a row of them is an outage of the service, or of a gateway before it,
and each further createTask is one more that may have been paid for. So from the first failure on
one createTask goes at a time, each failure makes the next one wait longer, and after ten of unknown
outcome in a row the fuse opens. A reply that can be read ends all of that.
"""

from __future__ import annotations

import anyio

__all__ = ["FAILURES_TO_STOP", "OUTAGE_WINDOW", "Brake", "Trial"]

FAILURES_TO_STOP = 10
"""createTask calls of unknown outcome in a row after which the fuse opens."""

OUTAGE_WINDOW = 60.0
"""Seconds until the probe that finds out whether the outage is over."""

FIRST_WAIT, LONGEST_WAIT = 0.5, 30.0


class Trial:
    """A createTask that is let out to see whether replies come again."""

    __slots__ = ()


class Brake:
    """Counts the createTask calls in a row that brought no reply."""

    __slots__ = ("_failures", "_news", "_trial", "_until", "uncertain", "waiting")

    def __init__(self) -> None:
        # Failures in a row, where those that were on their way together count as one; and each one
        # of unknown outcome.
        self._failures = 0
        self.uncertain: int = 0
        # Moment from which on the next createTask may go, and the one on its way that was let out
        # to see: set by `try_nowait`, cleared by its own end, or by a reply to any.
        self._until = float("-inf")
        self._trial: Trial | None = None
        # createTask calls that wait for a turn; counted by `wait`.
        self.waiting: int = 0
        # Set, and dropped, when either changes; made by who waits, in an event loop.
        self._news: anyio.Event | None = None

    @property
    def hold(self) -> float:
        """Seconds for which a createTask would have to wait, as far as is known."""
        if not self._failures:
            return 0.0
        left = max(0.0, self._until - anyio.current_time())
        return left if self._trial is None else max(left, FIRST_WAIT)

    @property
    def is_trying(self) -> bool:
        """Whether a trial is on its way."""
        return self._trial is not None

    def holds_back(self, trial: Trial | None) -> bool:
        """Tell whether a createTask may not go now, as what it was let out for before."""
        return self._failures > 0 and (trial is None or trial is not self._trial)

    def try_nowait(self) -> Trial | None:
        """Let out a trial while the brake is on; None if it is too early, or one is on its way.

        Each trial is ended by one of the methods below.
        """
        if self._trial is not None or anyio.current_time() < self._until:
            return None
        self._trial = Trial()
        return self._trial

    async def wait(self) -> Trial | None:
        """Wait until the caller's createTask may go: as a trial, or because the brake is off."""
        while self._failures:
            trial = self.try_nowait()
            if trial is not None:
                return trial
            self.waiting += 1
            try:
                with anyio.CancelScope(deadline=float("inf") if self._trial else self._until):
                    self._news = self._news or anyio.Event()
                    await self._news.wait()
            finally:
                self.waiting -= 1
        return None

    def failed(self, trial: Trial | None, *, uncertain: bool) -> None:
        """Note a createTask without a reply."""
        self.uncertain += uncertain
        if not self._failures or (trial is not None and trial is self._trial):
            # Those that were on their way together tell one thing.
            self._failures += 1
            wait = min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** min(self._failures - 1, 10))
            self._until = anyio.current_time() + wait
        self.unused(trial)

    def answered(self) -> None:
        """Note a reply to a createTask."""
        if self._failures:
            self._failures = self.uncertain = 0
            self._trial = None
            self._tell()

    def unused(self, trial: Trial | None) -> None:
        """Note the end of a createTask that tells nothing, such as a cancelled one.

        Of one that is no trial, or no longer the one, nothing is to be noted.
        """
        if trial is not None and trial is self._trial:
            self._trial = None
            self._tell()

    def shift(self, seconds: float) -> None:
        """Go over to a clock that is ahead by so many *seconds*; nobody is waiting."""
        self._until += seconds
        self._news = None

    def _tell(self) -> None:
        news, self._news = self._news, None
        if news is not None:
            news.set()
