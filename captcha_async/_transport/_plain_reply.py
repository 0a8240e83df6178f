"""The plainest reply, read at a glance: one whole `200 OK` of a known length, and nothing odd.

Nearly every reply of the services is one, and h11 takes twenty times as long for it (32 instead of
1.5 µs). What differs in the least is not read here: it is left to a parser that knows all of HTTP.
"""

from __future__ import annotations

import re
from functools import cache

from ._messages import MAX_HEAD_BYTES, RawReply

__all__ = ["read_plain"]

_TOKEN = rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]*"
_TEXT = rb"[\t \x21-\x7e\x80-\xff]*"
_LENGTH = rb"(?i:content-length:)[\t ]*([0-9]{1,9})[\t ]*\r\n"
_KEPT = rb"(?i:connection:[\t ]*keep-alive[\t ]*)\r\n"
# Most names that do not matter are told from those that do by their first letter.
_OTHER = rb"[!#$%%&'*+\-.^_`|~0-9abd-qsv-zABD-QSV-Z]%b:%b\r\n" % (_TOKEN, _TEXT)

_FRAMING = b"connection|content-length|transfer-encoding|upgrade"
_TELLING = b"content-encoding|retry-after"


def _head_without(names: bytes) -> re.Pattern[bytes]:
    """Make the pattern of a head with one length and none of these headers, but `keep-alive`."""
    alike = rb"(?!(?i:%b):)[ctruCTRU]%b:%b\r\n" % (names, _TOKEN, _TEXT)
    lines = rb"(?:%b)*" % b"|".join([_OTHER, alike, _KEPT])
    return re.compile(rb"HTTP/1\.1 200 (%b)\r\n(%b%b%b)\r\n" % (_TEXT, lines, _LENGTH, lines))


_PLAIN_HEAD = _head_without(_FRAMING + b"|" + _TELLING)


@cache
def _telling_head() -> re.Pattern[bytes]:
    """Make the pattern of one that may have the other headers; few clients need it."""
    return _head_without(_FRAMING)


def read_plain(data: bytes) -> RawReply | None:
    """Read a reply that is whole, plain, and all of *data*; None if it is not."""
    plain = _PLAIN_HEAD.match(data, 0, MAX_HEAD_BYTES)
    head = plain or _telling_head().match(data, 0, MAX_HEAD_BYTES)
    if head is None:
        return None
    reason, lines, length = head.groups()
    body = data[head.end() :]
    if len(body) != int(length):
        return None
    return RawReply(200, lines, body, b"HTTP/1.1", reason, plain is not None)
