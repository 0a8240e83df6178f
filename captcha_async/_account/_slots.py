"""How many tasks an account may have in flight: a limit that finds the account's own.

No service documents how many tasks an account may have open; it refuses the one too many. The
number that it had open at that moment is the best estimate there is, so the limit drops to it, and
then grows by a twentieth with each round of solves, to find out whether there is room again.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ._semaphore import RateLimitedSemaphore

if TYPE_CHECKING:
    from .._sharing._gate import Gate
    from .._sharing._member import Member

__all__ = ["SharedSlots", "Slots"]

logger = logging.getLogger("captcha_async")

SHRINK = 0.9
GROWTH = 0.05


class Slots:
    """The slots of one account.

    Args:
        most: what the user allows.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self.semaphore: RateLimitedSemaphore = RateLimitedSemaphore(most)
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
        return self.semaphore.statistics().waiting

    def refused(self, epoch: int, crowd: int) -> None:
        """Note that the service had no slot for a task sent in that *epoch*.

        Args:
            epoch: `epoch` as it was then.
            crowd: how many accepted tasks of ours have not ended.
        """
        if epoch == self.epoch:
            self.epoch += 1
            self._resize(crowd if crowd < self._limit else self._limit * SHRINK)
            logger.info("No slot beside %d tasks of ours: now %d at once.", crowd, self.limit)

    def succeeded(self) -> None:
        """Note that a task of ours ended well."""
        if self._limit < self._most:
            self._resize(self._limit + max(1.0, self._limit * GROWTH) / self._limit)

    def _resize(self, limit: float) -> None:
        self._limit = min(max(limit, 1.0), float(self._most))
        self.semaphore.resize(self.limit)


class SharedSlots:
    """This process's part of the slots of an account that several processes share.

    Args:
        member: what this process holds of the account.
    """

    def __init__(self, member: Member) -> None:
        self._member = member

    def __repr__(self) -> str:
        return f"<SharedSlots {self.limit} of {self._member.capacity}>"

    @property
    def semaphore(self) -> Gate:
        """Where a slot is taken; another one whenever the member is opened anew."""
        return self._member.slots

    @property
    def epoch(self) -> int:
        """Counts the reductions, by any process."""
        return self._member.epoch

    @property
    def limit(self) -> int:
        """Tasks that this process may have in flight now."""
        return self.semaphore.statistics().capacity or 0

    @property
    def waiting(self) -> int:
        """Solves that wait for a slot."""
        return self.semaphore.statistics().waiting

    def refused(self, epoch: int, crowd: int) -> None:
        """Note that the service had no slot for a task sent in that *epoch*."""
        self._member.refused(epoch, crowd)

    def succeeded(self) -> None:
        """Note that a task of ours ended well."""
        self._member.succeeded()
