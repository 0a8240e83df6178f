"""The pause: holds all requests back until a moment that the service asked for (Retry-After)."""

from __future__ import annotations

import anyio

from ..errors import RateLimited

__all__ = ["LONGEST_PAUSE", "Pause"]

LONGEST_PAUSE = 300.0
"""Seconds that a request waits at most, where no deadline of its caller is nearer."""


class Pause:
    """An account's pause."""

    def __init__(self) -> None:
        # Only ever put off, by each reply that asks for it.
        self._until = float("-inf")

    def for_seconds(self, seconds: float) -> None:
        """Hold back for *seconds* from now, or longer if that was said already."""
        self._until = max(self._until, anyio.current_time() + seconds)

    def shift(self, seconds: float) -> None:
        """Go over to a clock that is ahead by so many *seconds*; nobody is waiting."""
        self._until += seconds

    @property
    def until(self) -> float:
        """Moment at which it ends, or has ended."""
        return self._until

    @property
    def lasts(self) -> bool:
        """Whether something is held back now."""
        return anyio.current_time() < self._until

    def check(self, deadline: float) -> None:
        """Refuse what would have to wait beyond its *deadline*, or without any bound.

        Raises:
            RateLimited: it would; nothing was sent.
        """
        now = anyio.current_time()
        if self._until > now and self._until > min(deadline, now + LONGEST_PAUSE):
            left = self._until - now
            raise RateLimited(
                f"The service asked to wait for another {left:.0f} s, longer than this call may; "
                "no request was sent: try again then.",
                retry_after=left,
                until=self._until,
            )

    async def wait(self, deadline: float = float("inf")) -> None:
        """Wait until nothing is held back.

        Raises:
            RateLimited: that is beyond *deadline*, or beyond any bound.
        """
        # A loop, because others may prolong it meanwhile.
        while self.lasts:
            self.check(deadline)
            await anyio.sleep_until(self._until)
