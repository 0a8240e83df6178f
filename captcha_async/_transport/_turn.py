"""Turn: one wait for something that comes, or does not before a moment."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

import anyio

from ._messages import EVER

if TYPE_CHECKING:
    import asyncio
    from asyncio import AbstractEventLoop as Loop
else:
    # Imported late: whoever does not run it need not load all of it.
    Loop = object

__all__ = ["Loop", "Turn", "asyncio_loop", "asyncio_task"]


class Turn:
    """Somebody's wait for something, made in the task that waits.

    On asyncio it is a future and a timer of the loop's own: an event and a cancel scope of anyio's
    cost ten times as much, and there is one of these for each request.

    Args:
        loop: what `asyncio_loop` returns there.
    """

    __slots__ = ("_event", "_future", "_loop")

    def __init__(self, loop: Loop | None) -> None:
        self._loop = loop
        # Done when it has come, with True, or when its time is over, with False.
        self._future: asyncio.Future[bool] | None = None
        self._event: anyio.Event | None = None
        if self._loop is not None:
            self._future = self._loop.create_future()
        else:
            self._event = anyio.Event()

    def come(self) -> None:
        """End the wait, unless it is over."""
        if self._event is not None:
            self._event.set()
        elif self._future is not None and not self._future.done():
            self._future.set_result(True)

    def wait(self, deadline: float) -> Awaitable[bool]:
        """Wait until a moment; tell whether it came before."""
        if deadline == EVER and self._future is not None:
            return self._future
        return self._wait_until(deadline)

    async def _wait_until(self, deadline: float) -> bool:
        if self._event is not None:
            with anyio.CancelScope(deadline=deadline):
                await self._event.wait()
            return self._event.is_set()
        assert self._loop is not None
        assert self._future is not None
        timer = self._loop.call_at(deadline, self._expire)
        try:
            return await self._future
        finally:
            timer.cancel()

    def _expire(self) -> None:
        if self._future is not None and not self._future.done():
            self._future.set_result(False)


def asyncio_task() -> asyncio.Task[Any] | None:
    """Return the caller's task if asyncio, or uvloop, runs it."""
    import asyncio

    # trio can run as a guest of an asyncio loop; no asyncio task is current then.
    try:
        return asyncio.current_task()
    except RuntimeError:
        return None


def asyncio_loop() -> Loop | None:
    """Return the event loop if asyncio, or uvloop, runs the caller's task."""
    task = asyncio_task()
    return None if task is None else task.get_loop()
