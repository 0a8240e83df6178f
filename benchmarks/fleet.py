"""What it costs to share an account: exchanges, CPU per task, hand-over, and the time to stop.

    python -m benchmarks.fleet [--quick] [--redis redis://127.0.0.1:6379/15]

Tasks are sleeps, so that only the sharing is measured: the slots and turns that a task takes, the
money that it sets aside, and the exchanges. Each process counts its own CPU. Without a `--redis` a
server is started if there is one; the file is in a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio

from benchmarks._report import machine, print_table, write_json
from captcha_async import KeyRejected, RateLimitedSemaphore
from captcha_async._sharing._member import Member
from captcha_async._sharing._messages import Ask, Report
from captcha_async._sharing._open import account_name, make_store, make_terms

PRICE = Decimal("0.0006")
MEAN = 0.2
ALONE = "alone"


# -- one process ----------------------------------------------------------------------------------


async def alone(slots: int, workers: int, seconds: float) -> dict[str, float]:
    """Work with limits of the process's own."""
    gate, rate = RateLimitedSemaphore(slots), RateLimitedSemaphore(None, 10_000)
    requests, done = RateLimitedSemaphore(64, 10_000), 0

    async def work(rng: random.Random) -> None:
        nonlocal done
        while True:
            async with gate:
                await rate.acquire()
                rate.release()
                await anyio.sleep(rng.expovariate(1 / MEAN))
                async with requests:
                    done += 1

    cpu = await _for_a_while(work, workers, seconds)
    return {"done": done, "cpu": cpu, "exchanges": 0}


async def shared(share: str, slots: int, workers: int, seconds: float) -> dict[str, float]:
    """Work as a member."""
    store = make_store(share, account_name("bench", f"{slots}"))
    terms = make_terms(
        in_flight=slots,
        submits_per_second=10_000,
        requests_per_second=10_000,
        max_spend=Decimal(10**6),
    )
    member, done = Member(store, terms, "key"), 0
    await member.open()

    async def work(rng: random.Random) -> None:
        nonlocal done
        while True:
            async with member.slots:
                await member.submits.acquire()
                await member.reserve(PRICE)
                await anyio.sleep(rng.expovariate(1 / MEAN))
                async with member.requests:
                    member.spend(PRICE, PRICE)
                    member.succeeded()
                    done += 1

    # Until all have their share.
    await anyio.sleep(2)
    before = member.statistics().exchanges
    cpu = await _for_a_while(work, workers, seconds)
    exchanges = member.statistics().exchanges - before
    await member.aclose()
    return {"done": done, "cpu": cpu, "exchanges": exchanges}


async def _for_a_while(work: Any, workers: int, seconds: float) -> float:
    before = time.process_time()
    async with anyio.create_task_group() as group:
        for number in range(workers):
            group.start_soon(work, random.Random(number))
        await anyio.sleep(seconds)
        group.cancel_scope.cancel()
    return time.process_time() - before


def fleet(count: int, share: str, slots: int, workers: int, seconds: float) -> list[dict[str, Any]]:
    """Run so many processes at once."""
    command = [sys.executable, "-m", "benchmarks.fleet", "--worker", share]
    command += [str(slots), str(workers), str(seconds)]
    processes = [subprocess.Popen(command, stdout=subprocess.PIPE) for _ in range(count)]
    return [json.loads(process.communicate()[0]) for process in processes]


# -- the store ------------------------------------------------------------------------------------


async def exchange_cost(share: str, members: int, number: int) -> float:
    """Return the seconds of one exchange, seen by the member."""
    store = make_store(share, account_name("bench", f"cost{members}"))
    report = Report(terms=make_terms(in_flight=1000), asks=(Ask(used=3, firm=4), Ask(), Ask()))
    async with store.opened("m0"):
        for member in range(members):
            await store.exchange(f"m{member}", report)
        start = time.perf_counter()
        for turn in range(number):
            await store.exchange(f"m{turn % members}", report)
        return (time.perf_counter() - start) / number


async def time_to_stop(share: str, members: int, times: int) -> list[float]:
    """Return the seconds from the blow in one member until each of the others has heard it."""
    made = [
        Member(make_store(share, account_name("bench", "fuse")), make_terms(in_flight=10), "key")
        for _ in range(members)
    ]
    found: list[float] = []
    async with contextlib.AsyncExitStack() as stack:
        async with anyio.create_task_group() as group:
            for member in made:
                group.start_soon(member.open)
        for member in made:
            stack.push_async_callback(member.aclose)
        for _ in range(times):
            found += await _blow(made)
            made[0].mend(by_hand=True)
            await anyio.sleep(1.5)
    return found


