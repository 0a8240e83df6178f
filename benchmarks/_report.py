"""What a benchmark leaves behind: a table on the terminal, a JSON file, and a plot as SVG."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import attrs

__all__ = ["Bars", "draw_bars", "machine", "print_table", "write_json"]


# Text stays text, the same numbers give the same file, and both can be read on white and on black.
GREY = "#808080"
STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "captcha-async",
    "savefig.transparent": True,
    **dict.fromkeys(
        ("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), GREY
    ),
}
SMALL = 6.5
"""Points of the values on bars that are many."""


@attrs.frozen
class Bars:
    """A plot of groups of bars."""

    title: str
    unit: str
    groups: Sequence[str]
    """Names of the groups, from left to right."""
    series: Mapping[str, Sequence[float | None]]
    """For each name its height in each group; None draws nothing."""
    logarithmic: bool = False


def machine(*packages: str) -> dict[str, Any]:
    """Return where and with which versions a benchmark runs."""
    return {
        "date": datetime.now(UTC).date().isoformat(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.machine()}",
        "processor": _processor(),
        "packages": {name: _version(name) for name in packages},
    }


def _processor() -> str:
    information = Path("/proc/cpuinfo")
    if information.exists():
        for line in information.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor()


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def print_table(columns: Sequence[str], rows: Sequence[Sequence[Any]], title: str = "") -> None:
    """Print a table; the first column is flush left, the others flush right."""
    lines = [list(columns), *([_text(cell) for cell in row] for row in rows)]
    widths = [max(len(line[place]) for line in lines) for place in range(len(columns))]
    if title:
        print(f"\n{title}")
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  ".join(cells).rstrip())
        if line is lines[0]:
            print("  ".join("-" * width for width in widths))


def _text(cell: Any) -> str:
    if cell is None:
        return "-"
    return f"{cell:,.3g}" if isinstance(cell, float) and cell < 100 else _whole(cell)


def _whole(cell: Any) -> str:
    return f"{cell:,.0f}" if isinstance(cell, float | int) else str(cell)


def write_json(path: Path, results: Mapping[str, Any]) -> None:
    """Write the numbers."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    print(f"\nwritten: {path}")


def draw_bars(path: Path, *plots: Bars) -> None:
    """Draw the plots side by side, if matplotlib is installed."""
    try:
        import matplotlib
    except ImportError:
        print(f"not drawn: {path} (matplotlib is not installed)")
        return
    matplotlib.use("svg")
    matplotlib.rcParams.update(STYLE)
    import matplotlib.pyplot

    figure, axes = matplotlib.pyplot.subplots(
        1, len(plots), figsize=(6.4 * len(plots), 4), squeeze=False, layout="constrained"
    )
    for axis, bars in zip(axes[0], plots, strict=True):
        _draw(axis, bars)
    # Below all plots: inside of one it would hide bars.
    marks = {mark.get_label(): mark for axis in axes[0] for mark in axis.containers}
    if len(marks) > 1:
        columns = min(len(marks), 4)
        figure.legend(
            marks.values(), marks, loc="outside lower center", ncols=columns, frameon=False
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    matplotlib.pyplot.close(figure)
    print(f"drawn: {path}")


def _draw(axis: Any, bars: Bars) -> None:
    width = 0.8 / len(bars.series)
    for place, (name, heights) in enumerate(bars.series.items()):
        offset = (place - (len(bars.series) - 1) / 2) * width
        pairs = [(x + offset, height) for x, height in enumerate(heights) if height is not None]
        drawn = axis.bar([x for x, _ in pairs], [y for _, y in pairs], width, label=name)
        many = len(bars.series) > 2
        axis.bar_label(
            drawn,
            [f"{height:,.3g}" if height < 1000 else f"{height:,.0f}" for _, height in pairs],
            padding=2,
            fontsize=SMALL if many else None,
            rotation=90 if many else 0,
        )
    axis.set_title(bars.title)
    axis.set_ylabel(bars.unit)
    axis.set_xticks(range(len(bars.groups)), bars.groups)
    if bars.logarithmic:
        axis.set_yscale("log")
    # Room for the values above the highest bar.
    axis.margins(y=0.12)
    for side in ("top", "right"):
        axis.spines[side].set_visible(False)
