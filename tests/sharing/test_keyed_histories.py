"""Keys over random histories of members that send, collect, stop, die and come: paid for once.

The same on each store: in memory with many histories, on a file and on a server with some.
"""

from __future__ import annotations

import random
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.abc import TaskGroup
from redis_servers import redis_server

from captcha_async import TaskRef
from captcha_async._journal import Place
from captcha_async._sharing._keyed import KeyedEntry
from captcha_async._sharing._memory import MemoryStore
from captcha_async._sharing._messages import Report
from captcha_async._sharing._records import Records
from captcha_async._sharing._redis import RedisStore
from captcha_async._sharing._sqlite import SqliteStore
from captcha_async._sharing._store import Life

PLACES = [Place("shop", f'"order-{number}"', None) for number in range(3)]
DOUBTS = ("sending", "uncertain")


class Ledger:
    """What the service knows: tasks that were paid for, and which of them have failed."""

    def __init__(self) -> None:
        self.made = 0
        # {place: ids of tasks that may have an answer}
        self.paid: dict[Place, set[Any]] = {place: set() for place in PLACES}
        # Places of which a task may exist that nobody knows.
        self.doubtful: set[Place] = set()

    def create(self, place: Place) -> TaskRef:
        """Pay for a task."""
        self.made += 1
        self.paid[place].add(self.made)
        return TaskRef("capmonster", self.made, "TurnstileTask")


class Worker:
    """A member, as far as keys are concerned."""

    def __init__(self, name: str, store: Any) -> None:
        self.name, self.store = name, store
        self.life: Life | None = None
        self.records = Records(store, lambda: name, lambda: None, lambda: self.life)
        self.entries: dict[Place, KeyedEntry] = {}
        self.refs: dict[Place, TaskRef] = {}
        self.scope = anyio.CancelScope()

    async def run(self) -> None:
        """What its contact does."""
        with self.scope:
            await self.records.run()


