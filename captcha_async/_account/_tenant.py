"""Tenant: one client of an account, as the account knows it."""

from __future__ import annotations

import attrs

from .._events import Events
from ..errors import ClientClosed
from ._statistics import Counters

__all__ = ["Tenant"]


@attrs.define(eq=False)
class Tenant:
    """What an account has to know of one of its clients."""

    events: Events
    """Whom to tell of the fuse."""
    counters: Counters = attrs.field(factory=Counters)
    closed: bool = False
    """Whether the client was closed; set once, and only by that."""
    open: int = 0
    """Its accepted tasks that have not ended; counted by its books."""
    awaited: int = 0
    """Those of them that somebody waits for; counted by its books."""

    def check(self) -> None:
        """Refuse a client that was closed.

        Raises:
            ClientClosed: it was; nothing was sent.
        """
        if self.closed:
            raise ClientClosed("The client is closed; open a new one.")
