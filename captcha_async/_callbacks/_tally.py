"""The numbers of a receiver, and of each client that uses it."""

from __future__ import annotations

import attrs

__all__ = ["CallbackStatistics", "Tally"]


@attrs.frozen(kw_only=True)
class CallbackStatistics:
    """What has become of the callbacks so far."""

    waiting: int
    """Tasks in flight that have a callback URL."""
    by_callback: int
    """Tasks that ended by their callback."""
    by_poll: int
    """Tasks that ended by a poll, because no callback of use had come by then."""
    late: int
    """First callbacks that came after the end of their task."""
    duplicate: int
    """Repeated callbacks."""
    refused: int
    """Requests of an unknown token, another method, a body too large or unreadable, or that name
    another task. A client's own count lacks those whose token is unknown."""
    handed_over: int = 0
    """Callbacks of other processes of a shared account that came here, and were given to them. A
    client's own count lacks them."""
    undelivered: int = 0
    """Those of them that could not be, so that the service was asked to send them again."""


@attrs.define(eq=False, repr=False)
class Tally:
    """The numbers while they are counted."""

    waiting: int = 0
    by_callback: int = 0
    by_poll: int = 0
    late: int = 0
    duplicate: int = 0
    refused: int = 0
    handed_over: int = 0
    undelivered: int = 0

    def snapshot(self) -> CallbackStatistics:
        """Return the numbers of now."""
        return CallbackStatistics(**attrs.asdict(self))
