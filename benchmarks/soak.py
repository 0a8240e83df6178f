"""A long run through trouble: every task is accounted for, and nothing grows.

    python -m benchmarks.soak [--seconds 60] [--seed 1] [--loop uvloop]

A journalled client works through batches and single solves at an emulated service that breaks
replies, hangs, refuses, restarts and forgets connections at random; the callers cancel theirs at
random, and the client itself is closed and opened again. At the end

    created at the service = solved + failed + created by submissions told as uncertain

has to hold task by task (what was orphaned or open is taken up by a later client), and open
sockets, threads and memory must not have grown. The exit status tells whether that is so.
"""

from __future__ import annotations

import argparse
import gc
import logging
import os
import random
import resource
import sys
import tempfile
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import attrs

from benchmarks._report import print_table
from captcha_async import (
    CAPMONSTER,
    CaptchaClient,
    CaptchaError,
    Failed,
    FixedPolling,
    Limits,
    PendingTask,
    RecaptchaV2Task,
    Retries,
    Solved,
    TaskId,
)
from captcha_async.emulator import Emulator, Latency, serve

TASK = RecaptchaV2Task(website_url="https://example.com/", website_key="6Lc-key")
GAP = 0.05
SESSION = (2.0, 5.0)
"""Seconds from one opening of the client to the next."""
TROUBLES = 0.05
"""Seconds from one trouble to the next, on average."""


@attrs.define
class Ledger:
    """What became of every task that the client was told of."""

    ends: dict[TaskId, str] = attrs.field(factory=dict)
    """By id: solved, failed or open."""
    contradictions: list[str] = attrs.field(factory=list)
    uncertain: int = 0
    errors: Counter[str] = attrs.field(factory=Counter)

    def note(self, task_id: TaskId | None, end: str) -> None:
        """Note an end; a second one has to be the same, but for one that was open."""
        if task_id is None:
            return
        before = self.ends.get(task_id, "open")
        if before not in ("open", end) and end != "open":
            self.contradictions.append(f"task {task_id} {before}, then {end}")
        if before == "open":
            self.ends[task_id] = end

    def take(self, outcome: Solved[Any] | Failed | CaptchaError) -> None:
        """Note what a caller got."""
        if isinstance(outcome, Solved):
            self.note(outcome.task_id, "solved")
            return
        error = outcome.error if isinstance(outcome, Failed) else outcome
        self.errors[type(error).__name__] += 1
        lasting = {"Unsolvable", "TaskExpired", "PollLimitReached", "UnreadableSolution"}
        self.note(error.task_id, "failed" if type(error).__name__ in lasting else "open")


