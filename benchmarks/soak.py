"""A long run through trouble: every task is accounted for, and nothing grows.

    python -m benchmarks.soak [--seconds 60] [--seed 1] [--loop asyncio|uvloop|trio] [--json FILE]

A journalled client works through batches and single solves at an emulated service that breaks
replies, hangs, refuses, bans and restarts at random; the callers cancel theirs at random, and the
client itself is closed and opened again. Each client's own numbers have to add up,

    created or taken up = solved + failed + orphaned + still open

and so has the whole, task by task: what a client left is taken up by a later one, until

    created at the service = solved + failed + created by submissions told as uncertain

Open sockets, threads and memory must not have grown. The exit status tells whether all is so.
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
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import anyio.to_thread
import attrs
from anyio.from_thread import start_blocking_portal

from benchmarks._report import machine, print_table, write_json
from benchmarks._troubled_service import TroubledService
from captcha_async import (
    CaptchaClient,
    CaptchaError,
    Event,
    Failed,
    FixedPolling,
    Limits,
    PendingTask,
    RecaptchaV2Task,
    Retries,
    Solved,
    TaskFailed,
    TaskId,
)

TASK = RecaptchaV2Task(website_url="https://example.com/", website_key="6Lc-key")
SESSION = (2.0, 5.0)
"""Seconds from one opening of the client to the next."""
TROUBLES = 0.05
"""Seconds from one trouble to the next, on average."""
RESTARTS = 40
"""Troubles from one restart of the service to the next, on average."""


@attrs.define
class Ledger:
    """What became of every task that the client was told of."""

    ends: dict[TaskId, str] = attrs.field(factory=dict)
    """By id: solved, failed or open."""
    created: set[TaskId] = attrs.field(factory=set)
    """What the service has created."""
    contradictions: list[str] = attrs.field(factory=list)
    submitted: int = 0
    """Tasks that the clients were told the id of."""
    orphaned: int = 0
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
        service: what it works with.
        seconds: its length.
        seed: of everything that is random in it.
        journal: the journal's file.
    """

    def __init__(self, service: TroubledService, seconds: float, seed: int, journal: Path) -> None:
        self.ledger = Ledger()
        self._service = service
        self._seconds = seconds
        self._random = random.Random(seed)
        self._journal = journal
        self.sessions = self.cancelled = self._taken_up = 0

    async def run(self) -> list[tuple[str, float, float]]:
        """Run it, and return what was watched: its name, half-way and at the end."""
        half = anyio.current_time() + self._seconds / 2
        early: dict[str, float] = {}
        while anyio.current_time() < half + self._seconds / 2:
            await self._session()
            self.sessions += 1
            if anyio.current_time() > half and not early:
                early = watched()
        await self._collect_the_rest()
        late = watched()
        return [(name, early.get(name, value), value) for name, value in late.items()]

    @asynccontextmanager
    async def _client(self) -> AsyncGenerator[CaptchaClient]:
        self._taken_up = 0
        async with CaptchaClient(
            "emulator-key",
            service=self._service.emulator.service.evolve(base_url=self._service.url),
            journal=self._journal,
            limits=Limits(in_flight=100, connections=20, request_timeout=1.0),
            polling=FixedPolling(first=0.1, interval=0.1),
            retries=Retries(attempts=3, backoff=0.05),
            on_event=self._hear,
        ) as client:
            yield client
            await client.aclose(drain=self._random.choice([None, 0.5]))
            self._close_the_books(client)

    def _hear(self, event: Event) -> None:
        """Note failures of tasks that nobody waits for any more."""
        if isinstance(event, TaskFailed):
            self.ledger.note(event.ref.task_id, "failed")

    def _close_the_books(self, client: CaptchaClient) -> None:
        """Check a client's own numbers, and add them up."""
        numbers, ledger = client.statistics(), self.ledger
        there = numbers.submitted + self._taken_up
        ends = numbers.solved + numbers.failed + numbers.in_flight
        if there != ends:
            ledger.contradictions.append(f"a client had {there} tasks, and {ends} of them ended")
        for orphan in client.orphans:
            ledger.note(orphan.task_id, "open")
        ledger.orphaned += numbers.orphans
        ledger.submitted += numbers.submitted
        ledger.uncertain += numbers.uncertain
        ledger.created |= self._service.created()

    async def _session(self) -> None:
        """Open a client, let it work for a while, and close it, drained or not."""
        async with self._client() as client:
            with anyio.move_on_after(self._random.uniform(*SESSION)):
                async with anyio.create_task_group() as group:
                    group.start_soon(self._make_trouble, client)
                    group.start_soon(self._resume, client)
                    for _ in range(10):
                        group.start_soon(self._solve_forever, client)
                    for _ in range(2):
                        group.start_soon(self._batch_forever, client)

    async def _resume(self, client: CaptchaClient) -> None:
        async with anyio.create_task_group() as group:
            async for pending in client.resume():
                self._taken_up += 1
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
                    await anyio.sleep(0.05)
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
        while True:
            await anyio.sleep(self._random.expovariate(1 / TROUBLES))
            if self._random.random() < 1 / RESTARTS:
                await anyio.to_thread.run_sync(self._service.restart)
            elif self._service.make_trouble(self._random):
                await anyio.sleep(0.1)
                client.reset_fuse()

    async def _collect_the_rest(self) -> None:
        """Take up what is left, with a service that is well again."""
        async with self._client() as client:
            await self._resume(client)
        async with self._client() as client:
            left = [pending async for pending in client.resume()]
            self._taken_up = len(left)
            if left:
                self.ledger.contradictions.append(f"{len(left)} tasks were left in the journal")

    # -- the account ------------------------------------------------------------------------------

    def account(self) -> list[str]:
        """Return what does not add up."""
        ledger = self.ledger
        created, known = ledger.created, set(ledger.ends)
        lost = Counter(ledger.ends.values())["open"]
        unknown, violations = created - known, len(self._service.emulator.violations)
        claims = {
            f"{lost} tasks were paid for, and their answer reached nobody": lost,
            f"{len(known - created)} tasks that the service has never created": known - created,
            f"{len(unknown)} tasks that no client knows, and only {ledger.uncertain} submissions "
            "that they call uncertain": len(unknown) > ledger.uncertain,
            f"{len(known)} tasks that were told of, and {ledger.submitted} that the clients have "
            "counted": len(known) != ledger.submitted,
            f"{violations} breaches of the service's rules": violations,
        }
        return ledger.contradictions + [claim for claim, holds in claims.items() if holds]

    def table(self) -> list[tuple[str, int]]:
        """Return the account."""
        ledger, ends = self.ledger, Counter(self.ledger.ends.values())
        return [
            ("created at the service", len(ledger.created)),
            ("solved", ends["solved"]),
            ("failed", ends["failed"]),
            ("still open", ends["open"]),
            ("created by uncertain submissions", len(ledger.created - set(ledger.ends))),
            ("uncertain submissions", ledger.uncertain),
            ("orphaned on the way", ledger.orphaned),
            ("waits that were cancelled", self.cancelled),
            ("clients", self.sessions),
            ("restarts of the service", self._service.restarts),
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
    """Return what has grown, but for what the service and the ledger know of each task."""
    wrong: list[str] = []
    for name, early, late in rows:
        slack = 25 + tasks * 0.001 if name.startswith("memory") else 5
        if late > early + slack:
            wrong.append(f"{name}: {early:.0f} half-way, {late:.0f} at the end")
    return wrong


class Complaints(logging.Handler):
    """Collects what is logged as an error, such as an exception that nobody has retrieved."""

    def __init__(self) -> None:
        super().__init__(logging.ERROR)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        """Note a record."""
        self.texts.append(f"{record.name}: {record.getMessage()}")

    @classmethod
    def listen(cls) -> Complaints:
        """Begin to collect."""
        # What it would tell of is ordered, and counted.
        logging.getLogger("captcha_async").setLevel(logging.ERROR)
        complaints = cls()
        logging.getLogger().addHandler(complaints)
        return complaints


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description="Every task is accounted for; nothing grows.")
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--loop", choices=["asyncio", "uvloop", "trio"], default="asyncio")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the account there too")
    given = parser.parse_args()
    complaints = Complaints.listen()
    backend = "trio" if given.loop == "trio" else "asyncio"
    uvloop = {"use_uvloop": True} if given.loop == "uvloop" else {}
    with (
        tempfile.TemporaryDirectory() as folder,
        start_blocking_portal() as portal,
        TroubledService(portal) as service,
    ):
        soak = Soak(service, given.seconds, given.seed, Path(folder) / "captchas.db")
        watch = anyio.run(soak.run, backend=backend, backend_options=uvloop)
        wrong = soak.account() + growth(watch, len(soak.ledger.created)) + complaints.texts
    title = f"{given.seconds:g} s, {given.loop}, seed {given.seed}"
    print_table(["tasks", "number"], soak.table(), title)
    print_table(["errors", "number"], sorted(soak.ledger.errors.items()))
    print_table(["watched", "half-way", "end"], watch)
    print("\n".join(wrong) or "All accounted for, and nothing has grown.")
    if given.json is not None:
        told = {
            "machine": machine("captcha-async", "httpx", "anyio"),
            "seconds": given.seconds,
            "loop": given.loop,
            "seed": given.seed,
            "tasks": dict(soak.table()),
            "errors": dict(sorted(soak.ledger.errors.items())),
            "watched": {name: {"half-way": early, "end": late} for name, early, late in watch},
            "wrong": wrong,
        }
        write_json(given.json, told)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
