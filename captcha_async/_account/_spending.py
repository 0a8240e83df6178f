"""The spending cap: how much may be spent in any window of time, checked before each createTask.

What a task will cost is known from a price table, or from what the service said earlier tasks of
its type cost. Tasks in flight count with that price until their real cost is known.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from decimal import Decimal

import anyio

from ..errors import SpendLimitReached

__all__ = ["Spending"]


class Spending:
    """What was spent, and whether more may be.

    Args:
        most: the cap; None to only keep the sum.
        per: length of the window in seconds.
        prices: price by wire type, for types whose cost the service does not tell.
    """

    def __init__(self, most: Decimal | None, per: float, prices: Mapping[str, Decimal]) -> None:
        self._most = most
        self._per = per
        self._prices = dict(prices)
        self._reserved = Decimal(0)
        # (moment, cost) within the window, oldest first
        self._recent: deque[tuple[float, Decimal]] = deque()
        self._sum = Decimal(0)
        self.total: Decimal = Decimal(0)

    def reserve(self, task_type: str) -> Decimal:
        """Set the price of a task aside.

        Raises:
            SpendLimitReached: it does not fit under the cap any more.
        """
        price = self._prices.get(task_type, Decimal(0))
        if self._most is not None:
            self._drop_old()
            if self._sum + self._reserved + price > self._most or self._sum >= self._most:
                raise SpendLimitReached(
                    f"The spending cap of {self._most} in {self._per:g} s is reached: raise "
                    "max_spend, or go on later; nothing was sent.",
                    spent=self._sum,
                )
        self._reserved += price
        return price

    def release(self, reserved: Decimal) -> None:
        """Return what was set aside for a task that costs nothing."""
        self._reserved -= reserved

    def presume(self, reserved: Decimal) -> None:
        """Count what was set aside as spent now: whether it was will never be known."""
        self._reserved -= reserved
        self._note(reserved)

    def spend(self, task_type: str, reserved: Decimal, cost: Decimal | None) -> None:
        """Replace what was set aside by the real *cost*; None if the service does not tell it."""
        self._reserved -= reserved
        if cost is None:
            cost = reserved
        else:
            self._prices[task_type] = cost
        self.total += cost
        self._note(cost)

    def _note(self, cost: Decimal) -> None:
        """Let *cost* count for the length of the window."""
        if self._most is not None and cost:
            self._recent.append((anyio.current_time(), cost))
            self._sum += cost

    def _drop_old(self) -> None:
        limit = anyio.current_time() - self._per
        while self._recent and self._recent[0][0] <= limit:
            self._sum -= self._recent.popleft()[1]
