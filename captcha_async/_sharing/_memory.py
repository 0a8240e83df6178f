"""The store in this process's memory: for the clients of one process, and for tests."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import anyio
from anyio.lowlevel import checkpoint

from ._learned import merged
from ._messages import SECOND, Grant, Mail, Report
from ._rules import exchange
from ._state import State
from ._store import (
    PATIENCE,
    RESULT_LIFE,
    Change,
    Found,
    Life,
    Post,
    Posts,
    StoreForgot,
    post_key,
)

__all__ = ["MemoryStore"]


def _now() -> int:
    # Never 0, which stands for a state that knows no time.
    return int(anyio.current_time() * SECOND) + 1


class MemoryStore:
    """One account's store in memory; several members of one event loop may have it."""

    def __init__(self) -> None:
        self._state = State()
        # {member: messages that it has not read}, while it is connected
        self._boxes: dict[str, list[str]] = {}
        self._arrived: dict[str, anyio.Event] = {}
        # {key: (value, moment of its end, owner)}
        self._records: dict[str, tuple[bytes, float, str]] = {}
        self._learned: dict[str, list[int]] = {}
        self._handed_over = 0

    def __repr__(self) -> str:
        return f"<MemoryStore of {self._state.live} members>"

    @asynccontextmanager
    async def opened(self, me: str) -> AsyncGenerator[None]:
        """Take messages for *me*, while inside."""
        self._boxes[me], self._arrived[me] = [], anyio.Event()
        try:
            yield
        finally:
            del self._boxes[me], self._arrived[me]

    async def exchange(self, me: str, report: Report) -> Grant:
        """Run the rules."""
        await checkpoint()
        grant, mails = exchange(self._state, _now(), me, report)
        for mail in mails:
            self._deliver(mail)
        return grant

    def _deliver(self, mail: Mail) -> None:
        for name in [mail.to] if mail.to != "*" else list(self._boxes):
            if name in self._boxes:
                self._boxes[name].append(mail.text)
                self._arrived[name].set()

    async def messages(self, me: str) -> list[str]:
        """Wait for messages."""
        with anyio.move_on_after(PATIENCE):
            await self._arrived[me].wait()
        self._arrived[me] = anyio.Event()
        texts, self._boxes[me] = self._boxes[me], []
        return texts

    async def post(self, posts: Sequence[Post]) -> None:
        """Leave callbacks."""
        await checkpoint()
        for post in posts:
            self._put(post_key(post.token), post.body, RESULT_LIFE, "")
            self._deliver(Mail(post.to, f"post {post.token}"))
        self._handed_over += len(posts)

    async def unpost(self, tokens: Sequence[str]) -> None:
        """Forget callbacks."""
        await checkpoint()
        for token in tokens:
            self._records.pop(post_key(token), None)

    async def posts(self) -> Posts:
        """Count callbacks."""
        await checkpoint()
        kept = [key for key in self._records if key.startswith(post_key("")) and self._get(key)]
        return Posts(self._handed_over, len(kept))

    def _get(self, key: str) -> bytes | None:
        value, end, _ = self._records.get(key, (None, 0.0, ""))
        return value if anyio.current_time() < end else None

    def _put(self, key: str, value: bytes, seconds: float, owner: str) -> None:
        now = anyio.current_time()
        self._records.pop(key, None)
        self._records[key] = (value, now + seconds, owner)
        # About in the order of their ends, so looking at the oldest is enough in the long run.
        while self._records and next(iter(self._records.values()))[1] <= now:
            del self._records[next(iter(self._records))]

    async def change(
        self, changes: Sequence[Change], life: Life | None = None
    ) -> list[bytes | None]:
        """Write records that may be written."""
        await checkpoint()
        if life is not None and not life.goes_on(self._state, _now()):
            raise StoreForgot
        return [self._change(change) for change in changes]

    def _change(self, change: Change) -> bytes | None:
        known = self._get(change.key)
        if not change.may_replace(known):
            return known
        if change.value is None:
            self._records.pop(change.key, None)
        else:
            self._put(change.key, change.value, change.seconds, change.owner)
        return None

    async def look(self, keys: Sequence[str]) -> list[Found | None]:
        """Return records, and whether their owners live."""
        await checkpoint()
        living, found = self._living(), list[Found | None]()
        for key in keys:
            value = self._get(key)
            found.append(None if value is None else Found(value, self._records[key][2] in living))
        return found

    def _living(self) -> set[str]:
        return {name for name, entry in self._state.members.items() if not entry.gone}

    async def left(self, me: str) -> list[tuple[str, bytes]]:
        """Return what the dead have left."""
        await checkpoint()
        living, now = self._living() | {"", me}, anyio.current_time()
        return [
            (key, value)
            for key, (value, end, owner) in self._records.items()
            if owner not in living and now < end
        ]

    async def merge(self, kind: str, numbers: list[int]) -> list[int]:
        """Add up what was learned."""
        await checkpoint()
        self._learned[kind] = merged(self._learned.get(kind, []), numbers)
        return list(self._learned[kind])

    async def state(self) -> State:
        """Return a copy of what is kept."""
        await checkpoint()
        return State.load(self._state.dump()).at(_now())
