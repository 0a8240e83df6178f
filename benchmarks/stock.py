"""Tokens in advance: how many are there at once, and how many are wasted, in virtual time.

    python -m benchmarks.stock [--hours 4] [--out folder]

A real client with a real stock, against the emulator in the same process. Time is virtual, so that
the machine has no part in it. Solves take 12 s (log-normal), a token lives for two minutes. "Naive"
keeps a fixed number, and replaces what expires for ever, as a stock written by hand does.
"""

from __future__ import annotations

import argparse
import math
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import trio.testing

from benchmarks._report import Bars, draw_bars, machine, print_table, write_json
from captcha_async import CaptchaClient, RecaptchaV2Task
from captcha_async.emulator import Emulator

TASK = RecaptchaV2Task(website_url="https://example.com", website_key="6Lc-key")
LIFE = 120
HOUR = 3600.0

FOR_EVER: dict[str, Any] = {"idle": 1e6, "max_waste": 1.0}
STOCKS: dict[str, dict[str, Any]] = {
    "naive, 3": {"ready": 3, **FOR_EVER},
    "naive, 10": {"ready": 10, **FOR_EVER},
    "fixed, 3": {"ready": 3},
    "fixed, 10": {"ready": 10},
    "auto": {"ready": "auto"},
    "auto, from 0": {"ready": "auto", "least": 0},
}


def steady(dice: random.Random) -> Iterator[float]:
    """A token every four seconds, by chance."""
    while True:
        yield dice.expovariate(1 / 4)


def bursts(dice: random.Random) -> Iterator[float]:
    """Ten at once, about every minute and a half."""
    while True:
        yield dice.uniform(60, 120)
        yield from [0.0] * 9


def daily(dice: random.Random) -> Iterator[float]:
    """Twenty minutes of one in two seconds, then forty of nothing."""
    while True:
        left = HOUR / 3
        while left > 0:
            gap = dice.expovariate(1 / 2)
            left -= gap
            yield gap
        yield HOUR * 2 / 3


def rare(dice: random.Random) -> Iterator[float]:
    """One in five minutes."""
    while True:
        yield dice.expovariate(1 / 300)


DEMANDS: dict[str, Callable[[random.Random], Iterator[float]]] = {
    "steady": steady,
    "bursts": bursts,
    "by the hour": daily,
    "rare": rare,
}


async def run(demand: str, stock: str, hours: float) -> dict[str, Any]:
    """Let one stock meet one demand for some hours."""
    dice = random.Random(1)
    times = random.Random(2)
    emulator = Emulator(latency=lambda *_: 12 * math.exp(times.gauss(0, 0.3)), balance=10**6)
    transport = httpx.ASGITransport(app=emulator)
    waits: list[float] = []
    async with (
        httpx.AsyncClient(transport=transport) as http,
        CaptchaClient(emulator.api_key, http_client=http) as client,
        client.stock(TASK, life=LIFE, **STOCKS[stock]) as tokens,
        anyio.create_task_group() as group,
    ):
        await anyio.sleep(60)

        async def take() -> None:
            begun = anyio.current_time()
            await tokens.get()
            waits.append(anyio.current_time() - begun)

        for gap in DEMANDS[demand](dice):
            if anyio.current_time() + gap > hours * HOUR:
                break
            await anyio.sleep(gap)
            group.start_soon(take)
    numbers = tokens.statistics()
    return {
        "demand": demand,
        "stock": stock,
        "asked": len(waits),
        "at_once": sum(wait == 0 for wait in waits) / len(waits),
        "wait": math.fsum(waits) / len(waits),
        "bought": numbers.bought,
        "wasted": numbers.wasted / len(waits),
        "violations": len(emulator.violations),
    }


def main() -> None:
    """Run them all, and leave the numbers behind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--hours", type=float, default=4, help="virtual hours of each run")
    parser.add_argument("--out", type=Path, help="folder for the JSON file and the plot")
    arguments = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for demand in DEMANDS:
        for stock in STOCKS:
            virtual = {"clock": trio.testing.MockClock(autojump_threshold=0)}
            hours = arguments.hours
            row = anyio.run(run, demand, stock, hours, backend="trio", backend_options=virtual)
            rows.append(row)
        columns = ("stock", "asked", "at_once", "wait", "wasted", "bought")
        table = [[row[name] for name in columns] for row in rows if row["demand"] == demand]
        print_table(
            ["stock", "asked", "at once", "mean wait, s", "wasted per use", "bought"],
            table,
            title=demand,
        )
    assert not any(row["violations"] for row in rows)
    if arguments.out is not None:
        results = {"machine": machine("anyio", "trio"), "hours": arguments.hours, "rows": rows}
        write_json(arguments.out / "stock.json", results)
        draw(arguments.out / "stock.svg", rows)


def draw(path: Path, rows: list[dict[str, Any]]) -> None:
    """Draw both numbers side by side."""
    groups = list(DEMANDS)

    def heights(stock: str, name: str) -> list[float]:
        found = {row["demand"]: row[name] for row in rows if row["stock"] == stock}
        return [100 * found[demand] for demand in groups]

    draw_bars(
        path,
        *(
            Bars(title, "%", groups, {stock: heights(stock, name) for stock in STOCKS})
            for title, name in (
                ("answered at once", "at_once"),
                ("expired unused, per token used", "wasted"),
            )
        ),
    )


if __name__ == "__main__":
    main()