class Town:
    """The members, the store and the service."""

    def __init__(self, seed: int, make: Callable[[], Any], group: TaskGroup) -> None:
        self.rng, self._make, self._group = random.Random(seed), make, group
        self.ledger = Ledger()
        self.workers: list[Worker] = []
        self._names = 0

    async def join(self) -> None:
        """One more member."""
        self._names += 1
        worker = Worker(f"m{self._names}", self._make())
        grant = await worker.store.exchange(worker.name, Report())
        worker.life = Life(grant.born, grant.version)
        self._group.start_soon(worker.run)
        self.workers.append(worker)

    async def step(self) -> None:
        """One thing that may happen."""
        rng = self.rng
        if not self.workers or (rng.random() < 0.05 and len(self.workers) < 4):
            await self.join()
            return
        worker, place = rng.choice(self.workers), rng.choice(PLACES)
        what = rng.choice([self.send, self.send, self.collect, self.collect, self.leave_it])
        what = self.die if rng.random() < 0.08 else self.adopt if rng.random() < 0.08 else what
        await what(worker, place)
        self.check()

    async def send(self, worker: Worker, place: Place) -> None:
        """Run a key: look, and submit it if it is free."""
        seen = await worker.records.look(place)
        if place in worker.entries:
            return
        if seen is not None and seen.record.state not in ("failed", *DOUBTS):
            entry = KeyedEntry(worker.records, place, found=seen.record)
            worker.entries[place] = entry
            assert seen.record.ref is not None
            worker.refs[place] = seen.record.ref
            return
        if seen is not None and seen.record.state in DOUBTS:
            if seen.living or self.rng.random() < 0.7:
                return
            # With a word of the user's.
            self.ledger.doubtful.discard(place)
        entry = KeyedEntry(worker.records, place, expected="" if seen is None else seen.record.tag)
        if not await entry.begin("TurnstileTask"):
            return
        await self._created(worker, place, entry)

    async def _created(self, worker: Worker, place: Place, entry: KeyedEntry) -> None:
        # While it is on its way, another one runs the key.
        other = self.rng.choice(self.workers)
        if other is not worker and self.rng.random() < 0.5:
            assert not await KeyedEntry(other.records, place).begin("TurnstileTask")
        fate = self.rng.random()
        if fate < 0.15:
            entry.drop()
        elif fate < 0.25:
            self.ledger.doubtful.add(place)
            entry.uncertain()
        elif fate < 0.35:
            self.ledger.doubtful.add(place)
            await self.die(worker, place)
        else:
            worker.refs[place] = self.ledger.create(place)
            await entry.accepted(worker.refs[place])
            worker.entries[place] = entry

    async def collect(self, worker: Worker, place: Place) -> None:
        """Look after a task: follow it, or bring its end about if it is ours."""
        entry = worker.entries.get(place)
        if entry is None:
            return
        if not entry.ours:
            record = await entry.follow()
            if record is not None and not entry.ours:
                assert record.state in ("solved", "failed")
                if record.state == "solved":
                    assert record.solution == b'{"task":%d}' % worker.refs[place].task_id
                del worker.entries[place]
            return
        task_id = worker.refs[place].task_id
        if self.rng.random() < 0.4:
            entry.answered({"task": task_id}, None, 1, 1.0, 0.0)
        elif self.rng.random() < 0.3:
            self.ledger.paid[place].discard(task_id)
            entry.failed("Unsolvable")
        else:
            return
        del worker.entries[place]

    async def leave_it(self, worker: Worker, place: Place) -> None:
        """Nobody there waits for it any more."""
        entry = worker.entries.get(place)
        if entry is not None:
            entry.let_go(polls=1)

    async def adopt(self, worker: Worker, place: Place) -> None:
        """Take up what the dead have left."""
        await worker.records.adopt()
        for record in list(worker.records.adopted):
            del worker.records.adopted[record]
            if record.place not in worker.entries and record.ref is not None:
                entry = KeyedEntry(worker.records, record.place, found=record)
                worker.entries[record.place], worker.refs[record.place] = entry, record.ref

    async def die(self, worker: Worker, place: Place) -> None:
        """It is killed: what it had not written is lost, and its lease ends."""
        if worker in self.workers and len(self.workers) > 1:
            # Else the step goes on in a process that is gone.
            await worker.records.settle(5)
            worker.scope.cancel()
            self.workers.remove(worker)
            await worker.store.exchange(worker.name, Report(leaving=True))

    def check(self) -> None:
        """Nothing is paid twice, and no task has two that poll it."""
        for place, ids in self.ledger.paid.items():
            assert len(ids) <= 1, (place, ids)
            pollers = [
                worker.name
                for worker in self.workers
                if place in worker.entries and worker.entries[place].ours
            ]
            assert len(pollers) <= 1, (place, pollers)


@asynccontextmanager
async def town(seed: int, make: Callable[[], Any]) -> AsyncGenerator[Town]:
    """Members of one store."""
    async with anyio.create_task_group() as group:
        yield Town(seed, make, group)
        group.cancel_scope.cancel()


async def live(seed: int, make: Callable[[], Any], steps: int) -> None:
    """One history; in the end each key has an end for whoever runs it."""
    async with town(seed, make) as history:
        with anyio.fail_after(100):
            for _ in range(steps):
                await history.step()
            for worker in history.workers:
                await worker.records.settle(5)
        assert history.ledger.made > 0


@pytest.mark.parametrize("seed", range(60))
async def test_histories_in_memory(seed: int) -> None:
    """Many of them."""
    store = MemoryStore()
    await live(seed, lambda: store, 250)


@pytest.mark.real_time
@pytest.mark.parametrize("seed", [1, 2])
async def test_histories_on_a_file(seed: int, tmp_path: Path) -> None:
    """With real transactions."""
    store = SqliteStore(str(tmp_path / "account.db"), "name")
    async with store.opened("town"):
        await live(seed, lambda: store, 120)


@pytest.mark.real_time
@pytest.mark.parametrize("seed", [1, 2])
async def test_histories_on_a_server(seed: int, tmp_path: Path) -> None:
    """With the scripts."""
    with redis_server(tmp_path) as server:
        store = RedisStore(server.url, "name")
        async with store.opened("town"):
            await live(seed, lambda: store, 250)
