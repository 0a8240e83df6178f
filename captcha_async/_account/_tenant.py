"""Tenant: one client of an account, as the account knows it."""

from __future__ import annotations

import attrs

from .._callbacks import ClientCallbacks
from .._handlers import Events
from ..errors import ClientClosed
from ..services import CAPMONSTER
from ._counters import Counters

__all__ = ["Tenant"]


@attrs.define(eq=False, repr=False)
class Tenant:
    """What an account has to know of one of its clients."""

    events: Events
    """Whom to tell of the fuse."""
    counters: Counters = attrs.field(factory=Counters)
    name: str = ""
    """What the client calls the account: `Solved.account`."""
    alone: bool = True
    """Whether the client has no other account, so that an id names a task by itself."""
    mark: str | None = None
    """The name where a reference needs it, because the client has several accounts of the
    service."""
    callbacks: ClientCallbacks = attrs.field(factory=lambda: ClientCallbacks(None, CAPMONSTER))
    """The client's use of its receiver at this account."""
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
