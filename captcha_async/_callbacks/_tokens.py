"""The registry of callbacks by token: those that are awaited, and the last ones that ended."""

from __future__ import annotations

import hmac
import secrets
from hashlib import sha256

from ._callback import Callback
from ._tally import Tally

__all__ = ["Tokens"]

TOKEN_BYTES = 24
"""192 bits of chance; 32 characters in the URL."""

MOST_ENDED = 10_000
"""How many ended callbacks are remembered, so that repeats get the same answer."""


class Tokens:
    """Finds the callback of a token.

    The key is a digest, so that the time of a look-up tells nothing of the tokens that exist.
    """

    def __init__(self) -> None:
        # {digest of the token: callback}; from the first to the second when it ends.
        self._awaited: dict[bytes, Callback] = {}
        self._ended: dict[bytes, Callback] = {}

    def __len__(self) -> int:
        return len(self._awaited)

    def add(
        self,
        address: str,
        *,
        verify: bool,
        tallies: tuple[Tally, ...],
        token: str | None = None,
    ) -> Callback:
        """Make the callback of a token, which follows *address* in its URL; of a new one without.

        One of a token that is awaited already takes its place.
        """
        token = token or secrets.token_urlsafe(TOKEN_BYTES)
        key, url = token.encode(), f"{address.rstrip('/')}/{token}"
        callback = Callback(url, key, verify=verify, tallies=tallies, on_end=self._retire)
        self._awaited[sha256(key).digest()] = callback
        return callback

    def find(self, token: str) -> Callback | None:
        """Return the callback of *token*, awaited or ended."""
        given = token.encode("utf-8", "replace")
        digest = sha256(given).digest()
        callback = self._awaited.get(digest) or self._ended.get(digest)
        if callback is None or not hmac.compare_digest(callback.token, given):
            return None
        return callback

    def _retire(self, callback: Callback) -> None:
        digest = sha256(callback.token).digest()
        if self._awaited.get(digest) is not callback:
            return
        del self._awaited[digest]
        self._ended[digest] = callback
        if len(self._ended) > MOST_ENDED:
            del self._ended[next(iter(self._ended))]
