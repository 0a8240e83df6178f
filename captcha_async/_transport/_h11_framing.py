"""HTTP/1.1 replies out of bytes, by h11: any that there may be. No I/O: bytes in, replies out."""

from __future__ import annotations

from functools import cache

import h11

from ._lane_errors import RemoteProtocolError
from ._messages import MAX_HEAD_BYTES, MAX_RAW_BYTES, MAX_REPLY_BYTES, RawReply, too_large

__all__ = ["H11Reader"]

# A server that sends more interim replies than this to one request will never come to the point.
MAX_INTERIM = 16

_END = h11.EndOfMessage()


@cache
def _stand_in(method: str) -> h11.Request:
    """Make a request for h11, which wants to know its method only; see `H11Reader`."""
    return h11.Request(method=method, target="/", headers=[("host", "x")])


class H11Reader:
    """Reads replies by h11.

    h11 is not given the requests themselves: what it would check of them (headers, length of the
    body) is made right by construction, and doing without halves its cost.
    """

    def __init__(self) -> None:
        self._connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=MAX_HEAD_BYTES)
        self._head: h11.Response | None = None
        self._parts: list[bytes] = []
        self._size = self._raw_size = 0
        self._interim = 0

    def start(self, method: str) -> None:
        """Expect the reply to a request of this method."""
        self._connection.send(_stand_in(method))
        self._connection.send(_END)

    def feed(self, data: bytes) -> RawReply | None:
        """Take in what was received, empty at the end of the connection."""
        if not data and self._connection.their_state is h11.SEND_RESPONSE:
            raise RemoteProtocolError("the server closed the connection without a reply")
        self._raw_size += len(data)
        if self._raw_size > MAX_RAW_BYTES:
            raise too_large()
        try:
            self._connection.receive_data(data)
            while True:
                event = self._connection.next_event()
                if event is h11.NEED_DATA:
                    return None
                if type(event) is h11.EndOfMessage:
                    return self._reply()
                self._take(event)
        except h11.RemoteProtocolError as error:
            raise RemoteProtocolError(str(error)) from error

    def finish(self) -> bool:
        """Make ready for the next reply; False if the connection cannot carry another one."""
        connection = self._connection
        if connection.trailing_data != (b"", False):
            return False
        if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
            return False
        connection.start_next_cycle()
        self._head = None
        self._parts = []
        self._size = self._raw_size = self._interim = 0
        return True

    def _take(self, event: object) -> None:
        if type(event) is h11.Data:
            self._size += len(event.data)
            if self._size > MAX_REPLY_BYTES:
                raise too_large()
            self._parts.append(bytes(event.data))
        elif type(event) is h11.Response:
            self._head = event
        elif type(event) is h11.InformationalResponse:
            self._interim += 1
            if self._interim > MAX_INTERIM:
                raise RemoteProtocolError(f"more than {MAX_INTERIM} interim replies")
        else:
            raise RemoteProtocolError("the server does not go on with HTTP")

    def _reply(self) -> RawReply:
        head = self._head
        assert head is not None
        return RawReply(
            head.status_code,
            head.headers.raw_items(),
            b"".join(self._parts),
            b"HTTP/" + head.http_version,
            head.reason,
        )
