"""Draws the plots of `images/` from simulations of the library's own code; needs matplotlib, trio.

python docs/generate_plots.py

Time is simulated and seeds are fixed, so that the same code draws the same plots; only the fuse's
varies in details, because trio wakes tasks in random order.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterable, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import httpx
import matplotlib
import trio
import trio.testing

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

from benchmarks._polled_world import DISTRIBUTIONS, Result, simulate  # noqa: E402  (needs the path)
from captcha_async import (  # noqa: E402
    CAPMONSTER,
    AdaptivePolling,
    CaptchaClient,
    FixedPolling,
    Limits,
    RecaptchaV2Task,
)
from captcha_async.emulator import Emulator, Latency  # noqa: E402

IMAGES = DOCS / "images"
LOG_NORMAL = DISTRIBUTIONS["log-normal"]
# Readable on white and on black.
TEXT, OURS, OTHER, THIRD = "#808080", "#2e86de", "#e67e22", "#27ae60"
STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "captcha-async",
    "font.family": "sans-serif",
    "font.size": 10,
    "savefig.transparent": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "grid.color": TEXT,
    "legend.frameon": False,
}
COLOURED = ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color")
matplotlib.use("svg")
matplotlib.rcParams.update(STYLE | dict.fromkeys(COLOURED, TEXT))

from matplotlib import pyplot  # noqa: E402  (after the choice of the backend)


def save(figure: Any, name: str) -> None:
    """Write a plot."""
    figure.savefig(IMAGES / f"{name}.svg", metadata={"Date": None})
    pyplot.close(figure)


def panels(count: int = 1, height: float = 3.2) -> tuple[Any, Any]:
    """Return a figure with plots side by side."""
    return pyplot.subplots(1, count, figsize=(7.6, height), layout="constrained")


class Recording:
    """A schedule that notes the ages at which another one has tasks polled."""

    def __init__(self, schedule: Any) -> None:
        self._schedule = schedule
        self.ages: list[float] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._schedule, name)

    def observe(self, task: Any, sent: float, ended: float, ready: bool) -> None:
        """Note the age, and pass on what the poll said."""
        self.ages.append(sent)
        self._schedule.observe(task, sent, ended, ready)


def draw_polls() -> None:
    """When tasks get ready, and when they are polled: fixed times and adaptive ones."""
    adaptive = Recording(AdaptivePolling(CAPMONSTER, seed=1))
    simulate(adaptive, LOG_NORMAL, 4000, seed=1)
    adaptive.ages.clear()
    fixed = Recording(FixedPolling(1, 3))
    solve_times: list[float] = []

    def noted(dice: Any, part: float) -> float:
        solve_times.append(LOG_NORMAL(dice, part))
        return solve_times[-1]

    runs = [simulate(schedule, noted, 4000, seed=2) for schedule in (fixed, adaptive)]
    edges = [0.25 * number for number in range(65)]
    figure, axes = pyplot.subplots(
        3, 1, figsize=(7.6, 5.2), sharex=True, layout="constrained", height_ratios=(2, 2, 2)
    )
    titles = ["Tasks getting ready"]
    for name, run in zip(("every 3 s from 1 s on", "adaptive, learned"), runs, strict=True):
        numbers = f"{run.polls_per_solve:.1f} polls per solve, known after {run.delay:.2f} s"
        titles.append(f"Polls, {name}: {numbers}")
    shown = (solve_times[:4000], fixed.ages, adaptive.ages)
    for axis, ages, title, colour in zip(axes, shown, titles, (THIRD, OTHER, OURS), strict=True):
        axis.hist(
            ages, bins=edges, weights=[1 / 4000] * len(ages), color=colour, histtype="stepfilled"
        )
        axis.set_title(title, loc="left", fontsize=10)
        axis.set_ylabel("per task")
    axes[-1].set_xlabel("seconds since createTask")
    save(figure, "polls-by-age")


def draw_tradeoff() -> None:
    """Delay against polls: fixed schedules, and adaptive ones with different prices of a poll."""
    figure, axis = panels(height=3.6)
    adaptive: list[Result] = []
    prices = (0.12, 0.25, 0.5, 1.0, 2.0)
    for price in prices:
        schedule = AdaptivePolling(CAPMONSTER, seed=1, poll_price=price)
        simulate(schedule, LOG_NORMAL, 3000, seed=1)
        adaptive.append(simulate(schedule, LOG_NORMAL, 3000, seed=2))
    axis.plot(*points(adaptive), "o-", color=OURS, label="adaptive, by poll_price")
    for price, result in zip(prices, adaptive, strict=True):
        label(axis, f"{price:g}", result, OURS, (0, 7))
    fixed = {(1, 2): (6, 4), (1, 3): (6, 4), (3, 3): (6, 4), (5, 5): (6, 4), (10, 10): (6, -4)}
    results = {key: simulate(FixedPolling(*key), LOG_NORMAL, 3000, seed=2) for key in fixed}
    axis.plot(*points(results.values()), "s", color=OTHER, label="fixed: first, every (s)")
    for (first, interval), result in results.items():
        label(axis, f"{first}, {interval}", result, OTHER, fixed[first, interval])
    axis.set_xlabel("polls per solve")
    axis.set_ylabel("seconds from ready to known")
    axis.set_xlim(left=0.9)
    axis.set_ylim(bottom=0.5)
    axis.legend()
    save(figure, "polling-tradeoff")


def points(results: Iterable[Result]) -> tuple[list[float], list[float]]:
    """Return polls and delays."""
    pairs = [(result.polls_per_solve, result.delay) for result in results]
    return [polls for polls, _ in pairs], [delay for _, delay in pairs]


def label(axis: Any, text: str, result: Result, colour: str, offset: tuple[int, int]) -> None:
    """Write a text beside a point."""
    place = (result.polls_per_solve, result.delay)
    axis.annotate(text, place, xytext=offset, textcoords="offset points", color=colour, fontsize=8)


def draw_learning() -> None:
    """How polls and delay change while a stream of tasks of an unknown type goes on."""
    figure, axes = panels(2)
    runs: dict[str, tuple[Callable[[int], Any], str]] = {
        "adaptive": (lambda seed: AdaptivePolling(CAPMONSTER, seed=seed), OURS),
        "every 3 s from 1 s on": (lambda _: FixedPolling(1, 3), OTHER),
    }
    for name, (make, colour) in runs.items():
        results = [
            simulate(make(seed), LOG_NORMAL, 600, seed=seed, submits_per_second=5)
            for seed in range(12)
        ]
        for axis, values in zip(axes, ("polls", "delays"), strict=True):
            lines = [smoothed(getattr(result, values)) for result in results]
            means = [math.fsum(column) / len(column) for column in zip(*lines, strict=True)]
            # The last ones to end are the slow ones, not the late ones.
            axis.plot(range(40, 551), means[:511], color=colour, label=name)
    axes[0].set_ylabel("polls per solve")
    axes[1].set_ylabel("seconds from ready to known")
    for axis in axes:
        axis.set_xlabel("tasks solved so far")
        axis.set_ylim(bottom=0)
    axes[0].legend(loc="lower right")
    save(figure, "polling-learning")


def smoothed(values: Sequence[float], window: int = 40) -> list[float]:
    """Return the means of each *window* values."""
    return [math.fsum(values[at - window : at]) / window for at in range(window, len(values) + 1)]


# -- the client itself, with the emulator, in simulated time ---------------------------------------

TASK = RecaptchaV2Task(website_url="https://example.com", website_key="key")


def live(scenario: Callable[[Emulator, list[tuple[float, Any]]], Any], **options: Any) -> list[Any]:
    """Run a scenario in simulated time and return what it noted."""
    notes: list[tuple[float, Any]] = []

    async def main() -> None:
        await scenario(Emulator(latency=Latency(6), **options), notes)

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    return notes


def client_of(emulator: Emulator, **options: Any) -> CaptchaClient:
    """Return a client that calls the emulator without a socket."""
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator))
    return CaptchaClient(
        emulator.api_key,
        http_client=http,
        polling=AdaptivePolling(CAPMONSTER, seed=1),
        **options,
    )


async def run_dry(emulator: Emulator, notes: list[tuple[float, Any]]) -> None:
    """Solve one task after the other while the account's money ends and comes back later."""
    start = anyio.current_time()
    limits = Limits(submits_per_second=5)

    async def crawl(client: CaptchaClient) -> None:
        while anyio.current_time() < start + 900:
            (outcome,) = await client.solve_all([TASK])
            # The program's own patience, which the library does not rely on.
            await anyio.sleep(5 if hasattr(outcome, "error") else 1)

    async with client_of(emulator, limits=limits) as client, anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(crawl, client)
        await anyio.sleep_until(start + 400)
        emulator.balance = Decimal(10)
    notes += [(request.at - start, request.method) for request in emulator.requests]


