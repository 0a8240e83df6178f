"""Replies out of bytes: any bytes in any pieces, by both parsers, and both of one opinion."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async._transport._fast_framing import FastReader
from captcha_async._transport._framing import ReplyReader
from captcha_async._transport._h11_framing import H11Reader
from captcha_async._transport._lane_errors import RemoteProtocolError
from captcha_async._transport._messages import MAX_HEAD_BYTES, MAX_REPLY_BYTES, RawReply
from captcha_async._transport._plain_reply import read_plain

PLAIN = b"HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 2\r\n\r\n{}"
CHUNKS = b"1;a=b\r\n{\r\n1\r\n}\r\n0\r\nx: y\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + CHUNKS
REPLIES = {
    "plain": PLAIN,
    "chunked": CHUNKED,
    "old": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}",
    "until the end": b"HTTP/1.1 200 OK\r\n\r\n{}",
    "closing": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\n{}",
    "no reason": b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\n{}",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + PLAIN,
    "two interim": b"HTTP/1.1 100 Continue\r\n\r\n" * 2 + CHUNKED,
    "bare line ends": PLAIN.replace(b"\r\n", b"\n"),
    "two lengths": PLAIN.replace(b"\r\n\r\n", b"\r\nContent-Length: 2\r\n\r\n"),
}
readers = pytest.mark.parametrize("make", [H11Reader, FastReader])


def read(reader: ReplyReader, pieces: list[bytes], method: str = "POST") -> RawReply | None:
    """Feed the pieces, and the end of the connection if they are not enough."""
    reader.start(method)
    for piece in filter(None, pieces):
        reply = reader.feed(piece)
        if reply is not None:
            return reply
    return reader.feed(b"")


def outcome(reader: ReplyReader, pieces: list[bytes], method: str = "POST") -> object:
    """Return the reply and whether the connection goes on, or the error's type."""
    try:
        return read(reader, pieces, method), reader.finish()
    except RemoteProtocolError:
        return RemoteProtocolError


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """Cut *data* at *places*."""
    marks = [0, *sorted(place % (len(data) + 1) for place in places), len(data)]
    return [data[start:end] for start, end in pairwise(marks)]


@pytest.mark.parametrize("name", REPLIES)
@readers
def test_a_reply_is_read_however_it_is_cut(make: type[ReplyReader], name: str) -> None:
    """TCP knows no messages: each byte may come by itself."""
    whole = outcome(make(), [REPLIES[name]])
    assert whole != RemoteProtocolError
    assert isinstance(whole, tuple)
    assert whole[0].body == (b"" if name == "no content" else b"{}")
    assert whole[1] is (name not in ("old", "until the end", "closing"))
    assert outcome(make(), [bytes([byte]) for byte in REPLIES[name]]) == whole


@readers
def test_a_connection_carries_many_replies(make: type[ReplyReader]) -> None:
    """Odd ones and plain ones take turns."""
    reader = make()
    for data in (PLAIN, CHUNKED, REPLIES["interim"], PLAIN, REPLIES["bare line ends"], PLAIN):
        reply = read(reader, [data])
        assert reply is not None
        assert reply.body == b"{}"
        assert reader.finish()


@readers
def test_a_head_has_no_body(make: type[ReplyReader]) -> None:
    """The length in a reply to HEAD is that of what GET would bring."""
    reader = make()
    reply = read(reader, [PLAIN[:-2]], "HEAD")
    assert reply is not None
    assert reply.body == b""
    assert reader.finish()
    assert read(reader, [PLAIN]) is not None


@readers
def test_a_reply_that_nobody_asked_for_ends_the_connection(make: type[ReplyReader]) -> None:
    """It must not be taken for the next request's."""
    reader = make()
    reply = read(reader, [PLAIN + PLAIN[:30]])
    assert reply is not None
    assert reply.body == b"{}"
    assert not reader.finish()


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200",
        PLAIN[:-1],
        CHUNKED[:-6],
        b"SSH-2.0-x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\n" * 50 + PLAIN,
        b"HTTP/1.1 200 OK\r\nx: " + b"y" * MAX_HEAD_BYTES * 2,
        b"\r\n" * MAX_HEAD_BYTES,
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n" + bytes(MAX_REPLY_BYTES + 1),
    ],
    ids=lambda data: data[:40].decode(),
)
@readers
def test_what_is_no_reply_is_an_error(make: type[ReplyReader], data: bytes) -> None:
    """Cut off, not HTTP, without end, or too large."""
    pieces = [data[start : start + 65536] for start in range(0, len(data), 65536)]
    assert outcome(make(), pieces) is RemoteProtocolError


@given(data=st.binary(max_size=300), places=st.lists(st.integers(0, 300), max_size=4))
@readers
def test_any_bytes_end_in_a_reply_or_an_error(
    make: type[ReplyReader], data: bytes, places: list[int]
) -> None:
    """No other exception, whatever comes."""
    outcome(make(), cut(data, places))


