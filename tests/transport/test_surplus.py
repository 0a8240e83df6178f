"""No reply is ever read for another request, and nothing precious goes over a doubtful connection.

Every way to the service, with and without TLS: a server that sends more than it was asked for, and
connections that have died without a word.
"""

from __future__ import annotations

import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache

import anyio
import h2.config
import h2.connection
import h2.events
import httpx
import orjson
import pytest
import trustme
from anyio.abc import SocketAttribute
from anyio.streams.tls import TLSStream
from raw_server import raw_server, read_request, reply

from captcha_async._transport import HttpTransport, _direct_lane
from captcha_async._transport._h11_framing import H11Reader
from captcha_async._transport._messages import FRESH

pytestmark = pytest.mark.real_time

FALSE = b'{"errorId": 0, "taskId": 666}'

Surplus = Callable[[anyio.abc.ByteStream, bytes], Awaitable[None]]


async def at_once(stream: anyio.abc.ByteStream, answer: bytes) -> None:
    """Send the surplus with the reply, in one piece."""
    await stream.send(answer + reply(FALSE))


async def in_a_second_record(stream: anyio.abc.ByteStream, answer: bytes) -> None:
    """Send it as a TLS record of its own, which comes with the reply's in one piece."""
    if isinstance(stream, TLSStream):
        stream._ssl_object.write(answer)
        stream._ssl_object.write(reply(FALSE))
        await stream.transport_stream.send(stream._write_bio.read())
    else:
        await stream.send(answer + reply(FALSE))


async def a_moment_later(stream: anyio.abc.ByteStream, answer: bytes) -> None:
    """Send it when the connection is idle again."""
    await stream.send(answer)
    await anyio.sleep(0.03)
    await stream.send(reply(FALSE))


async def one_byte(stream: anyio.abc.ByteStream, answer: bytes) -> None:
    """Send only the beginning of something."""
    await stream.send(answer + b"H")


async def empty_lines(stream: anyio.abc.ByteStream, answer: bytes) -> None:
    """Send what parsers like to pass over."""
    await stream.send(answer + b"\r\n\r\n")


class Talkative:
    """Answers each request with its own number, and adds something to each reply."""

    def __init__(self, surplus: Surplus) -> None:
        self.surplus = surplus
        self.connections = 0
        # Set when all has been said to the last request.
        self.done = anyio.Event()

    async def __call__(self, stream: anyio.abc.ByteStream) -> None:
        self.connections += 1
        while True:
            request = await read_request(stream)
            done = self.done = anyio.Event()
            body = orjson.dumps(orjson.loads(request.partition(b"\r\n\r\n")[2]))
            await self.surplus(stream, reply(body))
            done.set()


@cache
def contexts() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """Make the TLS settings of the server and the client."""
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    return server, client


@asynccontextmanager
async def opened(way: str) -> AsyncGenerator[HttpTransport]:
    """Open a transport of this kind."""
    context = contexts()[1]
    if way == "client":
        async with httpx.AsyncClient(verify=context) as client:
            yield HttpTransport(http_client=client)
        return
    transport = HttpTransport(ssl_context=context, httpx_lanes=way == "httpx")
    try:
        yield transport
    finally:
        await transport.aclose()


