"""The writer: the one thread that has the file. It writes what has piled up with one commit.

What piles up is what comes while the commit before is on its way: waiting for more saves nothing.
The event loop only puts things into a queue; it waits where something has to be in the file before
it may go on. The thread starts with the first record.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Callable, Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

import anyio
from anyio.lowlevel import current_token

from ..errors import JournalError
from ._options import Journal
from ._record import Record
from ._store import Change, Store

__all__ = ["Writer"]

logger = logging.getLogger("captcha_async")

T = TypeVar("T")

MOST = 5_000
"""Records of one commit."""
EXIT_TIMEOUT = 5.0
"""Seconds for which the end of the process waits for a client that nobody has closed."""

# Not worth keeping for later when the file does not even know the submission.
ENDED = ("solved", "failed", "expired")


class _Waiter:
    """Somebody in an event loop who waits for the thread."""

    def __init__(self) -> None:
        self.value: Any = None
        self.error: JournalError | None = None
        self._event = anyio.Event()
        loop: Any = current_token().native_token
        # Both only leave a note: the thread must not wait for a loop that may be at its end.
        self._soon = getattr(loop, "run_sync_soon", None) or loop.call_soon_threadsafe

    async def wait(self) -> Any:
        """Return the value, or raise the error (in the loop)."""
        await self._event.wait()
        if self.error is not None:
            raise self.error
        return self.value

    @staticmethod
    def wake(waiters: Iterable[_Waiter]) -> None:
        """Let them go on, each loop with one note (in the thread)."""
        by_loop: dict[Any, list[anyio.Event]] = {}
        for waiter in waiters:
            by_loop.setdefault(waiter._soon, []).append(waiter._event)
        for soon, events in by_loop.items():
            with suppress(RuntimeError):  # the loop is gone, and who waited with it
                soon(_set_all, events)


def _set_all(events: list[anyio.Event]) -> None:
    for event in events:
        event.set()


class _Job:
    """What is put into the queue: a change, a question, or both None: the end."""

    __slots__ = ("change", "question", "waiter")

    def __init__(
        self,
        change: Change | None = None,
        question: Callable[[Store], Any] | None = None,
        waiter: _Waiter | None = None,
    ) -> None:
        self.change = change
        self.question = question
        self.waiter = waiter

    @property
    def is_end(self) -> bool:
        """Whether the thread has to end."""
        return self.change is None and self.question is None


class Writer:
    """Writes one journal."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._thread: _Thread | None = None
        # The one before, which may still have the file.
        self._ending: _Thread | None = None
        # Submissions whose outcome has yet to be recorded: the thread ends after the last one.
        self._sending = 0
        self._closing = False

    # -- in the event loop ------------------------------------------------------------------------

    def put(self, record: Record, *, remove: bool = False) -> None:
        """Record the present state of *record*."""
        self._put(_Job((record, None if remove else record.row())))

    async def put_durably(self, record: Record) -> None:
        """Record the present state of *record*, and wait until it is in the file.

        Raises:
            JournalError: it is not.
        """
        waiter = _Waiter()
        self._put(_Job((record, record.row()), waiter=waiter))
        await waiter.wait()

    async def ask(self, question: Callable[[Store], T]) -> T:
        """Call *question* in the thread, after all that was put before.

        Raises:
            JournalError: the file cannot be used.
        """
        waiter = _Waiter()
        self._put(_Job(question=question, waiter=waiter))
        value: T = await waiter.wait()
        return value

    def begun(self) -> None:
        """Note that a submission is under way."""
        self._sending += 1

    def ended(self) -> None:
        """Note that the outcome of a submission was put."""
        self._sending -= 1
        self._stop_if_idle()

    async def aclose(self) -> None:
        """Write everything and end the thread, at once or after the last submission's outcome."""
        self._closing = True
        thread = self._thread
        if thread is None:
            return
        waiter = _Waiter()
        if self._sending:
            thread.queue.put(_Job(question=lambda _: None, waiter=waiter))
            with suppress(JournalError):
                await waiter.wait()
        else:
            self._thread, self._ending = None, thread
            thread.queue.put(_Job(waiter=waiter))
            await waiter.wait()
            # It has nothing left to do but to return.
            thread.join(EXIT_TIMEOUT)

    def _put(self, job: _Job) -> None:
        if self._thread is None:
            self._thread = _Thread(self._journal, self._ending)
            self._thread.start()
        self._thread.queue.put(job)
        self._stop_if_idle()

    def _stop_if_idle(self) -> None:
        if self._closing and not self._sending and self._thread is not None:
            self._thread.queue.put(_Job())
            self._thread, self._ending = None, self._thread