@given(
    name=st.sampled_from(sorted(REPLIES)),
    at=st.integers(0, 200),
    gone=st.integers(0, 8),
    come=st.binary(max_size=8),
    places=st.lists(st.integers(0, 200), max_size=4),
)
@readers
def test_damaged_replies_end_in_a_reply_or_an_error(
    make: type[ReplyReader], name: str, at: int, gone: int, come: bytes, places: list[int]
) -> None:
    """No other exception, wherever the damage is."""
    data = REPLIES[name]
    at %= len(data)
    outcome(make(), cut(data[:at] + come + data[at + gone :], places))


header_names = st.sampled_from([b"Date", b"x-a", b"SERVER", b"Set-Cookie"])
header_values = st.from_regex(rb"[!-~]([ -~]{0,20}[!-~])?", fullmatch=True)


@given(
    status=st.integers(200, 599),
    headers=st.lists(st.tuples(header_names, header_values), max_size=6),
    parts=st.lists(st.binary(min_size=1, max_size=40), max_size=4),
    framing=st.sampled_from(["length", "chunks", "end"]),
    places=st.lists(st.integers(0, 500), max_size=5),
)
def test_all_parsers_read_the_same(
    status: int,
    headers: list[tuple[bytes, bytes]],
    parts: list[bytes],
    framing: str,
    places: list[int],
) -> None:
    """The others are only faster than h11."""
    lines = [b"HTTP/1.1 %d Fine" % status, *(b"%b: %b" % pair for pair in headers)]
    body = b"".join(parts)
    if framing == "length":
        lines.append(b"Content-Length: %d" % len(body))
    elif framing == "chunks":
        lines.append(b"Transfer-Encoding: chunked")
        body = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n\r\n"
    pieces = cut(b"\r\n".join(lines) + b"\r\n\r\n" + body, places)
    by_h11 = outcome(H11Reader(), pieces)
    assert by_h11 is not RemoteProtocolError
    assert outcome(FastReader(), pieces) == by_h11
    at_a_glance = read_plain(b"".join(pieces))
    assert at_a_glance is None or (at_a_glance, True) == by_h11


@given(
    at=st.integers(0, 200),
    gone=st.integers(0, 30),
    come=st.sampled_from(
        [
            *(
                b"",
                b" ",
                b"\t",
                b"\r",
                b"\n",
                b"\r\n",
                b"\r\n ",
                b"\0",
                b":",
                b";",
                b"\xff",
                b"0",
                b"9",
            ),
            *(
                b"\r\nConnection: Keep-Alive",
                b"\r\nConnection: close",
                b"\r\nconnection: upgrade, x",
            ),
            *(b"\r\nContent-Length: 2", b"\r\ncontent-length: 02", b"\r\nContent-Length: +2"),
            *(
                b"\r\nTransfer-Encoding: chunked",
                b"\r\nUpgrade: x",
                b"\r\n: x",
                b"\r\nx:",
                b"\r\ny : z",
            ),
            *(
                b"\r\nContent-Encoding: gzip",
                b"\r\nretry-after: 5",
                b"\r\nCache-Control: no-store",
                b"\r\nContent-Lengthy: 3",
            ),
        ]
    )
    | st.binary(max_size=4),
)
def test_what_is_read_at_a_glance_is_what_h11_reads(at: int, gone: int, come: bytes) -> None:
    """Whatever is damaged, put in or left out; and the connection goes on where h11's would."""
    at %= len(PLAIN) + 1
    data = PLAIN[:at] + come + PLAIN[at + gone :]
    found = read_plain(data)
    if found is not None:
        assert (found, True) == outcome(H11Reader(), [data])
        telling = {b"content-encoding", b"retry-after"}
        assert found.plain == telling.isdisjoint(name.lower() for name, _ in found.headers)


@pytest.mark.parametrize("body", [b"{}", b""])
def test_a_plain_reply_needs_no_parser(body: bytes) -> None:
    """h11 would take twenty times as long."""
    data = b"HTTP/1.1 200 OK\r\nServer: x \r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    headers = [(b"Server", b"x"), (b"Content-Length", b"%d" % len(body))]
    reply = RawReply(200, headers, body, b"HTTP/1.1", b"OK")
    found = read_plain(data)
    assert found is not None
    assert found == reply
    assert found.plain


@pytest.mark.parametrize("space", [b" ", b"\t"])
def test_spaces_in_a_value_take_no_time_of_their_own(space: bytes) -> None:
    """Squared, as by a pattern that tries each of them as the last, so many take an hour."""
    value = b"a" + space * (MAX_HEAD_BYTES - 100) + b"b"
    reply = read_plain(PLAIN.replace(b"Server: x", b"Server:" + value + space))
    headers = [(b"Server", value), (b"Content-Length", b"2")]
    assert reply == RawReply(200, headers, b"{}", b"HTTP/1.1", b"OK")
