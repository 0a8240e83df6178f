"""The receiver on a socket of its own, and a service that calls back over real connections."""

from __future__ import annotations

import asyncio
import socket

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


@on_asyncio
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


@on_asyncio
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


@on_asyncio
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


@on_asyncio
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


@on_asyncio
async def test_one_task_may_enter_and_another_leave() -> None:
    """As fixtures and start-up hooks do; the port is free afterwards."""
    receiver = CallbackReceiver()
    served = receiver.serve()
    url = await asyncio.create_task(served.__aenter__())
    assert await ask(url) == 404
    await asyncio.create_task(served.__aexit__(None, None, None))
    with pytest.raises(httpx.ConnectError):
        await ask(url)
