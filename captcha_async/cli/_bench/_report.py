"""`bench --report`: the levels as a page with plots."""

from __future__ import annotations

import platform
from datetime import datetime
from pathlib import Path

from ... import __version__
from .._charts import Line, lines, page, section, table
from ._run import Level, Run

__all__ = ["write_report"]

PERCENTILES = (
    ("p50", "median", "a"),
    ("p95", "95th percentile", "b"),
    ("p99", "99th percentile", "d"),
)
TITLES = (
    "level",
    "solved",
    "failed",
    "solves/s",
    "p50 s",
    "p95 s",
    "p99 s",
    "polls",
    "CPU ms",
    "pick-up s",
)


def write_report(path: Path, run: Run, against: str, notes: list[str]) -> None:
    """Write the page.

    Raises:
        OSError: it cannot be written.
    """
    done = [level for level in run.done if level.solved]
    system = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    about = (
        f"against {against}, {datetime.now().astimezone():%Y-%m-%d %H:%M} "
        f"(captcha-async {__version__}, {system})"
    )
    plots = [
        section("Time of a solve", _times(done)),
        section("Throughput", _plot(done, "solved_per_second", "solves per second", "c")),
        section("CPU for a solve", _plot(done, "cpu_ms_per_solve", "milliseconds", "a")),
        section("Polls of a solve", _plot(done, "polls_per_task", "polls", "d")),
    ]
    rows = section("Levels", table(TITLES, map(_cells, run.done)), wide=True)
    told = section("Notes", table(("note",), ((note,) for note in notes)), wide=True)
    body = f'<p></p><div class="grid">{"".join(plots)}{rows}{told if notes else ""}</div>'
    path.write_text(page("captcha-async bench", about, body), encoding="utf-8")


def _times(done: list[Level]) -> str:
    found = []
    for name, label, colour in PERCENTILES:
        points = [(float(each.level), float(getattr(each, name) or 0.0)) for each in done]
        found.append(Line(label, points, colour, marks=name == "p50"))
    return lines(found, x="solves at once", y="seconds", log_x=True)


def _plot(done: list[Level], name: str, y: str, colour: str) -> str:
    points = [
        (float(each.level), float(getattr(each, name)))
        for each in done
        if getattr(each, name) is not None
    ]
    return lines([Line(y, points, colour, marks=True)], x="solves at once", y=y, log_x=True)


def _cells(level: Level) -> list[str]:
    def show(value: float | None, digits: int = 2) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    return [
        f"{level.level:,}",
        f"{level.solved:,}",
        f"{level.failed:,}",
        show(level.solved_per_second, 1),
        show(level.p50),
        show(level.p95),
        show(level.p99),
        show(level.polls_per_task, 1),
        show(level.cpu_ms_per_solve, 1),
        show(level.pick_up_p50),
    ]
