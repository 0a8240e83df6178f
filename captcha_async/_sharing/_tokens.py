"""Tokens of callbacks: they tell whose they are, and that they are genuine, without a question."""

from __future__ import annotations

import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error

__all__ = ["CallbackTokens"]

OWNER, NONCE, PROOF = 8, 16, 16
"""Bytes of each part: the member, chance, and what only holders of the API key can make."""


class CallbackTokens:
    """Makes the tokens of one member, and reads those of all.

    Args:
        me: the member's id, 16 hexadecimal digits.
        secret: what all members have in common.
    """

    def __init__(self, me: str, secret: bytes) -> None:
        self._me = me
        self._secret = secret

    def make(self) -> str:
        """Return a new token; 54 characters that a URL may hold."""
        head = bytes.fromhex(self._me) + secrets.token_bytes(NONCE)
        return _written(head + self._proof(head))

    def owner(self, token: str) -> str | None:
        """Return the id of the member whose it is; None if it is not genuine."""
        try:
            data = urlsafe_b64decode(token + "=" * (-len(token) % 4))
        except (Error, ValueError):
            return None
        if _written(data) != token:
            # Python reads over what is no base64: one token would have many spellings, each of
            # them kept by itself.
            return None
        head, proof = data[: OWNER + NONCE], data[OWNER + NONCE :]
        if len(data) != OWNER + NONCE + PROOF or not hmac.compare_digest(proof, self._proof(head)):
            return None
        return head[:OWNER].hex()

    def _proof(self, head: bytes) -> bytes:
        return hmac.digest(self._secret, head, "sha256")[:PROOF]


def _written(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")
