"""What the journal costs: the event loop's CPU and lag, and the delay of createTask.

    python -m benchmarks.journal [--rate 2000] [--seconds 4] [--rounds 5] [--quick]

Submissions are recorded as a client does it (five records each: intent, id, two polls, answer
taken) while a probe measures by how much the loop is late. Without the journal the same is run,
taking turns, so that the difference is the journal's.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import anyio
import attrs

from benchmarks._report import machine, print_table, write_json
from captcha_async import Journal
from captcha_async._journal import ClientJournal, Owner

RECORDS = 5
BURST = 4


@attrs.define
class Measured:
    """What was measured; seconds."""

    elapsed: float = 0.0
    loop: float = 0.0
    process: float = 0.0
    lags: list[float] = attrs.field(factory=list)
    delays: list[float] = attrs.field(factory=list)

    def numbers(self) -> dict[str, float]:
        """Return the numbers of the table."""
        return {
            "loop CPU, %": 100 * self.loop / self.elapsed,
            "process CPU, %": 100 * self.process / self.elapsed,
            "lag p50, ms": 1e3 * _quantile(self.lags, 0.5),
            "lag p99, ms": 1e3 * _quantile(self.lags, 0.99),
            "delay p50, ms": 1e3 * _quantile(self.delays, 0.5),
            "delay p99, ms": 1e3 * _quantile(self.delays, 0.99),
        }


def _quantile(values: list[float], share: float) -> float:
    return sorted(values)[int(len(values) * share)]


async def measure(journal: Journal | None, rate: float, seconds: float) -> Measured:
    """Record at a *rate* for some time."""
    use = ClientJournal(journal, partial(Owner.of, "capmonster", "0" * 32))
    measured = Measured()

    async def submission(number: int) -> None:
        begun = time.perf_counter()
        entry = use.entry("RecaptchaV2Task")
        await entry.begin()
        measured.delays.append(time.perf_counter() - begun)
        await entry.accepted(number)
        entry.polled(1)
        entry.polled(2)
        entry.answered({}, None, 2, 1.0)
        entry.collected()

    async def probe() -> None:
        while True:
            begun = time.perf_counter()
            await anyio.sleep(0.001)
            measured.lags.append(time.perf_counter() - begun - 0.001)

    await use.open()
    start, loop, process = time.perf_counter(), time.thread_time(), time.process_time()
    async with anyio.create_task_group() as probing:
        probing.start_soon(probe)
        async with anyio.create_task_group() as group:
            for number in range(int(rate * seconds / RECORDS)):
                group.start_soon(submission, number)
                if number % BURST == BURST - 1:
                    due = start + number * RECORDS / rate
                    await anyio.sleep(max(0.0, due - time.perf_counter()))
        probing.cancel_scope.cancel()
    measured.elapsed = time.perf_counter() - start
    measured.loop = time.thread_time() - loop
    measured.process = time.process_time() - process
    await use.aclose()
    return measured


def run(rate: float, seconds: float, rounds: int) -> dict[str, dict[str, float]]:
    """Measure with and without, in turn; returns the median of each number."""
    found: dict[str, list[dict[str, float]]] = {"without": [], "with": []}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            for name, rows in found.items():
                path = Path(folder) / f"{number}.db"
                journal = Journal(path) if name == "with" else None
                rows.append(anyio.run(measure, journal, rate, seconds).numbers())
    return {
        name: {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        for name, rows in found.items()
    }


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description="What the journal costs.")
    parser.add_argument("--rate", type=float, default=2000, help="records a second")
    parser.add_argument("--seconds", type=float, default=4, help="length of a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    if given.quick:
        given.seconds, given.rounds = 0.5, 1
    found = run(given.rate, given.seconds, given.rounds)
    columns = ["journal", *found["with"]]
    rows = [[name, *numbers.values()] for name, numbers in found.items()]
    print_table(columns, rows, f"{given.rate:g} records/s, the median of {given.rounds} rounds")
    results = {"machine": machine("anyio"), "rate": given.rate, "results": found}
    write_json(given.out / "journal.json", results)


if __name__ == "__main__":
    main()
