"""The server over real sockets, on asyncio, uvloop and trio: bytes, bounds, times and ends."""

from __future__ import annotations

import asyncio
import errno
import importlib.util
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from contextvars import Context
from typing import Any

import anyio
import anyio.abc
import pytest

from captcha_async._serving import _first_read, _protocol_server
from captcha_async._serving._conversation import Conversation
from captcha_async._serving._messages import Bounds, Exchange, Request, Response
from captcha_async._serving._own_task import OwnTask
from captcha_async._serving._server import listen

pytestmark = pytest.mark.real_time

on_trio = pytest.mark.parametrize("anyio_backend", ["trio-real"], indirect=True)

RUNNERS: list[Any] = [asyncio.run]
IN_ASYNCIO = ["asyncio-real"]
if importlib.util.find_spec("uvloop") is not None:
    import uvloop

    RUNNERS.append(uvloop.run)
    IN_ASYNCIO.append("uvloop-real")

GET = b"GET /path HTTP/1.1\r\nhost: a\r\n\r\n"
POST = b"POST /path HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello"
CLOSING = GET.replace(b"\r\n\r\n", b"\r\nconnection: close\r\n\r\n")


class Handler:
    """Echoes bodies; answers `/later` when it is told to."""

    def __init__(self, body: bytes = b"") -> None:
        self.body = body
        self.waiting: list[Exchange] = []
        self.answered: list[Any] = []
        self.requests = 0
        self.gone = anyio.Event()
        # Set when a request waits for its answer.
        self.asked = anyio.Event()

    def judge(self, head: Request) -> Response | None:
        """Read on, unless it is nowhere."""
        return Response(404) if head.target == b"/nowhere" else None

    def answer(self, request: Request) -> Response | None:
        """Answer, unless it is to be kept waiting."""
        # It works in whatever the event loop has called it from.
        anyio.current_time()
        if request.target == b"/later":
            return None
        self.requests += 1
        return Response(200, (), self.body or request.body)

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Answer, or keep it waiting."""
        response = self.answer(request)
        if response is None:
            self.requests += 1
            self.waiting.append(exchange)
            exchange.when_gone(self.gone.set)
            self.asked.set()
        else:
            self.answered.append(exchange)
            exchange.respond(response)


class Caller:
    """One connection to the server."""

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self.stream = stream
        self.received = b""

    async def reply(self) -> bytes:
        """Return the next whole reply."""
        while b"\r\n\r\n" not in self.received:
            self.received += await self.stream.receive()
        head, _, rest = self.received.partition(b"\r\n\r\n")
        length = int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0] or b"0")
        while len(rest) < length:
            rest += await self.stream.receive()
        self.received = rest[length:]
        return head + b"\r\n\r\n" + rest[:length]

    async def ask(self, data: bytes) -> bytes:
        """Send bytes and return the reply."""
        await self.stream.send(data)
        return await self.reply()

    async def rest(self) -> bytes:
        """Return what arrives until the server closes."""
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            while True:
                self.received += await self.stream.receive()
        return self.received


class Place:
    """A server that runs."""

    def __init__(self, handler: Any, port: int) -> None:
        self.handler = handler
        self.port = port

    @asynccontextmanager
    async def call(self) -> AsyncIterator[Caller]:
        """Open a connection."""
        async with await anyio.connect_tcp("127.0.0.1", self.port) as stream:
            yield Caller(stream)


@asynccontextmanager
async def serving(handler: Any = None, **bounds: Any) -> AsyncIterator[Place]:
    """Serve a handler, by default one that echoes."""
    handler = handler or Handler()
    async with listen(handler, "127.0.0.1", 0, Bounds(**bounds)) as url:
        yield Place(handler, int(url.rpartition(":")[2]))


@pytest.fixture(autouse=True)
def quick_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look at the deadlines often, so that tests of small bounds end soon."""
    monkeypatch.setattr(_protocol_server, "ROUND", 0.02)


# -- bytes ----------------------------------------------------------------------------------------


