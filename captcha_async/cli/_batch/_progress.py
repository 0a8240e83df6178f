"""The picture of a batch on a terminal; elsewhere a line now and then, and one when things change.

██████████████████▒▒▒▒░░░░░░░░░░░░   1,204 of 3,000  40%  ETA 2:10
solved 1,180   failed 24   in flight 240   waiting 260   12.4/s   elapsed 1:37
rate   ▁▂▄▅▆▆▇▇▆▆▆▅▆▇██▇▇   times  ▁▃▇█▆▄▂▁▁  2 s to 24 s, p50 6.1 s, p95 11.9 s
spent  0.3100 of 2, about 0.5000 in the end
service ok
last error: ...
"""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import closing

import anyio
from rich.console import Console, Group, RenderableType
from rich.text import Text

from .._screen import Screen, is_ascii, redrawing
from ._frame import Frame, describe, duration, seconds, spending

__all__ = ["Glyphs", "brief", "histogram", "render", "sparkline", "watch_batch"]

PLAIN_EVERY = 10.0
HINT = "Ctrl-C collects what is paid for, and says how to go on"
STYLES = {"good": "green", "warn": "yellow", "bad": "bold red"}


class Glyphs:
    """What bars are made of; without more than ASCII they are plain."""

    def __init__(self, ascii_only: bool) -> None:
        self.steps: str = " .:-=+*#" if ascii_only else "▁▂▃▄▅▆▇█"
        self.solved, self.failed, self.flying, self.rest = "#x~." if ascii_only else "█▓▒░"
        self.more: str = "..." if ascii_only else "…"


async def watch_batch(
    frame: Callable[[], Frame], console: Console, screen: Screen | None = None
) -> None:
    """Show the frames of a batch until cancelled: on a screen, or in lines."""
    if screen is None:
        await _watch_plain(frame, console)
    else:
        glyphs = Glyphs(is_ascii(console))
        with closing(screen):
            await redrawing(screen, lambda width: render(frame(), width, glyphs))


async def _watch_plain(frame: Callable[[], Frame], console: Console) -> None:
    told: float | None = None
    mood = "good"
    try:
        while True:
            now = frame()
            # Trouble is told at once, and when it is over.
            if told is None or now.elapsed - told >= PLAIN_EVERY or now.mood != mood:
                told, mood = now.elapsed, now.mood
                _print(console, now)
            await anyio.sleep(1.0)
    finally:
        _print(console, frame())


def _print(console: Console, frame: Frame) -> None:
    console.print(describe(frame), highlight=False, markup=False, soft_wrap=True)


# -- the picture ----------------------------------------------------------------------------------


def render(frame: Frame, width: int, glyphs: Glyphs | None = None) -> RenderableType:
    """Return the picture of a frame, for so many columns."""
    glyphs = glyphs or Glyphs(False)
    state = Text(frame.state, style=STYLES[frame.mood])
    note = Text(frame.note or HINT, style="yellow" if frame.note else "dim")
    lines = [
        *_bar(frame, width, glyphs),
        *_flow(_counts(frame), width),
        *_flow(_plots(frame, width, glyphs), width),
        *_flow([_cell("spent", spending(frame)), state], width),
    ]
    if frame.last_error:
        error = Text(f"last error: {frame.last_error}", style="dim")
        error.truncate(width, overflow="crop")
        if len(f"last error: {frame.last_error}") > width:
            error.right_crop(len(glyphs.more))
            error.append(glyphs.more)
        lines.append(error)
    # A terminal puts `^C` behind the last line.
    return Group(*lines, note)


def brief(frame: Frame, width: int, glyphs: Glyphs) -> RenderableType:
    """Return the bar and the counts alone."""
    rate = _cell("rate", f"{frame.rate:.1f}/s")
    return Group(*_bar(frame, width, glyphs), *_flow([*_counts(frame), rate], width))


