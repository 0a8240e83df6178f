"""Stores for tests that play several processes: each has its own way to one place, to be cut."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import anyio

from captcha_async._sharing._memory import MemoryStore
from captcha_async._sharing._messages import Grant, Report
from captcha_async._sharing._state import State
from captcha_async._sharing._store import Change, Found, Life, Post, Posts, StoreUnreachable

__all__ = ["View"]


class View:
    """One process's way to a store in memory.

    Args:
        place: what all have in common.
        lag: seconds that a call for records takes.
    """

    def __init__(self, place: MemoryStore, lag: float = 0.0) -> None:
        self.place = place
        self.lag = lag
        self.away = False
        # How often each method was called.
        self.calls: dict[str, int] = {}
        # What is called before a change is made, and after it, with what is changed.
        self.before: Callable[[Sequence[Change]], Any] | None = None
        self.after: Callable[[Sequence[Change]], Any] | None = None

    async def _check(self, method: str) -> None:
        self.calls[method] = self.calls.get(method, 0) + 1
        if self.lag and method in ("change", "look", "left"):
            await anyio.sleep(self.lag)
        if self.away:
            raise StoreUnreachable("it is away")

    @asynccontextmanager
    async def opened(self, me: str) -> AsyncGenerator[None]:
        await self._check("opened")
        async with self.place.opened(me):
            yield

    async def exchange(self, me: str, report: Report) -> Grant:
        await self._check("exchange")
        return await self.place.exchange(me, report)

    async def messages(self, me: str) -> list[str]:
        await self._check("messages")
        texts = await self.place.messages(me)
        await self._check("messages")
        return texts

    async def post(self, posts: Sequence[Post]) -> None:
        await self._check("post")
        await self.place.post(posts)

    async def unpost(self, tokens: Sequence[str]) -> None:
        await self._check("unpost")
        await self.place.unpost(tokens)

    async def posts(self) -> Posts:
        return await self.place.posts()

    async def change(
        self, changes: Sequence[Change], life: Life | None = None
    ) -> list[bytes | None]:
        if self.before is not None:
            await self.before(changes)
        await self._check("change")
        done = await self.place.change(changes, life)
        if self.after is not None:
            await self.after(changes)
        return done

    async def look(self, keys: Sequence[str]) -> list[Found | None]:
        await self._check("look")
        return await self.place.look(keys)

    async def left(self, me: str) -> list[tuple[str, bytes]]:
        await self._check("left")
        return await self.place.left(me)

    async def merge(self, kind: str, numbers: list[int]) -> list[int]:
        await self._check("merge")
        return await self.place.merge(kind, numbers)

    async def state(self) -> State:
        return await self.place.state()
