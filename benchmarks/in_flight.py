"""Many tasks in flight in one process: pick-up delay, CPU, memory of a task, and how they grow.

    python -m benchmarks.in_flight [--quick]

One batch of each size, in a process of its own, over plain HTTP, against the reference service in
another (solve times log-normal, 30 s on average). All tasks are submitted as fast as it goes.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import resource
import statistics
import sys
import time
from itertools import pairwise
from pathlib import Path
from typing import Any

from benchmarks._peers.run import memory, quantiles
from benchmarks._reference import ROOT, reference
from benchmarks._report import Bars, draw_bars, machine, print_table, write_json
from captcha_async import CaptchaClient, Limits, RecaptchaV2Task, Solved

SIZES, MEAN = (1_000, 10_000, 30_000, 100_000), 30.0
QUICK, QUICK_MEAN = (200, 2_000), 6.0
# Bytes of memory for a task in flight, at most; and by size, seconds of the mean delay.
GOAL = 1_200
PICK_UP = {30_000: 1.5, 100_000: 3.0}
INTERVAL = 0.5


# -- in the measured process ----------------------------------------------------------------------


class Sampler:
    """Looks at the process again and again while a batch runs."""

    def __init__(self, client: CaptchaClient) -> None:
        self._client = client
        self.base = memory("VmRSS")
        self.most = 0
        """Most tasks in flight that were seen."""
        self.grown = 0
        """By how many bytes the process had grown then."""
        self.busiest = 0.0
        """CPU seconds per second, in the busiest interval."""
        self.lags: list[float] = []
        """How much too late the event loop woke this up."""

    async def run(self) -> None:
        """Sample until cancelled."""
        while True:
            cpu, started = time.process_time(), time.monotonic()
            await asyncio.sleep(INTERVAL)
            wall = time.monotonic() - started
            self.busiest = max(self.busiest, (time.process_time() - cpu) / wall)
            self.lags.append(wall - INTERVAL)
            in_flight = self._client.statistics().in_flight
            if in_flight > self.most:
                self.most, self.grown = in_flight, memory("VmRSS") - self.base


async def solve(client: CaptchaClient, tasks: int) -> tuple[list[float], int]:
    """Solve a batch; return the delays from ready at the service to here, and the failures."""
    delays: list[float] = []
    source = (
        RecaptchaV2Task(website_url=f"https://example.com/{number}", website_key="6Lc_bench")
        for number in range(tasks)
    )
    async with client.batch(source, max_in_flight=tasks) as outcomes:
        async for outcome in outcomes:
            if isinstance(outcome, Solved):
                ready = float(outcome.solution.token.partition("|")[0])
                delays.append(time.monotonic() - ready)
            else:
                print(f"failed: {outcome.error!r}", file=sys.stderr)
    return sorted(delays), tasks - len(delays)


async def child(url: str, tasks: int) -> dict[str, Any]:
    """Measure one batch from inside of its process."""
    limits = Limits(in_flight=tasks)
    async with CaptchaClient("0" * 32, base_url=url, limits=limits) as client:
        # All connections are open before anything is counted.
        await asyncio.gather(*(client.balance() for _ in range(limits.connections)))
        gc.collect()
        sampler = Sampler(client)
        cpu, started = time.process_time(), time.monotonic()
        sampling = asyncio.create_task(sampler.run())
        delays, failed = await solve(client, tasks)
        cpu, wall = time.process_time() - cpu, time.monotonic() - started
        sampling.cancel()
        seen = client.statistics()
    return {
        "tasks": tasks,
        "solved": len(delays),
        "failed": failed,
        "cpu": cpu,
        "wall": wall,
        "requests": seen.requests - limits.connections,
        "polls": seen.polls,
        "pick_up": quantiles(delays),
        "most_in_flight": sampler.most,
        "memory_before": sampler.base,
        "memory_per_task": sampler.grown / max(sampler.most, 1),
        "peak_memory": memory("VmHWM"),
        "busiest": sampler.busiest,
        "lag_mean": statistics.fmean(sampler.lags),
        "lag_max": max(sampler.lags),
    }


# -- around it ------------------------------------------------------------------------------------


async def measure(tasks: int, mean: float) -> dict[str, Any]:
    """Run one size in a process of its own, and add what the service saw."""
    async with reference(mean=mean) as info:
        command = [sys.executable, "-m", "benchmarks.in_flight", "--child", info.url, str(tasks)]
        process = await asyncio.create_subprocess_exec(
            *command, stdout=asyncio.subprocess.PIPE, cwd=ROOT
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise SystemExit(f"{tasks:,} in flight: the process ended with {process.returncode}")
        service = await info.statistics()
    return {**json.loads(output), "service": service, "load": os.getloadavg()[0]}


async def run(sizes: tuple[int, ...], mean: float) -> list[dict[str, Any]]:
    """Measure one size after the other."""
    results = []
    for tasks in sizes:
        results.append(await measure(tasks, mean))
        print(f"{tasks:,} in flight: done in {results[-1]['wall']:.0f} s", flush=True)
    return results


# -- showing --------------------------------------------------------------------------------------

COLUMNS = (
    "tasks",
    "seen at once",
    "pick-up, s",
    "p95, s",
    "polls/solve",
    "early polls",
    "CPU/solve, ms",
    "CPU/request, ms",
    "kB/task",
    "peak, MB",
    "busiest, CPU",
    "service, CPU",
    "lag, ms",
    "failed",
)


def cells(row: dict[str, Any]) -> list[Any]:
    """Return a row of the table."""
    pick_up = row["pick_up"] or {"mean": None, "p95": None}
    return [
        f"{row['tasks']:,}",
        row["most_in_flight"],
        pick_up["mean"],
        pick_up["p95"],
        row["polls"] / max(row["solved"], 1),
        row["service"]["early_polls"],
        row["cpu"] / row["tasks"] * 1000,
        row["cpu"] / row["requests"] * 1000,
        row["memory_per_task"] / 1000,
        row["peak_memory"] / 1e6,
        row["busiest"],
        row["service"]["cpu"] / row["wall"],
        row["lag_mean"] * 1000,
        row["failed"],
    ]


def show(results: list[dict[str, Any]]) -> None:
    """Print the table, how it grows, and whether the goals are met."""
    print_table(COLUMNS, [cells(row) for row in results], "one process, plain HTTP")
    print()
    for small, large in pairwise(results):
        tasks, cpu = large["tasks"] / small["tasks"], large["cpu"] / small["cpu"]
        requests = large["requests"] / small["requests"]
        print(f"tasks x {tasks:.1f}: CPU x {cpu:.1f}, requests x {requests:.1f}, ", end="")
        print(f"a further task takes {marginal(small, large) / 1000:.1f} kB")
    for row in results:
        verdict = "met" if row["memory_per_task"] <= GOAL else "MISSED"
        print(
            f"{row['tasks']:,}: {row['memory_per_task']:,.0f} bytes per task ({verdict}: {GOAL:,})"
        )
        goal, seen = PICK_UP.get(row["tasks"]), row["pick_up"]
        if goal is not None and seen is not None:
            verdict = "met" if seen["mean"] <= goal else "MISSED"
            print(f"{row['tasks']:,}: picked up after {seen['mean']:.2f} s ({verdict}: {goal} s)")


def marginal(small: dict[str, Any], large: dict[str, Any]) -> float:
    """Return the bytes that a further task takes: what is fixed cancels out."""
    grown = [row["memory_per_task"] * row["most_in_flight"] for row in (small, large)]
    more = large["most_in_flight"] - small["most_in_flight"]
    return float((grown[1] - grown[0]) / max(more, 1))


def plot(results: list[dict[str, Any]], path: Path) -> None:
    """Draw memory, CPU and delay by size."""
    table = [cells(row) for row in results]
    draw_bars(
        path,
        *(
            Bars(
                title=title,
                unit=unit,
                groups=[row[0] for row in table],
                series={"captcha_async": [row[column] for row in table]},
            )
            for title, unit, column in (
                ("Memory of a task in flight", "kB", 8),
                ("CPU per solve", "ms", 6),
                ("Mean delay from ready to picked up", "s", 2),
            )
        ),
    )


def main() -> None:
    """Measure, print, write and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer tasks, solved sooner")
    parser.add_argument("--child", nargs=2, metavar=("URL", "TASKS"), help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if given.child:
        print(json.dumps(asyncio.run(child(given.child[0], int(given.child[1])))))
        return
    sizes, mean = (QUICK, QUICK_MEAN) if given.quick else (SIZES, MEAN)
    results = asyncio.run(run(sizes, mean))
    show(results)
    where = machine("captcha-async", "httpx", "anyio", "h11", "httptools", "uvloop")
    write_json(given.out / "in-flight.json", {"machine": where, "mean": mean, "results": results})
    plot(results, given.out / "in-flight.svg")


if __name__ == "__main__":
    main()
