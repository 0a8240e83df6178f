"""Real processes, each with a client of one account, at the emulator; one is killed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from redis_servers import redis_server

from captcha_async import Account, CaptchaClient, FixedPolling, RecaptchaV2Task
from captcha_async.emulator import Emulator, Latency, serve

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
    pytest.mark.timeout(180),
    pytest.mark.parametrize("anyio_backend", [("asyncio", {})], ids=["asyncio-real"]),
]

WORKER = Path(__file__).parent.parent / "account_worker.py"
LASTS = 0.4
"""Seconds that a task takes."""


@contextmanager
def place(kind: str, folder: Path) -> Iterator[str]:
    """Where the processes meet."""
    if kind == "file":
        yield str(folder / "account.db")
    else:
        with redis_server(folder) as server:
            yield server.url


def started(command: list[str]) -> subprocess.Popen[bytes]:
    """Start one process."""
    return subprocess.Popen(command, stdout=subprocess.PIPE)


@asynccontextmanager
async def fleet(
    emulator: Emulator, share: str, count: int, **limits: Any
) -> AsyncIterator[list[subprocess.Popen[bytes]]]:
    """Have processes work meanwhile; they are killed in the end."""
    processes: list[subprocess.Popen[bytes]] = []
    async with serve(emulator) as url:
        command = [sys.executable, str(WORKER), share, url, json.dumps(limits)]
        try:
            processes.extend(started(command) for _ in range(count))
            for process in processes:
                assert process.stdout is not None
                assert await anyio.to_thread.run_sync(process.stdout.readline) == b"ready\n"
            yield processes
            # All run on, but for what the test has killed.
            assert {process.poll() for process in processes} <= {None, -signal.SIGKILL}
        finally:
            for process in processes:
                process.kill()
                process.communicate()


async def until(reached: Callable[[], bool], seconds: float = 90) -> None:
    """Wait until the processes have brought something about."""
    with anyio.fail_after(seconds):
        while not reached():  # noqa: ASYNC110 (other processes do it)
            await anyio.sleep(0.02)


def refusals(emulator: Emulator) -> list[Any]:
    """What the emulator has refused: with its slots, each task beyond the limit."""
    replies = [request.reply for request in emulator.requests_to("createTask")]
    return [reply for reply in replies if reply["errorId"]]


@pytest.mark.parametrize("kind", ["file", "redis"])
async def test_the_limit_is_never_exceeded_and_a_dead_process_s_slots_come_back(
    kind: str, tmp_path: Path, anyio_backend: object
) -> None:
    """Three processes have six slots together; when one is killed the others get its share."""
    emulator = Emulator(latency=Latency.fixed(LASTS), slots=6, balance=10_000)
    with place(kind, tmp_path) as share:
        async with fleet(emulator, share, 3, in_flight=6) as processes:
            await until(lambda: emulator.statistics().processing == 6)
            await until(lambda: len(emulator.tasks) > 60)
            processes[0].kill()
            processes[0].wait()
            # Its own tasks end soon; only then are all six slots those of the others.
            await until(lambda: emulator.statistics().processing < 6)
            await until(lambda: emulator.statistics().processing == 6)
            done = len(emulator.tasks)
            await until(lambda: len(emulator.tasks) > done + 20)
    assert refusals(emulator) == []


async def test_a_cap_is_spent_to_the_last_coin(tmp_path: Path, anyio_backend: object) -> None:
    """Three processes spend one cap: not a coin more, and not one less."""
    emulator = Emulator(latency=Latency.fixed(LASTS), price=1, balance=10_000)
    limits = {"max_spend": 40, "prices": {"RecaptchaV2Task": 1}}
    async with fleet(emulator, str(tmp_path / "account.db"), 3, **limits):
        await until(lambda: emulator.statistics().solved == 40)
        # They go on asking for more, a few times each.
        await anyio.sleep(3)
    assert len(emulator.tasks) == 40
    assert emulator.statistics().spent == 40


def test_an_account_joins_again_in_the_next_event_loop(
    tmp_path: Path, anyio_backend: object
) -> None:
    """One `run` after the other with one account, with and without closing its client."""
    emulator = Emulator(latency=Latency.fixed(0))
    task = RecaptchaV2Task(website_url="https://example.com", website_key="key")
    members: list[int] = []
    account = Account(
        "emulator-key",
        service=emulator.service,
        http_client=httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator)),
        polling=FixedPolling(first=0, interval=2),
        share=tmp_path / "account.db",
    )

    async def solve(client: CaptchaClient, *, close: bool) -> None:
        await client.solve(task)
        share = client.statistics().share
        assert share is not None
        assert share.reachable
        members.append(share.members)
        if close:
            await client.aclose()

    for _ in range(2):
        anyio.run(partial(solve, CaptchaClient(account=account), close=True))
    left_open = CaptchaClient(account=account)
    for _ in range(2):
        anyio.run(partial(solve, left_open, close=False))
    # Who has said no goodbye counts until the end of its lease.
    assert members == [1, 1, 1, 2]
    assert len(emulator.tasks) == 4