def draw_fuse() -> None:
    """What the service sees when the money ends: with the fuse, a single probe."""
    notes = live(run_dry, balance=Decimal("0.15"))
    figure, axis = panels()
    tried = 20 / 5
    axis.plot(
        *cumulated([at for at, _ in notes]), color=OURS, drawstyle="steps-post", label="requests"
    )
    last, probe = next(
        (before, after) for (before, _), (after, _) in pairwise(notes) if after - before > 100
    )
    without = sum(at <= last for at, _ in notes)
    axis.plot(
        [last, probe],
        [without, without + tried * (probe - last)],
        "--",
        color=OTHER,
        label="if each of 20 loops tried again every 5 s",
    )
    axis.axvline(400, color=THIRD, linestyle=":", label="topped up")
    axis.set_xlabel("seconds")
    axis.set_ylabel("requests so far")
    axis.legend()
    save(figure, "fuse")


def cumulated(moments: Sequence[float]) -> tuple[list[float], list[int]]:
    """Return the moments in order, and how many have passed at each."""
    return sorted(moments), list(range(1, len(moments) + 1))


async def spend(emulator: Emulator, notes: list[tuple[float, Any]]) -> None:
    """Try to solve a task every second under a cap of 0.05 in 300 s."""
    start = anyio.current_time()
    limits = Limits(
        max_spend=Decimal("0.05"), per=300, prices={"RecaptchaV2Task": Decimal("0.001")}
    )

    async def one(client: CaptchaClient) -> None:
        (outcome,) = await client.solve_all([TASK])
        if not hasattr(outcome, "error"):
            notes.append((anyio.current_time() - start, client.statistics().spent))

    async with client_of(emulator, limits=limits) as client, anyio.create_task_group() as group:
        for _ in range(1000):
            group.start_soon(one, client)
            await anyio.sleep(1)


