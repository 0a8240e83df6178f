"""The rate-limited semaphore: slots and a rate in one."""

from __future__ import annotations

from collections import deque
from types import TracebackType

import anyio
import attrs
from anyio.lowlevel import cancel_shielded_checkpoint, checkpoint_if_cancelled

from .._checks import check_count, check_positive
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


@attrs.define(eq=False)
class _Waiter:
    event: anyio.Event | None = None
    """Set when it is to look again; new for each wait."""


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
        # In order of arrival; only the first one is ever awake.
        self._waiters: dict[_Waiter, None] = {}

    def __repr__(self) -> str:
        slots = "any" if self._capacity is None else self._capacity
        return (
            f"<RateLimitedSemaphore {self._borrowed} of {slots} borrowed, "
            f"{len(self._waiters)} waiting>"
        )

    def statistics(self) -> SemaphoreStatistics:
        """Return the numbers of now."""
        return SemaphoreStatistics(
            self._capacity, self._borrowed, len(self._waiters), self._entered
        )

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
        if self._waiters or not self._has_slot():
            raise anyio.WouldBlock
        # Without a rate the moment matters to nobody, and need not be asked for.
        now = anyio.current_time() if self._windows else 0.0
        if self._windows and self._due() > now:
            raise anyio.WouldBlock
        self._enter(now)

    async def acquire(self) -> None:
        """Enter as soon as there is a slot and the rate allows."""
        await checkpoint_if_cancelled()
        try:
            self.acquire_nowait()
        except anyio.WouldBlock:
            await self._wait_for_turn()
        else:
            try:
                await cancel_shielded_checkpoint()
            except BaseException:
                # A cancellation of asyncio's own kind is not stopped by a shield.
                self.release()
                raise

    def resize(self, capacity: int) -> None:
        """Change the capacity; who is inside stays, also above the new one."""
        self._capacity = capacity
        self._wake_first()

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
        if self._waiters:
            self._wake_first()

    async def _wait_for_turn(self) -> None:
        waiter = _Waiter()
        self._waiters[waiter] = None
        try:
            moment = await self._turn_of(waiter)
        except BaseException:
            del self._waiters[waiter]
            self._wake_first()
            raise
        del self._waiters[waiter]
        self._enter(moment)
        self._wake_first()

    async def _turn_of(self, waiter: _Waiter) -> float:
        """Wait until *waiter* may enter, and return the moment of it."""
        while True:
            timeout = float("inf")
            due = self._due()
            if next(iter(self._waiters)) is waiter and self._has_slot():
                timeout = due - anyio.current_time()
                if timeout <= 0:
                    return anyio.current_time()
            event = waiter.event = anyio.Event()
            if timeout == float("inf"):
                # Only a slot, or its turn, is waited for: that needs no timer.
                await event.wait()
                continue
            with anyio.move_on_after(timeout) as timer:
                await event.wait()
            if timer.cancelled_caught and self._has_slot():
                # A timer may fire a clock tick early; it is due all the same.
                return max(due, anyio.current_time())

    def _has_slot(self) -> bool:
        return self._capacity is None or self._borrowed < self._capacity

    def _due(self) -> float:
        return max((window.due() for window in self._windows), default=float("-inf"))

    def _enter(self, moment: float) -> None:
        self._borrowed += 1
        self._entered += 1
        for window in self._windows:
            window.enter(moment)

    def _wake_first(self) -> None:
        for waiter in self._waiters:
            if waiter.event is not None:
                waiter.event.set()
            break


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
