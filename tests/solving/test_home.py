"""A client belongs to the event loop and the process in which it was first used."""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import anyio
import anyio.from_thread
import pytest
from local import KEY, TOKEN_TASK

from captcha_async import CaptchaClient, FixedPolling, SolveTimeout, WrongEventLoop
from captcha_async.emulator import Emulator, Latency, serve


@contextmanager
def served(**options: Any) -> Iterator[tuple[Emulator, str]]:
    """Serve an emulator in a thread of its own, for as long as the block is open."""
    options.setdefault("latency", Latency.fixed(0.01))
    emulator = Emulator(**options)
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(emulator)) as url,
    ):
        yield emulator, url


@contextmanager
def client_of(url: str, **options: Any) -> Iterator[CaptchaClient]:
    """Make a client that polls soon; what its loops have left is closed in the end."""
    client = CaptchaClient(KEY, base_url=url, polling=FixedPolling(0.1, 2), **options)
    try:
        yield client
    finally:
        asyncio.run(client.aclose())
        del client
        gc.collect()


# What a loop that has ended cannot close the garbage collector does, and says so.
pytestmark = pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")

RUNNERS = [
    pytest.param(asyncio.run, id="asyncio"),
    pytest.param(lambda coroutine: anyio.run(lambda: coroutine, backend="trio"), id="trio"),
]


@pytest.mark.parametrize("run", RUNNERS)
def test_a_client_outlives_its_event_loop(run: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
    """A script with several runs needs one client, and each run solves."""
    with served() as (emulator, url), client_of(url) as client:
        for _ in range(3):
            assert run(client.solve(TOKEN_TASK)).solution.token
        assert client.statistics().solved == 3
        assert client.statistics().uncertain == 0
        assert len(emulator.requests_to("createTask")) == 3


def test_another_running_loop_is_refused_before_anything_is_sent() -> None:
    """Connections and waiters of one loop are of no use in another."""
    with served() as (emulator, url), client_of(url) as client:
        said: list[str] = []

        async def elsewhere() -> None:
            for call in (
                client.solve(TOKEN_TASK),
                client.submit(TOKEN_TASK),
                client.balance(),
                client.solve_all([TOKEN_TASK]),
                client.user_agent(),
            ):
                with pytest.raises(WrongEventLoop, match="another event loop") as caught:
                    await call
                said.append(str(caught.value))
            with pytest.raises(WrongEventLoop):
                client.attach(ref)

        async def at_home() -> None:
            nonlocal ref
            ref = (await client.solve(TOKEN_TASK)).ref
            thread = threading.Thread(target=lambda: asyncio.run(elsewhere()))
            thread.start()
            await anyio.to_thread.run_sync(thread.join)
            # At home all goes on.
            assert await client.balance() > 0

        ref: Any = None
        asyncio.run(at_home())
        assert len(said) == 5
        assert "nothing was sent" in said[0]
        assert len(emulator.requests_to("createTask")) == 1


def test_what_is_open_is_not_left_behind_by_moving() -> None:
    """The error says what to do: a client of the new loop takes the references up."""
    with served(latency=Latency.fixed(0.3)) as (emulator, url), client_of(url) as client:

        async def begin() -> None:
            with pytest.raises(SolveTimeout):
                await client.solve(TOKEN_TASK, timeout=0.2)

        asyncio.run(begin())
        with pytest.raises(WrongEventLoop, match="orphans"):
            asyncio.run(client.solve(TOKEN_TASK))
        (orphan,) = client.orphans

        async def take_up() -> None:
            async with CaptchaClient(KEY, base_url=url) as other:
                assert (await other.attach(orphan.ref)).task_id == orphan.task_id

        asyncio.run(take_up())
        assert len(emulator.requests_to("createTask")) == 1


def test_a_ban_is_remembered_in_the_next_loop() -> None:
    """What the service said holds for the key, whatever runs the program."""
    with served() as (emulator, url), client_of(url) as client:
        emulator.refuse("ERROR_KEY_DOES_NOT_EXIST")
        for _ in range(2):
            with pytest.raises(Exception, match="ERROR_KEY_DOES_NOT_EXIST"):
                asyncio.run(client.solve(TOKEN_TASK))
        assert len(emulator.requests_to("createTask")) == 1
        assert repr(client).endswith("fuse open>")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_client_is_refused_after_a_fork() -> None:
    """Two processes that read from one connection get each other's replies."""
    with served() as (emulator, url), client_of(url) as client:
        asyncio.run(client.solve(TOKEN_TASK))
        context = multiprocessing.get_context("fork")
        answers = context.SimpleQueue()

        def child() -> None:
            try:
                asyncio.run(client.solve(TOKEN_TASK))
                answers.put("solved")
            except WrongEventLoop as error:
                answers.put(str(error))

        process = context.Process(target=child)
        process.start()
        said = answers.get()
        process.join()
        assert "another process" in said
        assert len(emulator.requests_to("createTask")) == 1
