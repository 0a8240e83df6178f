"""What reads HTTP/1.1 replies out of bytes. No I/O."""

from __future__ import annotations

from typing import Protocol

from ._messages import RawReply

__all__ = ["ReplyReader"]


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
