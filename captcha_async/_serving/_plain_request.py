"""The plainest request, read at a glance: one whole POST of a known length, and nothing odd.

Nearly every callback is one, and a parser takes longer for it (h11 32 instead of 3 µs, httptools 5
in three times as many calls). What differs in the least is not read here: it is left to a parser,
which knows all of HTTP.
"""

from __future__ import annotations

import re

from ._messages import Bounds, Headers, Request

__all__ = ["read_plain"]

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT = rb"[\t \x21-\x7e\x80-\xff]*"
_HEAD = re.compile(rb"POST (/[\x21-\x7e]*) HTTP/1\.1\r\n((?:%b:%b\r\n)+)\r\n" % (_TOKEN, _TEXT))
# The spaces around a value are not the pattern's to drop: it would try each of them as the last.
_HEADER = re.compile(rb"([^:]+):(%b)\r\n" % _TEXT)
_LENGTH = re.compile(rb"[0-9]{1,9}")

_READ_OTHERWISE = (b"transfer-encoding", b"expect", b"upgrade", b"proxy-connection")


def read_plain(data: bytes, bounds: Bounds) -> Request | None:
    """Read a request that is whole, plain, within the bounds, and all of *data*; else None."""
    head = _HEAD.match(data)
    if head is None or head.end() > bounds.head_bytes:
        return None
    headers: Headers = []
    host = length = connection = None
    for written, text in _HEADER.findall(head[2]):
        name, value = written.lower(), text.strip(b"\t ")
        headers.append((name, value))
        if name == b"host":
            if host is not None:
                return None
            host = value
        elif name == b"content-length":
            if length is not None:
                return None
            length = value
        elif name == b"connection":
            if connection is not None:
                return None
            connection = value.lower()
        elif name in _READ_OTHERWISE:
            return None
    if host is None or length is None or connection not in (None, b"keep-alive", b"close"):
        return None
    body = data[head.end() :]
    size = len(body)
    if size > bounds.body_bytes or _LENGTH.fullmatch(length) is None or int(length) != size:
        return None
    return Request(b"POST", head[1], headers, body, keep_alive=connection != b"close")
