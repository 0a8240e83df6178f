"""Where members meet: what a store can do, and how it fails."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

import attrs

from ._messages import Grant, Report
from ._state import State

__all__ = [
    "NOBODY",
    "PATIENCE",
    "RESULT_LIFE",
    "TAG",
    "Change",
    "Found",
    "Life",
    "Post",
    "Posts",
    "Store",
    "StoreForgot",
    "StoreRefused",
    "StoreUnreachable",
    "post_key",
    "tag_bytes",
]

PATIENCE = 5.0
"""Seconds that `messages` waits at most."""
RESULT_LIFE = 600.0
"""Seconds that a callback or an answer is kept: services keep results for five minutes or so."""
TAG = 16
"""Characters at the beginning of a record's value that tell who has written it."""
NOBODY = "-"
"""The owner of a record that nobody takes care of, and that is to be found all the same."""


class StoreUnreachable(Exception):
    """The store does not answer; it may later."""


class StoreRefused(Exception):
    """The store answers, and will not do as it is set up: somebody has to look at it."""


class StoreForgot(Exception):
    """The store has not the memory that the member knows, or not all of it yet."""


@attrs.frozen
class Life:
    """What a member knows of a store's life, by its last grant."""

    born: int
    version: int

    def goes_on(self, state: State, wall: int) -> bool:
        """Tell whether the store remembers all of it, and waits for nobody to tell it more.

        Args:
            state: the account.
            wall: the store's clock.
        """
        now = state.now + max(0, wall - state.wall)
        known = state.born == self.born and state.version >= self.version
        return known and now >= state.grace


@attrs.frozen(kw_only=True)
class Change:
    """A record that is to be written or removed, if nobody else has written it meanwhile.

    It is done if there is no record, or one with either of two tags. So it may be repeated when its
    reply was lost, and of several who want to replace the same record one does.
    """

    key: str
    value: bytes | None = attrs.field(repr=False)
    """What it is to be, beginning with a tag; None to remove it."""
    tag: str
    """A record with this tag may be replaced, or"""
    expected: str = ""
    """one with this."""
    seconds: float = RESULT_LIFE
    """How long it is kept."""
    owner: str = ""
    """The member that takes care of it; `NOBODY`; or empty if it needs nobody."""

    def may_replace(self, known: bytes | None) -> bool:
        """Tell whether it may be done, where *known* is what there is."""
        if known is None:
            return True
        return known[:TAG] in (tag_bytes(self.tag), tag_bytes(self.expected))


@attrs.frozen
class Found:
    """A record as it is."""

    value: bytes = attrs.field(repr=False)
    living: bool
    """Whether its owner is a member still."""


@attrs.frozen
class Post:
    """A callback that is handed over."""

    to: str
    """The member whose it is."""
    token: str = attrs.field(repr=False)
    body: bytes = attrs.field(repr=False)


@attrs.frozen
class Posts:
    """What has become of callbacks."""

    handed_over: int
    """How many were, ever."""
    kept: int
    """How many are kept now, because their tasks have not ended."""


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

    async def post(self, posts: Sequence[Post]) -> None:
        """Leave callbacks in mailboxes, and each under its token for `RESULT_LIFE`."""
        ...

    async def unpost(self, tokens: Sequence[str]) -> None:
        """Keep callbacks no longer."""
        ...

    async def posts(self) -> Posts:
        """Return what has become of callbacks, for who only looks."""
        ...

    async def change(
        self, changes: Sequence[Change], life: Life | None = None
    ) -> list[bytes | None]:
        """Write records, each if it may be; return what was in the way of each, None if nothing.

        Raises:
            StoreForgot: the *life* that the member knows does not go on, if one is given: the store
                may have lost what is in the way, and nothing was written.
        """
        ...

    async def look(self, keys: Sequence[str]) -> list[Found | None]:
        """Return the records under keys, and whether somebody takes care of each."""
        ...

    async def left(self, me: str) -> list[tuple[str, bytes]]:
        """Return the records whose owner is neither *me* nor another member."""
        ...

    async def merge(self, kind: str, numbers: list[int]) -> list[int]:
        """Add what was learned of a kind of task to what all have learned, and return that."""
        ...

    async def state(self) -> State:
        """Return what is kept, for who only looks."""
        ...


def tag_bytes(tag: str) -> bytes:
    """Return a tag as it is written; one that was read may be of a record that is none."""
    return tag.encode(errors="surrogateescape")


def post_key(token: str) -> str:
    """Return the key under which a callback's body is kept."""
    return f"post:{token}"