async def test_one_connection_carries_many_requests() -> None:
    """Each is answered in its turn, until one says that it is the last."""
    async with serving() as place, place.call() as caller:
        for _ in range(3):
            assert (await caller.ask(POST)).endswith(b"\r\n\r\nhello")
        assert b"connection: close\r\n" in await caller.ask(CLOSING)
        assert await caller.rest() == b""


async def test_a_request_may_come_in_any_pieces() -> None:
    """Split at every position; the connection is the same throughout."""
    async with serving() as place, place.call() as caller:
        for position in range(1, len(POST)):
            await caller.stream.send(POST[:position])
            await anyio.wait_all_tasks_blocked()
            assert (await caller.ask(POST[position:])).endswith(b"hello")


async def test_pipelined_requests_are_answered_in_their_order() -> None:
    """Also if the first one's answer is given later."""
    async with serving() as place, place.call() as caller:
        await caller.stream.send(GET.replace(b"/path", b"/later") + POST)
        await place.handler.asked.wait()
        await anyio.wait_all_tasks_blocked()
        assert place.handler.requests == 1
        place.handler.waiting.pop().respond(Response(200, (), b"first"))
        assert (await caller.reply()).endswith(b"first")
        assert (await caller.reply()).endswith(b"hello")


async def test_what_is_sent_ahead_of_an_answer_is_bounded() -> None:
    """The rest waits in the system's buffers, and is read when the answer has been given."""
    async with serving(pipelined=10**6) as place, place.call() as caller:
        await caller.stream.send(GET.replace(b"/path", b"/later"))
        await place.handler.asked.wait()
        count = 12_000
        async with anyio.create_task_group() as group:
            group.start_soon(caller.stream.send, POST * count)
            await anyio.wait_all_tasks_blocked()
            place.handler.waiting.pop().respond(Response(200))
            for _ in range(count + 1):
                await caller.reply()
    assert place.handler.requests == count + 1


async def test_large_answers_arrive_whole() -> None:
    """More than the system's buffers hold."""
    body = bytes(range(256)) * 40_000
    async with serving(Handler(body)) as place, place.call() as caller:
        for _ in range(2):
            assert (await caller.ask(GET)).endswith(body)


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"no http\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nhost: a\r\nx: " + b"y" * 2000, 431),
        (b"POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 9999999\r\n\r\n", 200),
        (b"POST /nowhere HTTP/1.1\r\nhost: a\r\ncontent-length: 200000\r\n\r\n", 404),
    ],
)
async def test_what_is_refused_is_answered_and_closed(data: bytes, code: int) -> None:
    """The answer arrives although more is being sent, which would break the connection."""
    async with serving(head_bytes=1000) as place, place.call() as caller:
        await caller.stream.send(data)
        with suppress(anyio.BrokenResourceError):
            await caller.stream.send(b"z" * 100_000)
            await caller.stream.send_eof()
        reply = await caller.rest()
    assert reply.startswith(b"HTTP/1.1 %d " % code)
    assert b"connection: close\r\n" in reply


async def test_who_hangs_up_early_leaves_nothing_behind() -> None:
    """At every point of a request, politely or not; the next caller is served."""
    async with serving() as place:
        for position in range(0, len(POST), 7):
            for abrupt in (False, True):
                plain = socket.create_connection(("127.0.0.1", place.port))
                with plain:
                    plain.sendall(POST[:position])
                    if abrupt:
                        linger = b"\1\0\0\0\0\0\0\0"
                        plain.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        async with place.call() as caller:
            assert (await caller.ask(POST)).endswith(b"hello")


async def test_a_handler_learns_that_nobody_waits_any_more() -> None:
    """And its answer goes nowhere."""
    async with serving() as place:
        async with place.call() as caller:
            await caller.stream.send(GET.replace(b"/path", b"/later"))
            await place.handler.asked.wait()
        await place.handler.gone.wait()
        place.handler.waiting.pop().respond(Response(200))
        async with place.call() as caller:
            assert (await caller.ask(POST)).endswith(b"hello")


