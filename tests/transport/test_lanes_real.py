"""Direct lanes over real sockets: TLS, addresses, and whole after any trouble or cancellation."""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any

import anyio
import httpx
import pytest
import trustme
from hypothesis import given, settings
from hypothesis import strategies as st
from lanes import OK, RESPONSES, always, make_pool, once, outcome
from raw_server import deaf_server, raw_server, read_request, reply

from captcha_async._transport import _connect

pytestmark = pytest.mark.real_time

# More than the system takes off a sender's hands.
BIG = bytes(16 * 1024 * 1024)


# -- TLS and addresses ----------------------------------------------------------------------------


async def test_tls_lanes_are_kept() -> None:
    """One handshake serves many requests, large ones too."""
    authority = trustme.CA()
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("127.0.0.1").configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    pool = make_pool(2, client_context)
    async with (
        raw_server(always, server_context) as url,
        httpx.AsyncClient(transport=pool, timeout=20) as client,
    ):
        for size in (2, 300_000, 2):
            assert (await client.post(url, content=bytes(size))).content == b'{"errorId": 0}'
        assert (pool.statistics().opened, pool.statistics().idle) == (1, 1)


@pytest.mark.parametrize("host", ["localhost", "[::1]"])
async def test_names_and_both_address_families_work(host: str) -> None:
    """A name with an address where nobody listens still leads to the one where somebody does."""
    try:
        listener = await anyio.create_tcp_listener(local_host="::1" if "[" in host else "127.0.0.1")
    except OSError:
        pytest.skip("this machine has no such address")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    async with (
        listener,
        httpx.AsyncClient(transport=make_pool()) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(listener.serve, closing(always))
        assert (await client.get(f"http://{host}:{port}/")).status_code == 200
        group.cancel_scope.cancel()


def closing(handler: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Make a handler that closes its stream."""

    async def serve(stream: anyio.abc.ByteStream) -> None:
        async with stream:
            with suppress(anyio.EndOfStream):
                await handler(stream)

    return serve


def free_port() -> int:
    """Find a port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


@pytest.mark.parametrize("anyio_backend", ["asyncio-real", "uvloop-real"], indirect=True)
async def test_the_addresses_of_a_name_are_tried_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """One that refuses costs no time, and the error is told if all do."""

    async def look_up(host: str, port: int) -> list[_connect.Address]:
        ports = [free_port(), port, free_port()]
        kind = (socket.AF_INET, socket.SOCK_STREAM, 0)
        return [(*kind, ("127.0.0.1", number)) for number in ports]

    monkeypatch.setattr(_connect, "_look_up", look_up)
    async with raw_server(always) as url, httpx.AsyncClient(transport=make_pool()) as client:
        assert (await client.get(url)).status_code == 200
    async with httpx.AsyncClient(transport=make_pool()) as client:
        with pytest.raises(httpx.ConnectError, match=r"\d"):
            await client.get(f"http://127.0.0.1:{free_port()}/")


@pytest.mark.parametrize("host", ["name.invalid", "x" * 70])
async def test_a_name_that_leads_nowhere_is_a_connect_error(host: str) -> None:
    """Also one that cannot be a name at all."""
    pool = make_pool()
    async with httpx.AsyncClient(transport=pool) as client:
        with pytest.raises(httpx.ConnectError):
            await client.get(f"http://{host}/")
    assert (pool.statistics().busy, pool.statistics().idle) == (0, 0)


# -- trouble --------------------------------------------------------------------------------------


async def test_a_reply_may_come_before_the_request_is_sent() -> None:
    """What the service has to say counts, though it reads no further; the lane is closed."""
    pool = make_pool()
    async with (
        deaf_server(reply(b"{}", b"413 Too Large")) as url,
        httpx.AsyncClient(transport=pool) as client,
    ):
        assert (await client.post(url, content=BIG)).status_code == 413
        assert repr(pool) == "<LanePool 0 busy, 0 idle>"


@pytest.mark.parametrize("size", [2, len(BIG)])
async def test_reading_and_writing_have_their_timeouts(size: int) -> None:
    """As with httpx; the lane is closed."""
    pool = make_pool()
    async with deaf_server() as url, httpx.AsyncClient(transport=pool) as client:
        timeout = httpx.Timeout(None, read=0.5, write=0.5)
        with pytest.raises(httpx.ReadTimeout if size == 2 else httpx.WriteTimeout):
            await client.post(url, content=BIG[:size], timeout=timeout)
    assert pool.statistics().discarded == 1
    assert repr(pool) == "<LanePool 0 busy, 0 idle>"


async def test_connecting_has_its_timeout() -> None:
    """A handshake that never ends counts as no connection."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await anyio.sleep_forever()

    async with raw_server(handler) as url, httpx.AsyncClient(transport=make_pool()) as client:
        with pytest.raises(httpx.ConnectTimeout):
            await client.get(
                url.replace("http", "https"), timeout=httpx.Timeout(None, connect=0.05)
            )


async def test_an_idle_lane_that_the_server_closed_costs_no_request() -> None:
    """Not even in the very moment when nobody has looked at the connection yet."""
    connections = 0
    closed = anyio.Event()

    async def handler(stream: anyio.abc.ByteStream) -> None:
        nonlocal connections
        connections += 1
        await once(stream)
        await stream.aclose()
        closed.set()

    pool = make_pool(1)
    async with raw_server(handler) as url, httpx.AsyncClient(transport=pool) as client:
        for _ in range(5):
            closed = anyio.Event()
            assert (await client.post(url, content=b"{}")).status_code == 200
            await closed.wait()
    assert connections == 5
    assert pool.statistics().discarded == 0


async def test_a_reset_is_a_read_error() -> None:
    """The service dies while it has a request; that it died is told apart from a polite end."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        # Lingering for no time at all makes the system send a reset.
        connection = stream.extra(anyio.abc.SocketAttribute.raw_socket)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    pool = make_pool(1)
    async with raw_server(handler) as url, httpx.AsyncClient(transport=pool) as client:
        with pytest.raises(httpx.ReadError):
            await client.post(url, content=b"{}")
        assert (pool.statistics().busy, pool.statistics().discarded) == (0, 1)


@settings(max_examples=25)
@given(
    answers=st.lists(
        st.one_of(
            st.binary(max_size=60),
            st.sampled_from(sorted(RESPONSES.values())),
            st.builds(
                lambda whole, end: whole[: end % (len(whole) + 1)],
                st.sampled_from(sorted(RESPONSES.values())),
                st.integers(0, 80),
            ),
        ),
        min_size=1,
        max_size=6,
    )
)
async def test_any_bytes_leave_the_pool_whole(answers: list[bytes]) -> None:
    """Only httpx's errors come out, nothing hangs, and the next request works."""
    queue = iter(answers)
    closed = anyio.Event()

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await once(stream, answer=next(queue, OK))
        await stream.aclose()
        closed.set()

    pool = make_pool(2)
    async with raw_server(handler) as url, httpx.AsyncClient(transport=pool) as client:
        for _ in answers:
            closed = anyio.Event()
            await outcome(client, "POST", url)
            assert pool.statistics().busy == 0
            assert pool.statistics().idle <= 1
            await closed.wait()
        assert (await client.post(url, content=b"{}")).status_code == 200


# -- cancellation ---------------------------------------------------------------------------------


def waiting_places() -> dict[str, tuple[Callable[[Any, anyio.Event], Any], str, bytes]]:
    """For each place where a request can wait: a server that holds it there, scheme and body."""

    async def handshake(stream: anyio.abc.ByteStream, there: anyio.Event) -> None:
        await stream.receive(1)
        there.set()
        await anyio.sleep_forever()

    async def head(stream: anyio.abc.ByteStream, there: anyio.Event) -> None:
        await read_request(stream)
        there.set()
        await anyio.sleep_forever()

    async def body(stream: anyio.abc.ByteStream, there: anyio.Event) -> None:
        await read_request(stream)
        await stream.send(OK[:-3])
        there.set()
        await anyio.sleep_forever()

    return {
        "handshake": (handshake, "https", b"{}"),
        "reading the head": (head, "http", b"{}"),
        "reading the body": (body, "http", b"{}"),
    }


@pytest.mark.parametrize("place", waiting_places())
async def test_a_cancelled_request_leaves_nothing(place: str) -> None:
    """Wherever it waits: the lane is closed, and the server sees that."""
    hold, scheme, content = waiting_places()[place]
    there, gone = anyio.Event(), anyio.Event()

    async def handler(stream: anyio.abc.ByteStream) -> None:
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(hold, stream, there)
                await there.wait()
                await cancelled.wait()
                group.cancel_scope.cancel()
            while True:
                await stream.receive()
        finally:
            gone.set()

    cancelled = anyio.Event()
    pool = make_pool(1)
    async with (
        raw_server(handler) as url,
        httpx.AsyncClient(transport=pool) as client,
    ):
        async with anyio.create_task_group() as group:
            address = url.replace("http", scheme)
            group.start_soon(partial(client.post, address, content=content, timeout=None))
            await there.wait()
            group.cancel_scope.cancel()
        assert (pool.statistics().busy, pool.statistics().idle) == (0, 0)
        assert pool.statistics().discarded == 1
        cancelled.set()
        with anyio.fail_after(5):
            await gone.wait()


async def test_a_request_cancelled_while_it_is_written_leaves_nothing() -> None:
    """Half a request must not be followed by another."""
    pool = make_pool(1)
    async with deaf_server() as url, httpx.AsyncClient(transport=pool) as client:
        with anyio.move_on_after(0.1) as scope:
            await client.post(url, content=BIG, timeout=None)
        assert scope.cancelled_caught
        assert repr(pool) == "<LanePool 0 busy, 0 idle>"


@pytest.mark.parametrize("anyio_backend", ["asyncio-real", "uvloop-real"], indirect=True)
async def test_cancelling_the_asyncio_way_leaves_nothing() -> None:
    """`Task.cancel` knows no scopes and no shields."""
    pool = make_pool(3)
    async with raw_server(always) as url, httpx.AsyncClient(transport=pool) as client:
        for rounds in range(30):
            posts = [asyncio.ensure_future(client.post(url, content=b"{}")) for _ in range(6)]
            for _ in range(rounds):
                await asyncio.sleep(0)
            for post in posts:
                post.cancel()
            await asyncio.gather(*posts, return_exceptions=True)
            assert pool.statistics().busy == 0
        results = [asyncio.ensure_future(client.post(url, content=b"{}")) for _ in range(6)]
        assert {response.status_code for response in await asyncio.gather(*results)} == {200}
        assert pool.statistics().idle <= 3
