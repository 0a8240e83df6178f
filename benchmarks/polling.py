"""What a schedule achieves: polls per solve and seconds from ready to known, simulated.

    python -m benchmarks.polling [--tasks 2000] [--out folder]

Solve times are drawn from distributions that real services show; time is simulated, so that the
machine has no part in it. "Cold" is a burst of tasks of a type that was never seen, "learned" the
same burst once more, "stream" twenty tasks per second from a cold start. It says nothing of the
network and of busy programs, which add their own delay.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._polled_world import DISTRIBUTIONS, Result, simulate
from benchmarks._report import Bars, draw_bars, machine, print_table, write_json
from captcha_async import CAPMONSTER, FixedPolling, Schedule
from captcha_async._polling._adaptive import AdaptivePolling

SEEDS = (1, 2, 3)
SCHEDULES: dict[str, Callable[[int], Schedule]] = {
    "fixed 1 s, every 3 s": lambda _: FixedPolling(1, 3),
    "fixed 1 s, every 2 s": lambda _: FixedPolling(1, 2),
    "fixed 5 s, every 5 s": lambda _: FixedPolling(5, 5),
    "adaptive": lambda seed: AdaptivePolling(CAPMONSTER, seed=seed),
    "adaptive, price 0.5": lambda seed: AdaptivePolling(CAPMONSTER, seed=seed, poll_price=0.5),
}


def measure(name: str, schedule: str, tasks: int) -> list[dict[str, Any]]:
    """Return what *schedule* achieves with one distribution, as means over some seeds."""
    runs: dict[str, list[Result]] = {"cold": [], "learned": [], "stream": []}
    for seed in SEEDS:
        draw = DISTRIBUTIONS[name]
        in_bursts, in_stream = SCHEDULES[schedule](seed), SCHEDULES[schedule](seed)
        runs["cold"].append(simulate(in_bursts, draw, tasks, seed=seed))
        runs["learned"].append(simulate(in_bursts, draw, tasks, seed=seed + 100))
        runs["stream"].append(simulate(in_stream, draw, tasks, seed=seed, submits_per_second=20))
    return [
        {
            "distribution": name,
            "schedule": schedule,
            "run": run,
            "polls": math.fsum(result.polls_per_solve for result in results) / len(results),
            "delay": math.fsum(result.delay for result in results) / len(results),
        }
        for run, results in runs.items()
    ]


def show(rows: list[dict[str, Any]]) -> None:
    """Print a table for each distribution."""
    for name in DISTRIBUTIONS:
        table = [
            [row["schedule"], row["run"], row["polls"], row["delay"], row["polls"] * row["delay"]]
            for row in rows
            if row["distribution"] == name
        ]
        print_table(["schedule", "run", "polls", "delay s", "product"], table, name)


def plot(rows: list[dict[str, Any]], path: Path) -> None:
    """Draw polls and delays of the learned runs."""
    names = list(DISTRIBUTIONS)

    def bars(title: str, unit: str, value: str) -> Bars:
        found = {
            (row["distribution"], row["schedule"]): row[value]
            for row in rows
            if row["run"] == "learned"
        }
        series = {key: [found[name, key] for name in names] for key in SCHEDULES}
        return Bars(title, unit, names, series)

    draw_bars(path, bars("Polls per solve", "polls", "polls"), bars("Delay", "seconds", "delay"))


def main() -> None:
    """Simulate everything, and write down what came of it."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--tasks", type=int, default=2000)
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    rows = [
        row
        for name in DISTRIBUTIONS
        for schedule in SCHEDULES
        for row in measure(name, schedule, given.tasks)
    ]
    show(rows)
    report = {"machine": machine("captcha_async"), "tasks": given.tasks, "results": rows}
    write_json(given.out / "polling.json", report)
    plot(rows, given.out / "polling.svg")


if __name__ == "__main__":
    main()