def draw_spending() -> None:
    """Money spent in total and within the window, under a cap."""
    notes = [(at, float(spent)) for at, spent in live(spend)]
    figure, axis = panels()
    moments = [at for at, _ in notes]
    axis.plot(
        moments,
        [spent for _, spent in notes],
        color=OTHER,
        drawstyle="steps-post",
        label="spent in all",
    )
    seconds = list(range(1000))
    within = [0.001 * sum(moment - 300 < at <= moment for at in moments) for moment in seconds]
    axis.plot(seconds, within, color=OURS, label="spent in the last 300 s")
    axis.axhline(0.05, color=THIRD, linestyle=":", label="max_spend")
    axis.set_xlabel("seconds")
    axis.set_ylabel("money")
    axis.set_ylim(bottom=0)
    axis.legend()
    save(figure, "spending-cap")


# -- measured -------------------------------------------------------------------------------------


def draw_throughput() -> None:
    """Requests per second of CPU over connections, as measured by `benchmarks.transport`."""
    report = json.loads((DOCS / "benchmarks" / "transport-asyncio.json").read_text("utf-8"))
    colours = {"captcha_async": OURS, "aiohttp": THIRD, "httpx, stock": OTHER}
    figure, axis = panels()
    for client, colour in colours.items():
        rows = [row for row in report["results"] if row["client"] == client and row["tls"]]
        places = [row["connections"] for row in rows]
        axis.plot(places, [1000 / row["cpu_ms"] for row in rows], "o-", color=colour, label=client)
    axis.set_xscale("log")
    axis.set_yscale("log")
    axis.set_xticks(places, [str(place) for place in places])
    axis.set_xticks([], minor=True)
    axis.set_yticks([100, 1000, 10000], ["100", "1,000", "10,000"])
    axis.set_xlabel("connections in use at once, TLS")
    axis.set_ylabel("requests per second of CPU")
    axis.legend(loc="center right")
    save(figure, "throughput")


def main() -> None:
    """Draw everything."""
    IMAGES.mkdir(exist_ok=True)
    for draw in (
        draw_polls,
        draw_tradeoff,
        draw_learning,
        draw_fuse,
        draw_spending,
        draw_throughput,
    ):
        draw()


if __name__ == "__main__":
    main()
