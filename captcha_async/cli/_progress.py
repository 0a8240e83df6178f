"""The demo's progress: a picture on a terminal, else a plain line now and then."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import anyio
from rich.console import Console, RenderableType

from .. import Statistics
from ._batch._frame import Frame, Pace
from ._batch._progress import Glyphs, brief
from ._screen import Screen, is_ascii, redrawing

__all__ = ["watch"]

PLAIN_EVERY = 2.0


async def watch(statistics: Callable[[], Statistics], total: int, console: Console) -> None:
    """Show a client's numbers until cancelled."""
    started = anyio.current_time()
    pace = Pace()

    def frame() -> Frame:
        now, numbers = anyio.current_time(), statistics()
        ended = numbers.solved + numbers.failed
        return Frame(
            lines=ended,
            total=total,
            solved=numbers.solved,
            failed=numbers.failed,
            in_flight=numbers.in_flight,
            waiting=numbers.queued,
            rate=pace.look(now, ended),
            elapsed=now - started,
        )

    if not console.is_terminal or console.is_dumb_terminal:
        await _watch_plain(frame, console)
        return
    glyphs = Glyphs(is_ascii(console))

    def picture(width: int) -> RenderableType:
        return brief(frame(), width, glyphs)

    with closing(Screen(console)) as screen:
        await redrawing(screen, picture)


async def _watch_plain(frame: Callable[[], Frame], console: Console) -> None:
    try:
        while True:
            _print(console, frame())
            await anyio.sleep(PLAIN_EVERY)
    finally:
        _print(console, frame())


def _print(console: Console, frame: Frame) -> None:
    console.print(
        f"{frame.elapsed:5.1f} s  waiting {frame.waiting}  in flight {frame.in_flight}  "
        f"solved {frame.solved}  failed {frame.failed}  {frame.rate:.1f}/s",
        highlight=False,
        soft_wrap=True,
    )
