"""The writer: the event loop's side of the journal's thread.

The event loop only puts things into a queue, and waits where something has to be in the file before
it may go on; the thread writes what has piled up with one commit. What piles up is what comes while
the commit before is on its way: waiting for more saves nothing. The thread starts with the first
record.

Every wait has its bound, since a disk may stop to answer: `PATIENCE` where something is paid for
already, or the user wants to go on without a journal; `LONGEST` where nothing can go on without it.
A watchdog tells for how long the thread has stood still.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from ..errors import JournalError
from ._jobs import Job, Waiter, note_for_loop
from ._options import Journal, shown
from ._patience import LONGEST, PATIENCE
from ._record import Record
from ._store import Store
from ._thread import EXIT_TIMEOUT, JournalThread
from ._watchdog import Watchdog

__all__ = ["Writer"]

logger = logging.getLogger("captcha_async")

T = TypeVar("T")


class Writer:
    """Writes one journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        # Made with the first job, and anew when one comes after its end.
        self._thread: JournalThread | None = None
        # The one before, which may still have the file.
        self._ending: JournalThread | None = None
        # Submissions whose outcome has yet to be recorded: the thread ends after the last one.
        self._sending = 0
        # Set by `aclose`, for good.
        self._closing = False
        # Who waits for the thread, each until it goes on.
        self._waiting: set[Waiter] = set()
        # Whether the thread stands still, as the watchdog says.
        self._stalled = False

    def put(self, record: Record, *, remove: bool = False) -> None:
        """Record the present state of *record*."""
        self._put(Job((record, None if remove else record.row())))

    async def put_durably(self, record: Record, patience: float) -> None:
        """Record the present state of *record*, and wait until it is in the file.

        Raises:
            JournalError: it is not, or not yet after the seconds of *patience*.
        """
        waiter = Waiter(patience)
        self._put(Job((record, record.row()), waiter=waiter))
        await self._wait(waiter)

    async def ask(self, question: Callable[[Store], T], patience: float | None = None) -> T:
        """Call *question* in the thread, after all that was put before.

        Args:
            question: what to call.
            patience: seconds to wait for its value; `LONGEST` without.

        Raises:
            JournalError: the file cannot be used, or does not answer.
        """
        waiter = Waiter(LONGEST if patience is None else patience)
        self._put(Job(question=question, waiter=waiter))
        value: T = await self._wait(waiter)
        return value

    async def flush(self) -> None:
        """Wait until all that was put before is in the file, for a time that is bounded.

        Raises:
            JournalError: it is not.
        """
        await self.ask(lambda _: None, PATIENCE)

    async def _wait(self, waiter: Waiter) -> Any:
        """Wait for the thread as long as the waiter has patience."""
        if self._stalled and waiter.patience <= PATIENCE:
            # Others have waited before, and it is no better.
            waiter.give_up(self._no_answer())
        self._waiting.add(waiter)
        try:
            value = await waiter.wait()
        finally:
            self._waiting.discard(waiter)
        if self._stalled:
            # An answer proves it, also where the watchdog has not looked yet.
            self._stands(0.0)
        return value

    def _stands(self, seconds: float) -> None:
        """Note how long the thread has stood still; 0 if it goes on again (for the watchdog)."""
        if self._stalled and not seconds:
            self._stalled = False
            logger.warning("The journal %s answers again.", shown(self._journal.path))
        elif not self._stalled and seconds >= PATIENCE:
            self._stalled = True
            logger.warning("%s", self._no_answer())
        for waiter in list(self._waiting):
            if seconds >= waiter.patience:
                waiter.give_up(self._no_answer())

    def _no_answer(self) -> JournalError:
        return JournalError(
            f"The journal {shown(self._journal.path)} does not answer: look whether its disk has "
            "stalled, or give another path.",
            path=self._journal.path,
        )

    def begun(self) -> None:
        """Note that a submission is under way."""
        self._sending += 1

    def ended(self) -> None:
        """Note that the outcome of a submission was put."""
        self._sending -= 1
        self._stop_if_idle()

    async def aclose(self) -> None:
        """Write everything and end the thread, at once or after the last submission's outcome.

        A file that cannot be written, or does not answer, is told by a warning: an error at the end
        of a block would hide what the block has brought.
        """
        self._closing = True
        thread = self._thread
        if thread is None or thread.ident is None:
            return
        waiter = Waiter(EXIT_TIMEOUT)
        if self._sending:
            thread.put(Job(question=lambda _: None, waiter=waiter))
        else:
            self._thread, self._ending = None, thread
            thread.put(Job(waiter=waiter))
        with suppress(JournalError):
            await self._wait(waiter)
            if self._ending is thread:
                # It has nothing left to do but to return.
                thread.join(EXIT_TIMEOUT)

    def _put(self, job: Job) -> None:
        if self._thread is None or not self._thread.put(job):
            # None yet, or it has ended, by itself or by an error.
            watchdog = Watchdog(note_for_loop(), self._stands)
            self._thread = JournalThread(self._journal, watchdog, self._thread or self._ending)
            self._thread.put(job)
        if self._thread.ident is None:
            self._start(self._thread, job.waiter)
        self._stop_if_idle()

    def _start(self, thread: JournalThread, waiter: Waiter | None) -> None:
        """Start a thread; if there can be no more, the next job tries again."""
        try:
            thread.start()
        except RuntimeError as error:
            told = JournalError(
                f"The journal {shown(self._journal.path)} cannot be written: {error}.",
                path=self._journal.path,
            )
            if waiter is None:
                logger.warning("%s", told)
            else:
                waiter.error = told
                Waiter.wake([waiter])

    def _stop_if_idle(self) -> None:
        if self._closing and not self._sending and self._thread is not None:
            self._thread.put(Job())
            self._thread, self._ending = None, self._thread
