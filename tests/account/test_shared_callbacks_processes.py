"""Three real processes with receivers, behind one address: each callback finds its owner."""

from __future__ import annotations

import json
import random
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from redis_servers import redis_server

from captcha_async.emulator import Emulator, Latency, serve

pytestmark = [
    pytest.mark.timeout(120),
    pytest.mark.parametrize("anyio_backend", [("asyncio", {})], ids=["asyncio-real"]),
]

WORKER = Path(__file__).parent.parent / "callback_worker.py"
TASKS = 40
PUBLIC = "https://crawler.example/captcha"


@contextmanager
def place(kind: str, folder: Path) -> Iterator[str]:
    """Where the processes meet."""
    if kind == "file":
        yield str(folder / "account.db")
    else:
        with redis_server(folder) as server:
            yield server.url


class Balancer:
    """Posts each callback to one of the processes by chance, as a load balancer does."""

    def __init__(self, http: httpx.AsyncClient) -> None:
        self._http = http
        self.ports: list[int] = []
        self.statuses: list[int] = []
        self._chance = random.Random(7)

    async def __call__(self, url: str, body: bytes) -> None:
        port = self._chance.choice(self.ports)
        token = url.rpartition("/")[2]
        address = f"http://127.0.0.1:{port}/captcha/{token}"
        response = await self._http.post(address, content=body)
        self.statuses.append(response.status_code)


def line(process: subprocess.Popen[str]) -> str:
    """Read a line of what a process says."""
    assert process.stdout is not None
    return process.stdout.readline()


def started(command: list[str]) -> subprocess.Popen[str]:
    """Start a process."""
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def go_on(process: subprocess.Popen[str]) -> None:
    """Let a process go on."""
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


@pytest.mark.parametrize("kind", ["file", "redis"])
async def test_callbacks_to_a_random_one_of_three_processes_need_no_poll(
    kind: str, tmp_path: Path, anyio_backend: object
) -> None:
    """Two thirds of them come to the wrong one, and are handed over at once."""
    with place(kind, tmp_path) as share:
        async with httpx.AsyncClient(verify=False) as http:
            balancer = Balancer(http)
            emulator = Emulator(latency=Latency(median=0.5, sigma=0.3), deliver=balancer)
            async with serve(emulator) as url:
                done, handed_over = await work(share, url, balancer)
    assert done == [{"solved": TASKS, "polls": 0, "by_callback": TASKS}] * 3
    assert balancer.statuses == [200] * (3 * TASKS)
    assert sum(handed_over) > TASKS
    assert emulator.violations == []


async def work(share: str, url: str, balancer: Balancer) -> tuple[list[dict[str, Any]], list[int]]:
    """Have three processes solve at the same time; return what each has come to."""
    processes: list[subprocess.Popen[str]] = []

    async def told() -> list[Any]:
        """What each of them says next."""
        return [json.loads(await anyio.to_thread.run_sync(line, one)) for one in processes]

    try:
        for backend in ("asyncio", "trio", "asyncio"):
            command = [sys.executable, str(WORKER), backend, share, url, PUBLIC, str(TASKS)]
            processes.append(started(command))
        balancer.ports = await told()
        for process in processes:
            go_on(process)
        done = await told()
        for process in processes:
            go_on(process)
        return done, [one["handed_over"] for one in await told()]
    finally:
        for process in processes:
            process.kill()
            process.communicate()
