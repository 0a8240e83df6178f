"""What telemetry costs: CPU per solve without a handler, with one, and with OpenTelemetry.

    python -m benchmarks.telemetry [--quick]

The same batch is solved in each way, taking turns, over plain HTTP, against the reference service
in another process. What the hooks cost where nobody listens is timed by itself as well: it is too
little to be seen in whole solves.
"""

from __future__ import annotations

import argparse
import gc
import random
import statistics
import time
import timeit
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import attrs

from benchmarks._reference import Reference, reference
from benchmarks._report import machine, print_table, write_json
from captcha_async import CAPMONSTER, CaptchaClient, FixedPolling, Limits, RecaptchaV2Task, Solved
from captcha_async.telemetry import OpenTelemetry

MEAN, GAP = 0.6, 0.2
TASK = RecaptchaV2Task(website_url="https://example.com/", website_key="6Lc_bench")
OFF = "off"


# -- the ways -------------------------------------------------------------------------------------


@attrs.define
class Way:
    """One way of listening."""

    handler: Callable[[Any], None] | None = None
    clear: Callable[[], None] | None = None
    """Called after each batch, so that what was exported does not pile up."""
    samples: list[float] = attrs.field(factory=list)
    """CPU seconds per solve, one for each round."""
    polls: list[float] = attrs.field(factory=list)
    """Polls per solve, likewise."""


def with_sdk() -> Way:
    """Listen with the SDK; everything is recorded, and exported into lists."""
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import InMemoryMetricReader
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    exporter = InMemorySpanExporter()
    tracers = TracerProvider()
    tracers.add_span_processor(SimpleSpanProcessor(exporter))
    meters = MeterProvider([InMemoryMetricReader()])
    return Way(OpenTelemetry(tracer_provider=tracers, meter_provider=meters), exporter.clear)


def make_ways() -> dict[str, Way]:
    """Return what is compared."""
    return {
        OFF: Way(),
        "handler that does nothing": Way(lambda event: None),
        "OpenTelemetry, API only": Way(OpenTelemetry()),
        "OpenTelemetry, SDK": with_sdk(),
    }


async def measure(way: Way, info: Reference, tasks: int) -> None:
    """Solve one batch and note its CPU."""
    service = CAPMONSTER.evolve(base_url=info.url, min_poll_gap=GAP)
    async with CaptchaClient(
        "0" * 32,
        service=service,
        polling=FixedPolling(first=GAP, interval=GAP),
        limits=Limits(in_flight=tasks),
        on_event=way.handler,
    ) as client:
        await client.balance()
        gc.collect()
        before = time.process_time()
        outcomes = await client.solve_all([TASK] * tasks)
        cpu = time.process_time() - before
        way.polls.append(client.statistics().polls / tasks)
    if not all(isinstance(outcome, Solved) for outcome in outcomes):
        raise SystemExit("not all were solved; the numbers would mean nothing")
    way.samples.append(cpu / tasks)
    if way.clear is not None:
        way.clear()


async def run(ways: dict[str, Way], tasks: int, rounds: int) -> None:
    """Let the ways take turns, in another order each time: none profits from who came before."""
    shuffle = random.Random(1).shuffle
    async with reference(mean=MEAN, gap=GAP) as info:
        await measure(Way(), info, tasks)
        for number in range(rounds):
            order = list(ways.values())
            shuffle(order)
            for way in order:
                await info.reset(number)
                await measure(way, info, tasks)


# -- the hooks ------------------------------------------------------------------------------------


async def time_hooks(polls: int) -> float:
    """Return the seconds that one solve spends at the hooks, with *polls* polls and no handler."""
    async with CaptchaClient("0" * 32) as client:
        solver = client._solver
        solve = solver.make(TASK)

        def hooks() -> None:
            # Nothing but a look, where nobody listens.
            solver.books.queued(solve)
            # Sending, accepting, awaiting, ending and leaving each look once, and so does a poll.
            for _ in range(5 + polls):
                if solve.events is not None:
                    raise AssertionError

        number = 2_000
        return min(timeit.repeat(hooks, number=number, repeat=100)) / number


# -- showing --------------------------------------------------------------------------------------


def typical(samples: list[float]) -> float:
    """Return the mean of the fastest quarter: other work only ever makes a run slower."""
    return statistics.fmean(sorted(samples)[: max(len(samples) // 4, 1)])


def rows(ways: dict[str, Way]) -> list[list[Any]]:
    """Return the table: each way next to a client without a handler."""
    off = typical(ways[OFF].samples)
    table: list[list[Any]] = []
    for name, way in ways.items():
        cpu, polls = typical(way.samples), statistics.fmean(way.polls)
        table.append([name, cpu * 1e3, f"{cpu / off:.2f}", (cpu - off) * 1e6, polls])
    return table


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer tasks and rounds")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    tasks, rounds = (100, 3) if given.quick else (500, 24)
    ways = make_ways()
    anyio.run(run, ways, tasks, rounds)
    table = rows(ways)
    columns = ("on_event", "CPU/solve, ms", "ratio", "more, µs", "polls/solve")
    print_table(columns, table, f"{tasks:,} solves at once, fastest quarter of {rounds} rounds")
    hooks = anyio.run(time_hooks, round(statistics.fmean(ways[OFF].polls)))
    share = hooks / typical(ways[OFF].samples)
    print(f"\nthe hooks without a handler: {hooks * 1e6:.2f} µs per solve, {share:.2%} of its CPU")
    packages = ("captcha-async", "opentelemetry-api", "opentelemetry-sdk", "attrs", "anyio")
    samples = {name: way.samples for name, way in ways.items()}
    found = {"tasks": tasks, "table": table, "samples": samples, "hooks": hooks, "share": share}
    write_json(given.out / "telemetry.json", {"machine": machine(*packages), **found})


if __name__ == "__main__":
    main()
