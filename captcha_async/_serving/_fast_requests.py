"""HTTP/1.1 requests by httptools, which is used if it is installed."""

from __future__ import annotations

import httptools

from ._h11_requests import H11Requests
from ._messages import Bounds, Headers, Request

__all__ = ["FastRequests"]

# A request with one of these is not plain.
ODD = frozenset({b"transfer-encoding", b"expect", b"upgrade"})


class FastRequests:
    """Reads plain requests; as soon as one is not, h11 gets it from the beginning, and the rest.

    So h11 has the last word on what is odd, too large or wrong, and on pipelined requests.
    """

    def __init__(self, bounds: Bounds) -> None:
        self._bounds = bounds
        # Set for good by the first request that is not plain.
        self._h11: H11Requests | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._forget()

    def feed(self, data: bytes) -> None:
        """Take in what was received."""
        if self._h11 is None:
            if not self._raw:
                # Some end a body by a line break that is not part of it.
                data = data.lstrip(b"\r\n")
            if not data:
                return
            self._raw.append(data)
            self._size += len(data)
            try:
                self._parser.feed_data(data)
            except (httptools.HttpParserError, httptools.HttpParserUpgrade):
                self._plain = False
            if not self._in_body and self._size > self._bounds.head_bytes:
                self._plain = False
            if not self._plain:
                self._hand_over()
        else:
            self._h11.feed(data)

    def next(self) -> Request | None:
        """Return the next request if it is complete, or too large."""
        if self._h11 is not None:
            return self._h11.next()
        if not self._complete:
            return None
        request = self._request
        assert request is not None
        if self._parts:
            request.body = self._parts[0] if len(self._parts) == 1 else b"".join(self._parts)
        self._forget()
        return request

    def head(self) -> Request | None:
        """Return a request whose body is not yet complete."""
        return self._request if self._h11 is None else self._h11.head()

    def expects_continue(self) -> bool:
        """Tell whether the body will be sent only when it was asked for."""
        return self._h11 is not None and self._h11.expects_continue()

    def is_fresh(self) -> bool:
        """Tell whether no byte of the next request has come."""
        return not self._raw if self._h11 is None else self._h11.is_fresh()

    def _hand_over(self) -> None:
        self._h11 = H11Requests(self._bounds)
        self._h11.feed(b"".join(self._raw))
        self._forget()

    def _forget(self) -> None:
        # The request as it came, for h11.
        self._raw: list[bytes] = []
        self._size = 0
        self._target = b""
        self._headers: Headers = []
        self._parts: list[bytes] = []
        # Set from the end of the head on.
        self._request: Request | None = None
        self._in_body = self._complete = False
        self._plain = True

    # -- called by httptools ----------------------------------------------------------------------

    def on_message_begin(self) -> None:
        """Note a second request in one read: httptools cannot tell where the first one ended."""
        if self._complete:
            self._plain = False

    def on_url(self, url: bytes) -> None:
        """Keep the target, or a part of it."""
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a header."""
        self._headers.append((name.lower(), value))

    def on_headers_complete(self) -> None:
        """Look at the head."""
        self._in_body = True
        headers = self._headers
        names = [name for name, _ in headers]
        if names.count(b"host") != 1 or not ODD.isdisjoint(names) or self._is_large(headers):
            self._plain = False
        if self._parser.get_http_version() != "1.1":
            self._plain = False
        self._request = Request(self._parser.get_method(), self._target, headers)

    def on_body(self, body: bytes) -> None:
        """Keep a part of the body."""
        self._parts.append(body)

    def on_message_complete(self) -> None:
        """Note the end, and what the parser does not tell any more afterwards."""
        self._complete = True
        assert self._request is not None
        self._request.keep_alive = self._parser.should_keep_alive()

    def _is_large(self, headers: Headers) -> bool:
        bounds = self._bounds
        size = len(self._target) + sum(len(name) + len(value) + 4 for name, value in headers)
        length = next((value for name, value in headers if name == b"content-length"), b"0")
        return size > bounds.head_bytes or not length.isdigit() or int(length) > bounds.body_bytes
