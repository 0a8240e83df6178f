"""A request and its answer as a server of ours has them, and the bounds that hold for both."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from http import HTTPStatus
from typing import Protocol

import attrs

__all__ = [
    "CONTINUE",
    "BadRequest",
    "Bounds",
    "Exchange",
    "Handler",
    "Headers",
    "Request",
    "RequestReader",
    "Response",
]

Headers = list[tuple[bytes, bytes]]

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"

_LINES = {
    status.value: f"HTTP/1.1 {status.value} {status.phrase}\r\n".encode() for status in HTTPStatus
}


@attrs.frozen
class Bounds:
    """What a server puts up with. Times are in seconds."""

    head_bytes: int = 32 * 1024
    """Of the request line and all headers; more is answered with 431."""
    body_bytes: int = 256 * 1024
    connections: int = 1000
    """Open at once. Beyond, the one that has been idle longest is closed; if none is idle, the new
    one is answered with 503."""
    head_time: float = 10.0
    """For a head, from the moment that the connection is made, or from its first byte on a kept
    one. More is answered with 408, so that nobody holds a connection by sending slowly."""
    body_time: float = 20.0
    """For the whole body, from the end of its head."""
    idle_time: float = 75.0
    """For the next request on a kept connection. Longer than proxies keep theirs, so that it is
    not closed just when they use it again."""
    write_time: float = 10.0
    """For the other side to take an answer, before the connection is cut."""
    pipelined: int = 16
    """Requests that are answered out of one read; the connection is closed after that."""


@attrs.define(eq=False)
class Request:
    """A request; its body follows its head."""

    method: bytes
    target: bytes
    """As in the request line: path and query."""
    headers: Headers
    """Names in small letters."""
    body: bytes = attrs.field(default=b"", repr=False)
    overflow: bool = False
    """Whether the body is too large; then it is not all there, and no request follows."""
    keep_alive: bool = True
    """Whether the connection can carry another request."""

    def header(self, name: bytes) -> bytes:
        """Return the first header of this name, given in small letters; else nothing."""
        for key, value in self.headers:
            if key == name:
                return value
        return b""


@attrs.frozen(slots=False)
class Response:
    """An answer."""

    status: int
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """Without those that frame it, but for a content-length: that is taken as it is."""
    body: bytes = attrs.field(default=b"", repr=False)

    def encode(self, *, close: bool, head_only: bool = False) -> bytes:
        """Return its bytes; *head_only* for the answer to a HEAD."""
        if head_only:
            return self._encode(close=close, head_only=True)
        return self._closing if close else self._keeping

    @cached_property
    def _closing(self) -> bytes:
        return self._encode(close=True, head_only=False)

    @cached_property
    def _keeping(self) -> bytes:
        return self._encode(close=False, head_only=False)

    def _encode(self, *, close: bool, head_only: bool) -> bytes:
        parts = [_LINES.get(self.status) or b"HTTP/1.1 %d \r\n" % self.status]
        sized = False
        for name, value in self.headers:
            sized = sized or name.lower() == b"content-length"
            parts.append(b"%b: %b\r\n" % (name, value))
        if not sized and self.status != 204:
            parts.append(b"content-length: %d\r\n" % len(self.body))
        parts.append(b"connection: close\r\n\r\n" if close else b"\r\n")
        if not head_only:
            parts.append(self.body)
        return b"".join(parts)


class BadRequest(Exception):
    """What came is no request; after the answer the connection can carry no other one."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class RequestReader(Protocol):
    """Reads the requests of one connection, one after the other."""

    def feed(self, data: bytes) -> None:
        """Take in what was received."""
        ...

    def next(self) -> Request | None:
        """Return the next request if it is complete, or too large.

        Raises:
            BadRequest: what came is none.
        """
        ...

    def head(self) -> Request | None:
        """Return a request whose body is not yet complete."""
        ...

    def expects_continue(self) -> bool:
        """Tell whether the body will be sent only when it was asked for."""
        ...

    def is_fresh(self) -> bool:
        """Tell whether no byte of the next request has come."""
        ...


class Exchange(Protocol):
    """What a handler does with one request's connection."""

    def respond(self, response: Response) -> None:
        """Answer; once, now or later."""
        ...

    def when_gone(self, callback: Callable[[], None]) -> None:
        """Have *callback* called if the other side goes away before it has its answer."""
        ...


class Handler(Protocol):
    """What a server serves."""

    def judge(self, head: Request) -> Response | None:
        """Refuse a request whose body is not all there; None to go on reading it."""
        ...

    def answer(self, request: Request) -> Response | None:
        """Answer a request; None if that takes longer, and `handle` is to see to it."""
        ...

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Answer a request, or see to it that it will be."""
        ...
