"""Bodies out of their encoding: whatever the header says, within a bound, in linear time."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable

import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st
from raw_server import raw_server, read_request, reply

from captcha_async._transport import HttpTransport, _direct_lane
from captcha_async._transport._fast_framing import FastReader
from captcha_async._transport._framing import ReplyReader
from captcha_async._transport._h11_framing import H11Reader
from captcha_async._transport._lane_errors import RemoteProtocolError
from captcha_async._transport._messages import MAX_REPLY_BYTES, RawReply
from captcha_async._transport._unpacking import unpack
from captcha_async.errors import TransportError

JSON = b'{"errorId": 0, "taskId": 1}'
TEXT = b"ERROR_ZERO_BALANCE\r\n"


def raw_deflate(data: bytes) -> bytes:
    """Pack without zlib's frame."""
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(data) + packer.flush()


def packed(body: bytes, *encodings: bytes) -> RawReply:
    """Make a reply with these content-encoding headers."""
    headers = [(b"Content-Encoding", encoding) for encoding in encodings]
    return RawReply(200, headers, body, b"HTTP/1.1", b"OK")


PACKERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": gzip.compress,
    b"x-gzip": gzip.compress,
    b"GZip": gzip.compress,
    b"deflate": zlib.compress,
    b" deflate ": raw_deflate,
    b"gzip, identity": gzip.compress,
    b"identity": bytes,
    b"": bytes,
}


@pytest.mark.parametrize("encoding", PACKERS)
@pytest.mark.parametrize("body", [JSON, TEXT, b"", bytes(100_000)])
def test_what_was_packed_is_unpacked(encoding: bytes, body: bytes) -> None:
    """The encodings that are asked for, in every spelling."""
    assert unpack(packed(PACKERS[encoding](body), encoding)) == body


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br", b"zstd", b"gzip, gzip", b"x"])
def test_plain_json_is_read_whatever_the_header_says(encoding: bytes) -> None:
    """An answer is worth more than a header."""
    assert unpack(packed(b"\r\n" + JSON, encoding)) == b"\r\n" + JSON


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"br"])
def test_plain_text_is_read_whatever_the_header_says(encoding: bytes) -> None:
    """A code may come as bare text."""
    assert unpack(packed(TEXT, encoding)) == TEXT


