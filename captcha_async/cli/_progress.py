"""The demo's progress: a live line on a terminal, else a plain line now and then."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager

import anyio
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeElapsedColumn

from .. import Statistics

__all__ = ["watch"]

LIVE_EVERY = 0.1
PLAIN_EVERY = 2.0

Show = Callable[[Statistics, float], None]


async def watch(statistics: Callable[[], Statistics], total: int, console: Console) -> None:
    """Show a client's numbers until cancelled."""
    started = anyio.current_time()
    every = LIVE_EVERY if console.is_terminal else PLAIN_EVERY
    with _live(console, total) if console.is_terminal else _plain(console) as show:
        try:
            while True:
                show(statistics(), anyio.current_time() - started)
                await anyio.sleep(every)
        finally:
            show(statistics(), anyio.current_time() - started)


@contextmanager
def _plain(console: Console) -> Generator[Show]:
    def show(numbers: Statistics, seconds: float) -> None:
        console.print(f"{seconds:5.1f} s  {_describe(numbers, seconds)}", highlight=False)

    yield show


@contextmanager
def _live(console: Console, total: int) -> Generator[Show]:
    progress = Progress(
        BarColumn(bar_width=None),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
        console=console,
        # Refreshed by `show`: a thread of its own would only be one more thing to end.
        auto_refresh=False,
        expand=True,
    )
    bar: TaskID = progress.add_task("", total=total)

    def show(numbers: Statistics, seconds: float) -> None:
        ended = numbers.solved + numbers.failed
        progress.update(bar, completed=ended, description=_describe(numbers, seconds))
        progress.refresh()

    with progress:
        yield show


def _describe(numbers: Statistics, seconds: float) -> str:
    rate = numbers.solved / seconds if seconds > 0 else 0.0
    return (
        f"waiting {numbers.queued}  in flight {numbers.in_flight}  "
        f"solved {numbers.solved}  failed {numbers.failed}  {rate:.1f}/s"
    )