async def test_who_says_that_it_sends_no_more_is_answered_before() -> None:
    """A request and the end of sending in one go."""
    async with serving() as place, place.call() as caller:
        await caller.stream.send(POST)
        await caller.stream.send_eof()
        assert (await caller.rest()).endswith(b"hello")


# -- bounds and times -----------------------------------------------------------------------------


async def test_the_longest_idle_connection_makes_room() -> None:
    """At the bound a new one is served at the cost of one that only waits."""
    async with serving(connections=2) as place, place.call() as first, place.call() as second:
        await first.ask(POST)
        await second.ask(POST)
        async with place.call() as third:
            assert (await third.ask(POST)).endswith(b"hello")
            assert await first.rest() == b""
            assert (await second.ask(POST)).endswith(b"hello")


async def test_too_many_at_once_are_told_to_come_again() -> None:
    """Those that are under way are not given up for a new one."""
    async with serving(connections=1) as place, place.call() as first:
        await first.stream.send(POST[:-1])
        await anyio.wait_all_tasks_blocked()
        async with place.call() as second:
            assert (await second.rest()).startswith(b"HTTP/1.1 503 ")
        assert (await first.ask(POST[-1:])).endswith(b"hello")


@pytest.mark.parametrize(
    ("data", "reply"), [(b"", b""), (GET[:9], b"HTTP/1.1 408"), (POST[:-1], b"HTTP/1.1 408")]
)
async def test_who_sends_too_slowly_is_cut_off(data: bytes, reply: bytes) -> None:
    """In each part of a request, also if a byte comes now and then."""
    async with serving(head_time=0.1, body_time=0.1) as place, place.call() as caller:
        if data:
            await caller.stream.send(data)
        assert (await caller.rest()).startswith(reply)
        assert place.handler.requests == 0


async def test_an_idle_connection_is_closed_in_the_end() -> None:
    """Nothing is said then."""
    async with serving(idle_time=0.1) as place, place.call() as caller:
        await caller.ask(POST)
        assert await caller.rest() == b""


async def test_who_takes_no_answers_is_cut_off() -> None:
    """Its answers do not fill the memory."""
    size = 10**8
    async with serving(Handler(b"x" * size), write_time=0.1) as place, place.call() as caller:
        await caller.stream.send(GET)
        while not (place.handler.answered and place.handler.answered[0].conversation.ended):  # noqa: ASYNC110
            await anyio.sleep(0.01)
        # Only what the system held is left to be read.
        assert len(await caller.rest()) < size


@on_trio
async def test_a_system_out_of_descriptors_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server goes on when there are some again."""
    from anyio._backends._trio import TCPSocketListener

    accept = TCPSocketListener.accept
    errors = [OSError(errno.EMFILE, "too many"), OSError(errno.ECONNABORTED, "gone")]

    async def fail_first(listener: TCPSocketListener) -> anyio.abc.SocketStream:
        if errors:
            raise errors.pop()
        return await accept(listener)

    monkeypatch.setattr(TCPSocketListener, "accept", fail_first)
    async with serving() as place, place.call() as caller:
        assert (await caller.ask(POST)).endswith(b"hello")


on_asyncio = pytest.mark.parametrize("anyio_backend", IN_ASYNCIO, indirect=True)


@on_asyncio
async def test_asyncio_out_of_descriptors_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server goes on when there are some again."""
    accept = socket.socket.accept
    errors = [OSError(errno.EMFILE, "too many"), OSError(errno.ECONNABORTED, "gone")]

    def fail_first(listener: socket.socket) -> tuple[socket.socket, Any]:
        if errors:
            raise errors.pop()
        return accept(listener)

    monkeypatch.setattr(socket.socket, "accept", fail_first)
    async with serving() as place, place.call() as caller:
        assert (await caller.ask(POST)).endswith(b"hello")
    assert not errors


