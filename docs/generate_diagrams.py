"""Draws `images/solve.svg` and `images/parts.svg`: one solve as a sequence, and the layers.

python docs/generate_diagrams.py

Plain SVG, in a grey that can be read on white and on black.
"""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

IMAGES = Path(__file__).parent / "images"
GREY, BLUE, ORANGE, GREEN = "#808080", "#2e86de", "#e67e22", "#27ae60"
FONT = 'font-family="system-ui, sans-serif" font-size="13"'

# -- one solve ------------------------------------------------------------------------------------

ACTORS = ("your program", "client", "account", "transport", "service")
# (from, to, what, colour); the same actor twice is something that it does by itself.
STEPS: tuple[tuple[int, int, str, str], ...] = (
    (0, 1, "await client.solve(task)", BLUE),
    (1, 1, "checks task and arguments", GREY),
    (1, 2, "may a task go out?", BLUE),
    (2, 2, "fuse, pause, rate, slot, money", GREY),
    (1, 3, "createTask", BLUE),
    (3, 4, "POST /createTask", ORANGE),
    (4, 3, "taskId: paid for from now on", GREEN),
    (3, 1, "accepted, refused, or uncertain", GREEN),
    (1, 1, "sleeps until a poll pays", GREY),
    (3, 4, "POST /getTaskResult", ORANGE),
    (4, 3, "processing", GREEN),
    (1, 1, "learns, and sleeps: at least the gap", GREY),
    (3, 4, "POST /getTaskResult, or a callback comes", ORANGE),
    (4, 3, "ready, with the solution", GREEN),
    (3, 2, "slot is free, cost is known", GREEN),
    (1, 0, "Solved: solution, cost, seconds, polls", GREEN),
)
LANE, TOP, STEP = 190, 46, 30


def sequence() -> str:
    """Return the picture of one solve."""
    width, height = LANE * len(ACTORS), TOP + STEP * (len(STEPS) + 1)
    parts: list[str] = []
    for place, name in enumerate(ACTORS):
        x = LANE * place + LANE / 2
        parts.append(_box(x - 70, 8, 140, 26, name))
        parts.append(
            f'<line x1="{x}" x2="{x}" y1="34" y2="{height - 6}" stroke="{GREY}" '
            'stroke-dasharray="3 4"/>'
        )
    for row, (start, end, what, colour) in enumerate(STEPS):
        y = TOP + STEP * (row + 0.7)
        parts.append(_step(start, end, y, what, colour))
    return _svg(width, height, "One solve, from the call to the answer", parts)


def _step(start: int, end: int, y: float, what: str, colour: str) -> str:
    left, right = (LANE * place + LANE / 2 for place in (start, end))
    if start == end:
        return (
            f'<circle cx="{left}" cy="{y - 4}" r="4" fill="{colour}"/>{_text(left + 10, y, what)}'
        )
    point = 7 if right > left else -7
    tip = right - (2 if right > left else -2)
    arrow = (
        f'<line x1="{left}" x2="{tip}" y1="{y}" y2="{y}" stroke="{colour}" stroke-width="2"/>'
        f'<path d="M{tip} {y} l{-point} -4 v8 z" fill="{colour}"/>'
    )
    return arrow + _text(min(left, right) + 10, y - 5, what)


# -- what stands on what --------------------------------------------------------------------------

# From the top to the bottom: an import goes only downwards.
PARTS: tuple[tuple[tuple[str, str], ...], ...] = (
    (("cli", "the command"), ("testing", "pytest plugin"), ("telemetry", "spans and metrics")),
    (("client", "CaptchaClient"), ("emulator", "the local service")),
    (("batch", "many at once"), ("solving", "submit, then collect")),
    (("account", "fuse, limits, slots, money"), ("callbacks", "receiver"), ("journal", "SQLite")),
    (("polling", "when to ask"), ("transport", "bytes out, bytes in"), ("events", "what happens")),
    (("wire", "models to JSON and back"), ("services", "data"), ("tasks", "models")),
    (("errors", "one tree"),),
)
WIDE, HIGH = 760, 52


def layers() -> str:
    """Return the picture of the parts."""
    parts: list[str] = []
    for row, boxes in enumerate(PARTS):
        wide = WIDE / len(boxes)
        for place, (name, about) in enumerate(boxes):
            x, y = wide * place + 6, row * HIGH + 6
            parts.append(_box(x, y, wide - 12, HIGH - 12, f"{name}: {about}"))
    height = HIGH * len(PARTS) + 24
    parts.append(_text(6, height - 6, "An import goes only downwards; a test holds the order."))
    return _svg(WIDE, height, "The parts of the library, from the command to the errors", parts)


# -- drawing --------------------------------------------------------------------------------------


def _box(x: float, y: float, width: float, height: float, text: str) -> str:
    middle, down = x + width / 2, y + height / 2 + 5
    return (
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}" rx="6" '
        f'fill="{BLUE}" fill-opacity="0.12" stroke="{BLUE}"/>'
        f'<text x="{middle:.1f}" y="{down:.1f}" text-anchor="middle">{escape(text)}</text>'
    )


def _text(x: float, y: float, text: str) -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'


def _svg(width: float, height: float, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height:.0f}" '
        f'{FONT} fill="{GREY}"><title>{escape(title)}</title>{"".join(parts)}</svg>\n'
    )


def main() -> None:
    """Draw both."""
    (IMAGES / "solve.svg").write_text(sequence(), encoding="utf-8")
    (IMAGES / "parts.svg").write_text(layers(), encoding="utf-8")


if __name__ == "__main__":
    main()
