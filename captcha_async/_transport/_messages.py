"""A request and its reply as a lane carries them, and the bounds that hold for both."""

from __future__ import annotations

import re
from typing import NamedTuple

import attrs

from ._departure import Departure, Sending
from ._lane_errors import RemoteProtocolError

__all__ = [
    "DEFAULT_PORTS",
    "EVER",
    "FRESH",
    "KEEP_ALIVE",
    "MAX_HEAD_BYTES",
    "MAX_RAW_BYTES",
    "MAX_REPLY_BYTES",
    "Call",
    "Head",
    "Headers",
    "NothingSent",
    "Origin",
    "RawReply",
    "too_large",
]

MAX_REPLY_BYTES = 8 * 1024 * 1024
"""A larger reply is not of this protocol; reading it would only fill the memory."""

MAX_HEAD_BYTES = 100 * 1024
"""The same for a reply's headers; httpx has this bound, too."""

MAX_RAW_BYTES = MAX_REPLY_BYTES + 2 * MAX_HEAD_BYTES
"""The same for all that comes of a reply, the frames of its chunks included."""

KEEP_ALIVE = 60.0
"""Seconds that an idle lane is kept. It must outlive the gap between polls, or every poll opens a
connection of its own."""

FRESH = 1.5
"""Seconds after its last reply for which an idle lane may carry what cannot be sent again.

A connection may die without a word while it is idle, and servers close theirs after 2 s (gunicorn),
5 s (uvicorn, Node.js) or more; what is on its way then is lost, and may have been paid for. A new
lane costs 1 to 2 ms of CPU and two round trips with TLS (`benchmarks/handshakes.py`), a thousandth
of what it takes to solve a captcha."""

EVER = float("inf")

Headers = list[tuple[bytes, bytes]]

DEFAULT_PORTS = {"http": 80, "https": 443}


class NothingSent(Exception):
    """The lane's connection ended before one byte of the request was written to it."""


class Origin(NamedTuple):
    """Where a connection leads to."""

    secure: bool
    host: str
    port: int


# No repr: the URL may hold a login.
@attrs.frozen(eq=False, repr=False)
class Head:
    """All of a request but its body, so that many requests can share one."""

    origin: Origin
    method: str
    url: str
    headers: Headers
    """Without those that tell the body's length."""
    text: bytes
    """The start line and the headers as they are sent, each with its line end."""
    sized: bool
    """Whether the body's length is told even if it is empty."""


class Call(Departure):
    """A request that a lane is to send, and what is known of its way out.

    Args:
        head: all of it but the body.
        body: the body.
        sending: told when the first byte may leave.
        once: whether it must not be lost, since it cannot be sent again: a lane takes it only while
            it is `FRESH`.
    """

    __slots__ = ("body", "deadline", "head", "once")

    def __init__(
        self,
        head: Head,
        body: bytes,
        sending: Sending | None = None,
        *,
        once: bool = False,
    ) -> None:
        # What a departure has, without a call of its own: there is one of these for each request.
        self._sending = sending
        self.may_have_left = False
        self.head = head
        self.body = body
        self.once = once
        # Moment at which the whole exchange ends with a `LaneTimeout`; set when it begins.
        self.deadline = EVER

    def encode(self) -> bytes:
        """Return the request's bytes."""
        if self.body or self.head.sized:
            return b"%bcontent-length: %d\r\n\r\n%b" % (
                self.head.text,
                len(self.body),
                self.body,
            )
        return self.head.text + b"\r\n"


# The spaces around a value are not the pattern's to drop: it would try each of them as the last.
_HEADER = rb"([^:]+):([^\r]*)\r\n"


def _listed(headers: Headers | bytes) -> Headers:
    if isinstance(headers, bytes):
        return [(name, text.strip(b"\t ")) for name, text in re.findall(_HEADER, headers)]
    return headers


@attrs.define
class RawReply:
    """A reply, wholly read; what it is encoded with is not yet undone.

    Its headers may be given as they came, as well-formed lines: of most replies nobody reads any.
    """

    status: int
    _headers: Headers | bytes = attrs.field(eq=_listed)
    body: bytes = attrs.field(repr=False)
    version: bytes
    reason: bytes
    plain: bool = attrs.field(default=False, eq=False)
    """Whether status and headers tell for certain that the body is all there is to it: it was
    answered, is not packed, and nothing is said of when to ask again."""

    @property
    def headers(self) -> Headers:
        """The headers, as they came."""
        return _listed(self._headers)

    def header(self, name: bytes) -> str | None:
        """Return a header, named in small letters; repeated ones joined by commas, as in httpx."""
        found = [value for key, value in self.headers if key.lower() == name]
        return b", ".join(found).decode("latin-1") if found else None


def too_large() -> RemoteProtocolError:
    """Make the error for a reply above the bound."""
    return RemoteProtocolError(f"the reply has more than {MAX_REPLY_BYTES} bytes")
