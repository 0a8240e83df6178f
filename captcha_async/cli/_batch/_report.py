"""`batch --report`: a page about the run."""

from __future__ import annotations

import math
from datetime import datetime
from itertools import pairwise
from pathlib import Path

from ... import __version__
from .._charts import Line, bars, lines, page, section, table, tiles
from .._exits import USAGE, fail
from ._frame import duration
from ._run import BatchRun

__all__ = ["check_place", "write_report"]

BARS = 24
COLOURS = "adbc"


def check_place(path: Path | None) -> None:
    """End the command if the page could not be written later."""
    if path is not None and (path.is_dir() or not path.parent.is_dir()):
        fail(f"--report must be a file in a folder that exists, not {path}", USAGE)


def write_report(path: Path, run: BatchRun) -> None:
    """Write the page.

    Raises:
        OSError: it cannot be written.
    """
    path.write_text(_page(run), encoding="utf-8", errors="replace")


def _page(run: BatchRun) -> str:
    total = run.tally.total()
    now = datetime.now().astimezone()
    about = (
        f"{run.files.tasks_name} at {run.client.service.name}, {now:%Y-%m-%d %H:%M} "
        f"(captcha-async {__version__}); {_end(run)}"
    )
    numbers = [
        ("solved", f"{run.solved:,}"),
        ("failed", f"{run.failed:,}"),
        ("solved earlier", f"{run.lines.skipped:,}"),
        ("bad lines", f"{len(run.lines.bad):,}"),
        ("spent", str(run.spent)),
        ("took", duration(run.seconds)),
        ("solved per second", f"{run.solved / run.seconds if run.seconds else 0:.2f}"),
        ("median seconds", "-" if total.p50 is None else f"{total.p50:.2f}"),
    ]
    plots = [_throughput(run), _in_flight(run), _times(run), _polls(run), _spend(run)]
    body = f'<div class="grid">{"".join(plots)}{_types(run)}{_failures(run)}{_bad(run)}</div>'
    return page("captcha-async batch", about, tiles(numbers), body)


def _end(run: BatchRun) -> str:
    if run.complete:
        return "every line has ended"
    if run.fatal is not None:
        return f"stopped: {run.fatal}"
    if run.error is not None:
        return f"stopped: {run.error}"
    return "interrupted" if run.interrupted else "not all was read"


def _throughput(run: BatchRun) -> str:
    solved: list[tuple[float, float]] = []
    failed: list[tuple[float, float]] = []
    points = run.series.points
    every = max(1, math.ceil(len(points) / 60))
    for before, after in pairwise([*points[::every], *points[-1:]]):
        wide = after.seconds - before.seconds
        if wide > 0:
            solved.append((after.seconds, (after.solved - before.solved) / wide))
            failed.append((after.seconds, (after.failed - before.failed) / wide))
    found = [Line("solved", solved, "c"), Line("failed", failed, "b")]
    return section("Throughput", lines(found, x="seconds", y="tasks per second"))


def _in_flight(run: BatchRun) -> str:
    points = [(point.seconds, float(point.in_flight)) for point in run.series.points]
    return section("In flight", lines([Line("in flight", points)], x="seconds", y="tasks"))


def _spend(run: BatchRun) -> str:
    points = [(point.seconds, float(point.spent)) for point in run.series.points]
    found = [Line("spent", points, "d")]
    cap = run.settings.max_spend
    if cap is not None and points:
        found.append(
            Line("--max-spend", [(x, float(cap)) for x, _ in (points[0], points[-1])], "b")
        )
    return section("Spent", lines(found, x="seconds", y="the service's currency"))


def _times(run: BatchRun) -> str:
    """Return the spread of the solve times, by type where there are few."""
    rows = [row for row in run.tally.rows() if row.solved]
    times = sorted(run.tally.times())
    if not times:
        return section("Solve times", bars([], x="", y=""))
    most = times[math.ceil(len(times) * 0.99) - 1]
    least = times[0]
    wide = (most - least) / BARS or 0.1
    names = [row.task_type for row in rows[: len(COLOURS)]] if len(rows) > 1 else [None]
    curves = []
    for colour, name in zip(COLOURS, names, strict=False):
        counts = [0] * BARS
        for value in run.tally.times(name):
            counts[min(BARS - 1, max(0, int((value - least) / wide)))] += 1
        middle = [(least + (place + 0.5) * wide, float(n)) for place, n in enumerate(counts)]
        curves.append((name, colour, middle))
    if names == [None]:
        bar_list = [(f"{x:.1f}", y) for x, y in curves[0][2]]
        return section("Solve times", bars(bar_list, x="seconds", y="solves"))
    found = [Line(str(name), points, colour) for name, colour, points in curves]
    note = "" if len(rows) <= len(COLOURS) else f"the first {len(COLOURS)} of {len(rows)} types"
    return section("Solve times by type", lines(found, x="seconds", y="solves"), note=note)


def _polls(run: BatchRun) -> str:
    counted = [(str(polls), float(count)) for polls, count in run.tally.polls().items()]
    return section("Polls of a solve", bars(counted[:30], x="polls", y="solves", labels=True))


def _types(run: BatchRun) -> str:
    rows = [*run.tally.rows(), run.tally.total()]
    cells = [
        (
            row.task_type,
            f"{row.solved:,}",
            f"{row.failed:,}",
            "-" if row.p50 is None else f"{row.p50:.2f}",
            "-" if row.p95 is None else f"{row.p95:.2f}",
            "-" if row.polls_per_task is None else f"{row.polls_per_task:.1f}",
            row.spent,
        )
        for row in rows
    ]
    titles = ("task type", "solved", "failed", "p50 s", "p95 s", "polls", "spent")
    return section("By type", table(titles, cells), wide=True)


def _failures(run: BatchRun) -> str:
    rows = [(name, code or "-", f"{n:,}", text) for name, code, n, text in run.failures.rows()]
    if not rows:
        return ""
    titles = ("error", "code", "tasks", "last message")
    return section("Failures", table(titles, rows, text=("last message",)), wide=True)


def _bad(run: BatchRun) -> str:
    rows = [(group.rule, f"{group.count:,}", group.numbers) for group in run.lines.bad]
    titles = ("rule", "lines", "first ones")
    return section("Bad lines", table(titles, rows, text=("rule",)), wide=True) if rows else ""
