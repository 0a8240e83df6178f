"""HTTP/1.1 requests out of bytes, by h11. No I/O: bytes in, requests out."""

from __future__ import annotations

import h11

from ._messages import BadRequest, Bounds, Request

__all__ = ["H11Requests"]


class H11Requests:
    """Reads requests by h11.

    h11 is not told of the answers: each request has a parser of its own, which is cheaper.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        # Whether no byte of the next request has come.
        self._fresh = True
        # The request that is being read, from the end of its head to its own; then the next one.
        self._request: Request | None = None
        self._parts: list[bytes] = []
        self._size = 0
        # Set when no request can follow the last one.
        self._ended = False
        self._renew(b"")

    def feed(self, data: bytes) -> None:
        """Take in what was received."""
        if self._fresh:
            # Some end a body by a line break that is not part of it.
            data = data.lstrip(b"\r\n")
        if data and not self._ended:
            self._fresh = False
            self._connection.receive_data(data)

    def next(self) -> Request | None:
        """Return the next request if it is complete, or too large."""
        if self._ended:
            return None
        try:
            return self._read()
        except h11.RemoteProtocolError as error:
            self._ended = True
            raise BadRequest(error.error_status_hint) from None
        except BadRequest:
            self._ended = True
            raise

    def head(self) -> Request | None:
        """Return a request whose body is not yet complete."""
        return self._request

    def expects_continue(self) -> bool:
        """Tell whether the body will be sent only when it was asked for."""
        return self._connection.they_are_waiting_for_100_continue

    def is_fresh(self) -> bool:
        """Tell whether no byte of the next request has come."""
        return self._fresh

    def _read(self) -> Request | None:
        while True:
            event = self._connection.next_event()
            if isinstance(event, h11.Request):
                self._request = self._begin(event)
                length = self._request.header(b"content-length")
                if length and int(length) > self._bounds.body_bytes:
                    return self._finish(overflow=True)
            elif isinstance(event, h11.Data):
                self._parts.append(bytes(event.data))
                self._size += len(event.data)
                if self._size > self._bounds.body_bytes:
                    return self._finish(overflow=True)
            elif isinstance(event, h11.EndOfMessage):
                return self._finish()
            else:
                # More bytes are needed; or the connection cannot be read any further.
                return None

    def _begin(self, event: h11.Request) -> Request:
        headers = list(event.headers)
        size = len(event.target) + sum(len(name) + len(value) + 4 for name, value in headers)
        if size > self._bounds.head_bytes:
            raise BadRequest(431)
        if event.http_version not in (b"1.0", b"1.1"):
            raise BadRequest(505)
        names = {name for name, _ in headers}
        if {b"content-length", b"transfer-encoding"} <= names:
            # Whoever stands in front may have read another body out of it.
            raise BadRequest(400)
        return Request(event.method, event.target, headers)

    def _finish(self, *, overflow: bool = False) -> Request:
        request, self._request = self._request, None
        assert request is not None
        request.body = b"".join(self._parts)
        self._parts.clear()
        self._size = 0
        request.overflow = overflow
        # Not so after a request to switch protocols or to close, and in HTTP/1.0.
        self._ended = overflow or self._connection.their_state is not h11.DONE
        request.keep_alive = not self._ended
        if not self._ended:
            self._renew(self._connection.trailing_data[0])
        return request

    def _renew(self, data: bytes) -> None:
        most = self._bounds.head_bytes
        self._connection = h11.Connection(h11.SERVER, max_incomplete_event_size=most)
        self._fresh = True
        self.feed(data)
