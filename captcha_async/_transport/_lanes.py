"""The lane pool: keep-alive connections, handed out at once and in constant time.

How many requests are on the wire at once is bounded by whoever sends them (`Admission`).

A lane is one connection. An idle lane is handed out newest first, so that unused ones age and can
be dropped. A lane that was cancelled, timed out or failed is closed and never used again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import anyio
import attrs
import httpx

from ._messages import FRESH, KEEP_ALIVE, Call, NothingSent, Origin, RawReply

__all__ = ["Lane", "LanePool", "LaneStatistics"]

CLOSE_TIMEOUT = 2.0


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
            httpx.TransportError: no reply.
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


class LanePool(httpx.AsyncBaseTransport):
    """An httpx transport over lanes made by *open_lane*, of which it keeps *size* at most."""

    def __init__(self, open_lane: Callable[[], Lane], size: int) -> None:
        self._open_lane = open_lane
        self._size = size
        # (lane, when it became idle), the newest last: each enters when its request is over.
        self._idle: deque[tuple[Lane, float]] = deque()
        self._busy = 0
        self._opened = 0
        self._discarded = 0
        self._closed = False

    def __repr__(self) -> str:
        return f"<LanePool {self._busy} busy, {len(self._idle)} idle>"

    def statistics(self) -> LaneStatistics:
        """Return the numbers of now."""
        return LaneStatistics(
            busy=self._busy, idle=len(self._idle), opened=self._opened, discarded=self._discarded
        )

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send a request over a lane and return its reply, wholly read."""
        try:
            reply = await self.exchange(await Call.of(request))
        except httpx.RequestError as error:
            error.request = request
            raise
        return reply.as_response()

    async def exchange(self, call: Call) -> RawReply:
        """Send a request over a lane and read its reply.

        Raises:
            httpx.TransportError: no reply.
        """
        self._busy += 1
        try:
            while True:
                lane = await self._take_idle(call.head.origin, FRESH if call.once else KEEP_ALIVE)
                used = lane is not None
                if lane is None:
                    lane = await self._open()
                try:
                    reply = await lane.exchange(call)
                except BaseException as error:
                    # Half used: what is left of the reply must not become the next request's.
                    self._discarded += 1
                    await _close(lane)
                    if not isinstance(error, NothingSent):
                        raise
                    call.departure.stayed()
                    if not used:
                        raise httpx.ConnectError("the connection ended at once") from error
                else:
                    await self._put_back(lane)
                    return reply
        finally:
            self._busy -= 1

    async def _take_idle(self, origin: Origin, longest: float) -> Lane | None:
        """Take the newest lane that still works and was idle no longer than *longest* seconds.

        The ones found dead are closed on the way.
        """
        now = anyio.current_time()
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
        return self._open_lane()

    async def _put_back(self, lane: Lane) -> None:
        if self._closed or not lane.reusable:
            await _close(lane)
            return
        now = anyio.current_time()
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
