"""The lane pool: keep-alive connections, handed out at once and in constant time.

How many requests are on the wire at once is bounded by whoever sends them (`Admission`).

A lane is one connection. An idle lane is handed out newest first, so that unused ones age and can
be dropped. A lane that was cancelled, timed out or failed is closed and never used again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import TYPE_CHECKING, Protocol

import anyio
import attrs

from .._clock import clock
from ._lane_errors import ConnectError
from ._messages import EVER, FRESH, KEEP_ALIVE, Call, NothingSent, Origin, RawReply
from ._turn import Loop, Turn, asyncio_loop

if TYPE_CHECKING:
    import asyncio

__all__ = ["Lane", "LanePool", "LaneStatistics"]

CLOSE_TIMEOUT = 2.0

PATIENCE = 0.1
"""Seconds in which a lane may become free that is in use, before another one is opened.

A handshake costs as much CPU as ten requests or more (`benchmarks/handshakes.py`); of a burst most
find a lane that somebody else has opened. A burst also keeps the event loop busy for so long."""

FEW = 4
"""Lanes that are opened without waiting: so many replies share a turn of the event loop."""

APART = 0.002
"""Seconds by which whoever comes after others is more patient, so that lanes open one by one."""


class Lane(Protocol):
    """One connection to the service; carries one request at a time."""

    reusable: bool
    """Whether it can carry another request after the one that is over."""

    def is_ready_for(self, origin: Origin) -> bool:
        """Tell whether an idle lane leads to *origin* and the server has not closed it."""
        ...

    async def exchange(self, call: Call) -> RawReply:
        """Send a request and read its whole reply.

        Raises:
            NothingSent: the connection had ended before.
            LaneError: no reply; or an error of the library that the lane speaks through.
        """
        ...

    async def aclose(self) -> None:
        """Close the connection."""
        ...

    def abandon(self) -> None:
        """Let go of the connection without its event loop, which has ended."""
        ...


@attrs.frozen
class LaneStatistics:
    """What the pool's lanes are doing."""

    busy: int
    """Lanes that carry a request."""
    idle: int
    """Open lanes that wait for one."""
    opened: int
    """Lanes opened so far."""
    discarded: int
    """Lanes closed because their request was cancelled or failed."""


class _Seeker(Turn):
    """Somebody's wait for a lane that leads to *origin*, up to a moment."""

    __slots__ = ("lane", "limit", "origin")

    def __init__(self, loop: Loop | None, origin: Origin, limit: float) -> None:
        super().__init__(loop)
        self.origin = origin
        self.limit = limit
        # What it was given; None if it is to open one.
        self.lane: Lane | None = None


