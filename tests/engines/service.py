"""The emulated service of a run: it refuses what exceeds its slots, and remembers everything.

    python service.py SLOTS LATENCY

Prints its address. For each line that it is sent on standard input it prints what happened so far,
as a line of JSON; it ends with its input.
"""

from __future__ import annotations

import heapq
import json
import sys
from collections import Counter
from typing import Any

import anyio
import anyio.to_thread

from captcha_async.emulator import Emulator, Latency, serve


def most_at_once(emulator: Emulator) -> int:
    """Return how many tasks were in flight at the same time at most."""
    ends: list[float] = []
    most = 0
    for task in emulator.tasks.values():
        while ends and ends[0] <= task.created:
            heapq.heappop(ends)
        heapq.heappush(ends, task.ready_at)
        most = max(most, len(ends))
    return most


def told(emulator: Emulator) -> dict[str, Any]:
    """Return everything."""
    refused: Counter[str] = Counter()
    for request in emulator.requests:
        if isinstance(request.reply, dict) and request.reply.get("errorId"):
            refused[str(request.reply.get("errorCode"))] += 1
    numbers = emulator.statistics()
    return {
        "created": numbers.created,
        "polls": numbers.polls,
        "requests": numbers.requests,
        "spent": str(numbers.spent),
        "most": most_at_once(emulator),
        "refused": refused,
        "violations": [f"{each.rule}: {each.detail}" for each in emulator.violations],
        "tokens": [task.solution.get("token") for task in emulator.tasks.values()],
    }


def tell(line: str) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def main(slots: int, latency: float) -> None:
    """Serve until the input ends."""
    emulator = Emulator(
        latency=Latency(median=latency), slots=slots, balance=10**6, max_record=None
    )
    async with serve(emulator) as url:
        tell(url)
        while line := await anyio.to_thread.run_sync(sys.stdin.readline):
            short = line.strip() == "count"
            answer = {"created": emulator.statistics().created} if short else told(emulator)
            tell(json.dumps(answer))


if __name__ == "__main__":
    anyio.run(main, int(sys.argv[1]), float(sys.argv[2]))