@on_asyncio
async def test_a_burst_is_answered_whatever_it_is_made_of() -> None:
    """Connections that close, that are kept, that say nothing, and whose requests come late."""
    async with serving() as place, AsyncExitStack() as stack:
        callers = [await stack.enter_async_context(place.call()) for _ in range(100)]
        for number, caller in enumerate(callers):
            if number % 4 < 3:
                await caller.stream.send((CLOSING, POST, POST[:9])[number % 4])
        for number, caller in enumerate(callers):
            if number % 4 == 0:
                assert b"connection: close\r\n" in await caller.rest()
            else:
                late = (b"", POST[9:], POST)[number % 4 - 1]
                assert (await caller.ask(late)).endswith(b"hello")
                assert (await caller.ask(POST)).endswith(b"hello")
        assert place.handler.requests == 175


@on_asyncio
async def test_whole_requests_need_no_transport_of_the_loop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """However many come over one connection; the first that is not whole gets one."""
    moved: list[object] = []
    move = _first_read._Direct._move

    async def note(direct: _first_read._Direct) -> None:
        moved.append(direct)
        await move(direct)

    monkeypatch.setattr(_first_read._Direct, "_move", note)
    async with serving() as place, place.call() as caller:
        for _ in range(3):
            assert (await caller.ask(POST)).endswith(b"hello")
        assert not moved
        await caller.stream.send(POST[:-1])
        await anyio.wait_all_tasks_blocked()
        assert (await caller.ask(POST[-1:])).endswith(b"hello")
        assert len(moved) == 1


@on_asyncio
async def test_at_the_bound_a_whole_request_is_not_answered_either() -> None:
    """It is told to come again, as any other; and it is answered when there is room again."""
    async with serving(connections=1) as place, place.call() as first:
        await first.stream.send(POST[:-1])
        await anyio.wait_all_tasks_blocked()
        for reply in (b"HTTP/1.1 503 ", b"HTTP/1.1 200 "):
            async with place.call() as second:
                await second.stream.send(CLOSING)
                assert (await second.rest()).startswith(reply)
            if place.handler.requests == 0:
                assert (await first.ask(POST[-1:])).endswith(b"hello")


@on_asyncio
async def test_the_end_while_descriptors_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is left to come back to."""
    tried = anyio.Event()

    def fail(listener: socket.socket) -> None:
        tried.set()
        raise OSError(errno.EMFILE, "too many")

    monkeypatch.setattr(socket.socket, "accept", fail)
    async with serving() as place:
        connecting = socket.create_connection(("127.0.0.1", place.port))
        await tried.wait()
    with connecting, pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", place.port))


@on_asyncio
async def test_a_loop_that_cannot_watch_sockets_accepts_by_its_own_means(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """As asyncio on Windows: all is the same but the speed."""

    def refuse(accepter: _first_read.Accepter) -> None:
        raise NotImplementedError

    monkeypatch.setattr(_first_read.Accepter, "start", refuse)
    await test_one_connection_carries_many_requests()
    await test_who_hangs_up_early_leaves_nothing_behind()
    await test_too_many_at_once_are_told_to_come_again()
    await test_the_end_lets_go_who_waits_for_nothing()


@pytest.mark.parametrize("runner", RUNNERS)
def test_an_error_in_a_protocol_leaves_no_socket(
    runner: Callable[..., None], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever goes wrong in it, the connection is closed and the next one is served."""
    receive = Conversation.receive
    errors = [LookupError("mine")]

    def fail_first(conversation: Conversation, data: bytes) -> None:
        if errors:
            raise errors.pop()
        receive(conversation, data)

    monkeypatch.setattr(Conversation, "receive", fail_first)

    async def use() -> None:
        async with serving() as place:
            async with place.call() as caller:
                await caller.stream.send(POST)
                assert await caller.rest() == b""
            async with place.call() as caller:
                assert (await caller.ask(POST)).endswith(b"hello")

    Context().run(runner, use())
    assert "mine" in caplog.text


# -- the end --------------------------------------------------------------------------------------


