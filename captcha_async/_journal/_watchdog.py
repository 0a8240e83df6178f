"""The watchdog: tells the event loop when the journal's thread stands still, as on a dead disk.

It counts real seconds, whatever clock the event loop has: a disk knows no virtual time. It is a
thread of its own, for nothing else could tell of one that a system call holds.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["TICK", "Watchdog"]

TICK = 0.25
"""Seconds from one look to the next."""


class Watchdog(threading.Thread):
    """Watches one journal thread while that has something to do.

    Args:
        soon: leaves a note in the event loop.
        stands: called there with the seconds for which the thread has stood still; with 0 when it
            goes on.
    """

    def __init__(self, soon: Callable[..., Any], stands: Callable[[float], None]) -> None:
        super().__init__(name="captcha_async watchdog", daemon=True)
        self._soon = soon
        self._stands = stands
        # Set while the watched thread has something to do, and at the end.
        self._busy = threading.Event()
        # Set once, at the end.
        self._over = threading.Event()
        # Goes up with each sign of life; written by the watched thread alone.
        self._turn = 0

    def busy(self) -> None:
        """Note that the watched thread begins something (in that thread)."""
        self._turn += 1
        self._busy.set()

    def idle(self) -> None:
        """Note that it waits for something to do (in that thread)."""
        self._turn += 1
        self._busy.clear()

    def stop(self) -> None:
        """End the watch, and wait for its end.

        Raises:
            RuntimeError: it was not started.
        """
        self._over.set()
        self._busy.set()
        self.join()

    def run(self) -> None:
        """Watch until the end, or until there is no event loop to be told."""
        stood = 0.0
        while True:
            self._busy.wait()
            turn = self._turn
            if self._over.wait(TICK):
                return
            still = turn == self._turn and self._busy.is_set()
            if still or stood:
                stood = stood + TICK if still else 0.0
                try:
                    self._soon(self._stands, stood)
                except Exception:
                    return
