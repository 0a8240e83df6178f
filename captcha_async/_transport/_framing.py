"""HTTP/1.1 replies out of bytes: the plainest at a glance, all others by h11. No I/O."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ._messages import RawReply
from ._plain_reply import read_plain

if TYPE_CHECKING:
    from ._h11_framing import H11Reader

__all__ = ["PlainReader", "ReplyReader"]


class ReplyReader(Protocol):
    """Reads the replies of one connection, one after the other."""

    def start(self, method: str) -> None:
        """Expect the reply to a request of this method."""
        ...

    def feed(self, data: bytes) -> RawReply | None:
        """Take in what was received, empty at the end of the connection.

        Returns:
            The reply if it is complete.

        Raises:
            RemoteProtocolError: it is not HTTP, too large, or it will never be complete.
        """
        ...

    def finish(self) -> bool:
        """Make ready for the next reply; False if the connection cannot carry another one."""
        ...


class PlainReader:
    """Reads plain replies that come in one piece; h11 gets any other from its beginning."""

    def __init__(self) -> None:
        self._h11: H11Reader | None = None
        self._method = ""
        # Whether h11 has the reply; set by its first bytes, and ends with it.
        self._handed_over = False

    def start(self, method: str) -> None:
        """Expect the reply to a request of this method."""
        self._method = method

    def feed(self, data: bytes) -> RawReply | None:
        """Take in what was received, empty at the end of the connection."""
        if not self._handed_over:
            reply = None if self._method == "HEAD" else read_plain(data)
            if reply is not None:
                return reply
            self._handed_over = True
            self._by_h11().start(self._method)
        return self._by_h11().feed(data)

    def finish(self) -> bool:
        """Make ready for the next reply; False if the connection cannot carry another one."""
        usable = not self._handed_over or self._by_h11().finish()
        self._handed_over = False
        return usable

    def _by_h11(self) -> H11Reader:
        if self._h11 is None:
            # Imported late, with h11: most connections see nothing but plain replies.
            from ._h11_framing import H11Reader

            self._h11 = H11Reader()
        return self._h11
