"""Whether something has come over a connection that nobody has read: its end, or what is odd."""

from __future__ import annotations

import select
import ssl
from collections.abc import Callable
from typing import Any

__all__ = ["holds_more", "is_readable", "readiness"]


def is_readable(descriptor: int) -> bool:
    """Ask the system whether a read would return at once; so it would if the other side closed."""
    return descriptor < 0 or bool(readiness(descriptor)(0))


def readiness(descriptor: int) -> Callable[[int], list[Any]]:
    """Return what waits so many milliseconds for a read of a connection to return at once."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return poll.poll
    return lambda milliseconds: select.select([descriptor], [], [], milliseconds / 1000)[0]


def holds_more(tls: object) -> bool:
    """Tell whether a TLS session has data, or its end, that has arrived and that nobody has read.

    The system knows nothing of it: one read of the socket may bring several records along.
    """
    if not isinstance(tls, ssl.SSLObject):
        return False
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        pass
    return True
