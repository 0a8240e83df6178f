"""What a bench shows: its progress, a table, JSON."""

from __future__ import annotations

import platform
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import attrs
from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from ... import __version__
from .._tables import ruled_table
from ._run import Level, Run

__all__ = ["describe_run", "notes", "print_table", "progress"]

LIVE_EVERY = 0.2
# Shares of a core from which on a process is held to set the pace.
BUSY = 0.85


@asynccontextmanager
async def progress(run: Run, console: Console) -> AsyncGenerator[Callable[[Level], None]]:
    """Yield what is to be called with each level that is done.

    A terminal sees the table grow; everything else gets a line for each level.
    """
    if not console.is_terminal:
        yield lambda level: console.print(_line(level), highlight=False, soft_wrap=True)
        return
    # Refreshed by `redraw`: a thread of its own would only be one more thing to end.
    with Live(console=console, auto_refresh=False, transient=True) as live:

        async def redraw() -> None:
            while True:
                live.update(Group(_table(run.done), Text(_now(run))), refresh=True)
                await anyio.sleep(LIVE_EVERY)

        async with anyio.create_task_group() as drawing:
            drawing.start_soon(redraw)
            try:
                yield lambda _: None
            finally:
                drawing.cancel_scope.cancel()


def _line(level: Level) -> str:
    return (
        f"level {level.level}: {level.solved} solved, {level.failed} failed "
        f"in {level.seconds:.1f} s"
    )


def _now(run: Run) -> str:
    slots = run.current
    if slots is None:
        return "starting"
    plan = run.plan
    wanted = [f"{plan.seconds:g} s"] if plan.seconds is not None else []
    wanted += [f"{plan.tasks} tasks"] if plan.tasks is not None else []
    return (
        f"level {slots.level}: {anyio.current_time() - slots.started:.0f} s "
        f"(begins tasks for {' or '.join(wanted)})  in flight {slots.in_flight}  "
        f"solved {len(slots.times)}  failed {slots.failed}"
    )


# -- the end --------------------------------------------------------------------------------------

TITLES = (
    "level",
    "solved",
    "failed",
    "solves/s",
    "p50 s",
    "p95 s",
    "p99 s",
    "polls/task",
    "CPU ms",
    "pick-up s",
)


def print_table(run: Run, console: Console) -> None:
    """Print a line for each level, and what is to say beside it."""
    if run.done:
        console.print(_table(run.done))
    for note in notes(run):
        console.print(note, highlight=False, markup=False)


def _table(levels: list[Level]) -> Table:
    table = ruled_table(gap=0)
    for title in TITLES:
        table.add_column(title, justify="right", no_wrap=True)
    for level in levels:
        table.add_row(*_cells(level))
    return table


def _cells(level: Level) -> list[str]:
    def show(value: float | None, digits: int = 2) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    return [
        str(level.level),
        str(level.solved),
        str(level.failed),
        f"{level.solved_per_second:.1f}"
        if level.solved_per_second >= 10
        else f"{level.solved_per_second:.2f}",
        show(level.p50),
        show(level.p95),
        show(level.p99),
        show(level.polls_per_task, 1),
        show(level.cpu_ms_per_solve, 1),
        show(level.pick_up_p50),
    ]


def notes(run: Run) -> list[str]:
    """Return what a reader of the numbers has to know."""
    found: list[str] = []
    for level in run.done:
        if level.errors:
            told = ", ".join(f"{count} {name}" for name, count in sorted(level.errors.items()))
            found.append(f"level {level.level}: {told}")
        if level.violations:
            found.append(f"level {level.level}: {level.violations} rules of the service broken")
        for who, share in (
            ("this process", level.cpu_share),
            ("the emulator's process", level.target_cpu_share),
        ):
            if share is not None and share > BUSY:
                found.append(
                    f"level {level.level}: {who} used {share:.0%} of a core and may set the pace"
                )
    return found


def describe_run(run: Run, about: dict[str, Any]) -> dict[str, Any]:
    """Return everything as JSON values."""
    plan = run.plan
    return {
        **about,
        "version": __version__,
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "service": run.service.name,
        "task_type": plan.task.type,
        "seconds": plan.seconds,
        "tasks": plan.tasks,
        "interrupted": run.interrupted,
        "error": None if run.error is None else str(run.error),
        "levels": [_rounded(attrs.asdict(level)) for level in run.done],
        "notes": notes(run),
    }


def _rounded(values: dict[str, Any]) -> dict[str, Any]:
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in values.items()
    }
