"""Real processes on one account: killed, stopped, cut off, over a store that is killed or hangs.

The referee is the service: it counts what is in flight, also of processes that are gone.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import SocketAttribute, SocketStream, TaskGroup
from anyio.streams.buffered import BufferedByteReceiveStream
from redis_servers import RedisServer, redis_server

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGSTOP"), reason="needs POSIX signals"),
    pytest.mark.timeout(120),
    pytest.mark.parametrize(
        "anyio_backend", [("asyncio", {})], ids=["asyncio-real"], indirect=False
    ),
]

WORKER = Path(__file__).parent.parent / "sharing_worker.py"
LASTS = 0.1
"""Seconds that a task takes."""
LEASE = 2.0


class Referee:
    """Plays the service: tasks take a while, whoever has submitted them."""

    def __init__(self, group: TaskGroup, limit: int) -> None:
        self.group = group
        self.limit = limit
        self.in_flight = self.most = self.breaches = 0
        # {process: tasks done}
        self.done: dict[int, int] = {}
        # When each had its turn, as the process tells it.
        self.submits: list[float] = []

    async def serve(self, stream: SocketStream) -> None:
        """Talk to one process."""
        async with stream:
            await self._listen(stream)

    async def _listen(self, stream: SocketStream) -> None:
        lines, sending = BufferedByteReceiveStream(stream), anyio.Lock()
        try:
            hello = await lines.receive_until(b"\n", 1000)
            pid = int(hello.split()[1])
            self.done[pid] = 0
            while True:
                name = await lines.receive_until(b"\n", 1000)
                self.group.start_soon(self.solve, stream, sending, pid, name)
        except (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError):
            return

    async def solve(self, stream: SocketStream, sending: anyio.Lock, pid: int, name: bytes) -> None:
        """One task."""
        self.submits.append(float(name.split(b".", 2)[2]))
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        self.breaches += self.in_flight > self.limit
        await anyio.sleep(LASTS)
        self.in_flight -= 1
        self.done[pid] += 1
        try:
            async with sending:
                await stream.send(name + b"\n")
        except (anyio.BrokenResourceError, anyio.ClosedResourceError):
            return

    async def see_work(self, pid: int, tasks: int = 5) -> None:
        """Wait until a process has done some more."""
        goal = self.done.get(pid, 0) + tasks
        with anyio.fail_after(60):
            while self.done.get(pid, 0) < goal:  # noqa: ASYNC110 (another process does it)
                await anyio.sleep(0.01)


class Fleet:
    """Processes that work on one account."""

    def __init__(self, share: str, port: int, referee: Referee, on_outage: str) -> None:
        self.share, self.port, self.referee, self.on_outage = share, port, referee, on_outage
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, share: str | None = None, **limits: Any) -> int:
        """Start one more, and return its number."""
        given = {"in_flight": self.referee.limit, "lease": LEASE, "settle": 1.5, **limits}
        command = [sys.executable, str(WORKER), share or self.share, self.on_outage]
        command += [str(self.port), json.dumps(given)]
        process = subprocess.Popen(command, env={**os.environ, "PYTHONUNBUFFERED": "1"})
        self.processes.append(process)
        return process.pid

    def end(self) -> None:
        """Kill all that still run."""
        for process in self.processes:
            process.kill()
            process.wait()


@asynccontextmanager
async def fleet(
    share: str, limit: int, on_outage: str = "stop"
) -> AsyncGenerator[tuple[Fleet, Referee]]:
    """A fleet, to be filled, and its referee."""
    async with (
        await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
        anyio.create_task_group() as group,
    ):
        referee = Referee(group, limit)
        group.start_soon(listener.serve, referee.serve)
        port = listener.extra(SocketAttribute.local_port)
        processes = Fleet(share, port, referee, on_outage)
        try:
            yield processes, referee
        finally:
            processes.end()
            group.cancel_scope.cancel()


async def live_through(processes: Fleet, referee: Referee) -> list[int]:
    """Let processes be killed and stopped, and others come; return those that work."""
    first, second, third = (processes.start() for _ in range(3))
    for pid in (first, second, third):
        await referee.see_work(pid)
    os.kill(first, signal.SIGKILL)
    await referee.see_work(second)
    fourth = processes.start()
    await referee.see_work(fourth)
    os.kill(second, signal.SIGSTOP)
    # Past its lease: the others have its share when it goes on.
    await anyio.sleep(1.5 * LEASE)
    await referee.see_work(third)
    os.kill(second, signal.SIGCONT)
    for pid in (second, third, fourth):
        await referee.see_work(pid)
    return [second, third, fourth]


async def test_killed_and_stopped_processes_on_a_file(tmp_path: Path) -> None:
    """Over SQLite: never more in flight than the limit, and the living work on."""
    async with fleet(str(tmp_path / "account.db"), 4) as (processes, referee):
        await live_through(processes, referee)
    assert referee.breaches == 0
    assert referee.most == 4


async def test_killed_and_stopped_processes_on_redis(tmp_path: Path) -> None:
    """Over Redis the same; then the server hangs, is killed, and comes back empty."""
    with redis_server(tmp_path) as server:
        async with fleet(server.url, 4) as (processes, referee):
            living = await live_through(processes, referee)
            server.freeze()
            await anyio.sleep(2 * LEASE)
            done = dict(referee.done)
            await anyio.sleep(LEASE / 2)
            # Who stops in an outage has stopped at the end of its lease.
            assert referee.done == done
            server.thaw()
            for pid in living:
                await referee.see_work(pid)
            server.kill()
            await anyio.sleep(LEASE / 4)
            server.start()
            newcomer = processes.start()
            for pid in (*living, newcomer):
                await referee.see_work(pid)
        assert referee.breaches == 0
        assert referee.most == 4


async def test_a_server_that_keeps_a_log_comes_back_as_it_was(tmp_path: Path) -> None:
    """With an append-only file Redis comes back with the account, perhaps a moment older."""
    options = ("--appendonly", "yes", "--appendfsync", "everysec")
    with redis_server(tmp_path, *options) as server:
        async with fleet(server.url, 3, "keep") as (processes, referee):
            first, second = processes.start(), processes.start()
            for _ in range(2):
                for pid in (first, second):
                    await referee.see_work(pid)
                server.kill()
                await anyio.sleep(1.5 * LEASE)
                # Who keeps its share works on, also after the lease.
                await referee.see_work(first)
                server.start()
            for pid in (first, second, processes.start()):
                await referee.see_work(pid)
        assert referee.breaches == 0


class Cutter:
    """A way to the server that can be frozen, in one direction or both."""

    def __init__(self, server: RedisServer) -> None:
        self._server = server
        self.port = 0
        self._open = anyio.Event()
        self._open.set()
        self.up = self.down = True

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[str]:
        """Listen, and yield the URL."""
        async with (
            await anyio.create_tcp_listener(local_host="127.0.0.1") as listener,
            anyio.create_task_group() as group,
        ):
            group.start_soon(listener.serve, self._relay)
            yield f"redis://127.0.0.1:{listener.extra(SocketAttribute.local_port)}/0"
            group.cancel_scope.cancel()

    def freeze(self, *, up: bool, down: bool) -> None:
        """Let nothing through to the server, or from it."""
        self.up, self.down = not up, not down
        self._open.set()
        self._open = anyio.Event()

    async def _relay(self, client: SocketStream) -> None:
        async with client, await anyio.connect_tcp("127.0.0.1", self._server.port) as server:
            await self._both_ways(client, server)

    async def _both_ways(self, client: SocketStream, server: SocketStream) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(self._pass_on, client, server, lambda: self.up, group)
            group.start_soon(self._pass_on, server, client, lambda: self.down, group)

    async def _pass_on(
        self, source: SocketStream, to: SocketStream, is_open: Callable[[], bool], group: TaskGroup
    ) -> None:
        try:
            while True:
                data = await source.receive()
                while not is_open():
                    await self._open.wait()
                await to.send(data)
        except (anyio.EndOfStream, anyio.BrokenResourceError, anyio.ClosedResourceError):
            group.cancel_scope.cancel()


@pytest.mark.parametrize(("up", "down"), [(True, False), (False, True), (True, True)])
async def test_a_process_that_is_cut_off(tmp_path: Path, up: bool, down: bool) -> None:
    """Cut off on one side or both, past its lease, it stops before others have its share."""
    with redis_server(tmp_path) as server:
        cutter = Cutter(server)
        async with cutter.serve() as url, fleet(server.url, 4) as (processes, referee):
            near, far = processes.start(), processes.start(url)
            for pid in (near, far):
                await referee.see_work(pid)
            cutter.freeze(up=up, down=down)
            await anyio.sleep(2 * LEASE)
            done = referee.done[far]
            await referee.see_work(near, 20)
            assert referee.done[far] == done
            cutter.freeze(up=False, down=False)
            await referee.see_work(far)
        assert referee.breaches == 0
        assert referee.most == 4


async def test_a_rate_is_exact_over_processes(tmp_path: Path) -> None:
    """No second sees more submits than the rate, although a process is killed meanwhile."""
    async with fleet(str(tmp_path / "account.db"), 50) as (processes, referee):
        first, second, third = (processes.start(submits_per_second=10) for _ in range(3))
        for pid in (first, second, third):
            await referee.see_work(pid)
        os.kill(first, signal.SIGKILL)
        await referee.see_work(second, 15)
        await referee.see_work(third, 15)
    submits = sorted(referee.submits)
    # A busy machine may stop a process between its turn and its look at the clock.
    close = [b - a for a, b in zip(submits, submits[10:], strict=False) if b - a < 0.9]
    assert not close


async def test_money_is_never_spent_above_the_cap(tmp_path: Path) -> None:
    """Nor with a process that is killed: what it was lent counts as spent."""
    async with fleet(str(tmp_path / "account.db"), 50) as (processes, referee):
        limits: dict[str, Any] = {"max_spend": 100, "price": "1"}
        first, second = (processes.start(**limits) for _ in range(2))
        await referee.see_work(first, 1)
        await referee.see_work(second, 1)
        os.kill(first, signal.SIGKILL)
        third = processes.start(**limits)
        with anyio.fail_after(60):
            while third not in referee.done or len(referee.submits) < 50:  # noqa: ASYNC110 (others)
                await anyio.sleep(0.05)
        await anyio.sleep(2 * LEASE)
    assert 50 <= len(referee.submits) <= 100
