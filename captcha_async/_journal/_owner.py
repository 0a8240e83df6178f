"""Owner: whose tasks a journal has."""

from __future__ import annotations

import hashlib

import attrs

__all__ = ["Owner"]


@attrs.frozen
class Owner:
    """Whose tasks they are: a service, and a digest of the account's key."""

    service: str
    digest: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, service: str, api_key: str) -> Owner:
        """Make the owner; suffixes of the key (`KEY__nocache`) are no other account."""
        account = api_key.partition("__")[0].encode("utf-8", "surrogatepass")
        return cls(service, hashlib.blake2b(account, digest_size=32).digest())
