"""The emulator over real sockets: served, and delivering callbacks."""

from __future__ import annotations

import signal
import socket
import ssl
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, nullcontext, suppress
from functools import partial
from typing import Any

import anyio
import httpx
import orjson
import pytest
import trustme
from anyio.abc import SocketAttribute, SocketStream
from anyio.from_thread import start_blocking_portal
from anyio.streams.tls import TLSListener
from emulator_calls import IMAGE, Caller

from captcha_async.emulator import Emulator, Latency, serve
from captcha_async.emulator._delivery import post
from captcha_async.errors import InvalidArgument

REPLY = b"HTTP/1.1 204 No Content\r\n\r\n"


@contextmanager
def refused(url: str) -> Iterator[None]:
    """Check that nothing listens at *url* in the end."""
    yield
    host, port = url.removeprefix("http://").rsplit(":", 1)
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


async def drain(stream: SocketStream) -> bytes:
    """Return what arrives until the other side closes."""
    received = b""
    async with stream:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                received += await stream.receive()
    return received


# -- serve ----------------------------------------------------------------------------------------


@pytest.mark.real_time
async def test_it_is_served_over_http() -> None:
    """A task is created and polled over a socket; afterwards the port is free again."""
    emulator = Emulator(latency=Latency.fixed(0))
    async with serve(emulator) as url:
        caller = Caller(emulator, url)
        async with caller.http:
            assert (await caller.poll(await caller.create(IMAGE)))["status"] == "ready"
    with refused(url):
        assert emulator.requests_to("createTask")[0].body["task"] == IMAGE


@pytest.mark.real_time
async def test_callbacks_are_delivered_while_it_is_served() -> None:
    """Serving runs the emulator, also if it runs already."""
    seen: list[str] = []

    async def deliver(url: str, body: bytes) -> None:
        seen.append(url)
        arrived.set()

    emulator = Emulator(latency=Latency.fixed(0), deliver=deliver)
    for entered in (False, True):
        arrived = anyio.Event()
        async with emulator if entered else nullcontext(), serve(emulator) as url:
            caller = Caller(emulator, url)
            async with caller.http:
                await caller.create(IMAGE, callbackUrl="http://receiver.example/")
                await arrived.wait()
    assert seen == ["http://receiver.example/"] * 2


@pytest.mark.real_time
async def test_one_task_may_enter_and_another_leave() -> None:
    """As fixtures and start-up hooks do; callbacks are delivered in between."""
    arrived = anyio.Event()

    async def deliver(url: str, body: bytes) -> None:
        arrived.set()

    emulator = Emulator(latency=Latency.fixed(0), deliver=deliver)
    served = serve(emulator)
    urls: list[str] = []

    async def enter() -> None:
        urls.append(await served.__aenter__())

    async with anyio.create_task_group() as group:
        group.start_soon(enter)
    (url,) = urls
    caller = Caller(emulator, url)
    async with caller.http:
        await caller.create(IMAGE, callbackUrl="http://receiver.example/")
        await arrived.wait()
    async with anyio.create_task_group() as group:
        group.start_soon(served.__aexit__, None, None, None)
    with refused(url):
        pass


@pytest.mark.real_time
async def test_an_error_in_the_block_comes_out_bare() -> None:
    """No task group wraps what the caller raises."""
    urls: list[str] = []

    async def fail_inside() -> None:
        async with serve(Emulator()) as url:
            urls.append(url)
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await fail_inside()
    with refused(urls[0]):
        pass


@pytest.mark.real_time
async def test_cancelling_shuts_the_server_down() -> None:
    """Cancelled in its block, even with a request hanging, the server is gone afterwards."""
    emulator = Emulator()
    emulator.hang()
    url = ""
    with anyio.CancelScope() as scope:
        async with serve(emulator) as url, anyio.create_task_group() as group:
            caller = Caller(emulator, url)
            async with caller.http:
                group.start_soon(partial(caller.call, "getBalance"))
                while not emulator.requests:
                    await anyio.wait_all_tasks_blocked()
                scope.cancel()
    assert scope.cancelled_caught
    with refused(url):
        pass


@pytest.mark.real_time
async def test_a_request_that_still_hangs_does_not_keep_the_server_up() -> None:
    """A reply that never comes is cut off at the end, after a short grace."""
    emulator = Emulator()
    emulator.hang()
    async with serve(emulator) as url:
        stream = await anyio.connect_tcp("127.0.0.1", int(url.rsplit(":", 1)[1]))
        await stream.send(b"POST /getBalance HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n")
        while not emulator.requests:
            await anyio.wait_all_tasks_blocked()
    assert b"200 OK" not in await drain(stream)
    with refused(url):
        pass


@pytest.mark.real_time
async def test_signal_handlers_stay_the_process_s_own() -> None:
    """A served emulator takes no Ctrl-C away."""
    before = signal.getsignal(signal.SIGINT)
    async with serve(Emulator()):
        await anyio.lowlevel.checkpoint()
        assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.real_time
