"""A request and its reply as a lane carries them, and the bounds that hold for both."""

from __future__ import annotations

from typing import NamedTuple

import anyio
import attrs

from ._departure import Departure
from ._lane_errors import RemoteProtocolError

__all__ = [
    "DEFAULT_PORTS",
    "EVER",
    "FRESH",
    "KEEP_ALIVE",
    "MAX_HEAD_BYTES",
    "MAX_RAW_BYTES",
    "MAX_REPLY_BYTES",
    "NO_TIMEOUTS",
    "Call",
    "Head",
    "Headers",
    "NothingSent",
    "Origin",
    "RawReply",
    "Timeouts",
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


class Timeouts(NamedTuple):
    """Seconds for the parts of an exchange, as in httpx; None waits for ever."""

    connect: float | None = None
    read: float | None = None
    write: float | None = None
    pool: float | None = None


NO_TIMEOUTS = Timeouts()


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


@attrs.define(eq=False, repr=False)
class Call:
    """A request that a lane is to send."""

    head: Head
    body: bytes
    timeouts: Timeouts = NO_TIMEOUTS
    departure: Departure = attrs.field(factory=Departure)
    """Told when the first byte may leave."""
    once: bool = False
    """Whether it must not be lost, since it cannot be sent again: a lane takes it only while it is
    `FRESH`."""
    deadline: float = EVER
    """Moment at which the whole exchange ends with a `LaneTimeout`."""

    def until(self, seconds: float | None) -> float:
        """Return the moment at which a step ends that may take so many *seconds* from now."""
        if seconds is None:
            return self.deadline
        return min(self.deadline, anyio.current_time() + seconds)

    def encode(self) -> bytes:
        """Return the request's bytes."""
        if self.body or self.head.sized:
            return b"%bcontent-length: %d\r\n\r\n%b" % (
                self.head.text,
                len(self.body),
                self.body,
            )
        return self.head.text + b"\r\n"


@attrs.define
class RawReply:
    """A reply, wholly read; what it is encoded with is not yet undone."""

    status: int
    headers: Headers
    body: bytes = attrs.field(repr=False)
    version: bytes
    reason: bytes

    def header(self, name: bytes) -> str | None:
        """Return a header, named in small letters; repeated ones joined by commas, as in httpx."""
        found: list[bytes] | None = None
        length = len(name)
        for key, value in self.headers:
            # The lengths first: they tell most names apart, and cost nothing.
            if len(key) == length and key.lower() == name:
                found = [*(found or ()), value]
        return None if found is None else b", ".join(found).decode("latin-1")


def too_large() -> RemoteProtocolError:
    """Make the error for a reply above the bound."""
    return RemoteProtocolError(f"the reply has more than {MAX_REPLY_BYTES} bytes")