class Soak:
    """One run.

    Args:
        seconds: its length.
        seed: of everything that is random in it.
        journal: the journal's file.
    """

    def __init__(self, seconds: float, seed: int, journal: Path) -> None:
        self.ledger = Ledger()
        self.emulator = self._emulator()
        self._seconds = seconds
        self._random = random.Random(seed)
        self._journal = journal
        self._port = 0
        self.sessions = self.restarts = self.cancelled = 0

    def _emulator(self) -> Emulator:
        service = CAPMONSTER.evolve(min_poll_gap=GAP, ban_window=0.2)
        return Emulator(
            service, balance=1e9, latency=Latency(median=0.4, sigma=0.6), max_record=None
        )

    async def run(self) -> list[tuple[str, float, float]]:
        """Run it, and return what was watched: its name, early and at the end."""
        end = anyio.current_time() + self._seconds
        early: dict[str, float] = {}
        while anyio.current_time() < end:
            async with self._service() as url:
                while anyio.current_time() < end:
                    await self._session(url)
                    self.sessions += 1
                    if anyio.current_time() > end - self._seconds / 2 and not early:
                        early = watched()
                    if self._random.random() < 0.5:
                        break
            self.restarts += 1
        await self._collect_the_rest()
        late = watched()
        return [(name, early.get(name, value), value) for name, value in late.items()]

    @asynccontextmanager
    async def _service(self) -> AsyncIterator[str]:
        """Serve on one port throughout; what is connected at a restart is cut off."""
        async with serve(self.emulator, port=self._port) as url:
            self._port = int(url.rpartition(":")[2])
            yield url

    @asynccontextmanager
    async def _client(self, url: str) -> AsyncIterator[CaptchaClient]:
        async with CaptchaClient(
            "emulator-key",
            service=self.emulator.service.evolve(base_url=url),
            journal=self._journal,
            limits=Limits(in_flight=100, connections=20, request_timeout=1.0),
            polling=FixedPolling(first=0.1, interval=0.1),
            retries=Retries(attempts=3, backoff=0.05),
        ) as client:
            yield client

    async def _session(self, url: str) -> None:
        """Open a client, let it work for a while, and close it, drained or not."""
        async with self._client(url) as client:
            with anyio.move_on_after(self._random.uniform(*SESSION)):
                async with anyio.create_task_group() as group:
                    group.start_soon(self._make_trouble, client)
                    group.start_soon(self._resume, client)
                    for _ in range(10):
                        group.start_soon(self._solve_forever, client)
                    for _ in range(2):
                        group.start_soon(self._batch_forever, client)
            await client.aclose(drain=self._random.choice([None, 0.5]))
            for orphan in client.orphans:
                self.ledger.note(orphan.task_id, "open")
            self.ledger.uncertain += client.statistics().uncertain

    async def _resume(self, client: CaptchaClient) -> None:
        async with anyio.create_task_group() as group:
            async for pending in client.resume():
                self.ledger.note(pending.task_id, "open")
                group.start_soon(self._collect, pending)

    async def _collect(self, pending: PendingTask[Any]) -> None:
        """Wait until a task has ended, through whatever trouble."""
        while True:
            try:
                self.ledger.take(await pending)
                return
            except CaptchaError as error:
                self.ledger.take(error)
                if pending.done:
                    return
                await anyio.sleep(0.1)

    async def _solve_forever(self, client: CaptchaClient) -> None:
        while True:
            patience = self._random.choice([0.05, 0.3, 1, 5])
            with anyio.move_on_after(patience) as scope:
                try:
                    self.ledger.take(await client.solve(TASK, timeout=4))
                except CaptchaError as error:
                    self.ledger.take(error)
                    await anyio.sleep(0.01)
            self.cancelled += scope.cancelled_caught

    async def _batch_forever(self, client: CaptchaClient) -> None:
        while True:
            size = self._random.randrange(1, 60)
            async with client.batch([TASK] * size, max_in_flight=30, timeout=4) as outcomes:
                taken = 0
                async for outcome in outcomes:
                    self.ledger.take(outcome)
                    taken += 1
                    if taken > size * self._random.uniform(0.5, 3):
                        break
            # The fuse may be blown: a batch then ends at once.
            await anyio.sleep(0.01)

    async def _make_trouble(self, client: CaptchaClient) -> None:
        emulator, methods = self.emulator, ["createTask", "getTaskResult"]
        while True:
            await anyio.sleep(self._random.expovariate(1 / TROUBLES))
            method, kind = self._random.choice(methods), self._random.randrange(8)
            if kind < 3:
                status = self._random.choice([200, 429, 500, 502, 503])
                effect = status != 429 and self._random.random() < 0.5
                emulator.break_http(method, status=status, body=b"<html>", effect=effect)
            elif kind == 3:
                emulator.hang(method, effect=self._random.random() < 0.5)
            elif kind == 4:
                emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=3)
            elif kind == 5:
                emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=2)
            elif kind == 6:
                emulator.answer_at_once(times=1)
            else:
                emulator.refuse("ERROR_IP_BANNED", method, times=1)
                await anyio.sleep(0.1)
                client.reset_fuse()

    async def _collect_the_rest(self) -> None:
        """Take up what is left, with a service that is well again."""
        async with (
            self._service() as url,
            self._client(url) as client,
            anyio.create_task_group() as group,
        ):
            async for pending in client.resume():
                group.start_soon(self._collect, pending)
        async with self._service() as url, self._client(url) as client:
            left = [pending async for pending in client.resume()]
            if left:
                self.ledger.contradictions.append(f"{len(left)} tasks were left in the journal")

    # -- the account ------------------------------------------------------------------------------

    def account(self) -> list[str]:
        """Return what does not add up."""
        created, known = set(self.emulator.tasks), set(self.ledger.ends)
        for task_id, end in self.ledger.ends.items():
            if end == "open" and task_id in created and self.emulator.tasks[task_id].error:
                # It failed while nobody waited for it but the drain.
                self.ledger.ends[task_id] = "failed"
        unknown = created - known
        wrong = list(self.ledger.contradictions)
        lost = Counter(self.ledger.ends.values())["open"]
        if lost:
            wrong.append(f"{lost} tasks were paid for, and their answer reached nobody")
        if known - created:
            wrong.append(f"{len(known - created)} tasks that the service has never created")
        if len(unknown) > self.ledger.uncertain:
            wrong.append(
                f"{len(unknown)} tasks that the client does not know, and only "
                f"{self.ledger.uncertain} submissions that it calls uncertain"
            )
        if self.emulator.violations:
            wrong.append(f"{len(self.emulator.violations)} breaches of the service's rules")
        return wrong

    def table(self) -> list[tuple[str, int]]:
        """Return the account."""
        ends = Counter(self.ledger.ends.values())
        return [
            ("created at the service", len(self.emulator.tasks)),
            ("solved", ends["solved"]),
            ("failed", ends["failed"]),
            ("open", ends["open"]),
            (
                "created by uncertain submissions",
                len(set(self.emulator.tasks) - set(self.ledger.ends)),
            ),
            ("uncertain submissions", self.ledger.uncertain),
            ("waits that were cancelled", self.cancelled),
            ("openings of the client", self.sessions),
            ("restarts of the service", self.restarts),
        ]


