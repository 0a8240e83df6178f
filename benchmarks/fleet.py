"""What it costs to share an account: throughput, refusals, CPU, exchanges, and the time to stop.

    python -m benchmarks.fleet [--quick] [--redis redis://127.0.0.1:6379/15]

Clients solve at an emulated service that refuses what exceeds its slots; the service is a process
of its own, and each client counts its own CPU. "Alone" means that each process has the limits of
the account to itself, as without sharing. Without a `--redis` a server is started if there is one;
the file is in a temporary folder.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio

from benchmarks._fleet_work import SETTLE, bench_member
from benchmarks._report import machine, print_table, write_json
from captcha_async import KeyRejected
from captcha_async._sharing._member import Member
from captcha_async._sharing._messages import Ask, Report
from captcha_async._sharing._open import account_name, make_store, make_terms

ALONE = "alone"
CASES = {"uncontended": (1000, 200), "contended": (60, 200)}
"""Slots of the account, and tasks that all processes together have under way or waiting."""
LISTENERS = 4
"""Processes of which the time to stop is measured."""

Row = dict[str, Any]


@contextlib.contextmanager
def started(*role: str) -> Generator[subprocess.Popen[str]]:
    """Run one process of `_fleet_work` meanwhile; it is ready."""
    command = [sys.executable, "-m", "benchmarks._fleet_work", *role]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) as process:
        try:
            yield process
            # It says goodbye to the store; who is killed keeps its slots for a lease.
            process.communicate(timeout=10)
        finally:
            process.kill()


def told(process: subprocess.Popen[str]) -> Any:
    """Return the next line of a process."""
    assert process.stdout is not None
    return json.loads(process.stdout.readline())


def nudge(*processes: subprocess.Popen[str]) -> None:
    """Let processes go on."""
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()


# -- solving --------------------------------------------------------------------------------------


def solving(case: str, count: int, place: str, share: str, seconds: float) -> Row:
    """Let so many processes solve, and return what they did."""
    slots, tasks = CASES[case]
    with started("service", str(slots)) as service, contextlib.ExitStack() as stack:
        url = told(service)
        arguments = (share, url, str(slots), str(tasks // count), str(seconds))
        workers = [stack.enter_context(started("worker", *arguments)) for _ in range(count)]
        for worker in workers:
            told(worker)
        time.sleep(SETTLE)
        nudge(*workers)
        got = [told(worker) for worker in workers]
        nudge(*workers, service)
        seen = told(service)
    solved = sum(one["solved"] for one in got)
    return {
        "case": case,
        "processes": count,
        "place": place,
        "rate": solved / seconds,
        "refused": seen["refused"],
        "cpu": sum(one["cpu"] for one in got) / solved,
        "exchanges": sum(one["exchanges"] for one in got) / solved,
        "fairness": min(one["solved"] for one in got) / max(one["solved"] for one in got),
    }


def anew(share: str, name: str) -> str:
    """Return a place in which nobody has been yet."""
    if "://" in share:
        return f"{share}?prefix={name}"
    return share and f"{share}.{name}"


def all_solving(where: dict[str, str], seconds: float, times: int) -> list[Row]:
    """Compare processes alone and together, with room and without; the median of some runs."""
    rows: list[Row] = []
    for case in CASES:
        for count in (1, 2, 4):
            for place, share in {ALONE: "", **where}.items():
                runs = [
                    solving(case, count, place, anew(share, f"{case}{count}{turn}"), seconds)
                    for turn in range(times)
                ]
                numbers = ("rate", "refused", "cpu", "exchanges", "fairness")
                middle = {name: statistics.median(run[name] for run in runs) for name in numbers}
                rows.append(runs[0] | middle)
    return rows


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


# -- the time to stop -----------------------------------------------------------------------------


def apart(share: str, members: int, times: int) -> list[float]:
    """Return the seconds from the blow in one process until each of some others has heard it.

    The members beside these are bare connections, for a hundred Pythons would measure the two
    cores of this machine; what Redis has to send is the same.
    """
    port = str(urlsplit(share).port)
    with contextlib.ExitStack() as stack:
        stack.enter_context(started("crowd", share, port, str(members - LISTENERS - 1)))
        listeners = [stack.enter_context(started("listener", share)) for _ in range(LISTENERS)]
        blower = stack.enter_context(started("blower", share, str(times)))
        for process in (*listeners, blower):
            told(process)
        nudge(blower)
        blown = told(blower)
        nudge(*listeners)
        return list(delays(blown, [told(listener) for listener in listeners]))


def delays(blown: list[float], heard: list[list[float]]) -> Iterator[float]:
    """Return what passed from each blow to when each has heard of it."""
    for one in heard:
        for moment in blown:
            yield min(at for at in one if at >= moment) - moment


async def together(share: str, members: int, times: int) -> list[float]:
    """Return the same with all members in this one process, which has to serve each of them."""
    made = [bench_member(share) for _ in range(members)]
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


def stopping(where: dict[str, str], times: int) -> list[Row]:
    """Measure it in all ways."""
    ways = {
        "SQLite, 16 members in one process": ("SQLite", 16, together),
        "Redis, 100 members in one process": ("Redis", 100, together),
        "Redis, 100 members, one a process": ("Redis", 100, apart),
    }
    rows: list[Row] = []
    for name, (place, members, way) in ways.items():
        if place in where:
            share = where[place]
            if way is apart:
                heard = apart(share, members, 4 * times)
            else:
                heard = anyio.run(together, share, members, times)
            heard.sort()
            late = heard[int(len(heard) * 0.99)]
            rows.append({"way": name, "median": statistics.median(heard), "p99": late})
    return rows


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


def show(costs: list[Row], stops: list[Row], rows: list[Row]) -> None:
    """Print all of it."""
    lines: list[list[Any]] = [
        [f"{row['place']}, {row['members']} members", row["seconds"] * 1e6] for row in costs
    ]
    print_table(("one exchange", "µs"), lines, "Seen by the member")
    lines = [[row["way"], row["median"] * 1e3, row["p99"] * 1e3] for row in stops]
    print_table(("from blow to stop", "median, ms", "p99, ms"), lines)
    lines = [
        [
            f"{row['case']}, {row['processes']} processes, {row['place']}",
            row["rate"],
            row["refused"],
            row["cpu"] * 1e3,
            row["exchanges"],
            row["fairness"],
        ]
        for row in rows
    ]
    columns = ("", "solves/s", "refusals", "CPU/solve, ms", "exchanges/solve", "least/most")
    print_table(columns, lines)


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="shorter runs")
    parser.add_argument("--redis", help="a server that is there")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    seconds, times, number = (3.0, 1, 200) if given.quick else (8.0, 2, 3000)
    with places(given.redis) as where:
        costs = [
            {
                "place": place,
                "members": count,
                "seconds": anyio.run(exchange_cost, share, count, number),
            }
            for place, share in where.items()
            for count in (1, 1000)
        ]
        stops = stopping(where, 2 if given.quick else 8)
        rows = all_solving(where, seconds, times)
    show(costs, stops, rows)
    found = {"exchange": costs, "stop": stops, "solving": rows}
    packages = ("captcha-async", "coredis", "anyio")
    write_json(given.out / "fleet.json", {"machine": machine(*packages), **found})


if __name__ == "__main__":
    main()
