"""The one way out: every request passes the fuse, the request rate and the pause."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar

import anyio

from ..errors import CapacityError
from ._fuse import Fuse, RequestKind
from ._limits import Limits, Pause, RateLimitedSemaphore
from ._statistics import Counters

__all__ = ["Gateway"]

T = TypeVar("T")


class Gateway:
    """Lets requests of one account out to the service.

    Args:
        fuse: the account's fuse.
        limits: the client's limits.
        counters: where requests are counted.
    """

    def __init__(self, fuse: Fuse, limits: Limits, counters: Counters) -> None:
        self.fuse = fuse
        self.counters = counters
        self._pause = Pause()
        # As many at once as there are lanes, so that no request ever queues inside httpx.
        self._requests = RateLimitedSemaphore(limits.connections, limits.requests_per_second)

    async def call(self, kind: RequestKind, operation: Callable[[], Awaitable[T]]) -> T:
        """Wait until a request may be sent, and send it with *operation*.

        Raises:
            AccountError: the fuse is open; nothing was sent.
            ClientClosed: the client was closed; nothing was sent.
        """
        await self._wait_for(kind, self._requests)
        try:
            if self._pause.lasts:
                with self.fuse.guard(kind):
                    await self._pause.wait()
            with self.fuse.request(kind):
                self.counters.requests += 1
                self.counters.polls += kind == "poll"
                return await operation()
        except CapacityError as error:
            if error.retry_after is not None:
                self._pause.for_seconds(error.retry_after)
            raise
        finally:
            self._requests.release()

    async def enter(self, semaphore: RateLimitedSemaphore) -> None:
        """Acquire *semaphore* for a task that is yet to be created.

        Raises:
            AccountError: the fuse is open or blew meanwhile.
        """
        await self._wait_for("create", semaphore)

    async def _wait_for(self, kind: RequestKind, semaphore: RateLimitedSemaphore) -> None:
        self.fuse.check(kind)
        try:
            semaphore.acquire_nowait()
        except anyio.WouldBlock:
            with self.fuse.guard(kind):
                await semaphore.acquire()