def watched() -> dict[str, float]:
    """Count what must not grow."""
    gc.collect()
    files = Path("/proc/self/fd")
    return {
        "open files and sockets": len(os.listdir(files)) if files.exists() else 0,
        "threads": threading.active_count(),
        "memory, MB": _memory(),
    }


def _memory() -> float:
    """Megabytes in use; the most so far where the system does not tell."""
    status = Path("/proc/self/statm")
    if status.exists():
        return int(status.read_text().split()[1]) * resource.getpagesize() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def growth(rows: list[tuple[str, float, float]], tasks: int) -> list[str]:
    """Return what has grown; the emulator's record of every task and request is let pass."""
    wrong: list[str] = []
    for name, early, late in rows:
        slack = 10 + tasks * 0.02 if name.startswith("memory") else 5
        if late > early + slack:
            wrong.append(f"{name}: {early:.0f} half-way, {late:.0f} at the end")
    return wrong


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loop", choices=["asyncio", "uvloop"], default="asyncio")
    options = parser.parse_args()
    # What it would warn of is ordered, and counted.
    logging.disable(logging.WARNING)
    with tempfile.TemporaryDirectory() as folder:
        soak = Soak(options.seconds, options.seed, Path(folder) / "captchas.db")
        uvloop = {"use_uvloop": options.loop == "uvloop"}
        watch = anyio.run(soak.run, backend="asyncio", backend_options=uvloop)
    wrong = soak.account() + growth(watch, len(soak.emulator.tasks))
    print_table(["tasks", "number"], soak.table(), f"{options.seconds:g} s, seed {options.seed}")
    print_table(["errors", "number"], sorted(soak.ledger.errors.items()))
    print_table(["watched", "half-way", "end"], watch)
    print("\n".join(wrong) or "All accounted for, and nothing has grown.")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
