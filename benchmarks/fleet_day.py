"""A day of 10^8 tasks on paper: many processes, with the real members and rules, in virtual time.

    python -m benchmarks.fleet_day [--quick]

Nothing is sent: a task is a wait as long as a solve takes, and the store is one in memory. Counted
are the tasks in flight as the service sees them, also those of a process that was killed; and the
exchanges with the store. One process is killed after half of the time.
"""

from __future__ import annotations

import argparse
import asyncio
import math
import random
import statistics
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import attrs

from benchmarks._report import print_table, write_json
from captcha_async._sharing._member import Member
from captcha_async._sharing._memory import MemoryStore
from captcha_async._sharing._messages import Grant, Report
from captcha_async._sharing._open import make_terms
from captcha_async._sharing._store import StoreUnreachable
from captcha_async.testing._virtual_time import VirtualTimeLoop

TASKS_A_DAY = 10**8
MEAN, SIGMA = 15.0, 0.5
"""Seconds of a solve, and the spread of their logarithm."""
SLOTS = 17_400
"""What is in flight at that mean: tasks a second times 15 s, and a little more."""
PRICE = Decimal("0.0006")
RAMP = 30.0
"""Seconds in which nothing is counted."""


class Line(MemoryStore):
    """One process's line to the store that all have; it can be cut."""

    def __init__(self, store: MemoryStore, counter: Counter) -> None:
        self._store = store
        self._counter = counter
        self.cut = False
        # Entered and read like the store itself.
        self.opened = store.opened  # type: ignore[method-assign]
        self.messages = store.messages  # type: ignore[method-assign]
        self.merge = store.merge  # type: ignore[method-assign]

    async def exchange(self, me: str, report: Report) -> Grant:
        """Pass a report on."""
        if self.cut:
            raise StoreUnreachable("cut")
        self._counter.exchanges += 1
        return await self._store.exchange(me, report)


@attrs.define(eq=False)
class Counter:
    """What the service and the store see."""

    in_flight: int = 0
    most: int = 0
    solved: int = 0
    exchanges: int = 0
    moments: list[tuple[float, int]] = attrs.field(factory=list)
    """Tasks in flight, each tenth of a second."""


@attrs.define(eq=False)
class Pod:
    """One process: a member, and tasks that wait for its slots."""

    line: Line
    member: Member
    rng: random.Random
    scope: anyio.CancelScope = attrs.field(factory=anyio.CancelScope)
    solved: int = 0

    async def run(self, tasks: int, counter: Counter) -> None:
        """Work until killed."""
        with self.scope:
            async with anyio.create_task_group() as group:
                for _ in range(tasks):
                    group.start_soon(self._work, counter)

    async def _work(self, counter: Counter) -> None:
        mu = math.log(MEAN) - SIGMA**2 / 2
        member, loop = self.member, asyncio.get_running_loop()
        while True:
            async with member.slots:
                await member.submits.acquire()
                await member.reserve(PRICE)
                counter.in_flight += 1
                counter.most = max(counter.most, counter.in_flight)
                lasts = self.rng.lognormvariate(mu, SIGMA)
                # The service ends it in any case, also if this process is gone.
                loop.call_later(lasts, _ended, counter)
                await anyio.sleep(lasts)
                member.spend(PRICE, PRICE)
                member.succeeded()
                self.solved += 1


def _ended(counter: Counter) -> None:
    counter.in_flight -= 1
    counter.solved += 1


async def fleet(pods: int, rate: float | None, seconds: float) -> dict[str, Any]:
    """Let so many processes work, and return what was seen."""
    store, counter = MemoryStore(), Counter()
    terms = make_terms(in_flight=SLOTS, submits_per_second=rate, max_spend=Decimal(10**6))
    made: list[Pod] = []
    for number in range(pods):
        line = Line(store, counter)
        made.append(Pod(line, Member(line, terms, "key"), random.Random(number)))
    async with anyio.create_task_group() as group:
        for pod in made:
            group.start_soon(pod.member.open)
    # More than there are slots, so that all are always wanted.
    tasks = SLOTS * 5 // (4 * pods) + 1
    async with anyio.create_task_group() as group:
        for pod in made:
            group.start_soon(pod.run, tasks, counter)
        await anyio.sleep(RAMP)
        found = await _watch(made, counter, seconds)
        group.cancel_scope.cancel()
    for pod in made:
        pod.line.cut = False
    async with anyio.create_task_group() as group:
        for pod in made:
            group.start_soon(pod.member.aclose)
    return {"processes": pods, "rate": rate} | found


async def _watch(made: list[Pod], counter: Counter, seconds: float) -> dict[str, Any]:
    """Count for a while, kill a process, and count on."""
    solved, exchanges = counter.solved, counter.exchanges
    each = [pod.solved for pod in made]
    counter.most = counter.in_flight
    counter.moments.clear()
    await _sample(counter, seconds / 2)
    calm = [in_flight for _, in_flight in counter.moments]
    done = [pod.solved - before for pod, before in zip(made, each, strict=True)]
    numbers = {
        "solves": (counter.solved - solved) / (seconds / 2),
        "exchanges": (counter.exchanges - exchanges) / (seconds / 2),
        "used": statistics.mean(calm) / SLOTS,
        "most": counter.most,
        "fairness": min(done) / max(done),
    }
    victim = made[len(made) // 2]
    lost = victim.member.slots.statistics().borrowed
    victim.line.cut = True
    victim.scope.cancel()
    killed = anyio.current_time()
    counter.moments.clear()
    counter.most = counter.in_flight
    await _sample(counter, seconds / 2)
    full = 0.995 * numbers["used"] * SLOTS
    low = [at for at, in_flight in counter.moments if in_flight < full]
    return numbers | {
        "lost": lost,
        "at_risk": float(lost * PRICE),
        "dent": max(low, default=killed) - killed,
        "above": max(0, counter.most - SLOTS),
    }


async def _sample(counter: Counter, seconds: float) -> None:
    end = anyio.current_time() + seconds
    while anyio.current_time() < end:
        counter.moments.append((anyio.current_time(), counter.in_flight))
        await anyio.sleep(0.1)


def main() -> None:
    """Simulate, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="a shorter time")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    seconds = 60.0 if given.quick else 180.0
    rows: list[dict[str, Any]] = []
    for pods, rate in ((16, None), (16, 1200.0), (200, None), (1000, None)):
        with asyncio.Runner(loop_factory=VirtualTimeLoop) as runner:
            rows.append(runner.run(fleet(pods, rate, seconds)))
    columns = ("processes", "rate", "solves/s", "exchanges/s", "slots used", "least/most")
    columns += ("lost", "dent, s", "above")
    names = ("solves", "exchanges", "used", "fairness", "lost", "dent", "above")
    lines = [[f"{row['processes']}", row["rate"], *(row[name] for name in names)] for row in rows]
    print_table(columns, lines, f"{SLOTS} slots, solves of {MEAN:g} s on average")
    write_json(given.out / "fleet-day.json", {"slots": SLOTS, "mean": MEAN, "results": rows})


if __name__ == "__main__":
    main()
