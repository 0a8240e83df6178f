"""The slow start: how many createTask calls may be on their way before their replies are known.

An account that is empty, or shut out, refuses each of them, and services ban an address for many
calls of that kind. Nobody knows before the first replies; so a few go at first, each task that is
accepted lets one more go, and who has been idle or refused begins anew.
"""

from __future__ import annotations

from ._semaphore import RateLimitedSemaphore

__all__ = ["FIRST", "SlowStart"]

FIRST = 8
"""createTask calls that go at once while nothing is known of the account."""


class SlowStart:
    """Grows with each accepted task, as long as all places are taken.

    Args:
        most: as many as may be on their way in the end.
    """

    __slots__ = ("_first", "_growth", "_most", "_size", "_under_way", "places")

    def __init__(self, most: int) -> None:
        self._most = most
        self._first = self._size = min(FIRST, most)
        self._under_way = 0
        # By so many it may still grow: a round of all places that are taken makes room for another.
        self._growth = 0
        # Taken from before `begin` until `end`.
        self.places: RateLimitedSemaphore = RateLimitedSemaphore(self._size)

    def begin(self) -> None:
        """Note that a createTask has its place."""
        self._under_way += 1
        if self._under_way >= self._size:
            self._growth = self._size

    def accepted(self) -> None:
        """Note that a task was accepted."""
        if self._growth and self._size < self._most:
            self._growth -= 1
            self._resize(self._size + 1)

    def refused(self) -> None:
        """Note that the account does not take tasks: what was known of it holds no more."""
        self._growth = 0
        self._resize(self._first)

    def end(self) -> None:
        """Give the place back, in whatever way the createTask has ended."""
        self._under_way -= 1
        self.places.release()
        if self._size > self._first and not self._under_way and not self._is_awaited:
            self._growth = 0
            self._resize(self._first)

    @property
    def _is_awaited(self) -> bool:
        return self.places.statistics().waiting > 0

    def _resize(self, size: int) -> None:
        self._size = size
        self.places.resize(size)
