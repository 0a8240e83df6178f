"""A client per event loop: opened once wherever an engine calls, closed from wherever it can."""

from __future__ import annotations

import asyncio
import copy
import gc
import os
import pickle
import threading
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
import pytest
from local import IMAGE_TASK, KEY, TOKEN_TASK

from captcha_async import (
    Account,
    CaptchaClient,
    CaptchaError,
    ClientClosed,
    ClientPerLoop,
    Failed,
    FixedPolling,
    InvalidArgument,
    KeyRejected,
    Solved,
    SolveTimeout,
    TaskRef,
)
from captcha_async._sharing._open import account_name, make_store
from captcha_async._sharing._overview import overview
from captcha_async._transport._in_process import in_process
from captcha_async.emulator import Emulator, Latency, serve

RUNNERS = [
    pytest.param(asyncio.run, id="asyncio"),
    pytest.param(lambda coroutine: anyio.run(lambda: coroutine, backend="trio"), id="trio"),
]
every_runner = pytest.mark.parametrize("run", RUNNERS)
Run = Callable[[Coroutine[Any, Any, Any]], Any]


class Made:
    """Makes clients of one emulator in this process, and counts them."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        self.clients: list[CaptchaClient] = []

    def __call__(self) -> CaptchaClient:
        """Make another one."""
        http = in_process(self.emulator)
        self.clients.append(CaptchaClient(KEY, service=self.emulator.service, http_client=http))
        return self.clients[-1]


@contextmanager
def served() -> Iterator[tuple[Emulator, str]]:
    """Serve an emulator in a thread of its own."""
    emulator = Emulator(latency=Latency.fixed(0))
    with (
        anyio.from_thread.start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(emulator)) as url,
    ):
        yield emulator, url


def make_client(url: str = "http://127.0.0.1:9") -> CaptchaClient:
    """Make a client, as a module of a user's does."""
    return CaptchaClient(KEY, base_url=url, polling=FixedPolling(0.05, 2))


async def test_many_tasks_open_one_client() -> None:
    """Also if all of them ask before it is open."""
    made = Made(Emulator(latency=Latency.fixed(0)))
    clients = ClientPerLoop(made)
    found: list[CaptchaClient] = []

    async def ask() -> None:
        client = await clients.get()
        await client.solve(TOKEN_TASK)
        found.append(client)

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(ask)
    assert found == [made.clients[0]] * 20
    assert repr(clients) == "<ClientPerLoop: 1 open>"
    await clients.aclose()
    with pytest.raises(ClientClosed):
        await found[0].solve(TOKEN_TASK)
    assert repr(clients) == "<ClientPerLoop: 0 open>"


async def test_after_closing_another_one_is_opened() -> None:
    """An engine may start again what it has stopped; closing twice is no fault."""
    made = Made(Emulator(latency=Latency.fixed(0)))
    clients = ClientPerLoop(made)
    first = await clients.get()
    await clients.aclose()
    await clients.aclose()
    second = await clients.get()
    assert first is not second
    assert (await second.solve(TOKEN_TASK)).solution.token
    await clients.aclose()


async def test_whoever_asks_while_it_is_closed_gets_one_that_is_open() -> None:
    """None is handed out that is just being closed, and none is forgotten open."""
    made = Made(Emulator(latency=Latency.fixed(3)))
    clients = ClientPerLoop(made)
    await (await clients.get()).submit(TOKEN_TASK)
    found: list[CaptchaClient] = []

    async def ask() -> None:
        found.append(await clients.get())

    async with anyio.create_task_group() as group:
        group.start_soon(partial(clients.aclose, drain=30))
        await anyio.wait_all_tasks_blocked()
        for _ in range(3):
            group.start_soon(ask)
    assert found == [made.clients[-1]] * 3
    assert (await found[0].solve(TOKEN_TASK)).solution.token
    await clients.aclose()
    for client in made.clients:
        with pytest.raises(ClientClosed):
            await client.balance()


async def test_what_cannot_be_opened_is_tried_again() -> None:
    """One call has the error, the next one another client."""
    made = Made(Emulator(latency=Latency.fixed(0)))
    ways: list[Callable[[], Any]] = [
        lambda: CaptchaClient(KEY, journal="/proc/no/such.db"),
        lambda: "no client",
        made,
    ]
    clients = ClientPerLoop(lambda: ways.pop(0)())
    with pytest.raises((CaptchaError, OSError)):
        await clients.get()
    with pytest.raises(InvalidArgument, match=r"make\(\) must be a CaptchaClient, not the given"):
        await clients.get()
    assert (await (await clients.get()).solve(TOKEN_TASK)).solution.token
    await clients.aclose()


