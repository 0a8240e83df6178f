"""Shared callbacks: any process takes the callback of any other, and hands it over.

A token tells whose it is, and that it is genuine, without a question. What is handed over goes
together with what comes while a call to the store is under way.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import islice

import anyio

from ..errors import AccountUnavailable
from ._job import Job
from ._store import Post, Store, StoreRefused, StoreUnreachable, post_key
from ._tokens import CallbackTokens

__all__ = ["SharedCallbacks"]

HAND_OVER = 1.5
"""Seconds that a service is kept waiting while its callback is handed over: it waits for two."""
KEPT = 2.0
"""Seconds that it is looked for a callback which came meanwhile."""
AT_ONCE = 200
"""Callbacks in one call."""


class SharedCallbacks:
    """The callbacks of a shared account, as one member has them.

    Args:
        store: by which they are handed over.
        secret: what all members have in common, to make and to read tokens.
        trouble: returns why the store cannot be used now, if it cannot.
    """

    def __init__(
        self, store: Store, secret: bytes, trouble: Callable[[], AccountUnavailable | None]
    ) -> None:
        self._store = store
        self._secret = secret
        self._trouble = trouble
        self.reset("")

    def reset(self, me: str) -> None:
        """Begin anew, as the member *me*; empty before it is one."""
        self._is_member = bool(me)
        self._tokens = CallbackTokens(me or "0" * 16, self._secret)
        # Each leaves when the store has it, or with who has handed it over.
        self._posts: dict[Job[Post], None] = {}
        # Tokens of ended tasks, whose callbacks need not be kept any more.
        self._ended: dict[str, None] = {}
        # Tokens of callbacks that have come for us, and whose bodies have not been fetched yet.
        self._arrived: dict[str, None] = {}
        # Set when there is something to do; made by each round of `run`.
        self._wanted: anyio.Event | None = None

    def make_token(self) -> str | None:
        """Return a new token, by which any member can tell whose it is; None before there is one
        whose it could be.
        """
        return self._tokens.make() if self._is_member else None

    def owner(self, token: str) -> str | None:
        """Return the id of the member whose it is; None if it is not genuine."""
        return self._tokens.owner(token)

    # -- handed over ------------------------------------------------------------------------------

    async def hand_over(self, token: str, body: bytes) -> bool:
        """Give a callback that came here to the member whose it is.

        Returns:
            False if the token is not genuine.

        Raises:
            AccountUnavailable: the store does not answer; let the service send it again.
        """
        owner = self.owner(token)
        if owner is None:
            return False
        trouble = self._trouble()
        if trouble is not None:
            raise trouble
        job = Job(Post(owner, token, body))
        self._posts[job] = None
        self._wake()
        try:
            if await job.wait(HAND_OVER):
                return True
        finally:
            self._posts.pop(job, None)
        raise AccountUnavailable("The callback cannot be handed over: the store does not answer.")

    async def kept(self, token: str) -> bytes | None:
        """Return the body of a callback that came while its owner was away, if it is still kept."""
        if self._trouble() is not None:
            return None
        with anyio.move_on_after(KEPT):
            try:
                (found,) = await self._store.look([post_key(token)])
            except (StoreUnreachable, StoreRefused):
                return None
            return None if found is None else found.value
        return None

    def forget(self, token: str) -> None:
        """Keep a callback no longer: its task has ended."""
        self._ended[token] = None
        self._wake()

    def _wake(self) -> None:
        if self._wanted is not None:
            self._wanted.set()

    # -- by the member's contact ------------------------------------------------------------------

    def came(self, token: str) -> None:
        """Note that a callback of ours was handed over."""
        self._arrived[token] = None

    async def fetch(self, deliver: Callable[[str, bytes], None]) -> None:
        """Have what was handed over *delivered*: token and body.

        Raises:
            StoreUnreachable: the store does not answer; what is left is fetched the next time.
            StoreRefused: it refuses.
        """
        while self._arrived:
            tokens = list(islice(self._arrived, AT_ONCE))
            found = await self._store.look([post_key(token) for token in tokens])
            for token, one in zip(tokens, found, strict=True):
                self._arrived.pop(token, None)
                if one is not None:
                    deliver(token, one.value)

    async def run(self) -> None:
        """Hand over and forget what is to be, as long as the store answers.

        Raises:
            StoreUnreachable: it does not.
            StoreRefused: it refuses.
        """
        while True:
            self._wanted = wanted = anyio.Event()
            jobs = list(islice(self._posts, AT_ONCE))
            if jobs:
                await self._store.post([job.what for job in jobs])
                for job in jobs:
                    self._posts.pop(job, None)
                    job.end()
            ended = list(islice(self._ended, AT_ONCE))
            if ended:
                await self._store.unpost(ended)
                for token in ended:
                    self._ended.pop(token, None)
            if not self._posts and not self._ended:
                await wanted.wait()