class LanePool:
    """Lanes made by *open_lane*, of which it keeps *size* at most."""

    def __init__(self, open_lane: Callable[[], Lane], size: int) -> None:
        self._open_lane = open_lane
        self._size = size
        # (lane, when it became idle), the newest last: each enters when its request is over.
        self._idle: deque[tuple[Lane, float]] = deque()
        self._busy = 0
        # Those of the busy who have no lane yet and wait for one, in order of arrival. Each leaves
        # when it is given one, or gives up.
        self._seekers: dict[_Seeker, None] = {}
        # Since when there has always been one of them, or another lane was opened for that.
        self._short_since = 0.0
        self._opened = 0
        self._discarded = 0
        self._closed = False
        # Of the event loop where the lanes live, set when one is opened: what tells the time, and
        # the loop if it is asyncio's. There one timer does for all seekers: it is set for the first
        # whose wait may end, stays when that one was given a lane, and is then set anew.
        self.now: Callable[[], float] = anyio.current_time
        self._loop: Loop | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = EVER

    def __repr__(self) -> str:
        return f"<LanePool {self._in_use} busy, {len(self._idle)} idle>"

    def statistics(self) -> LaneStatistics:
        """Return the numbers of now."""
        return LaneStatistics(
            busy=self._in_use,
            idle=len(self._idle),
            opened=self._opened,
            discarded=self._discarded,
        )

    @property
    def _in_use(self) -> int:
        return self._busy - len(self._seekers)

    async def exchange(self, call: Call, timeout: float = EVER) -> RawReply:
        """Send a request over a lane and read its reply, within *timeout* seconds.

        Raises:
            LaneError: no reply; or an error of the library that the lane speaks through.
        """
        now = self.now()
        call.deadline = now + timeout
        self._busy += 1
        try:
            while True:
                lane = await self._take_idle(call, now) if self._idle else None
                if lane is None and self._busy - len(self._seekers) > FEW:
                    lane = await self._wait_for_one(call, now)
                used = lane is not None
                if lane is None:
                    lane = await self._open()
                try:
                    reply = await lane.exchange(call)
                except BaseException as error:
                    # Half used: what is left of the reply must not become the next request's.
                    self._discarded += 1
                    now = self.now()
                    self._hand_over(None, now)
                    await _close(lane)
                    if not isinstance(error, NothingSent):
                        raise
                    call.stayed()
                    if not used:
                        raise ConnectError("the connection ended at once") from error
                else:
                    await self._put_back(lane)
                    return reply
        finally:
            self._busy -= 1

    async def _wait_for_one(self, call: Call, now: float) -> Lane | None:
        """Take a lane that becomes free, if one does soon; None if another one is to be opened."""
        if not self._seekers:
            self._short_since = now
        limit = now + PATIENCE + APART * len(self._seekers)
        limit = limit if limit < call.deadline else call.deadline
        seeker = _Seeker(self._loop, call.head.origin, limit)
        self._seekers[seeker] = None
        try:
            await seeker.wait(EVER if self._alarm_at <= limit else self._limited(limit))
        except BaseException:
            if seeker.lane is not None:
                await self._put_back(seeker.lane)
            raise
        finally:
            self._seekers.pop(seeker, None)
        return seeker.lane

    def _limited(self, limit: float) -> float:
        """Have the seekers looked at by then; tell up to when a wait has to limit itself."""
        if self._loop is None:
            return limit
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = limit
        self._alarm = self._loop.call_at(limit, self._look)
        return EVER

    def _look(self) -> None:
        """End the waits whose time is over: each has another lane opened."""
        # A timer may fire by a tick of the clock too early.
        up_to = max(self.now(), self._alarm_at)
        self._alarm, self._alarm_at = None, EVER
        for seeker in [seeker for seeker in self._seekers if seeker.limit <= up_to]:
            del self._seekers[seeker]
            seeker.come()
        if self._seekers:
            self._limited(min(seeker.limit for seeker in self._seekers))

    def _hand_over(self, lane: Lane | None, now: float) -> bool:
        """Give a lane, or the place of one that is gone, to whoever has waited for longest."""
        for seeker in self._seekers:
            if lane is not None and not lane.is_ready_for(seeker.origin):
                return False
            del self._seekers[seeker]
            seeker.lane = lane
            seeker.come()
            if self._seekers and now > self._short_since + PATIENCE:
                self._end_shortage(now)
            return True
        return False

    def _end_shortage(self, now: float) -> None:
        """Have another lane opened: somebody has been waiting for one all the time.

        Each may wait for a moment only, and yet more is asked for than the lanes can carry.
        """
        self._short_since = now
        seeker = next(iter(self._seekers))
        del self._seekers[seeker]
        seeker.come()

    async def _take_idle(self, call: Call, now: float) -> Lane | None:
        """Take the newest lane that still works and was not idle for too long.

        The ones found dead are closed on the way.
        """
        origin, longest = call.head.origin, FRESH if call.once else KEEP_ALIVE
        while self._idle:
            idle = now - self._idle[-1][1]
            if longest < idle <= KEEP_ALIVE:
                return None
            lane, _ = self._idle.pop()
            if idle <= longest and lane.is_ready_for(origin):
                return lane
            await _close(lane)
        return None

    async def _open(self) -> Lane:
        """Open a lane; the one that was idle for longest makes room for it."""
        if self._idle and self._busy + len(self._idle) > self._size:
            await _close(self._idle.popleft()[0])
        self._opened += 1
        self.now, self._loop = clock(), asyncio_loop()
        return self._open_lane()

    async def _put_back(self, lane: Lane) -> None:
        now = self.now()
        if self._closed or not lane.reusable:
            self._hand_over(None, now)
            await _close(lane)
            return
        if self._seekers and self._hand_over(lane, now):
            return
        self._idle.append((lane, now))
        while len(self._idle) > self._size or now - self._idle[0][1] > KEEP_ALIVE:
            await _close(self._idle.popleft()[0])

    def abandon(self) -> None:
        """Let go of all idle lanes, whose event loop has ended."""
        self._closed = True
        while self._idle:
            self._idle.pop()[0].abandon()

    async def aclose(self) -> None:
        """Close the idle lanes; a busy one closes when its request is over."""
        self._closed = True
        while self._idle:
            await _close(self._idle.pop()[0])


async def _close(lane: Lane) -> None:
    with anyio.move_on_after(CLOSE_TIMEOUT, shield=True), suppress(Exception):
        await lane.aclose()
