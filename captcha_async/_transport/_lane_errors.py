"""What a request over a lane fails with; the names are httpx's, which people know.

Not httpx's own classes: to import those takes two thirds of what this library takes with a client,
and nobody needs them before something has failed.
"""

from __future__ import annotations

__all__ = [
    "ConnectError",
    "ConnectTimeout",
    "LaneError",
    "LaneTimeout",
    "ReadError",
    "ReadTimeout",
    "RemoteProtocolError",
    "WriteError",
    "WriteTimeout",
]


class LaneError(Exception):
    """A lane has no reply."""


class ConnectError(LaneError):
    """There was no connection."""


class ReadError(LaneError):
    """The connection broke before the reply was read."""


class WriteError(LaneError):
    """The connection broke before the request was written."""


class RemoteProtocolError(LaneError):
    """What came is no reply of HTTP, or none that anybody would want to read."""


class LaneTimeout(LaneError):
    """The time for the request, or for a part of it, is over."""


class ConnectTimeout(LaneTimeout):
    """There was no connection in time."""


class ReadTimeout(LaneTimeout):
    """No reply came in time."""


class WriteTimeout(LaneTimeout):
    """The other side did not take the request in time."""
