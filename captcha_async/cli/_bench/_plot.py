"""The plot of a bench: percentiles and throughput over concurrency; needs the `bench` extra."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .._exits import USAGE, fail
from ._run import Level

__all__ = ["check_files", "draw"]

FORMATS = (".svg", ".png")
PERCENTILES = (
    ("p50", "median", "o"),
    ("p95", "95th percentile", "s"),
    ("p99", "99th percentile", "^"),
)


def check_files(plot: Path | None, report: Path | None, numbers: str | None) -> None:
    """End the command if plot, page or numbers could not be written later."""
    _check_plot(plot)
    if report is not None:
        _check_place("--report", report)
    if numbers not in (None, "-"):
        _check_place("--json", Path(numbers or ""))


def _check_place(option: str, path: Path) -> None:
    if path.is_dir() or not path.parent.is_dir():
        fail(f"{option} must be a file in a folder that exists, not {path}", USAGE)


def _check_plot(path: Path | None) -> None:
    if path is None:
        return
    if path.suffix.lower() not in FORMATS:
        fail(f"--plot must be a file that ends in {' or '.join(FORMATS)}, not {path}", USAGE)
    _check_place("--plot", path)
    if importlib.util.find_spec("matplotlib") is None:
        fail("--plot needs matplotlib: pip install 'captcha-async[bench]'", USAGE)


def draw(path: Path, levels: Sequence[Level], title: str) -> None:
    """Draw the levels."""
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # Text stays text, and the same numbers give the same file.
    settings: dict[Any, Any] = {
        "svg.fonttype": "none",
        "svg.hashsalt": "captcha-async",
        "font.size": 10,
    }
    with matplotlib.rc_context(settings):
        figure = Figure(figsize=(10, 4.2), layout="constrained")
        FigureCanvasAgg(figure)
        figure.suptitle(title)
        times, rates = figure.subplots(1, 2)
        _draw_times(times, levels)
        _draw_rates(rates, levels)
        metadata = {"Date": None} if path.suffix.lower() == ".svg" else None
        figure.savefig(path, dpi=150, metadata=metadata)


def _draw_times(axis: Any, levels: Sequence[Level]) -> None:
    for name, label, marker in PERCENTILES:
        points = [(each.level, getattr(each, name)) for each in levels if each.solved]
        axis.plot([x for x, _ in points], [y for _, y in points], marker=marker, label=label)
    axis.set_title("Time of a solve")
    axis.set_ylabel("seconds")
    axis.set_ylim(bottom=0)
    axis.legend(frameon=False)
    _finish(axis, levels)


def _draw_rates(axis: Any, levels: Sequence[Level]) -> None:
    points = [(each.level, each.solved_per_second) for each in levels if each.solved]
    axis.plot([x for x, _ in points], [y for _, y in points], marker="o", color="tab:green")
    for x, y in points:
        axis.annotate(
            f"{y:.3g}" if y >= 1 else f"{y:.2g}",
            (x, y),
            textcoords="offset points",
            xytext=(-6, 6),
            ha="right",
        )
    axis.set_title("Throughput")
    axis.set_ylabel("solves per second")
    if points:
        axis.set_yscale("log")
        axis.yaxis.set_major_formatter("{x:g}")
        axis.margins(y=0.15)
    _finish(axis, levels)


def _finish(axis: Any, levels: Sequence[Level]) -> None:
    axis.set_xlabel("concurrency: solves at once")
    axis.set_xscale("log")
    axis.set_xticks([each.level for each in levels], [f"{each.level:,}" for each in levels])
    axis.minorticks_off()
    axis.margins(x=0.12)
    axis.grid(alpha=0.25)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