async def test_the_end_lets_go_who_waits_for_nothing() -> None:
    """At once: idle ones, and those that have said nothing; and the port is free."""
    async with AsyncExitStack() as callers:
        async with serving() as place:
            silent = await callers.enter_async_context(place.call())
            idle = await callers.enter_async_context(place.call())
            await idle.ask(POST)
        assert await silent.rest() == await idle.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", place.port))


async def test_the_end_waits_for_what_is_under_way() -> None:
    """For a short while: a request that is being sent is answered, and an answer is waited for."""
    async with AsyncExitStack() as callers, anyio.create_task_group() as group:
        async with serving() as place:
            sending = await callers.enter_async_context(place.call())
            waiting = await callers.enter_async_context(place.call())
            await sending.ask(GET)
            await sending.stream.send(POST[:-1])
            await waiting.stream.send(GET.replace(b"/path", b"/later"))
            await place.handler.asked.wait()
            await anyio.wait_all_tasks_blocked()

            async def go_on() -> None:
                # By then the server is at its end.
                with suppress(OSError):
                    while True:
                        async with place.call():
                            pass
                assert (await sending.ask(POST[-1:])).endswith(b"hello")
                place.handler.waiting.pop().respond(Response(200, (), b"at last"))

            group.start_soon(go_on)
        assert await sending.rest() == b""
        assert (await waiting.rest()).endswith(b"at last")


async def test_the_end_cuts_off_what_hangs() -> None:
    """After a short grace, and the handler is told."""
    async with AsyncExitStack() as callers:
        async with serving() as place:
            hanging = await callers.enter_async_context(place.call())
            slow = await callers.enter_async_context(place.call())
            await slow.stream.send(POST[:-1])
            await hanging.stream.send(GET.replace(b"/path", b"/later"))
            await place.handler.asked.wait()
        assert place.handler.gone.is_set()
        assert await hanging.rest() == await slow.rest() == b""


async def test_cancelling_at_the_end_leaves_nothing_open() -> None:
    """However impatient: connections are closed, and the port is free."""
    async with AsyncExitStack() as callers:
        with anyio.CancelScope() as scope:
            async with serving() as place:
                slow = await callers.enter_async_context(place.call())
                await slow.stream.send(POST[:-1])
                await anyio.wait_all_tasks_blocked()
                scope.cancel()
                await anyio.sleep_forever()
        assert scope.cancelled_caught
        assert await slow.rest() == b""
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", place.port))


@pytest.mark.parametrize("runner", RUNNERS)
def test_all_tasks_cancelled_leaves_nothing_open(runner: Callable[..., None]) -> None:
    """As some programs do at their end: in all states of a connection."""

    async def use() -> None:
        async with AsyncExitStack() as callers:
            handler = Handler()
            own = OwnTask(listen(handler, "127.0.0.1", 0), "the server")
            async with own as url:
                place = Place(handler, int(url.rpartition(":")[2]))
                found = [await callers.enter_async_context(place.call()) for _ in range(4)]
                await found[1].ask(POST)
                await found[2].stream.send(POST[:-1])
                await found[3].stream.send(GET.replace(b"/path", b"/later"))
                await handler.asked.wait()
                await anyio.wait_all_tasks_blocked()
                others = asyncio.all_tasks() - {asyncio.current_task()}
                for task in others:
                    task.cancel()
                await asyncio.wait(others)
                assert [await caller.rest() for caller in found] == [b""] * 4
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", place.port))

    Context().run(runner, use())


@pytest.mark.parametrize("runner", RUNNERS)
def test_anyio_works_in_handlers_in_any_loop(runner: Callable[..., None]) -> None:
    """Also in one that anyio did not start, whose callbacks belong to no task."""

    async def use() -> None:
        async with serving() as place, place.call() as caller:
            assert (await caller.ask(POST)).endswith(b"hello")
        assert place.handler.requests == 1

    # In a context of its own: the test's knows the library.
    Context().run(runner, use())
