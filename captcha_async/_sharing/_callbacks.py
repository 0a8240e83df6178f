"""Shared callbacks: any process takes the callback of any other, and hands it over."""

from __future__ import annotations

from ..errors import AccountUnavailable
from ._store import Store, StoreRefused, StoreUnreachable, post_key
from ._tokens import CallbackTokens

__all__ = ["SharedCallbacks"]


class SharedCallbacks:
    """The callbacks of a shared account, as one member has them.

    Args:
        store: by which they are handed over.
        tokens: makes and reads the tokens.
    """

    def __init__(self, store: Store, tokens: CallbackTokens) -> None:
        self._store = store
        self._tokens = tokens

    def make_token(self) -> str:
        """Return a new token, by which any member can tell whose it is."""
        return self._tokens.make()

    def owner(self, token: str) -> str | None:
        """Return the id of the member whose it is; None if it is not genuine."""
        return self._tokens.owner(token)

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
        try:
            await self._store.post(owner, token, body)
        except (StoreUnreachable, StoreRefused) as error:
            raise AccountUnavailable(
                f"The callback cannot be handed over: {error}.",
                retryable=isinstance(error, StoreUnreachable),
            ) from None
        return True

    async def kept(self, token: str) -> bytes | None:
        """Return the body of a callback that came while its owner was away, if it is still kept."""
        try:
            return await self._store.read(post_key(token))
        except (StoreUnreachable, StoreRefused):
            return None
