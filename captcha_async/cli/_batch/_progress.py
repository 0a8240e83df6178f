"""The progress of `batch`: a frame of numbers, live on a terminal, else a line now and then."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from contextlib import contextmanager
from decimal import Decimal

import anyio
import attrs
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from .._progress import LIVE_EVERY

__all__ = ["Frame", "Pace", "describe", "duration", "render", "watch_batch"]

PLAIN_EVERY = 10.0
RECENT = 30.0
"""Seconds that count for the rate."""

# Columns that four cells, or two, fit side by side.
WIDE, MEDIUM = 72, 36

HINT = "Ctrl-C collects what is paid for, and says how to go on"


@attrs.frozen(kw_only=True)
class Frame:
    """The numbers of a batch at one moment."""

    lines: int = 0
    """Lines that are done with: ended, skipped, bad or empty."""
    total: int | None = None
    """Lines of the file; None if that is not known."""
    solved: int = 0
    failed: int = 0
    skipped: int = 0
    bad: int = 0
    waiting: int = 0
    """Tasks that were read and are not accepted yet."""
    in_flight: int = 0
    rate: float = 0.0
    """Tasks that ended per second, lately."""
    p50: float | None = None
    p95: float | None = None
    spent: Decimal = Decimal(0)
    fuse: str = "closed"
    elapsed: float = 0.0
    note: str = ""
    """What is going on besides."""

    @property
    def eta(self) -> float | None:
        """Seconds to go; None if that cannot be told."""
        if self.total is None or not self.rate or self.note:
            return None
        return max(0, self.total - self.lines) / self.rate


class Pace:
    """How many per second, lately."""

    def __init__(self) -> None:
        # (moment, count), the oldest first; a look every tenth of a second makes 300 of them.
        self._looks: deque[tuple[float, int]] = deque()

    def look(self, now: float, count: int) -> float:
        """Note a *count* and return by how much it grows."""
        self._looks.append((now, count))
        while self._looks[0][0] < now - RECENT:
            self._looks.popleft()
        then, before = self._looks[0]
        return (count - before) / (now - then) if now > then else 0.0


# -- showing --------------------------------------------------------------------------------------


async def watch_batch(frame: Callable[[], Frame], console: Console, *, live: bool) -> None:
    """Show the frames of a batch until cancelled."""
    with _live(console) if live else _plain(console) as show:
        try:
            while True:
                show(frame())
                await anyio.sleep(LIVE_EVERY if live else PLAIN_EVERY)
        finally:
            show(frame())


@contextmanager
def _live(console: Console) -> Generator[Callable[[Frame], None]]:
    # Refreshed by hand: a thread of its own would only be one more thing to end. It makes room for
    # the summary in the end.
    with Live(console=console, auto_refresh=False, transient=True) as live:
        yield lambda frame: live.update(render(frame, console.width), refresh=True)


@contextmanager
def _plain(console: Console) -> Generator[Callable[[Frame], None]]:
    def show(frame: Frame) -> None:
        console.print(describe(frame), highlight=False, markup=False, soft_wrap=True)

    yield show


def render(frame: Frame, width: int = WIDE) -> RenderableType:
    """Return the picture of a frame, for a terminal of so many columns."""
    across = 4 if width >= WIDE else 2 if width >= MEDIUM else 1
    grid = Table.grid(padding=(0, 1), expand=True)
    for column in range(across):
        if column:
            grid.add_column(ratio=1)
        grid.add_column(style="dim", no_wrap=True)
        grid.add_column(justify="right", no_wrap=True)
    cells = _cells(frame)
    for row in range(0, len(cells), across):
        parts = [part for cell in cells[row : row + across] for part in ("", *cell)]
        grid.add_row(*parts[1:])
    # The last line is never full: a terminal puts `^C` behind it.
    note = Text(frame.note or HINT, style="yellow" if frame.note else "dim")
    note.no_wrap = width >= WIDE
    return Group(_bar(frame), grid, note)


def _bar(frame: Frame) -> Table:
    bar = Table.grid(padding=(0, 1), expand=True)
    bar.add_column(ratio=1)
    bar.add_column(justify="right", no_wrap=True)
    if frame.total is None:
        bar.add_row(ProgressBar(pulse=True), f"{frame.lines:,} lines")
    else:
        share = frame.lines / frame.total if frame.total else 1.0
        text = f"{frame.lines:,} of {frame.total:,}  {share:4.0%}  ETA {duration(frame.eta)}"
        bar.add_row(_progress_bar(max(frame.total, 1), frame.lines), text)
    return bar


def _progress_bar(total: int, completed: int) -> ProgressBar:
    return ProgressBar(total, completed, complete_style="green", finished_style="green")


def _cells(frame: Frame) -> list[tuple[str, Text]]:
    fuse = Text(frame.fuse, style="green" if frame.fuse == "closed" else "bold red")
    return [
        ("solved", Text(f"{frame.solved:,}", style="green")),
        ("waiting", Text(f"{frame.waiting:,}")),
        ("p50", Text(seconds(frame.p50))),
        ("rate", Text(f"{frame.rate:.1f}/s")),
        ("failed", Text(f"{frame.failed:,}", style="red" if frame.failed else "")),
        ("in flight", Text(f"{frame.in_flight:,}")),
        ("p95", Text(seconds(frame.p95))),
        ("spent", Text(money(frame.spent))),
        ("skipped", Text(f"{frame.skipped:,}")),
        ("bad lines", Text(f"{frame.bad:,}", style="red" if frame.bad else "")),
        ("fuse", fuse),
        ("elapsed", Text(duration(frame.elapsed))),
    ]


def describe(frame: Frame) -> str:
    """Return a frame as one line of plain text."""
    lines = f"{frame.lines}" if frame.total is None else f"{frame.lines}/{frame.total}"
    parts = [
        f"{duration(frame.elapsed)}  lines {lines}  solved {frame.solved}  failed {frame.failed}",
        f"skipped {frame.skipped}" if frame.skipped else "",
        f"bad {frame.bad}" if frame.bad else "",
        f"waiting {frame.waiting}  in flight {frame.in_flight}  {frame.rate:.1f}/s",
        f"p50 {seconds(frame.p50)}  p95 {seconds(frame.p95)}  spent {money(frame.spent)}",
        f"fuse {frame.fuse}",
        "" if frame.eta is None else f"ETA {duration(frame.eta)}",
        frame.note,
    ]
    return "  ".join(part for part in parts if part)


def seconds(value: float | None) -> str:
    """Return a solve time."""
    return "-" if value is None else f"{value:.1f} s"


def money(value: Decimal) -> str:
    """Return a sum in the service's currency."""
    return f"{value:.4f}"


def duration(value: float | None) -> str:
    """Return a time of perhaps hours."""
    if value is None:
        return "-:--"
    hours, rest = divmod(int(value), 3600)
    minutes, whole = divmod(rest, 60)
    return f"{hours}:{minutes:02}:{whole:02}" if hours else f"{minutes}:{whole:02}"
