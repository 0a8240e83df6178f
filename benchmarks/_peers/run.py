"""Runs one driver in a process of its own and measures it from inside; imports no other package.

    python benchmarks/_peers/run.py DRIVER URL TASKS SECONDS SETTINGS

Each line on the input starts a round by the same client; each round ends with a line of JSON.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import resource
import sys
import time
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing, suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

Solve = Callable[[int], Awaitable[str]]
"""Solves the task of a number and returns its token."""
Batch = Callable[[int], AsyncGenerator[str | Exception, None]]
"""Solves so many tasks and yields their tokens and errors as they come."""


def memory(name: str) -> int:
    """Return a number of bytes from the process's status: VmRSS is now, VmHWM the peak."""
    # Not from getrusage, which counts the memory of the process that started this one as well.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    raise LookupError(name)


def each_alone(solve: Solve) -> Batch:
    """Make a batch of single solves, all started at once."""

    async def batch(tasks: int) -> AsyncGenerator[str | Exception, None]:
        ended: asyncio.Queue[str | Exception] = asyncio.Queue()

        async def solve_one(number: int) -> None:
            try:
                ended.put_nowait(await solve(number))
            except Exception as error:
                ended.put_nowait(error)

        running = [asyncio.create_task(solve_one(number)) for number in range(tasks)]
        try:
            for _ in running:
                yield await ended.get()
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    return batch


async def run_round(batch: Batch, tasks: int, seconds: float) -> dict[str, Any]:
    """Solve all tasks at once, and tell what it took."""
    delays: list[float] = []
    failures: Counter[str] = Counter()
    cpu, started = time.process_time(), time.monotonic()
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds), aclosing(batch(tasks)) as outcomes:
            async for token in outcomes:
                if isinstance(token, Exception):
                    failures[type(token).__name__] += 1
                else:
                    # The service puts the moment into the token; both read the same clock.
                    delays.append(time.monotonic() - float(token.partition("|")[0]))
    cpu, wall = time.process_time() - cpu, time.monotonic() - started
    late = tasks - len(delays) - failures.total()
    if late:
        failures[f"no answer within {seconds:g} s"] = late
    return {
        "cpu": cpu,
        "wall": wall,
        "peak_memory": memory("VmHWM"),
        "solved": len(delays),
        "failures": dict(failures),
        "pick_up": quantiles(sorted(delays)),
    }


def quantiles(delays: list[float]) -> dict[str, float] | None:
    """Return mean and percentiles of sorted numbers."""
    if not delays:
        return None
    last = len(delays) - 1
    marks = {"p50": 0.5, "p95": 0.95, "max": 1.0}
    found = {name: delays[round(share * last)] for name, share in marks.items()}
    return {"mean": sum(delays) / len(delays), **found}


async def main() -> None:
    """Open the driver's client and run the rounds that are asked for."""
    driver, url, tasks, seconds, settings = sys.argv[1:]
    module = importlib.import_module(driver)
    versions = {name: installed(name) for name in (*module.PACKAGES, "httptools")}
    before = memory("VmRSS")
    async with module.open_solver(url, **json.loads(settings)) as solve:
        batch = solve if hasattr(module, "BATCH") else each_alone(solve)
        while await asyncio.to_thread(sys.stdin.readline):
            gc.collect()
            result = await run_round(batch, int(tasks), float(seconds))
            print(json.dumps({**result, "memory_before": before, "versions": versions}), flush=True)


def installed(package: str) -> str | None:
    """Return the version of a package, if it is installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


if __name__ == "__main__":
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    asyncio.run(main())
