"""One self-contained page with plots: no script, nothing beside it, light and dark, any width.

Plots are SVG in the page; their colours are the page's, and what a mark stands for is its tooltip.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

import attrs

__all__ = ["Line", "bars", "lines", "page", "section", "table", "tiles"]

WIDTH, HEIGHT = 640, 240
LEFT, RIGHT, TOP, BOTTOM = 52, 12, 12, 30

STYLE = """
:root { color-scheme: light dark; --back: #fff; --text: #1c2128; --dim: #5b6572; --line: #d9dee4;
  --card: #f6f8fa; --a: #1f77b4; --b: #d1491f; --c: #2c8a3d; --d: #8250df; }
@media (prefers-color-scheme: dark) {
  :root { --back: #14181d; --text: #e6eaef; --dim: #9aa5b1; --line: #333b45; --card: #1c2229;
    --a: #6cb6ff; --b: #ff8b62; --c: #6bd67f; --d: #c297ff; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem 1rem 3rem; max-width: 1100px; background: var(--back);
  color: var(--text); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; margin: 0; } h2 { font-size: 1.05rem; margin: 0 0 .5rem; }
p { margin: .25rem 0; } .dim { color: var(--dim); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(112px, 1fr)); gap: .6rem;
  margin: 1rem 0; }
.tile, section { background: var(--card); border: 1px solid var(--line); border-radius: 8px; }
.tile { padding: .5rem .8rem; } .tile b { display: block; font-size: 1.25rem; }
.grid { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 460px), 1fr));
  gap: 1rem; }
section { padding: .9rem; min-width: 0; } section.wide { grid-column: 1 / -1; }
svg { width: 100%; height: auto; display: block; } svg text { fill: var(--dim);
  font: 12px system-ui, sans-serif; } .value { fill: var(--text) !important; }
@media (max-width: 600px) { svg text { font-size: 17px; } }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { padding: .3rem .6rem; text-align: right; border-bottom: 1px solid var(--line); }
th { color: var(--dim); font-weight: 600; } th:first-child, td:first-child, td.text {
  text-align: left; } td.text { overflow-wrap: anywhere; min-width: 12rem; }
.key { display: inline-block; width: .8em; height: .8em; border-radius: 2px;
  margin: 0 .35em 0 .9em; } .name { white-space: nowrap; }
"""


def page(title: str, about: str, *parts: str) -> str:
    """Return a whole page; *parts* are HTML."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>"
        f'<h1>{escape(title)}</h1><p class="dim">{escape(about)}</p>'
        f"{''.join(parts)}</body></html>\n"
    )


def tiles(values: Iterable[tuple[str, str]]) -> str:
    """Return (name, value) as a row of boxes."""
    boxes = (f'<div class="tile"><b>{escape(v)}</b>{escape(name)}</div>' for name, v in values)
    return f'<div class="tiles">{"".join(boxes)}</div>'


def section(title: str, body: str, *, note: str = "", wide: bool = False) -> str:
    """Return a box with a heading."""
    told = f'<p class="dim">{escape(note)}</p>' if note else ""
    kind = ' class="wide"' if wide else ""
    return f"<section{kind}><h2>{escape(title)}</h2>{body}{told}</section>"


def table(titles: Sequence[str], rows: Iterable[Sequence[str]], *, text: Sequence[str] = ()) -> str:
    """Return a table; the columns in *text* are prose."""
    head = "".join(f"<th>{escape(title)}</th>" for title in titles)
    kinds = [' class="text"' if title in text else "" for title in titles]
    body = "".join(
        "<tr>"
        + "".join(f"<td{kind}>{escape(v)}</td>" for kind, v in zip(kinds, row, strict=True))
        + "</tr>"
        for row in rows
    )
    return f'<div class="scroll"><table><tr>{head}</tr>{body}</table></div>'


@attrs.frozen
class Line:
    """One line of a plot."""

    name: str
    points: Sequence[tuple[float, float]]
    colour: str = "a"
    """One of the page's: a blue, b orange, c green, d violet."""
    marks: bool = False
    """Whether each point is marked and has its value beside it."""


def lines(
    all_lines: Sequence[Line], *, x: str, y: str, log_x: bool = False, most: float | None = None
) -> str:
    """Return a plot of lines over a common axis."""
    points = [point for line in all_lines for point in line.points]
    if not points:
        return '<p class="dim">nothing to show</p>'
    xs = [px for px, _ in points]
    low, high = min(xs), max(xs)
    top = _ceiling(max((*(py for _, py in points), most or 0.0)))
    scale = _Scale(low, high, top, log=log_x and low > 0)
    ticks = sorted(set(xs)) if log_x else _ticks(low, high)
    drawn = "".join(_draw(line, scale) for line in all_lines)
    shown = all_lines if len(all_lines) > 1 else ()
    return f"{_frame(scale, ticks, x, y)}{drawn}</svg>{_legend(shown)}"


