"""Whether the first byte of a request may have left us: the fact on which money hangs."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["Departure", "Sending"]

Sending = Callable[[], None]
"""Called before the first byte of a request may leave."""


class Departure:
    """What is known of one request's way out.

    `may_have_left` becomes true by `leaving`, right before the first byte of the request itself (a
    CONNECT to a proxy is not the request), and false again only by `stayed`, when it turns out that
    none of it can have reached the service.

    Args:
        sending: told by `leaving`.
    """

    __slots__ = ("_sending", "may_have_left")

    def __init__(self, sending: Sending | None = None) -> None:
        self._sending = sending
        self.may_have_left = False

    def leaving(self) -> None:
        """Note that the next byte may be the request's first."""
        if self.may_have_left:
            return
        self.may_have_left = True
        if self._sending is not None:
            self._sending()

    def stayed(self) -> None:
        """Note that certainly nothing of it has reached the service."""
        self.may_have_left = False