async def ask(transport: HttpTransport, url: str, number: int, *, once: bool = False) -> None:
    """Send a number and get it back."""
    body = orjson.dumps({"number": number})
    answer = await transport.post(url, body, timeout=5, once=once)
    assert orjson.loads(answer.body) == {"number": number}


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize(
    "surplus", [at_once, in_a_second_record, a_moment_later, one_byte, empty_lines]
)
@pytest.mark.parametrize("way", ["direct", "h11", "httpx", "client"])
async def test_surplus_is_never_another_requests_reply(
    way: str, surplus: Surplus, tls: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A connection that carries more than its reply is dropped, after a poll and a createTask."""
    if way == "h11":
        monkeypatch.setattr(_direct_lane, "make_reader", H11Reader)
    server = Talkative(surplus)
    async with raw_server(server, contexts()[0] if tls else None) as url, opened(way) as transport:
        for number, once in enumerate([False, False, True, True, False]):
            await ask(transport, url, number, once=once)
            await server.done.wait()
    assert server.connections == 5


async def silent(stream: anyio.abc.ByteStream, answer: bytes) -> None:
    """Add nothing."""
    await stream.send(answer)


@pytest.mark.parametrize("tls", [False, True], ids=["plain", "tls"])
@pytest.mark.parametrize("way", ["direct", "httpx", "client"])
async def test_a_proper_connection_is_used_again(way: str, tls: bool) -> None:
    """The check takes no proper connection for a talkative one."""
    server = Talkative(silent)
    async with raw_server(server, contexts()[0] if tls else None) as url, opened(way) as transport:
        for number in range(4):
            await ask(transport, url, number)
            await anyio.sleep(0.02)
    assert server.connections == 1


async def test_a_client_gets_a_new_connection_for_each_create() -> None:
    """Nobody can look into a user's pool: what costs money goes over no connection of before.

    Polls keep theirs, and many at once get along with each other.
    """
    server = Talkative(silent)
    async with raw_server(server) as url, opened("client") as transport:
        for number in range(3):
            await ask(transport, url, number)
        assert server.connections == 1
        for number in range(3):
            await ask(transport, url, number, once=True)
        assert server.connections == 4
        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(ask, transport, url, number)
        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(lambda n=number: ask(transport, url, n, once=n % 2 == 0))


class Dying:
    """Resets a connection that was idle for long, as soon as something comes over it."""

    def __init__(self, longest: float) -> None:
        self.longest = longest
        self.resets = 0

    async def __call__(self, stream: anyio.abc.ByteStream) -> None:
        last = anyio.current_time()
        while True:
            request = await read_request(stream)
            if anyio.current_time() - last > self.longest:
                self.resets += 1
                raw = stream.extra(SocketAttribute.raw_socket)
                raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            await stream.send(reply(request.partition(b"\r\n\r\n")[2]))
            last = anyio.current_time()


@pytest.mark.parametrize("way", ["direct", "httpx", "client"])
async def test_what_cannot_be_sent_again_goes_over_no_old_connection(
    way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A kept connection may have died without a word; a poll may find that out, no createTask."""
    monkeypatch.setattr("captcha_async._transport._lanes.FRESH", 0.05)
    server = Dying(0.05)
    async with raw_server(server) as url, opened(way) as transport:
        await ask(transport, url, 1)
        await anyio.sleep(0.1)
        await ask(transport, url, 2, once=True)
        await anyio.sleep(0.1)
        await ask(transport, url, 3, once=True)
    assert server.resets == 0


async def test_an_http2_connection_that_was_silent_is_not_trusted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its replies have numbers, so that it may be used again; but it may have died as well."""
    monkeypatch.setattr("captcha_async._transport._users_client.FRESH", 0.05)
    connections = 0

    async def handler(stream: anyio.abc.ByteStream) -> None:
        nonlocal connections
        connections += 1
        body = b""
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        await stream.send(connection.data_to_send())
        while True:
            for event in connection.receive_data(await stream.receive()):
                if isinstance(event, h2.events.DataReceived):
                    body += event.data
                if isinstance(event, h2.events.StreamEnded):
                    connection.send_headers(event.stream_id, [(":status", "200")])
                    connection.send_data(event.stream_id, body, end_stream=True)
                    body = b""
            await stream.send(connection.data_to_send())

    async with raw_server(handler) as url, httpx.AsyncClient(http1=False, http2=True) as client:
        transport = HttpTransport(http_client=client)
        await ask(transport, url, 1, once=True)
        await ask(transport, url, 2, once=True)
        assert connections == 1
        await anyio.sleep(0.1)
        await ask(transport, url, 3)
        assert connections == 1
        await anyio.sleep(0.1)
        await ask(transport, url, 4, once=True)
    assert connections == 2


def test_fresh_is_shorter_than_what_servers_keep() -> None:
    """gunicorn closes an idle connection after 2 s, the soonest of the common servers."""
    assert FRESH < 2
