"""The plainest reply, read at a glance: one whole `200 OK` of a known length, and nothing odd.

Nearly every reply of the services is one, and h11 takes ten times as long for it (32 instead of
3 µs). What differs in the least is not read here: it is left to a parser that knows all of HTTP.
"""

from __future__ import annotations

import re

from ._messages import Headers, RawReply

__all__ = ["read_plain"]

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+"
_TEXT = rb"[\t \x21-\x7e\x80-\xff]*"
_HEAD = re.compile(rb"HTTP/1\.1 200 (%b)\r\n((?:%b:%b\r\n)+)\r\n" % (_TEXT, _TOKEN, _TEXT))
# The spaces around a value are not the pattern's to drop: it would try each of them as the last.
_HEADER = re.compile(rb"([^:]+):(%b)\r\n" % _TEXT)
_LENGTH = re.compile(rb"[0-9]{1,9}")

_SENT_OTHERWISE = (b"transfer-encoding", b"upgrade")
_KEPT = b"keep-alive"


def read_plain(data: bytes) -> RawReply | None:
    """Read a reply that is whole, plain, and all of *data*; None if it is not."""
    head = _HEAD.match(data)
    if head is None:
        return None
    headers: Headers = [(name, text.strip(b"\t ")) for name, text in _HEADER.findall(head[2])]
    length: bytes | None = None
    for name, value in headers:
        key = name.lower()
        if key == b"content-length":
            if length is not None:
                return None
            length = value
        elif key in _SENT_OTHERWISE or (key == b"connection" and value.lower() != _KEPT):
            return None
    if length is None or _LENGTH.fullmatch(length) is None:
        return None
    body = data[head.end() :]
    return RawReply(200, headers, body, b"HTTP/1.1", head[1]) if len(body) == int(length) else None