async def _blow(members: list[Member]) -> list[float]:
    """Blow one member's fuse, and return after how many seconds each of the others has heard."""
    first, *others = members
    heard: dict[Member, float] = {}
    all_heard, start = anyio.Event(), time.perf_counter()

    def listen(member: Member) -> None:
        def hear(error: Any, seconds: float) -> None:
            if error is not None:
                heard.setdefault(member, time.perf_counter() - start)
            if len(heard) == len(others):
                all_heard.set()

        member.listener.fuse = hear

    for member in others:
        listen(member)
    first.blow(KeyRejected("No."), 1.0)
    with anyio.fail_after(20):
        await all_heard.wait()
    return list(heard.values())


# -- all of it ------------------------------------------------------------------------------------


@contextlib.contextmanager
def places(redis: str | None) -> Generator[dict[str, str]]:
    """Yield where the account is shared."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        found = {"SQLite": str(Path(folder) / "account.db")}
        program = shutil.which("redis-server")
        if redis is None and program is not None:
            with socket.socket() as free:
                free.bind(("127.0.0.1", 0))
                port = free.getsockname()[1]
            command = [program, "--port", str(port), "--save", "", "--dir", folder]
            server = subprocess.Popen(command, stdout=subprocess.DEVNULL)
            stack.callback(server.wait)
            stack.callback(server.terminate)
            time.sleep(0.5)
            redis = f"redis://127.0.0.1:{port}/0"
        if redis is not None:
            found["Redis"] = redis
        yield found


def throughput(where: dict[str, str], seconds: float) -> list[list[Any]]:
    """Compare processes alone and together, with room and without."""
    rows: list[list[Any]] = []
    for name, slots, workers in (("room", 2000, 100), ("contended", 100, 200)):
        for count in (1, 2, 4):
            for place, share in {ALONE: ALONE, **where}.items():
                # Alone, each has its part: what a user would have to divide by hand.
                own = max(1, slots // count) if share == ALONE else slots
                got = fleet(count, share, own, workers // count, seconds)
                done = sum(one["done"] for one in got)
                cpu = sum(one["cpu"] for one in got) / done
                exchanges = sum(one["exchanges"] for one in got) / done
                fair = min(one["done"] for one in got) / max(one["done"] for one in got)
                label = f"{name}, {count} processes, {place}"
                rows.append([label, done / seconds, cpu * 1e6, exchanges, fair])
    return rows


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="shorter runs")
    parser.add_argument("--redis", help="a server that is there")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    parser.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.worker is not None:
        share, *numbers = given.worker
        slots, workers, seconds = int(numbers[0]), int(numbers[1]), float(numbers[2])
        job = (
            (alone, slots, workers, seconds)
            if share == ALONE
            else (shared, share, slots, workers, seconds)
        )
        print(json.dumps(anyio.run(*job)))
        return
    seconds, number, members = (3.0, 200, 20) if given.quick else (15.0, 3000, 100)
    with places(given.redis) as where:
        costs = [
            [f"{place}, {count} members", anyio.run(exchange_cost, share, count, number) * 1e6]
            for place, share in where.items()
            for count in (1, 1000)
        ]
        print_table(("one exchange", "µs"), costs, "Seen by the member")
        stops: list[list[Any]] = []
        for place, share in where.items():
            heard = sorted(anyio.run(time_to_stop, share, members, 5))
            late = heard[int(len(heard) * 0.99)]
            stops.append([place, statistics.median(heard) * 1e3, late * 1e3])
        print_table(("from blow to stop", "median, ms", "p99, ms"), stops, f"{members} members")
        rows = throughput(where, seconds)
    columns = ("", "tasks/s", "CPU/task, µs", "exchanges/task", "least/most")
    print_table(columns, rows, f"Tasks of {MEAN:g} s on average, {seconds:g} s each")
    found = {"exchange": costs, "stop": stops, "throughput": rows}
    packages = ("captcha-async", "coredis", "anyio")
    write_json(given.out / "fleet.json", {"machine": machine(*packages), **found})


if __name__ == "__main__":
    main()
