"""Where members meet: what a store can do, and how it fails."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol

from ._messages import Grant, Report
from ._state import State

__all__ = ["PATIENCE", "RESULT_LIFE", "Store", "StoreRefused", "StoreUnreachable", "post_key"]

PATIENCE = 5.0
"""Seconds that `messages` waits at most."""
RESULT_LIFE = 600.0
"""Seconds that a callback or an answer is kept: services keep results for five minutes or so."""


class StoreUnreachable(Exception):
    """The store does not answer; it may later."""


class StoreRefused(Exception):
    """The store answers, and will not do as it is set up: somebody has to look at it."""


class Store(Protocol):
    """One account's store. Its methods raise `StoreUnreachable` or `StoreRefused`, and work while
    it is opened; `opened` is entered and left by one task, the others may be called by any.
    """

    def opened(self, me: str) -> AbstractAsyncContextManager[object]:
        """Connect, on behalf of a member; may be entered again after it was left."""
        ...

    async def exchange(self, me: str, report: Report) -> Grant:
        """Run the rules once."""
        ...

    async def messages(self, me: str) -> list[str]:
        """Wait for messages to the member or to all, `PATIENCE` seconds at most."""
        ...

    async def post(self, to: str, token: str, body: bytes) -> None:
        """Leave a callback in a member's mailbox, and under its token for `RESULT_LIFE`."""
        ...

    async def read(self, key: str) -> bytes | None:
        """Return the record under a key."""
        ...

    async def write(self, key: str, value: bytes, seconds: float, owner: str = "") -> None:
        """Keep a record for so many seconds; with an *owner* others may `adopt` it."""
        ...

    async def claim(self, key: str, value: bytes, seconds: float, owner: str = "") -> bytes | None:
        """Keep a record unless there is one, which is returned then."""
        ...

    async def adopt(self, me: str) -> list[tuple[str, bytes]]:
        """Make *me* the owner of the records whose owners are no members any more; each of them is
        given to one.
        """
        ...

    async def remove(self, key: str) -> None:
        """Remove a record."""
        ...

    async def merge(self, kind: str, numbers: list[int]) -> list[int]:
        """Add what was learned of a kind of task to what all have learned, and return that."""
        ...

    async def state(self) -> State:
        """Return what is kept, for who only looks."""
        ...


def post_key(token: str) -> str:
    """Return the key under which a callback's body is kept."""
    return f"post:{token}"
