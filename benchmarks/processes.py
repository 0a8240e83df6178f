"""Several processes, one batch each: what each core brings, and what sharing the machine costs.

    python -m benchmarks.processes [--quick]

An event loop uses one core. Who needs more runs a process for each, with a client of its own and a
part of the tasks; they share nothing here but the service, which runs in a process of its own (one
for all, plain HTTP, solve times log-normal, 6 s on average).
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks._reference import ROOT, Reference, reference
from benchmarks._report import machine, print_table, write_json

PROCESSES = (1, 2)
# Tasks of each process, and seconds after which what has no answer has failed.
TASKS, QUICK, SECONDS = 5_000, 200, 90.0
RUN = ROOT / "benchmarks" / "_peers" / "run.py"


async def start(info: Reference, tasks: int) -> asyncio.subprocess.Process:
    """Start one process with a client of its own."""
    settings = json.dumps({"in_flight": tasks})
    return await asyncio.create_subprocess_exec(
        sys.executable,
        str(RUN),
        *("with_captcha_async_batch", info.url, str(tasks), str(SECONDS), settings),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_PROXY": "127.0.0.1"},
    )


async def one_batch(process: asyncio.subprocess.Process) -> dict[str, Any]:
    """Have a process solve its batch, and end it."""
    output, _ = await process.communicate(b"\n")
    found: dict[str, Any] = json.loads(output)
    return found


async def measure(processes: int, tasks: int) -> dict[str, Any]:
    """Let so many processes solve a batch each, at the same time."""
    async with reference() as info:
        running = [await start(info, tasks) for _ in range(processes)]
        started = time.monotonic()
        found = await asyncio.gather(*(one_batch(process) for process in running))
        wall = time.monotonic() - started
        seen = await info.statistics()
    solved = sum(each["solved"] for each in found)
    cpu = sum(each["cpu"] for each in found)
    return {
        "processes": processes,
        "tasks": processes * tasks,
        "solved": solved,
        "cpu": cpu,
        "wall": wall,
        "pick_up": [each["pick_up"] for each in found],
        "early_polls": seen["early_polls"],
        "polls": seen["polls"],
        "load": os.getloadavg()[0],
    }


def cells(row: dict[str, Any]) -> list[Any]:
    """Return a row of the table."""
    means = [each["mean"] for each in row["pick_up"] if each]
    return [
        str(row["processes"]),
        row["solved"],
        row["cpu"] / max(row["solved"], 1) * 1000,
        row["solved"] / row["cpu"],
        row["processes"] * row["solved"] / row["cpu"],
        row["polls"] / max(row["solved"], 1),
        sum(means) / max(len(means), 1),
        row["tasks"] - row["solved"],
    ]


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer tasks")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    tasks = QUICK if given.quick else TASKS
    results = [asyncio.run(measure(processes, tasks)) for processes in PROCESSES]
    columns = (
        "processes",
        "solved",
        "CPU/solve, ms",
        "solves/s of one core",
        "of all",
        "polls/solve",
        "pick-up, s",
        "failed",
    )
    print_table(columns, [cells(row) for row in results], f"{tasks:,} tasks in each process")
    where = machine("captcha-async", "httpx", "anyio", "h11", "httptools")
    write_json(given.out / "processes.json", {"machine": where, "results": results})


if __name__ == "__main__":
    main()
