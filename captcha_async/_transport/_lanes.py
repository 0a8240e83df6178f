"""The lane pool: a fixed number of keep-alive connections, handed out in constant time.

A lane is one connection. An idle lane is handed out newest first, so that unused ones age and can
be dropped. A lane that was cancelled, timed out or failed is closed and never used again.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

import anyio
import attrs
import httpx

__all__ = ["Lane", "LanePool", "LaneStatistics"]

CLOSE_TIMEOUT = 2.0


class Lane(Protocol):
    """One connection to the service; carries one request at a time."""

    async def exchange(self, request: httpx.Request) -> httpx.Response:
        """Send a request and read its whole reply."""
        ...

    async def aclose(self) -> None:
        """Close the connection."""
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
    """An httpx transport that keeps at most *size* lanes, made by *open_lane*."""

    def __init__(self, open_lane: Callable[[], Lane], size: int) -> None:
        self._open_lane = open_lane
        # A waiter is served in order of arrival; a slot is a lane's right to exist.
        self._slots = anyio.Semaphore(size, fast_acquire=True)
        self._idle: list[Lane] = []
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
        await self._wait_for_slot(request)
        self._busy += 1
        try:
            return await self._exchange(request)
        finally:
            self._busy -= 1
            self._slots.release()

    async def _wait_for_slot(self, request: httpx.Request) -> None:
        timeout = request.extensions.get("timeout", {}).get("pool")
        try:
            with anyio.fail_after(timeout):
                await self._slots.acquire()
        except TimeoutError as error:
            raise httpx.PoolTimeout("no lane became free in time", request=request) from error

    async def _exchange(self, request: httpx.Request) -> httpx.Response:
        lane = self._take_lane()
        try:
            response = await lane.exchange(request)
        except BaseException:
            # Half used: what is left of the reply must not become the next request's.
            self._discarded += 1
            await _close(lane)
            raise
        if self._closed:
            await _close(lane)
        else:
            self._idle.append(lane)
        return response

    def _take_lane(self) -> Lane:
        if self._idle:
            return self._idle.pop()
        self._opened += 1
        return self._open_lane()

    async def aclose(self) -> None:
        """Close the idle lanes; a busy one closes when its request is over."""
        self._closed = True
        while self._idle:
            await _close(self._idle.pop())


async def _close(lane: Lane) -> None:
    with anyio.move_on_after(CLOSE_TIMEOUT, shield=True), suppress(Exception):
        await lane.aclose()
