"""What the event loop hands to the journal's thread, and how the thread answers."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import anyio
from anyio.lowlevel import current_token

from ..errors import JournalError
from ._store import Change, Store

__all__ = ["Job", "Waiter", "note_for_loop"]

AT_ONCE = 100
"""Waiters that are woken in one turn of an event loop, so that it stays punctual."""


def note_for_loop() -> Callable[..., Any]:
    """Return what leaves a note in the running event loop, to be called from any thread.

    A thread must not wait for a loop, which may be at its end. Without a loop there is nobody who
    could wait for a note.
    """
    try:
        loop: Any = current_token().native_token
    except RuntimeError:
        return lambda *_: None
    soon: Callable[..., Any] = getattr(loop, "run_sync_soon", None) or loop.call_soon_threadsafe
    return soon


class Waiter:
    """Somebody in an event loop who waits for the thread, with *patience* (seconds)."""

    def __init__(self, patience: float) -> None:
        self.patience = patience
        # Both are set by the thread before it wakes the waiter, and not changed afterwards.
        self.value: Any = None
        self.error: JournalError | None = None
        # Why it waits no more, if the thread has not answered in time; set in the loop.
        self._given_up: JournalError | None = None
        self._event = anyio.Event()
        self._soon = note_for_loop()

    def give_up(self, error: JournalError) -> None:
        """Wait no more (in the loop)."""
        if not self._event.is_set():
            self._given_up = error
            self._event.set()

    async def wait(self) -> Any:
        """Return the value, or raise the error (in the loop)."""
        await self._event.wait()
        if self._given_up is not None:
            raise self._given_up
        if self.error is not None:
            # Others have the same error: each gets its own, with its own traceback and reference.
            raise copy.copy(self.error) from self.error.__cause__
        return self.value

    @staticmethod
    def wake(waiters: Iterable[Waiter]) -> None:
        """Let them go on, each loop with one note (in the thread)."""
        by_loop: dict[Any, list[anyio.Event]] = {}
        for waiter in waiters:
            by_loop.setdefault(waiter._soon, []).append(waiter._event)
        for soon, events in by_loop.items():
            # A loop that is gone has taken those with it who waited there.
            with suppress(Exception):
                soon(_set_some, soon, events)


def _set_some(soon: Callable[..., Any], events: list[anyio.Event]) -> None:
    """Set the first events, and leave the others for the loop's next turn (in the loop)."""
    for event in events[:AT_ONCE]:
        event.set()
    if len(events) > AT_ONCE:
        with suppress(Exception):  # the loop is at its end
            soon(_set_some, soon, events[AT_ONCE:])


class Job:
    """What is put into the queue: a change, a question, or neither: the end."""

    __slots__ = ("change", "question", "waiter")

    def __init__(
        self,
        change: Change | None = None,
        question: Callable[[Store], Any] | None = None,
        waiter: Waiter | None = None,
    ) -> None:
        self.change = change
        self.question = question
        self.waiter = waiter

    @property
    def is_end(self) -> bool:
        """Whether the thread has to end."""
        return self.change is None and self.question is None