def _flow(cells: list[Text], width: int) -> list[Text]:
    """Put cells side by side, in as many lines as they need."""
    lines: list[Text] = []
    for cell in cells:
        if lines and lines[-1].cell_len + 3 + cell.cell_len <= width:
            lines[-1].append("   ").append_text(cell)
        else:
            lines.append(cell.copy())
    return lines


def _cell(name: str, value: str, style: str = "") -> Text:
    return Text().append(f"{name} ", "dim").append(value, style)


def _counts(frame: Frame) -> list[Text]:
    cells = [
        _cell("solved", f"{frame.solved:,}", "green"),
        _cell("failed", f"{frame.failed:,}", "red" if frame.failed else ""),
        _cell("in flight", f"{frame.in_flight:,}"),
        _cell("waiting", f"{frame.waiting:,}"),
    ]
    if frame.skipped:
        cells.append(_cell("solved earlier", f"{frame.skipped:,}"))
    if frame.bad:
        cells.append(_cell("bad lines", f"{frame.bad:,}", "red"))
    return [*cells, _cell("elapsed", duration(frame.elapsed))]


def _bar(frame: Frame, width: int, glyphs: Glyphs) -> list[Text]:
    if frame.total is None:
        text = f"{frame.lines:,} lines"
    else:
        share = frame.lines / frame.total if frame.total else 1.0
        text = f"{frame.lines:,} of {frame.total:,}  {int(share * 100)}%"
        text += "" if frame.eta is None else f"  ETA {duration(frame.eta)}"
    room = width - len(text) - 2
    if room < 8:
        return [Text(text)]
    return [_stack(frame, room, glyphs).append(f"  {text}", "")]


def _stack(frame: Frame, room: int, glyphs: Glyphs) -> Text:
    """Return the stacked bar: what is solved, failed and in flight, of all there is."""
    done = frame.solved + frame.skipped
    under_way = frame.in_flight + frame.waiting
    seen = done + frame.failed + under_way + frame.bad
    whole = max(1, seen if frame.total is None else frame.total)
    bar, place, used = Text(), 0.0, 0
    for count, glyph, style in (
        (done, glyphs.solved, "green"),
        (frame.failed + frame.bad, glyphs.failed, "red"),
        (under_way, glyphs.flying, "yellow"),
    ):
        place += count
        upto = min(room, round(place / whole * room))
        # What there is of a kind shows, however little it is.
        upto = min(room, max(upto, used + 1)) if count else upto
        bar.append(glyph * max(0, upto - used), style)
        used = max(used, upto)
    return bar.append(glyphs.rest * (room - used), "dim")


def _plots(frame: Frame, width: int, glyphs: Glyphs) -> list[Text]:
    rate = _cell("rate", f"{frame.rate:.1f}/s ")
    spark = sparkline(frame.rates[-min(24, max(8, width // 4)) :], glyphs)
    times = _cell("times", f"p50 {seconds(frame.p50)}  p95 {seconds(frame.p95)}")
    bars, least, most = histogram(frame.times, 16, glyphs)
    if bars:
        times.append("  ").append(bars, "cyan").append(f" {least:.3g} to {most:.3g} s", "dim")
    return [rate.append(spark, "cyan"), times]


def sparkline(values: list[float], glyphs: Glyphs) -> str:
    """Return a line of bars, one for each value, as high as it is beside the highest."""
    top = max(values, default=0.0)
    if top <= 0:
        return ""
    last = len(glyphs.steps) - 1
    return "".join(glyphs.steps[min(last, math.ceil(value / top * last))] for value in values)


def histogram(times: list[float], bars: int, glyphs: Glyphs) -> tuple[str, float, float]:
    """Return how solve times are spread, with the shortest and the longest that are shown."""
    if len(times) < 5:
        return "", 0.0, 0.0
    ordered = sorted(times)
    # A few very late ones would leave no room for the others.
    least, most = ordered[0], ordered[math.ceil(len(ordered) * 0.99) - 1]
    width = (most - least) / bars or 1.0
    counts = [0.0] * bars
    for value in ordered:
        counts[min(bars - 1, int((value - least) / width))] += 1
    return sparkline(counts, glyphs), least, most
