"""With a cap on the money: as long as nobody knows the price of a type, one of its tasks at a time.

All that are in flight when the first answer tells the price could cost many times the cap.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import Any

import anyio

from ...tasks import Task
from ._lines import Key

__all__ = ["Prices"]

LOOK_EVERY = 0.05

Pair = tuple[Key, Task[Any]]


class Prices:
    """Which types have told their price.

    Args:
        under_way: tells how many tasks have not ended.
    """

    def __init__(self, under_way: Callable[[], int]) -> None:
        self._under_way = under_way
        self._known: set[str] = set()
        self._tried: set[str] = set()

    def learn(self, task_type: str) -> None:
        """Note that there was an answer to a task of the type."""
        self._known.add(task_type)

    async def one_by_one(self, pairs: AsyncGenerator[Pair]) -> AsyncGenerator[Pair]:
        """Yield the pairs, each when it cannot surprise."""
        async with aclosing(pairs):
            async for key, task in pairs:
                await self._wait(task.type)
                self._tried.add(task.type)
                yield key, task

    async def _wait(self, task_type: str) -> None:
        # Looked for now and then, because a task that was solved before ends without an outcome.
        while task_type in self._tried - self._known and self._under_way():  # noqa: ASYNC110
            await anyio.sleep(LOOK_EVERY)
