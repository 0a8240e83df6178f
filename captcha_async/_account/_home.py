"""Where an account lives: one event loop of one process, from its first use on.

Connections, waiters and moments belong to an event loop. Used from another one they would hang or
break, and a paid task would be lost with them; so whoever comes from elsewhere is refused before
anything is sent. When the loop has ended and nothing is open, the account moves on to the next one.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import Any

import anyio
from anyio.lowlevel import current_token

from .._clock import clock
from ..errors import WrongEventLoop

__all__ = ["Home", "has_ended"]


class Home:
    """The event loop and the process that an account belongs to."""

    __slots__ = ("_loop", "_now", "_pid", "clock")

    def __init__(self) -> None:
        # All are set by the first `enter`, and again by one that moves.
        self._loop: Any = None
        self._pid = 0
        # What tells the time there.
        self.clock: Callable[[], float] = anyio.current_time
        # The last moment that is known on the loop's clock.
        self._now = 0.0

    @property
    def is_gone(self) -> bool:
        """Whether there was an event loop, and it will never run again."""
        return self._loop is not None and has_ended(self._loop)

    def enter(self, *, is_open: bool) -> float | None:
        """Check that the caller is at home.

        Args:
            is_open: whether something is there that cannot move to another loop.

        Returns:
            None where all is as before; else the seconds by which the new loop's clock is ahead
            of the old one: everything has to start afresh.

        Raises:
            WrongEventLoop: the account belongs to another event loop, or another process.
        """
        loop = current_token().native_token
        now = anyio.current_time()
        if loop is self._loop and os.getpid() == self._pid:
            self._now = now
            return None
        if self._loop is None:
            self._loop, self._pid, self._now = loop, os.getpid(), now
            self.clock = clock()
            return None
        if os.getpid() != self._pid:
            raise WrongEventLoop(
                "The client was first used in another process, before a fork; nothing was sent: "
                "make a client in each process."
            )
        if not has_ended(self._loop):
            raise WrongEventLoop(
                "The client was first used in another event loop, which still exists; nothing was "
                "sent: make a client for each event loop, or call it in the loop where it lives "
                "(anyio.from_thread, asyncio.run_coroutine_threadsafe)."
            )
        if is_open:
            raise WrongEventLoop(
                "The event loop that the client was used in has ended while tasks were open or "
                "requests on their way; nothing was sent: make a client in this loop, and attach "
                "to it the references of what is in `orphans` of the old one."
            )
        return self._move(loop, now)

    def _move(self, loop: Any, now: float) -> float:
        # asyncio's loops usually share one clock; trio's each have their own. Where it is not
        # certain, no time is taken to have passed: that waits too long rather than too short.
        same_clock = hasattr(loop, "is_closed") and hasattr(self._loop, "is_closed")
        ahead = 0.0 if same_clock and now >= self._now else now - self._now
        self._loop, self._now = loop, now
        self.clock = clock()
        return ahead


def has_ended(loop: Any) -> bool:
    """Tell whether an event loop will never run again."""
    if hasattr(loop, "is_closed"):
        return bool(loop.is_closed())
    try:
        loop.run_sync_soon(_nothing)
    except RuntimeError:
        return True
    return False


def _nothing() -> None:
    pass