async def test_the_url_is_one_to_call() -> None:
    """Listening everywhere gives an address that can be called; IPv6 has its brackets."""
    async with serve(Emulator(), "0.0.0.0") as url:
        assert url.startswith("http://127.0.0.1:")
    if socket.has_dualstack_ipv6():
        async with serve(Emulator(), "::1") as url, httpx.AsyncClient(trust_env=False) as http:
            assert url.startswith("http://[::1]:")
            assert (await http.get(f"{url}/api/useragent/actual")).status_code == 200


@pytest.mark.real_time
async def test_a_port_that_is_taken_or_wrong_is_told() -> None:
    """The address errors come out as they are."""
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        await serve(Emulator(), port=taken.getsockname()[1]).__aenter__()
    with pytest.raises(InvalidArgument, match="port must be"):
        await serve(Emulator(), port=70_000).__aenter__()


# -- delivery -------------------------------------------------------------------------------------


class Receiver:
    """A callback receiver on a socket: notes what arrives, and replies or not."""

    def __init__(self, reply: bytes = REPLY) -> None:
        self.reply = reply
        self.seen: list[bytes] = []

    @asynccontextmanager
    async def listen(self, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
        """Yield the port."""
        plain = await anyio.create_tcp_listener(local_host="127.0.0.1")
        port = plain.extra(SocketAttribute.local_port)
        listener: Any = plain if context is None else TLSListener(plain, context, False)
        async with listener, anyio.create_task_group() as group:
            group.start_soon(listener.serve, self._handle)
            yield port
            group.cancel_scope.cancel()

    async def _handle(self, stream: SocketStream) -> None:
        async with stream:
            request = b""
            while not request.endswith(b"}"):
                request += await stream.receive()
            self.seen.append(request)
            await stream.send(self.reply)


@pytest.mark.real_time
async def test_a_callback_is_one_http_post() -> None:
    """Path, query, host and JSON body arrive; an interim reply is passed over."""
    receiver = Receiver(b"HTTP/1.1 100 Continue\r\n\r\n" + REPLY)
    async with receiver.listen() as port:
        await post(f"http://user@127.0.0.1:{port}/done?id=1", b'{"errorId": 0}')
        await post(f"http://127.0.0.1:{port}", b"{}")
    head, _, body = receiver.seen[0].partition(b"\r\n\r\n")
    line, *headers = head.lower().split(b"\r\n")
    assert line == b"post /done?id=1 http/1.1"
    assert f"host: 127.0.0.1:{port}".encode() in headers
    assert b"content-length: 14" in headers
    assert body == b'{"errorId": 0}'
    assert receiver.seen[1].startswith(b"POST / HTTP/1.1")


@pytest.mark.real_time
async def test_an_emulator_calls_back_over_a_socket() -> None:
    """A ready task arrives at its callback URL, with the solution."""
    receiver = Receiver()
    emulator = Emulator(latency=Latency.fixed(0))
    async with receiver.listen() as port, emulator:
        await Caller(emulator).create(IMAGE, callbackUrl=f"http://127.0.0.1:{port}/")
        while not emulator.statistics().callbacks:
            await anyio.wait_all_tasks_blocked()
    body = orjson.loads(receiver.seen[0].partition(b"\r\n\r\n")[2])
    assert body["solution"]["text"]


@pytest.mark.real_time
async def test_a_callback_goes_over_tls() -> None:
    """https is spoken, with a checked certificate."""
    authority = trustme.CA()
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    receiver = Receiver()
    async with receiver.listen(server) as port:
        await post(f"https://127.0.0.1:{port}/", b"{}", ssl_context=client)
    assert len(receiver.seen) == 1


@pytest.mark.real_time
@pytest.mark.parametrize("reply", [b"", b"HTTP/1.1 2", b"no http\r\n\r\n"])
async def test_a_receiver_without_an_answer_is_a_failure(reply: bytes) -> None:
    """A connection that ends without a reply, or with nonsense, is no delivery."""
    async with Receiver(reply).listen() as port:
        with pytest.raises(ConnectionError, match="no answer"):
            await post(f"http://127.0.0.1:{port}/", b"{}")


@pytest.mark.real_time
@pytest.mark.parametrize("url", ["ftp://receiver.example/", "receiver.example", "http:///path"])
async def test_a_callback_needs_an_http_url(url: str) -> None:
    """Another kind of URL cannot be delivered to."""
    with pytest.raises(ValueError, match="callback URL"):
        await post(url, b"{}")


@pytest.mark.real_time
async def test_a_reader_with_another_clock_expires_nothing() -> None:
    """The record of a service that runs in a thread is read from any loop, such as trio's."""
    emulator = Emulator(latency=Latency.fixed(60))
    with start_blocking_portal() as portal:

        async def create() -> None:
            await Caller(emulator).create(IMAGE)

        portal.call(create)
    (task,) = emulator.tasks.values()
    assert task.status == "processing"
