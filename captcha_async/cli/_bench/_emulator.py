"""The emulator that `captcha-async bench` measures against, in a process of its own.

    python -m captcha_async.cli._bench._emulator SERVICE LATENCY SEED

Prints its address, then answers a line on standard input with a line of JSON; ends with its input.
"""

from __future__ import annotations

import json
import math
import os
import signal
import sys
import time
from contextlib import suppress
from typing import Any

import anyio

from ...emulator import Emulator, Latency, serve

__all__ = ["make_emulator", "observe"]

RICH = 10**9


def make_emulator(service: str, latency: float, seed: int) -> Emulator:
    """Return an emulator that no bench can empty the account of."""
    return Emulator(service, balance=RICH, latency=Latency(median=latency), seed=seed)


def observe(emulator: Emulator) -> dict[str, Any]:
    """Return what only the service knows; the pick-up delays in seconds."""
    # The last poll of a task is the one that took its answer.
    delays = sorted(
        task.last_poll - task.ready_at
        for task in emulator.tasks.values()
        if task.charged and task.last_poll is not None and task.last_poll >= task.ready_at
    )
    return {
        "pick_up_p50": _quantile(delays, 0.5),
        "pick_up_p95": _quantile(delays, 0.95),
        "violations": emulator.statistics().violations,
        "cpu": time.process_time(),
    }


def _quantile(ordered: list[float], share: float) -> float | None:
    return ordered[math.ceil(share * len(ordered)) - 1] if ordered else None


async def _run(service: str, latency: float, seed: int) -> None:
    emulator = make_emulator(service, latency, seed)
    async with serve(emulator) as url:
        _say({"url": url, "key": emulator.api_key})
        while order := await anyio.to_thread.run_sync(sys.stdin.readline):
            if order.strip() == "reset":
                emulator.reset()
            _say(observe(emulator))


def _say(told: dict[str, Any]) -> None:
    # If the parent has gone away meanwhile, the input's end will tell.
    with suppress(OSError):
        os.write(sys.stdout.fileno(), f"{json.dumps(told)}\n".encode())


def _main() -> None:
    # Ctrl-C is the parent's to handle: it still wants to hear of the level before.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    service, latency, seed = sys.argv[1:]
    anyio.run(_run, service, float(latency), int(seed))


if __name__ == "__main__":
    _main()
