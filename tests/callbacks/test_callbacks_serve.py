"""The receiver on a socket of its own, and a service that calls back over real connections."""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress

import anyio
import httpx
import pytest
from local import TOKEN_TASK

from captcha_async import CallbackReceiver, CaptchaClient, Solved
from captcha_async.emulator import Emulator, Latency, serve

on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio-real"], indirect=True)
POLLED = Latency.fixed(0.2)


async def ask(url: str, path: str = "/unknown") -> int:
    """Return the status of a callback to an unknown token."""
    async with httpx.AsyncClient(trust_env=False) as http:
        return (await http.post(url + path, content=b"{}")).status_code


@pytest.mark.real_time
async def test_callbacks_over_sockets_end_all_tasks() -> None:
    """Service, client and receiver each speak real HTTP, and no poll is made."""
    emulator, receiver = Emulator(latency=POLLED), CallbackReceiver()
    async with (
        serve(emulator) as url,
        receiver.serve(),
        CaptchaClient(emulator.api_key, base_url=url, callbacks=receiver) as client,
    ):
        outcomes = await client.solve_all([TOKEN_TASK] * 50)
        assert all(isinstance(outcome, Solved) for outcome in outcomes)
        assert client.statistics().polls == 0
        assert receiver.statistics().by_callback == 50


@pytest.mark.real_time
async def test_the_port_is_free_afterwards() -> None:
    """Whether the block ends well or not; and the receiver can be served again."""
    receiver = CallbackReceiver()
    with pytest.raises(LookupError, match="mine"):
        async with receiver.serve() as url:
            raise LookupError("mine")
    port = int(url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    async with receiver.serve(port=port) as again:
        assert again == url
        assert await ask(again) == 404


@pytest.mark.real_time
async def test_shutting_down_fails_nothing() -> None:
    """Tasks in flight are polled for, and so are those submitted afterwards."""
    emulator, receiver = Emulator(latency=POLLED), CallbackReceiver()
    async with (
        serve(emulator) as url,
        CaptchaClient(emulator.api_key, base_url=url, callbacks=receiver) as client,
    ):
        emulator.drop_callbacks()
        async with receiver.serve():
            pending = await client.submit(TOKEN_TASK)
        assert (await client.solve(TOKEN_TASK, timeout=10)).polls > 0
        assert (await pending.result(timeout=4)).polls == 1
        assert receiver.statistics().waiting == 0


@pytest.mark.real_time
async def test_serving_twice_is_an_error() -> None:
    """One address at a time."""
    receiver = CallbackReceiver()
    async with receiver.serve():
        with pytest.raises(RuntimeError, match="served already"):
            await receiver.serve().__aenter__()


@on_asyncio
async def test_being_cancelled_releases_the_port() -> None:
    """Also with asyncio's own cancellation."""
    served: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    async def run() -> None:
        async with CallbackReceiver().serve() as url:
            served.set_result(url)
            await anyio.sleep_forever()

    running = asyncio.create_task(run())
    url = await served
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    with pytest.raises(httpx.ConnectError):
        await ask(url)


@pytest.mark.real_time
async def test_one_task_may_enter_and_another_leave() -> None:
    """As fixtures and start-up hooks do; the port is free afterwards."""
    receiver = CallbackReceiver()
    served = receiver.serve()
    urls: list[str] = []

    async def enter() -> None:
        urls.append(await served.__aenter__())

    async with anyio.create_task_group() as group:
        group.start_soon(enter)
    assert await ask(urls[0]) == 404
    async with anyio.create_task_group() as group:
        group.start_soon(served.__aexit__, None, None, None)
    with pytest.raises(httpx.ConnectError):
        await ask(urls[0])


async def say(url: str, data: bytes) -> list[int]:
    """Send bytes and no more, and return the statuses of what is said to them."""
    host, _, port = url.removeprefix("http://").rpartition(":")
    said = b""
    async with await anyio.connect_tcp(host, int(port)) as stream:
        with suppress(anyio.EndOfStream, anyio.BrokenResourceError):
            await stream.send(data)
            await stream.send_eof()
            while True:
                said += await stream.receive()
    return [int(part[:3]) for part in said.split(b"HTTP/1.1 ")[1:]]


READY = b'{"errorId": 0, "status": "ready", "solution": {"token": "x"}}'
HEAD = b"POST /TOKEN HTTP/1.1\r\nhost: a\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"
EXPECTING = HEAD + b"expect: 100-continue\r\n"
END = b" HTTP/1.1\r\nhost: a\r\n\r\n"


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("data", "statuses"),
    [
        (HEAD + b"content-length: 61\r\n\r\n" + READY, [200]),
        (CHUNKED + b"3d\r\n" + READY + b"\r\n0\r\n\r\n", [200]),
        (EXPECTING + b"content-length: 61\r\n\r\n" + READY, [200]),
        (b"GET /TOKEN?id=5&code=token" + END, [200]),
    ],
)
async def test_a_callback_arrives_in_any_framing(data: bytes, statuses: list[int]) -> None:
    """Also on a connection that brings another one after it."""
    receiver = CallbackReceiver()
    async with receiver.serve() as url:
        for times in (1, 2):
            callback = receiver.expect()
            assert callback is not None
            sent = data.replace(b"TOKEN", callback.token)
            assert await say(url, sent * times) == statuses * times
            assert callback.arrived
    assert receiver.statistics().refused == 0


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("data", "status", "refused"),
    [
        (b"GET /TOKEN" + END, 405, 1),
        (b"HEAD /TOKEN" + END, 405, 1),
        (b"BREW /TOKEN" + END, 405, 1),
        (b"GET /TOKENx?id=5&code=token" + END, 404, 1),
        (b"POST /TOKENx HTTP/1.1\r\nhost: a\r\ncontent-length: 99\r\n\r\n", 404, 1),
        (HEAD + b"content-length: 2\r\n\r\n{}", 400, 1),
        (HEAD + b"content-length: 262145\r\n\r\n", 413, 1),
        (EXPECTING + b"content-length: 262145\r\n\r\n", 413, 1),
        (CHUNKED + (b"ffff\r\n" + b"x" * 65535 + b"\r\n") * 5, 413, 1),
        (HEAD + b"x: " + b"y" * 40_000 + b"\r\n\r\n", 431, 0),
        (b"\0TOKEN\r\n\r\n", 400, 0),
        (b"GET /health" + END, 200, 0),
        (b"HEAD /captcha/health" + END, 200, 0),
    ],
)
async def test_what_is_no_callback_is_answered_and_counted(
    data: bytes, status: int, refused: int
) -> None:
    """As in any server that the receiver is mounted in; what is no request counts for nothing."""
    receiver = CallbackReceiver()
    async with receiver.serve() as url:
        callback = receiver.expect()
        assert callback is not None
        assert await say(url, data.replace(b"TOKEN", callback.token)) == [status]
        assert not callback.arrived
    assert receiver.statistics().refused == refused