def bars(
    values: Sequence[tuple[str, float]], *, x: str, y: str, colour: str = "a", labels: bool = False
) -> str:
    """Return a plot of bars; with *labels* each has its value above it."""
    if not values:
        return '<p class="dim">nothing to show</p>'
    scale = _Scale(0, len(values), _ceiling(max(value for _, value in values)))
    wide = (WIDTH - LEFT - RIGHT) / len(values)
    every = max(1, math.ceil(len(values) / 9))
    parts: list[str] = []
    for place, (name, value) in enumerate(values):
        left, up = LEFT + place * wide, scale.y(value)
        parts.append(
            f'<rect x="{left + wide * 0.08:.1f}" y="{up:.1f}" width="{wide * 0.84:.1f}" '
            f'height="{HEIGHT - BOTTOM - up:.1f}" rx="2" fill="var(--{colour})">'
            f"<title>{escape(name)}: {value:,.6g}</title></rect>"
        )
        if labels and value:
            parts.append(_text(left + wide / 2, up - 4, f"{value:,.4g}", "middle", "value"))
        if place % every == 0:
            parts.append(_text(left + wide / 2, HEIGHT - BOTTOM + 15, name, "middle"))
    return f"{_frame(scale, (), x, y)}{''.join(parts)}</svg>"


@attrs.frozen
class _Scale:
    """Where a value stands in a plot."""

    low: float
    high: float
    top: float
    log: bool = False

    def x(self, value: float) -> float:
        low, high = self.low, self.high
        if self.log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        share = (value - low) / (high - low) if high > low else 0.5
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        return HEIGHT - BOTTOM - value / self.top * (HEIGHT - BOTTOM - TOP - 12)


def _frame(scale: _Scale, ticks: Iterable[float], x: str, y: str) -> str:
    parts = [f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(y)}">']
    for value in _ticks(0, scale.top):
        up = scale.y(value)
        parts.append(
            f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{up:.1f}" y2="{up:.1f}" '
            'stroke="var(--line)"/>'
        )
        parts.append(_text(LEFT - 6, up + 4, f"{value:g}", "end"))
    foot = HEIGHT - BOTTOM + 15
    parts += [_text(scale.x(value), foot, f"{value:g}", "middle") for value in ticks]
    parts.append(_text(WIDTH - RIGHT, HEIGHT - 3, x, "end"))
    parts.append(_text(2, 11, y, "start"))
    return "".join(parts)


def _draw(line: Line, scale: _Scale) -> str:
    points = [(scale.x(x), scale.y(y)) for x, y in line.points]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    stroke = f'fill="none" stroke="var(--{line.colour})" stroke-width="2"'
    parts = [f'<polyline points="{path}" {stroke} stroke-linejoin="round"/>']
    if line.marks or len(points) == 1:
        for (x, y), (px, py) in zip(points, line.points, strict=True):
            parts.append(
                f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="var(--{line.colour})">'
                f"<title>{escape(line.name)} at {px:g}: {py:.4g}</title></circle>"
            )
            # Not over the numbers of the axis, and not beyond the edge.
            anchor = "end" if x > WIDTH - 60 else "start" if x < LEFT + 20 else "middle"
            parts.append(_text(x, y - 8, f"{py:.3g}", anchor, "value"))
    return "".join(parts)


def _legend(all_lines: Sequence[Line]) -> str:
    keys = (
        f'<span class="name"><span class="key" style="background:var(--{line.colour})"></span>'
        f"{escape(line.name)}</span> "
        for line in all_lines
    )
    return f'<p class="dim">{"".join(keys)}</p>' if all_lines else ""


def _text(x: float, y: float, text: str, anchor: str, kind: str = "") -> str:
    cls = f' class="{kind}"' if kind else ""
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}"{cls}>{escape(text)}</text>'


def _step(span: float) -> float:
    """Return a round distance of about a quarter of a span."""
    if span <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(span / 4))
    return next(power * step for step in (1, 2, 2.5, 5, 10) if power * step >= span / 4 * 0.999)


def _ticks(low: float, high: float) -> list[float]:
    step = _step(high - low)
    first = math.ceil(low / step - 1e-9)
    last = math.floor(high / step + 1e-9)
    return [round(place * step, 12) for place in range(first, last + 1)]


def _ceiling(value: float) -> float:
    """Return a round value of at least *value*, above which nothing is drawn."""
    step = _step(value)
    return max(step, math.ceil(value / step - 1e-9) * step)
