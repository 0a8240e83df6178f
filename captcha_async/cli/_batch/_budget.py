"""The cap on the money: no task is let out that could cost more than what is left.

The price of a type is given, or known from its first answer; until then a task goes alone. What is
read and does not fit waits for those under way: one that fails, and costs nothing, makes room.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import anyio

from ...tasks import Task
from ._keys import Key

__all__ = ["Budget"]

LOOK_EVERY = 0.02

Pair = tuple[Key, Task[Any]]


class Budget:
    """What may still be spent.

    Args:
        most: the cap; None for no end.
        prices: by type on the wire, as far as they are given.
        spent: tells what is spent.
        under_way: tells how many tasks have not ended.
    """

    def __init__(
        self,
        most: Decimal | None,
        prices: Mapping[str, Decimal],
        spent: Callable[[], Decimal],
        under_way: Callable[[], int],
    ) -> None:
        self.most = most
        self.reached: bool = False
        """Whether the reading has ended because of the cap."""
        self._prices = dict(prices)
        self._spent = spent
        self._under_way = under_way

    @property
    def dearest(self) -> Decimal | None:
        """The highest price that is known."""
        return max(self._prices.values(), default=None)

    def learn(self, task_type: str, cost: Decimal | None) -> None:
        """Note what an answer to a task of the type has cost."""
        if cost is not None and cost.is_finite():
            self._prices[task_type] = max(cost, self._prices.get(task_type, cost))

    async def admit(self, pairs: AsyncGenerator[Pair]) -> AsyncGenerator[Pair]:
        """Yield the pairs, each when it fits, and end when the next one cannot fit any more."""
        async with aclosing(pairs):
            async for key, task in pairs:
                if self.most is not None and not await self._fits(task.type, self.most):
                    self.reached = True
                    return
                yield key, task

    async def _fits(self, task_type: str, most: Decimal) -> bool:
        """Wait until a task fits; False if it never will."""
        while True:
            busy, spent = self._under_way(), self._spent()
            price, dearest = self._prices.get(task_type), self.dearest
            if not busy:
                # An unknown price may pass the cap by one task at most.
                return spent + (price or 0) <= most and spent < most
            if price is not None and dearest is not None and spent + dearest * busy + price <= most:
                return True
            # Looked for now and then, because a task that was solved before ends without an event.
            await anyio.sleep(LOOK_EVERY)