class _Thread(threading.Thread):
    """The thread itself. All that is below happens in it."""

    def __init__(self, journal: Journal, before: _Thread | None) -> None:
        # A daemon, so that a client that nobody closes does not keep the process alive.
        super().__init__(name="captcha_async journal", daemon=True)
        self.queue: SimpleQueue[_Job] = SimpleQueue()
        self._journal = journal
        self._before = before
        self._store: Store | None = None
        self._failing = False
        # The latest row of each record that could not be written and matters nevertheless.
        self._unsaved: dict[Record, tuple[Any, ...] | None] = {}

    def start(self) -> None:
        """Start it; the end of the process waits until it has written everything."""
        atexit.register(self._finish)
        super().start()

    def _finish(self) -> None:
        self.queue.put(_Job())
        self.join(EXIT_TIMEOUT)

    def run(self) -> None:
        """Serve the queue to its end."""
        if self._before is not None:
            self._before.join()
            self._before = None
        last: _Job | None = None
        while last is None:
            jobs = self._piled_up()
            last = next((job for job in jobs if job.is_end), None)
            self._serve([job for job in jobs if job is not last])
        atexit.unregister(self._finish)
        if self._store is not None:
            self._store.close()
        if last.waiter is not None:
            _Waiter.wake([last.waiter])

    def _piled_up(self) -> list[_Job]:
        jobs = [self.queue.get()]
        with suppress(Empty):
            while len(jobs) < MOST:
                jobs.append(self.queue.get_nowait())
        return jobs

    def _serve(self, jobs: list[_Job]) -> None:
        error = self._write([job.change for job in jobs if job.change is not None])
        for job in jobs:
            if job.waiter is None:
                continue
            job.waiter.error = error
            if job.question is not None and error is None:
                self._answer(job.question, job.waiter)
        _Waiter.wake(job.waiter for job in jobs if job.waiter is not None)

    def _answer(self, question: Callable[[Store], Any], waiter: _Waiter) -> None:
        assert self._store is not None
        try:
            waiter.value = question(self._store)
        except JournalError as error:
            waiter.error = error

    def _write(self, changes: list[Change]) -> JournalError | None:
        """Write what is new and what is left from before."""
        rows = {**self._unsaved, **dict(changes)}
        try:
            if self._store is None:
                self._store = Store(self._journal.path, self._journal.keep)
            if rows:
                self._store.write(list(rows.items()))
        except JournalError as error:
            self._keep_what_matters(rows)
            self._tell(error)
            return error
        self._unsaved = {}
        if self._failing and any(rows.values()):
            self._failing = False
            logger.warning("The journal %s can be written again.", self._journal.path)
        return None

    def _keep_what_matters(self, rows: dict[Record, tuple[Any, ...] | None]) -> None:
        self._unsaved = {
            record: row
            for record, row in rows.items()
            if record.saved or (row is not None and record.state not in ENDED)
        }

    def _tell(self, error: JournalError) -> None:
        if self._failing:
            return
        self._failing = True
        what = "no task is created" if self._journal.on_error == "raise" else "solving goes on"
        logger.warning("%s Meanwhile %s.", error, what)
