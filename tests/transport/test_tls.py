"""TLS over real sockets: records in any pieces, and every way in which a session ends."""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from functools import cache

import anyio
import anyio.lowlevel
import pytest
import trustme
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSStream
from raw_server import Handler, raw_server, read_request, reply

from captcha_async._transport import HttpTransport
from captcha_async.errors import TransportError

pytestmark = pytest.mark.real_time

BODY = b'{"errorId": 0, "taskId": 1}'


@cache
def authority() -> trustme.CA:
    """Make who is trusted."""
    return trustme.CA()


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make TLS settings for a server, and for those who trust it."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority().configure_trust(client)
    return server, client


@asynccontextmanager
async def serving(handler: Handler) -> AsyncGenerator[tuple[HttpTransport, str]]:
    """Serve TLS, and make what speaks to it."""
    transport = HttpTransport(ssl_context=contexts()[1])
    async with raw_server(handler, contexts()[0]) as url:
        try:
            yield transport, url
        finally:
            await transport.aclose()


async def post(transport: HttpTransport, url: str) -> bytes:
    """Post something, and return the body of the reply."""
    return (await transport.post(f"{url}/createTask", b"{}", timeout=5)).body


def sealed(stream: anyio.abc.ByteStream, *records: bytes) -> bytes:
    """Encrypt these records."""
    assert isinstance(stream, TLSStream)
    for record in records:
        stream._ssl_object.write(record)
    return stream._write_bio.read()


async def assert_kept(handler: Handler) -> None:
    """Check that two requests are answered over one connection."""
    async with serving(handler) as (transport, url):
        for _ in range(2):
            assert await post(transport, url) == BODY
        numbers = transport.statistics()
        assert numbers is not None
        assert numbers.opened == 1


async def test_a_record_may_come_byte_by_byte() -> None:
    """TCP knows no records; and the connection goes on."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        while True:
            await read_request(stream)
            assert isinstance(stream, TLSStream)
            for byte in sealed(stream, reply(BODY)):
                await stream.transport_stream.send(bytes([byte]))
                await anyio.lowlevel.checkpoint()

    await assert_kept(handler)


async def test_a_reply_may_come_in_many_records_at_once() -> None:
    """Its head in one, its body in others; none is left lying."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        while True:
            await read_request(stream)
            assert isinstance(stream, TLSStream)
            answer = reply(BODY)
            records = [answer[:20], answer[20:-5], answer[-5:]]
            await stream.transport_stream.send(sealed(stream, *records))

    await assert_kept(handler)


async def test_a_long_reply_is_read_whole() -> None:
    """It takes many records, and many reads."""
    body = b'{"solution": "%b"}' % (b"x" * 3_000_000)

    async def handler(stream: anyio.abc.ByteStream) -> None:
        while True:
            await read_request(stream)
            await stream.send(reply(body))

    async with serving(handler) as (transport, url):
        for _ in range(2):
            assert await post(transport, url) == body


async def test_a_session_that_ends_with_its_reply_is_not_used_again() -> None:
    """The other side may say so in the same piece; the reply counts."""
    connections = 0

    async def handler(stream: anyio.abc.ByteStream) -> None:
        nonlocal connections
        connections += 1
        await read_request(stream)
        assert isinstance(stream, TLSStream)
        data = sealed(stream, reply(BODY))
        with pytest.raises(ssl.SSLWantReadError):
            stream._ssl_object.unwrap()
        await stream.transport_stream.send(data + stream._write_bio.read())
        await anyio.sleep(5)

    async with serving(handler) as (transport, url):
        for _ in range(3):
            assert await post(transport, url) == BODY
    assert connections == 3


async def test_a_damaged_record_ends_the_connection() -> None:
    """What was sent may have been seen."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        assert isinstance(stream, TLSStream)
        data = bytearray(sealed(stream, reply(BODY)))
        data[-1] ^= 1
        await stream.transport_stream.send(bytes(data))
        await anyio.sleep(5)

    async with serving(handler) as (transport, url):
        with pytest.raises(TransportError) as caught:
            await post(transport, url)
        assert caught.value.sent
        numbers = transport.statistics()
        assert numbers is not None
        assert (numbers.busy, numbers.idle) == (0, 0)


@pytest.mark.parametrize("answer", [b"", b"\x16\x03\x03", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_a_handshake_that_fails_is_no_connection(answer: bytes) -> None:
    """However the other side ends it; nothing was sent."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await stream.receive()
        if answer:
            await stream.send(answer)
        await stream.aclose()

    transport = HttpTransport(ssl_context=contexts()[1])
    async with raw_server(handler) as url:
        with pytest.raises(TransportError) as caught:
            await post(transport, url.replace("http", "https"))
    assert not caught.value.sent
    await transport.aclose()


async def test_a_handshake_that_is_reset_is_no_connection() -> None:
    """It can be tried again, as any connection that failed; on uvloop as well."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await stream.receive()
        raw = stream.extra(SocketAttribute.raw_socket)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    transport = HttpTransport(ssl_context=contexts()[1])
    async with raw_server(handler) as url:
        with pytest.raises(TransportError, match="ConnectError") as caught:
            await post(transport, url.replace("http", "https"))
    assert not caught.value.sent
    await transport.aclose()


@pytest.mark.parametrize("anyio_backend", ["asyncio-real", "uvloop-real"], indirect=True)
async def test_a_session_that_ends_with_its_handshake_has_seen_no_request() -> None:
    """The end is in the segment that completes the handshake: nothing needs to be sent then."""
    settings = contexts()[0]

    async def handler(stream: anyio.abc.ByteStream) -> None:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        session = settings.wrap_bio(incoming, outgoing, server_side=True)
        while True:
            try:
                session.do_handshake()
                break
            except ssl.SSLWantReadError:
                await stream.send(outgoing.read())
                incoming.write(await stream.receive())
        with pytest.raises(ssl.SSLWantReadError):
            session.unwrap()
        await stream.send(outgoing.read())
        await anyio.sleep(5)

    # Only there the server has the last word of the handshake.
    context = ssl.create_default_context()
    authority().configure_trust(context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    transport = HttpTransport(ssl_context=context)
    async with raw_server(handler) as url:
        with pytest.raises(TransportError) as caught:
            await post(transport, url.replace("http", "https"))
    assert not caught.value.sent
    await transport.aclose()


@pytest.mark.parametrize("use_uvloop", [False, True])
def test_connections_are_let_go_of_without_their_event_loop(use_uvloop: bool) -> None:
    """A client that is used in one event loop after the other does so; uvloop's sockets are odd."""
    if use_uvloop:
        pytest.importorskip("uvloop")

    async def handler(stream: anyio.abc.ByteStream) -> None:
        while True:
            await read_request(stream)
            await stream.send(reply(BODY))

    async def speak() -> HttpTransport:
        transport = HttpTransport()
        async with raw_server(handler) as url:
            assert await post(transport, url) == BODY
        return transport

    transport = anyio.run(speak, backend_options={"use_uvloop": use_uvloop})
    transport.abandon()
    numbers = transport.statistics()
    assert numbers is not None
    assert (numbers.busy, numbers.idle) == (0, 0)
