"""Drawing a few lines again and again at the end of a terminal, with no thread and no flicker.

A frame is written in one go, between the marks of a synchronised update, which terminals that do
not know them pass over. When the terminal has become narrower its lines have been folded: the rows
that they take now are counted, so that nothing of an old frame is left.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio
from rich.cells import cell_len
from rich.console import Console, RenderableType
from rich.text import Text

__all__ = ["LIVE_EVERY", "WIDEST", "Screen", "is_ascii", "redrawing"]

LIVE_EVERY = 0.1
WIDEST = 100
"""Columns that a picture takes at most: a wider one is harder to read."""

BEGIN, END = "\x1b[?2026h", "\x1b[?2026l"
HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"


def is_ascii(console: Console) -> bool:
    """Tell whether a console cannot show more than ASCII."""
    return not console.encoding.lower().replace("-", "").startswith("utf")


class Screen:
    """The last lines of a terminal.

    Args:
        console: the terminal.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        # Columns that each line of the last frame takes.
        self._widths: list[int] = []

    @property
    def width(self) -> int:
        """Columns that a picture may take."""
        # A full line would put the cursor into the next one on some terminals.
        return max(10, min(WIDEST, self._console.size.width - 1))

    def draw(self, picture: RenderableType) -> None:
        """Put a picture in place of the last one."""
        lines = self._lines(picture)
        body = "".join(f"{line}\x1b[K\n" for line in lines[:-1]) + f"{lines[-1]}\x1b[K\x1b[J"
        self._write(f"{BEGIN}{HIDE}{self._back()}{body}{END}")
        self._widths = [cell_len(Text.from_ansi(line).plain) for line in lines]

    def say(self, text: str) -> None:
        """Print a line above the picture, which is drawn again at the next frame."""
        self._write(f"{BEGIN}{self._back()}\x1b[J{text}\n{END}")
        self._widths = []

    def close(self) -> None:
        """Take the picture away."""
        self._write(f"{self._back()}\x1b[J{SHOW}")
        self._widths = []

    def _lines(self, picture: RenderableType) -> list[str]:
        with self._console.capture() as captured:
            self._console.print(picture, width=self.width)
        height = max(2, self._console.size.height - 1)
        return captured.get().rstrip("\n").split("\n")[:height]

    def _back(self) -> str:
        """Return what puts the cursor to the beginning of the last frame."""
        width = max(1, self._console.size.width)
        rows = sum(max(1, -(-taken // width)) for taken in self._widths)
        return "\r" + (f"\x1b[{rows - 1}A" if rows > 1 else "")

    def _write(self, text: str) -> None:
        self._console.file.write(text)
        self._console.file.flush()


async def redrawing(screen: Screen, picture: Callable[[int], RenderableType]) -> None:
    """Draw the picture, which is made for so many columns, until cancelled."""
    try:
        while True:
            screen.draw(picture(screen.width))
            await anyio.sleep(LIVE_EVERY)
    finally:
        screen.draw(picture(screen.width))
