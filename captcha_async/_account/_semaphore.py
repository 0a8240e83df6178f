"""The rate-limited semaphore: slots and a rate in one."""

from __future__ import annotations

from collections import deque
from types import TracebackType

import anyio
import attrs
from anyio.lowlevel import cancel_shielded_checkpoint, checkpoint_if_cancelled

from .._checks import check_count, check_positive
from .._waiting_line import Place, WaitingLine
from ..errors import invalid

__all__ = ["RateLimitedSemaphore", "SemaphoreStatistics"]


@attrs.frozen
class SemaphoreStatistics:
    """What a `RateLimitedSemaphore` is doing."""

    capacity: int | None
    """Slots in all; None if only the rate is limited."""
    borrowed: int
    """Slots in use."""
    waiting: int
    """Callers that wait for a slot or for their turn."""
    entered: int
    """Entries so far."""


class _Window:
    """A sliding window: at most *count* entries in any *length* seconds."""

    def __init__(self, count: int, length: float) -> None:
        self._length = length
        self._entries: deque[float] = deque(maxlen=count)

    def due(self) -> float:
        """Return the moment of the next allowed entry."""
        full = len(self._entries) == self._entries.maxlen
        return self._entries[0] + self._length if full else float("-inf")

    def enter(self, moment: float) -> None:
        self._entries.append(moment)

    def shift(self, seconds: float) -> None:
        """Go over to a clock that is ahead by so many *seconds*."""
        self._entries = deque((entry + seconds for entry in self._entries), self._entries.maxlen)


class RateLimitedSemaphore:
    """Slots and a rate in one: `async with semaphore:` takes a slot, when its turn has come.

    The rate is exact: no window of *per* seconds ever sees more than *rate* entries. Entry is in
    order of arrival. An idle semaphore has no timer, and a cancelled waiter takes nothing with it.

    Args:
        capacity: how many may be inside at once; None for any number.
        rate: entries per *per* seconds; None for any rate.
        per: length of the window in seconds.
        burst: entries that may follow each other at once, at most *rate*; 1 spaces them evenly.

    Raises:
        InvalidArgument: a value is not positive, or *burst* is more than *rate*.
    """

    def __init__(
        self,
        capacity: int | None,
        rate: float | None = None,
        per: float = 1.0,
        burst: int | None = None,
    ) -> None:
        check_count("capacity", capacity, or_none=True)
        self._capacity = capacity
        self._windows = _windows(rate, per, burst)
        self._borrowed = 0
        self._entered = 0
        self._line = WaitingLine()

    def __repr__(self) -> str:
        slots = "any" if self._capacity is None else self._capacity
        return (
            f"<RateLimitedSemaphore {self._borrowed} of {slots} borrowed, "
            f"{len(self._line)} waiting>"
        )

    def statistics(self) -> SemaphoreStatistics:
        """Return the numbers of now."""
        return SemaphoreStatistics(self._capacity, self._borrowed, len(self._line), self._entered)

    async def __aenter__(self) -> None:
        await self.acquire()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def acquire_nowait(self) -> None:
        """Enter at once.

        Raises:
            anyio.WouldBlock: there is no slot, it is too early, or others wait.
        """
        if not self.try_acquire():
            raise anyio.WouldBlock

    def try_acquire(self) -> bool:
        """Enter at once if that is possible; tell whether it was."""
        if self._line.places:
            return False
        if self._windows:
            now = anyio.current_time()
            if self._opening(now) > now:
                return False
            self._enter(now)
            return True
        # Without a rate the moment matters to nobody, and need not be asked for.
        if self._capacity is not None and self._borrowed >= self._capacity:
            return False
        self._borrowed += 1
        self._entered += 1
        return True

    async def acquire(self) -> None:
        """Enter as soon as there is a slot and the rate allows."""
        await checkpoint_if_cancelled()
        if not self.try_acquire():
            await self._wait()
            return
        try:
            await cancel_shielded_checkpoint()
        except BaseException:
            # A cancellation of asyncio's own kind is not stopped by a shield.
            self.release()
            raise

    def resize(self, capacity: int) -> None:
        """Change the capacity; who is inside stays, also above the new one."""
        self._capacity = capacity
        self._line.wake()

    def shift(self, seconds: float) -> None:
        """Go over to a clock that is ahead by so many *seconds*; nobody is waiting."""
        for window in self._windows:
            window.shift(seconds)

    def release(self) -> None:
        """Give the slot back.

        Raises:
            RuntimeError: nobody has acquired it.
        """
        if not self._borrowed:
            raise RuntimeError("release() without acquire()")
        self._borrowed -= 1
        if self._line.places:
            self._line.wake()

    async def _wait(self) -> None:
        with Place(self._line) as place:
            while True:
                now = anyio.current_time()
                opening = self._opening(now)
                if opening <= now and place.is_first:
                    break
                await place.wait(opening)
            self._enter(now)

    def _opening(self, now: float) -> float:
        """Return the moment from which one more may enter; infinite while there is no slot."""
        if self._capacity is not None and self._borrowed >= self._capacity:
            return float("inf")
        if not self._windows:
            return now
        return max(window.due() for window in self._windows)

    def _enter(self, moment: float) -> None:
        self._borrowed += 1
        self._entered += 1
        for window in self._windows:
            window.enter(moment)


def _windows(rate: float | None, per: float, burst: int | None) -> list[_Window]:
    check_positive("per", per, "a positive number of seconds")
    if rate is None:
        if burst is not None:
            raise invalid("burst", burst, "left out when there is no rate")
        return []
    check_positive("rate", rate, "a positive number, or None")
    # A rate that is no whole number is kept by a longer or shorter window.
    count = max(1, int(rate))
    length = per * count / rate
    windows = [_Window(count, length)]
    if burst is not None:
        if type(burst) is not int or not 1 <= burst <= count:
            raise invalid("burst", burst, f"a whole number from 1 to {count}")
        windows.append(_Window(burst, length * burst / count))
    return windows