REFUSED: dict[str, tuple[bytes, tuple[bytes, ...], str]] = {
    "two in a header": (gzip.compress(gzip.compress(JSON)), (b"gzip, gzip",), "2 layers"),
    "two headers": (gzip.compress(gzip.compress(JSON)), (b"gzip", b"gzip"), "2 layers"),
    "mixed": (gzip.compress(zlib.compress(JSON)), (b"deflate, identity, gzip",), "2 layers"),
    "gzip giant": (gzip.compress(bytes(MAX_REPLY_BYTES + 1)), (b"gzip",), "more than"),
    "deflate giant": (zlib.compress(bytes(MAX_REPLY_BYTES + 1)), (b"deflate",), "more than"),
    "raw giant": (raw_deflate(bytes(MAX_REPLY_BYTES + 1)), (b"deflate",), "more than"),
    "damaged": (b"\x1f\x8b\x00\xff\xfe", (b"gzip",), "does not unpack"),
    "not asked for": (b"\x0b\x02\x80\xff", (b"br",), "packed with 'br'"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_read_is_refused(name: str) -> None:
    """Layers, giants, encodings that nobody asked for, and what is damaged."""
    body, encodings, reason = REFUSED[name]
    with pytest.raises(RemoteProtocolError, match=reason):
        unpack(packed(body, *encodings))


@given(body=st.binary(max_size=200), encoding=st.sampled_from([b"gzip", b"deflate", b"br"]))
def test_any_bytes_end_in_a_body_or_an_error(body: bytes, encoding: bytes) -> None:
    """No other exception, whatever comes."""
    try:
        unpack(packed(body, encoding))
    except RemoteProtocolError:
        return


# -- over sockets ---------------------------------------------------------------------------------

WAYS = ["direct", "httpx", "client"]


async def post(way: str, answer: bytes) -> bytes | TransportError:
    """Post something to a server with this answer, and return the reply's body, or the error."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        await stream.send(answer)

    async with raw_server(handler) as url, httpx.AsyncClient() as client:
        if way == "client":
            transport = HttpTransport(http_client=client)
        else:
            transport = HttpTransport(httpx_lanes=way == "httpx")
        try:
            return (await transport.post(url, b"{}", timeout=20)).body
        except TransportError as error:
            return error
        finally:
            await transport.aclose()


@pytest.mark.real_time
@pytest.mark.parametrize("way", WAYS)
async def test_bodies_are_bounded_on_every_way(way: str) -> None:
    """Whoever's client it is, a few kilobytes do not fill the memory."""
    giant = gzip.compress(bytes(50 * 1024 * 1024))
    layers = gzip.compress(gzip.compress(JSON))
    for body, encoding, reason in (
        (giant, b"gzip", "more than"),
        (layers, b"gzip, gzip", "2 layers"),
    ):
        answer = reply(body, headers=b"content-encoding: %b\r\n" % encoding)
        error = await post(way, answer)
        assert isinstance(error, TransportError)
        assert error.sent
        assert reason in error.reason


@pytest.mark.real_time
@pytest.mark.parametrize("way", WAYS)
async def test_plain_json_is_read_on_every_way(way: str) -> None:
    """Also where the user's client would unpack it, or fail to."""
    assert await post(way, reply(JSON, headers=b"content-encoding: gzip\r\n")) == JSON
    packed = reply(gzip.compress(JSON), headers=b"content-encoding: gzip\r\n")
    assert await post(way, packed) == JSON


# -- tiny chunks ----------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "chunks"), [(FastReader, 1_000_000), (H11Reader, 50_000)])
def test_tiny_chunks_are_read(make: type[ReplyReader], chunks: int) -> None:
    """A reply may come in as many pieces as it has bytes."""
    reader = make()
    reader.start("POST")
    reader.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    for _ in range(chunks // 1000):
        assert reader.feed(b"1\r\n \r\n" * 1000) is None
    found = reader.feed(b"0\r\n\r\n")
    assert found is not None
    assert found.body == b" " * chunks
    assert reader.finish()


@pytest.mark.parametrize("make", [FastReader, H11Reader])
def test_the_frames_of_chunks_are_bounded_too(make: type[ReplyReader]) -> None:
    """Extensions and sizes are no body, and fill the memory all the same."""
    reader = make()
    reader.start("POST")
    reader.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")
    chunk = b"1;" + b"x" * 60_000 + b"\r\n \r\n"
    for _ in range(MAX_REPLY_BYTES // len(chunk)):
        assert reader.feed(chunk) is None
    with pytest.raises(RemoteProtocolError, match="more than"):
        for _ in map(reader.feed, [chunk] * 10):
            pass


@pytest.mark.parametrize("end", [b"", b"nonsense\r\n"])
def test_what_is_cut_off_is_not_read_twice(end: bytes) -> None:
    """h11 would take minutes for what httptools has found to be wrong."""
    reader = FastReader()
    reader.start("POST")
    reader.feed(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 2000)
    with pytest.raises(RemoteProtocolError, match="cut off or not well-formed"):
        reader.feed(end)


@pytest.mark.real_time
@pytest.mark.parametrize("make", [FastReader, H11Reader])
async def test_others_have_their_turn_while_tiny_chunks_are_read(
    make: type[FastReader] | type[H11Reader], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A long piece is parsed in slices, between which the event loop goes on."""
    longest = 0

    class Counting(make):  # type: ignore[misc, valid-type]
        def feed(self, data: bytes) -> RawReply | None:
            nonlocal longest
            longest = max(longest, len(data))
            return super().feed(data)

    monkeypatch.setattr(_direct_lane, "make_reader", Counting)
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in JSON + b" " * 50_000)
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await checkpoint()
            turns += 1

    async with anyio.create_task_group() as group:
        group.start_soon(take_turns)
        found = await post("direct", head + body + b"0\r\n\r\n")
        assert isinstance(found, bytes)
        assert found.rstrip() == JSON
        group.cancel_scope.cancel()
    assert longest <= _direct_lane.SLICE
    assert turns >= len(body) // _direct_lane.SLICE
