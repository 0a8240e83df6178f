"""`batch --check`: the tasks are read and counted, and nothing is sent."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from functools import partial
from typing import Any

import anyio
import typer
from rich.table import Table

from .._exits import FAILED, USAGE, fail
from .._messages import output
from .._tables import ruled_table
from ._files import Files
from ._formats import WrongFormat
from ._lines import TaskLines
from ._results import NotResults, read_costs
from ._summary import counted, grouped
from ._tasks import Reading

__all__ = ["check_tasks"]


def check_tasks(
    files: Files,
    reading: Reading,
    prices: Mapping[str, Decimal],
    cap: Decimal | None,
    *,
    json_output: bool,
) -> int:
    """Print what there is to solve and what it may cost; return the exit code."""
    files.check_tasks()
    known = dict(prices)
    lines = TaskLines(reading.within(files.folder))
    if files.resume and files.output is not None and files.output.is_file():
        try:
            lines.solved = files.read_earlier()
            known = {**read_costs(files.output), **known}
        except (NotResults, OSError) as error:
            fail(str(error), USAGE)
    counts: Counter[str] = Counter()
    try:
        anyio.run(partial(_read, files, lines, counts))
    except WrongFormat as error:
        fail(f"{files.tasks_name}: {error}", USAGE)
    except OSError as error:
        fail(f"{files.tasks_name}: {error.strerror}", FAILED)
    if json_output:
        typer.echo(json.dumps(_as_json(lines, counts, known), indent=2))
    else:
        _print(lines, counts, known, cap)
    return FAILED if lines.bad else 0


async def _read(files: Files, lines: TaskLines, counts: Counter[str]) -> None:
    with files.open_tasks() as tasks:
        async for job in lines.jobs(tasks):
            counts[job.task.type] += 1


def _total(counts: Counter[str], prices: Mapping[str, Decimal]) -> Decimal:
    return sum(
        (prices[name] * count for name, count in counts.items() if name in prices), Decimal()
    )


def _as_json(
    lines: TaskLines, counts: Counter[str], prices: Mapping[str, Decimal]
) -> dict[str, Any]:
    unknown = sorted(name for name in counts if name not in prices)
    return {
        "lines": lines.read,
        "tasks": counts.total(),
        "skipped": lines.skipped,
        "bad_lines": len(lines.bad),
        "bad": [
            {"rule": group.rule, "count": group.count, "lines": group.first} for group in lines.bad
        ],
        "types": {
            name: {"tasks": count, "price": str(prices[name]) if name in prices else None}
            for name, count in sorted(counts.items())
        },
        "sum": str(_total(counts, prices)),
        "without_price": unknown,
    }


def _print(
    lines: TaskLines, counts: Counter[str], prices: Mapping[str, Decimal], cap: Decimal | None
) -> None:
    console = output()

    def say(text: str) -> None:
        console.print(text, markup=False, highlight=False, soft_wrap=True)

    total = _total(counts, prices)
    if counts:
        console.print(_table(counts, prices, total))
    for text in grouped(lines.bad):
        say(text)
    parts = [f"{counted(counts.total(), 'task')} to solve"]
    parts += [f"{lines.skipped:,} solved earlier"] if lines.skipped else []
    parts += [counted(len(lines.bad), "bad line")] if lines.bad else []
    say(", ".join(parts) + "; nothing was sent")
    unpriced = sum(count for name, count in counts.items() if name not in prices)
    if unpriced:
        say(
            f"the price of {unpriced:,} is not known: the service tells it with the first answer, "
            "or give --price"
        )
    if cap is not None and total > cap:
        say(f"--max-spend {cap} is not enough: {total} is needed")


def _table(counts: Counter[str], prices: Mapping[str, Decimal], total: Decimal) -> Table:
    table = ruled_table(footer=True)
    table.add_column("task type", footer="all types", no_wrap=True)
    priced = f"{total}" if any(name in prices for name in counts) else "-"
    for title, footer in (("tasks", f"{counts.total():,}"), ("price", ""), ("sum", priced)):
        table.add_column(title, footer=footer, justify="right", no_wrap=True)
    for name, count in sorted(counts.items()):
        price = prices.get(name)
        cells = ("-", "-") if price is None else (str(price), str(price * count))
        table.add_row(name, f"{count:,}", *cells)
    return table