async def test_who_is_cancelled_while_it_opens_leaves_it_to_the_next(tmp_path: Any) -> None:
    """A cancelled opener holds nobody up."""
    made = Made(Emulator(latency=Latency.fixed(0)))
    clients = ClientPerLoop(made)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await clients.get()
    assert (await (await clients.get()).solve(TOKEN_TASK)).solution.token
    await clients.aclose()


@every_runner
def test_each_event_loop_has_its_own(run: Run) -> None:
    """Runs one after the other, and threads at the same time."""
    with served() as (emulator, url):
        made: list[CaptchaClient] = []

        def make() -> CaptchaClient:
            made.append(make_client(url))
            return made[-1]

        clients = ClientPerLoop(make)

        async def solve_twice() -> None:
            for _ in range(2):
                client = await clients.get()
                assert (await client.solve(TOKEN_TASK)).solution.token
            await clients.aclose()

        with ThreadPoolExecutor(4) as pool:
            for _ in range(2):
                list(pool.map(lambda _: run(solve_twice()), range(4)))
        assert len(made) == 8
        assert emulator.statistics().created == 16


@every_runner
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_what_an_ended_loop_has_left_is_cleared_away(run: Run) -> None:
    """A program that has many short runs does not collect a client for each."""
    with served() as (_, url):
        clients = ClientPerLoop(partial(make_client, url))
        left: list[CaptchaClient] = []

        async def solve() -> None:
            client = await clients.get()
            await client.solve(TOKEN_TASK)
            left.append(client)

        for _ in range(3):
            run(solve())
            assert repr(clients) == "<ClientPerLoop: 1 open>"
        run(clients.aclose())
        assert repr(clients) == "<ClientPerLoop: 0 open>"

        async def all_closed() -> None:
            for client in left:
                with pytest.raises(ClientClosed):
                    await client.balance()

        run(all_closed())
        gc.collect()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_a_thread_without_a_loop_can_close_all(backend: str, tmp_path: Any) -> None:
    """As `atexit` and an engine's destructor do; a member of a shared account says goodbye."""
    share = str(tmp_path / "account.db")
    with (
        served() as (_, url),
        anyio.from_thread.start_blocking_portal(backend) as first,
        anyio.from_thread.start_blocking_portal(backend) as second,
    ):
        clients = ClientPerLoop(
            lambda: CaptchaClient(account=Account(KEY, base_url=url, share=share))
        )
        opened = [portal.call(clients.get) for portal in (first, second)]
        assert first.call(members, share) == 2
        clients.close()
        assert repr(clients) == "<ClientPerLoop: 0 open>"
        for portal, client in zip((first, second), opened, strict=True):
            with pytest.raises(ClientClosed):
                portal.call(client.balance)
        assert first.call(members, share) == 0


async def members(share: str) -> int:
    """Return how many members of the account there are."""
    store = make_store(share, account_name("capmonster", KEY))
    async with store.opened("looker"):
        return len(overview(await store.state(), await store.posts())["members"])


def test_closing_waits_for_no_loop_that_stands_still() -> None:
    """A process ends, whatever its event loops do; where all is well the others are closed."""
    with served() as (_, url), anyio.from_thread.start_blocking_portal() as portal:
        clients = ClientPerLoop(partial(make_client, url))
        stopped = asyncio.new_event_loop()
        lost = stopped.run_until_complete(clients.get())
        client = portal.call(clients.get)
        clients.close(timeout=0.5)
        with pytest.raises(ClientClosed):
            portal.call(client.balance)
        # Its loop is run on, and closes what the thread has ordered.
        stopped.run_until_complete(asyncio.sleep(0.2))
        with pytest.raises(ClientClosed):
            stopped.run_until_complete(lost.balance())
        stopped.close()


async def test_in_an_event_loop_closing_is_awaited() -> None:
    """Waiting there would stand in the loop's own way."""
    clients = ClientPerLoop(make_client)
    with pytest.raises(RuntimeError, match=r"await clients\.aclose"):
        clients.close()


def test_nothing_open_is_closed_at_once() -> None:
    """Also in a process that never asked for a client."""
    ClientPerLoop(make_client).close()


