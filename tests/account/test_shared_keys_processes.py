"""A worker is killed in the midst of its keys, and others run them again: nothing is paid twice.

As a batch, and each by itself.
"""

from __future__ import annotations

import signal
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from keyed_worker import GAP, KEYS
from redis_servers import redis_server

from captcha_async import CAPMONSTER
from captcha_async._serving._asgi_server import serve_app
from captcha_async.emulator import Emulator, Latency

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs POSIX signals"),
    pytest.mark.timeout(180),
    pytest.mark.parametrize("anyio_backend", [("asyncio", {})], ids=["asyncio-real"]),
]

WORKER = Path(__file__).parent.parent / "keyed_worker.py"
IN_FLIGHT = 8
NTH = 12
"""Which createTask kills its caller."""


class Service:
    """The emulator, which kills a worker at a chosen moment.

    Args:
        moment: `sending` (the request has come, and nothing is created), `reply` (a task is
            created, and the reply never leaves), `open` (a moment after the reply) or `answer` (a
            moment after an answer).
    """

    def __init__(self, moment: str) -> None:
        self.emulator = Emulator(
            CAPMONSTER.evolve(min_poll_gap=GAP), latency=Latency(median=0.4, sigma=0.3)
        )
        self._moment = moment
        self.victim: subprocess.Popen[bytes] | None = None
        self._creates = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one request."""
        creates = scope["path"].endswith("createTask")
        self._creates += creates
        fatal = self.victim is not None and creates and self._creates >= NTH
        if fatal and self._moment == "sending":
            self._kill()
            return
        said: list[Any] = []

        async def note(message: Any) -> None:
            said.append(message)

        await self.emulator(scope, receive, note)
        if fatal and self._moment == "reply":
            self._kill()
            return
        for message in said:
            await send(message)
        answered = not creates and any(b'"ready"' in part.get("body", b"") for part in said)
        if self.victim is not None and (
            (fatal and self._moment == "open") or (answered and self._moment == "answer")
        ):
            await anyio.sleep(0.05)
            self._kill()

    def _kill(self) -> None:
        if self.victim is not None:
            self.victim.kill()

    def created(self) -> Counter[str]:
        """Count the tasks that were paid for, of each key."""
        urls = [
            request.body["task"]["websiteURL"]
            for request in self.emulator.requests_to("createTask")
            if request.reply["errorId"] == 0
        ]
        return Counter(url.rpartition("/")[2] for url in urls)


@contextmanager
def place(kind: str, folder: Path) -> Iterator[str]:
    """Where the processes meet."""
    if kind == "file":
        yield str(folder / "account.db")
    else:
        with redis_server(folder) as server:
            yield server.url


class Fleet:
    """Starts workers."""

    def __init__(self, share: str, url: str, folder: Path) -> None:
        self._share, self._url, self._folder = share, url, folder
        self._running: list[subprocess.Popen[bytes]] = []

    def start(self, name: str, backend: str = "asyncio", *more: str) -> subprocess.Popen[bytes]:
        """Start one, whose results are kept under its name."""
        command = [sys.executable, str(WORKER), backend, self._share, self._url]
        process = subprocess.Popen([*command, str(self._folder / name), *more])
        self._running.append(process)
        return process

    async def ended(self, *processes: subprocess.Popen[bytes]) -> list[int | None]:
        """Wait for the ends of workers, and return their exit codes."""
        with anyio.fail_after(120):
            while any(process.poll() is None for process in processes):  # noqa: ASYNC110 (others)
                await anyio.sleep(0.02)
        return [process.poll() for process in processes]

    def results(self, name: str) -> dict[str, str]:
        """What a worker has brought, by key."""
        lines = (self._folder / name).read_text().splitlines()
        found = dict(line.split() for line in lines)
        assert len(found) == len(lines)
        return found

    def kill(self) -> None:
        """End all that run."""
        for process in self._running:
            process.kill()
            process.wait()


@asynccontextmanager
async def fleet(service: Service, kind: str, folder: Path) -> AsyncIterator[Fleet]:
    """Serve meanwhile, and have a place to meet."""
    with place(kind, folder) as share:
        async with (
            serve_app(service, "127.0.0.1", 0, "the emulator") as url,
            service.emulator.running(),
        ):
            workers = Fleet(share, url, folder)
            try:
                yield workers
            finally:
                workers.kill()


@pytest.mark.parametrize(
    ("kind", "moment"),
    [
        ("file", "sending"),
        ("file", "reply"),
        ("file", "open"),
        ("file", "answer"),
        ("redis", "sending"),
        ("redis", "reply"),
        ("redis", "open"),
        ("redis", "answer"),
    ],
)
@pytest.mark.parametrize("mode", ["batch", "single"])
async def test_a_killed_worker_s_keys_are_run_again_by_two(
    kind: str, moment: str, mode: str, tmp_path: Path, anyio_backend: object
) -> None:
    """Both have the same answers, and each key was paid for once; what was on its way at the kill
    is told as uncertain, and sent again only when the user says so.
    """
    service = Service(moment)
    async with fleet(service, kind, tmp_path) as workers:
        service.victim = workers.start("victim", "asyncio", mode)
        assert await workers.ended(service.victim) == [-signal.SIGKILL]
        service.victim = None
        begun = service.created()
        assert begun
        second, third = [
            workers.start(name, backend, mode)
            for name, backend in (("second", "asyncio"), ("third", "trio"))
        ]
        assert await workers.ended(second, third) == [0, 0]
        assert max(service.created().values()) == 1
        results = workers.results("second")
        assert results == workers.results("third")
        assert results.keys() == set(KEYS)
        uncertain = {key for key, said in results.items() if said == "SubmitUncertain"}
        assert len(uncertain) <= IN_FLIGHT
        # Nothing else has failed, and no answer is another one's.
        assert len(set(results.values())) == len(KEYS) - max(0, len(uncertain) - 1)
        if moment == "sending":
            assert uncertain
        handed_out = workers.results("victim") if (tmp_path / "victim").exists() else {}
        assert all(results[key] == said for key, said in handed_out.items())
        fourth = workers.start("fourth", "asyncio", mode, "resend")
        assert await workers.ended(fourth) == [0]
        assert set(service.created()) == set(KEYS)
        assert all(times <= 1 + (key in uncertain) for key, times in service.created().items())
    assert service.emulator.violations == []
