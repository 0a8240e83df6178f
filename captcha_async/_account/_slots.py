"""How many tasks `solve` may have in flight: a limit that finds the account's own.

No service documents how many tasks an account may have open; it refuses the one too many. The
number that it had open at that moment is the best estimate there is, so the limit drops to it, and
then grows by a twentieth with each round of solves, to find out whether there is room again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from ._gateway import Gateway
from ._limits import RateLimitedSemaphore

__all__ = ["Lease", "Slots"]

logger = logging.getLogger("captcha_async")

SHRINK = 0.9
GROWTH = 0.05


class Slots:
    """The slots of one client.

    Args:
        most: what the user allows.
        open_tasks: tells how many accepted tasks have not ended.
        gateway: ends the wait for a slot when the account cannot be used any more.
    """

    def __init__(self, most: int, open_tasks: Callable[[], int], gateway: Gateway) -> None:
        self._most = most
        self._open_tasks = open_tasks
        self._gateway = gateway
        self._semaphore = RateLimitedSemaphore(most)
        self._limit = float(most)
        # Counts the reductions. A refusal of what was sent before the last one tells nothing new.
        self.epoch: int = 0

    def __repr__(self) -> str:
        return f"<Slots {self.limit} of {self._most}>"

    @property
    def limit(self) -> int:
        """Tasks that may be in flight now."""
        return int(self._limit)

    @property
    def waiting(self) -> int:
        """Solves that wait for a slot."""
        return self._semaphore.statistics().waiting

    def refused(self, epoch: int) -> bool:
        """Note that the service had no slot for a task sent in that *epoch*.

        Returns:
            Whether tasks of ours are open, so that waiting for one to end will help.
        """
        crowd = self._open_tasks()
        if epoch == self.epoch:
            self.epoch += 1
            self._resize(crowd if crowd < self._limit else self._limit * SHRINK)
            logger.info("No slot beside %d tasks of ours: now %d at once.", crowd, self.limit)
        return crowd > 0

    def succeeded(self) -> None:
        """Note that a task of ours ended well."""
        if self._limit < self._most:
            self._resize(self._limit + max(1.0, self._limit * GROWTH) / self._limit)

    def _resize(self, limit: float) -> None:
        self._limit = min(max(limit, 1.0), float(self._most))
        self._semaphore.resize(self.limit)

    async def take(self) -> None:
        """Wait for a slot."""
        await self._gateway.enter(self._semaphore)

    def give_back(self) -> None:
        """Return a slot."""
        self._semaphore.release()


class Lease:
    """One solve's hold on a slot; may be given up and taken again meanwhile."""

    def __init__(self, slots: Slots) -> None:
        self.slots = slots
        self._held = False

    async def enter(self) -> None:
        """Take the slot."""
        await self.slots.take()
        self._held = True

    def leave(self) -> None:
        """Give the slot back, if it is held."""
        if self._held:
            self._held = False
            self.slots.give_back()