@every_runner
def test_it_pickles_without_what_it_has_opened(run: Run) -> None:
    """Engines send it to their workers; a lambda they send by value themselves."""
    clients = ClientPerLoop(make_client)

    async def go() -> None:
        ours = await clients.get()
        for twin in (pickle.loads(pickle.dumps(clients)), copy.copy(clients)):
            assert repr(twin) == "<ClientPerLoop: 0 open>"
            theirs = await twin.get()
            assert theirs is not ours
            await twin.aclose()
        await clients.aclose()

    run(go())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork:DeprecationWarning")
def test_a_forked_process_has_its_own() -> None:
    """What the parent has open is not used, and not closed."""
    with served() as (emulator, url):
        clients = ClientPerLoop(partial(make_client, url))

        async def solve() -> None:
            assert (await (await clients.get()).solve(TOKEN_TASK)).solution.token

        async def in_parent() -> None:
            await solve()
            child = os.fork()
            if not child:
                # No loop runs in this thread of the child.
                asyncio._set_running_loop(None)
                code = 1
                try:
                    assert repr(clients) == "<ClientPerLoop: 0 open>"
                    asyncio.run(solve())
                    code = 0
                finally:
                    os._exit(code)
            _, status = await anyio.to_thread.run_sync(os.waitpid, child, 0)
            assert status == 0
            await solve()
            await clients.aclose()

        asyncio.run(in_parent())
        assert emulator.statistics().created == 3


def test_make_is_a_function() -> None:
    """A client in its place would be the wrong loop's."""
    with pytest.raises(InvalidArgument, match="make must be a function"):
        ClientPerLoop(make_client())  # type: ignore[arg-type]


def test_threads_that_ask_at_once_do_not_disturb_each_other() -> None:
    """A hundred event loops open and close their clients at the same time."""
    clients = ClientPerLoop(make_client)
    start = threading.Barrier(20)

    async def once() -> CaptchaClient:
        client = await clients.get()
        assert await clients.get() is client
        await clients.aclose()
        return client

    def several(_: int) -> list[CaptchaClient]:
        start.wait()
        return [asyncio.run(once()) for _ in range(5)]

    with ThreadPoolExecutor(20) as pool:
        found = [client for each in pool.map(several, range(20)) for client in each]
    assert len(set(map(id, found))) == 100
    assert repr(clients) == "<ClientPerLoop: 0 open>"


# -- what engines carry between processes ----------------------------------------------------------


async def test_what_a_batch_brings_pickles() -> None:
    """Engines hand outcomes from process to process: answers, failures and references."""
    emulator = Emulator(latency=Latency.fixed(2))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", "ImageToTextTask")
    client = Made(emulator)()
    async with client:
        tasks = {"token": TOKEN_TASK, "image": IMAGE_TASK}
        outcomes: dict[str, Any] = {each.key: each for each in await client.solve_all(tasks)}
        pending = await client.submit(TOKEN_TASK)
        with pytest.raises(SolveTimeout) as late:
            await pending.result(timeout=0.1)
        solved, failed = (pickle.loads(pickle.dumps(outcomes[key])) for key in tasks)
        assert isinstance(solved, Solved)
        assert solved == outcomes["token"]
        assert solved.expires == outcomes["token"].expires
        assert isinstance(failed, Failed)
        assert type(failed.error) is type(outcomes["image"].error)
        assert (failed.key, failed.task, failed.error.ref) == (
            "image",
            IMAGE_TASK,
            outcomes["image"].error.ref,
        )
        timed_out = pickle.loads(pickle.dumps(late.value))
        assert timed_out.ref == pending.ref
        # The handle itself belongs to its client; its reference goes anywhere.
        ref = pickle.loads(pickle.dumps(pending.ref))
        assert isinstance(ref, TaskRef)
        assert (await client.attach(ref)).task_id == pending.task_id


async def test_a_handle_does_not_pickle_and_says_what_does() -> None:
    """A client's handle means nothing elsewhere."""
    emulator = Emulator(latency=Latency.fixed(2))
    async with Made(emulator)() as client:
        pending = await client.submit(TOKEN_TASK)
        with pytest.raises(TypeError, match=r"\.ref"):
            pickle.dumps(pending)
        with pytest.raises(TypeError, match="ClientPerLoop"):
            pickle.dumps(client)


def test_an_error_without_a_task_pickles() -> None:
    """As a task queue stores it."""
    error = pickle.loads(pickle.dumps(KeyRejected("No.", code="ERROR_KEY_DOES_NOT_EXIST")))
    assert isinstance(error, KeyRejected)
    assert error.code == "ERROR_KEY_DOES_NOT_EXIST"
