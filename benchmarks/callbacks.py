"""Callbacks against polling: requests, delay from ready to known, and CPU for each solve.

    python -m benchmarks.callbacks [--quick] [--loop uvloop] [--json FILE]

Client and receiver share one process and one event loop, the reference service has another; both
are on this machine, so the network's own delay is missing. CPU counts the client's process only.
The service opens a connection for each callback, as the documentation says that it does; "kept"
is the same behind a reverse proxy that keeps its connections to the receiver. Polling is measured
twice: as the client does it by itself, and at fixed times, as the official SDK does.
"""

from __future__ import annotations

import argparse
import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import attrs

from benchmarks._reference import Reference, reference
from benchmarks._report import machine, print_table, write_json
from captcha_async import (
    CallbackReceiver,
    CaptchaClient,
    FixedPolling,
    Limits,
    RecaptchaV2Task,
    Solved,
)

TASK = RecaptchaV2Task(website_url="https://example.com/login", website_key="6Lc-key")
RATE = 500
"""Solves per second."""

GOAL_P50, GOAL_P99, GOAL_CPU = 0.005, 0.050, 0.6


@attrs.frozen
class Run:
    """One run: how results come, and how many tasks are in flight once it is under way."""

    mode: str
    in_flight: int
    seconds: float
    """How long tasks are submitted at the full rate while as many end."""
    sigma: float = 0.35
    """Spread of the times to solve."""

    @property
    def called_back(self) -> bool:
        """Whether results come by callback."""
        return self.mode.startswith("callbacks")

    @property
    def solve_time(self) -> float:
        """Seconds that a solve takes on average, so that so many are in flight at the rate."""
        return self.in_flight / RATE

    @property
    def tasks(self) -> int:
        """How many tasks there are in all."""
        return round(self.in_flight + RATE * self.seconds)


async def measure(run: Run) -> dict[str, Any]:
    """Solve the tasks of one run."""
    async with AsyncExitStack() as stack:
        kept = int(run.mode == "callbacks, kept")
        info = await stack.enter_async_context(
            reference(mean=run.solve_time, sigma=run.sigma, kept=kept)
        )
        receiver = None
        if run.called_back:
            receiver = CallbackReceiver()
            await stack.enter_async_context(receiver.serve())
        limits = Limits(in_flight=2 * run.tasks, submits_per_second=RATE)
        fixed = FixedPolling(1, 3) if run.mode == "fixed polling" else None
        client = await stack.enter_async_context(
            CaptchaClient(
                "key", base_url=info.url, limits=limits, callbacks=receiver, polling=fixed
            )
        )
        return await _solve_all(run, client, info)


async def _solve_all(run: Run, client: CaptchaClient, info: Reference) -> dict[str, Any]:
    delays: list[float] = []
    cpu, start = time.process_time(), time.monotonic()
    solved = most = 0
    async with client.batch(_source(run.tasks), max_in_flight=run.tasks) as outcomes:
        async for outcome in outcomes:
            solved += isinstance(outcome, Solved)
            most = max(most, client.statistics().in_flight) if solved % 100 == 0 else most
            ready_at = outcome.solution.raw.get("readyAt") if isinstance(outcome, Solved) else None
            if ready_at is not None:
                delays.append(time.monotonic() - ready_at)
    cpu, seconds = time.process_time() - cpu, time.monotonic() - start
    numbers, seen = client.statistics(), await info.statistics()
    delays.sort()
    if run.called_back:
        p50, p99 = (delays[round(share * (len(delays) - 1))] for share in (0.5, 0.99))
    else:
        p50, p99 = seen["pick_up"]["p50"], seen["pick_up"]["p99"]
    return {
        "mode": run.mode,
        "tasks": run.tasks,
        "solved": solved,
        "most_in_flight": most,
        "solves_per_second": solved / seconds,
        "polls": numbers.polls,
        "requests": numbers.requests,
        "by_callback": numbers.callbacks.by_callback if numbers.callbacks else None,
        "cpu_ms": 1000 * cpu / solved,
        "cpu_share": cpu / seconds,
        "pick_up_p50": p50,
        "pick_up_p99": p99,
    }


async def _source(count: int) -> AsyncIterator[RecaptchaV2Task]:
    for _ in range(count):
        yield TASK


def report(results: list[dict[str, Any]]) -> None:
    """Print the numbers, and how they compare with the goals."""
    columns = ["mode", "in flight", "solved", "per s", "polls", "CPU ms", "p50 ms", "p99 ms"]
    rows = [
        [
            result["mode"],
            result["most_in_flight"],
            result["solved"],
            result["solves_per_second"],
            result["polls"],
            result["cpu_ms"],
            1000 * result["pick_up_p50"],
            1000 * result["pick_up_p99"],
        ]
        for result in results
    ]
    print_table(columns, rows, title=f"{RATE} solves per second; CPU of the client for each solve")
    cpu = {result["mode"]: result["cpu_ms"] for result in reversed(results)}
    for result in results:
        if result["by_callback"] is not None:
            goals = {
                "no polls": result["polls"] == 0,
                "p50 of 5 ms": result["pick_up_p50"] <= GOAL_P50,
                "p99 of 50 ms": result["pick_up_p99"] <= GOAL_P99,
            }
            for mode in ("polling", "fixed polling"):
                share = result["cpu_ms"] / cpu[mode]
                goals[f"CPU {share:.2f} of {mode}"] = share <= GOAL_CPU
            told = ", ".join(f"{name} {'met' if met else 'MISSED'}" for name, met in goals.items())
            print(f"{result['mode']}, {result['most_in_flight']:,} in flight: {told}")


def main() -> None:
    """Run all and print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="2,000 in flight only, and briefly")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers here too")
    given = parser.parse_args()
    modes = ("fixed polling", "polling", "callbacks", "callbacks, kept")
    runs = [Run(mode, 2_000, 1.0 if given.quick else 2.0) for mode in modes]
    if not given.quick:
        # A small spread, so that the last of them do not take minutes.
        runs.append(Run("callbacks", 20_000, 2.0, sigma=0.1))
    results = []
    for run in runs:
        if given.loop == "uvloop":
            import uvloop

            results.append(uvloop.run(measure(run)))
        else:
            results.append(asyncio.run(measure(run)))
    report(results)
    if given.json is not None:
        write_json(given.json, {"machine": machine("httpx", "httptools", "anyio"), "runs": results})


if __name__ == "__main__":
    main()
