"""The journal's thread, which alone has the file. It outlives every error but its own end.

Whatever goes wrong, also an error that nobody has thought of, reaches those who wait as a
`JournalError`; and when the thread ends, for whatever reason, all who still wait are told. So
nobody waits for a thread that is gone.
"""

from __future__ import annotations

import atexit
import logging
import threading
from collections.abc import Iterable
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import Any

from ..errors import JournalError
from ._jobs import Job, Waiter
from ._options import Journal, shown
from ._record import Record
from ._store import Store
from ._watchdog import Watchdog

__all__ = ["EXIT_TIMEOUT", "JournalThread"]

logger = logging.getLogger("captcha_async")

MOST = 5_000
"""Records of one commit."""
EXIT_TIMEOUT = 5.0
"""Seconds for which the end of the process waits for a client that nobody has closed."""

# Not worth keeping for later when the file does not even know the submission.
ENDED = ("solved", "failed", "expired")

Rows = dict[Record, tuple[Any, ...] | None]


class JournalThread(threading.Thread):
    """Serves a queue of jobs to its end: changes with one commit, then the questions."""

    def __init__(self, journal: Journal, watchdog: Watchdog, before: JournalThread | None) -> None:
        # A daemon, so that a client that nobody closes does not keep the process alive.
        super().__init__(name="captcha_async journal", daemon=True)
        self._queue: SimpleQueue[Job] = SimpleQueue()
        # Guards `_over`: a job is either in the queue before the thread looks into it for the last
        # time, or is not taken at all.
        self._lock = threading.Lock()
        self._over = False
        self._watchdog = watchdog
        self._journal = journal
        self._path = shown(journal.path)
        # The thread that may still have the file; None once it has ended.
        self._before = before
        # Opened with the first job, and again with later ones as long as that fails.
        self._store: Store | None = None
        # Whether a warning has told that the file cannot be written.
        self._failing = False
        # What was taken out of the queue last.
        self._jobs: list[Job] = []
        # The latest row of each record that could not be written and matters nevertheless.
        self._unsaved: Rows = {}

    # -- from any thread -------------------------------------------------------------------------

    def start(self) -> None:
        """Start it; the end of the process waits until it has written everything."""
        super().start()
        atexit.register(self._finish)
        with suppress(RuntimeError):  # there can be no more threads: then waits have no bound
            self._watchdog.start()

    def put(self, job: Job) -> bool:
        """Put a job into the queue; False if the thread has ended and will not see it."""
        # A process that was forked has none of its parent's threads.
        if self.ident is not None and not self.is_alive():
            return False
        with self._lock:
            if not self._over:
                self._queue.put(job)
            return not self._over

    def _finish(self) -> None:
        self.put(Job())
        self.join(EXIT_TIMEOUT)

    # -- in the thread itself --------------------------------------------------------------------

    def run(self) -> None:
        """Serve the queue to its end."""
        error: BaseException | None = None
        try:
            self._watchdog.busy()
            self._follow()
            while not any(job.is_end for job in self._jobs):
                self._take_jobs()
                self._serve(self._jobs)
        except BaseException as caught:
            # Not the end that was asked for; a new thread will take what comes from now on.
            error = caught
        finally:
            self._end(error)

    def _follow(self) -> None:
        """Wait for the thread before this one, and take over what it could not write."""
        if self._before is not None:
            self._before.join()
            self._unsaved = self._before._unsaved
            self._before = None

    def _end(self, error: BaseException | None) -> None:
        """Close the file, and let nobody wait any more."""
        with self._lock:
            self._over = True
        taken, left = self._jobs, list[Job]()
        with suppress(Empty):
            while True:
                left.append(self._queue.get_nowait())
        atexit.unregister(self._finish)
        try:
            if error is not None:
                self._keep_what_matters({**self._unsaved, **_changes([*taken, *left])})
                self._fail([*taken, *left], self._unforeseen(error))
            elif self._unsaved or left:
                self._serve(left)
            self._tell_what_is_missing()
            if self._store is not None:
                self._store.close()
        finally:
            with suppress(RuntimeError):  # it has not started
                self._watchdog.stop()
            Waiter.wake(job.waiter for job in (*taken, *left) if job.waiter is not None)

    def _take_jobs(self) -> None:
        self._watchdog.idle()
        self._jobs = [self._queue.get()]
        self._watchdog.busy()
        with suppress(Empty):
            while len(self._jobs) < MOST:
                self._jobs.append(self._queue.get_nowait())

    def _serve(self, jobs: list[Job]) -> None:
        """Do the jobs, and wake who waits for them, but for the end: that comes at the end."""
        try:
            self._write_and_answer(jobs)
        except BaseException as error:
            told = self._unforeseen(error)
            logger.error("%s", told)
            self._fail(jobs, told)
        finally:
            Waiter.wake(job.waiter for job in jobs if job.waiter and not job.is_end)

    @staticmethod
    def _fail(jobs: Iterable[Job], error: JournalError) -> None:
        for job in jobs:
            if job.waiter is not None and job.waiter.value is None:
                job.waiter.error = job.waiter.error or error

    def _unforeseen(self, error: BaseException) -> JournalError:
        told = JournalError(
            f"The journal {self._path} failed by an error of its own: {_named(error)}.",
            path=self._journal.path,
        )
        told.__cause__ = error
        return told

    def _write_and_answer(self, jobs: list[Job]) -> None:
        error, refused = self._write(_changes(jobs))
        for job in jobs:
            if job.waiter is None or job.is_end:
                continue
            if job.change is not None:
                job.waiter.error = refused.get(job.change[0]) or error
            elif error is not None:
                job.waiter.error = error
            else:
                self._answer(job, job.waiter)

    def _answer(self, job: Job, waiter: Waiter) -> None:
        assert self._store is not None
        assert job.question is not None
        try:
            waiter.value = job.question(self._store)
        except JournalError as error:
            waiter.error = error
        except Exception as error:
            waiter.error = self._unforeseen(error)

    # -- writing ---------------------------------------------------------------------------------

    def _write(self, changes: Rows) -> tuple[JournalError | None, dict[Record, JournalError]]:
        """Write what is new and what is left from before.

        Returns:
            What is wrong with the file, if nothing could be written; what is wrong with single
            records, if the others could.
        """
        rows = {**self._unsaved, **changes}
        refused: dict[Record, JournalError] = {}
        try:
            if self._store is None:
                self._store = Store(self._journal.path, self._journal.keep)
            if rows:
                refused = self._write_all(self._store, rows)
        except BaseException as caught:
            error = caught if isinstance(caught, JournalError) else self._unforeseen(caught)
            self._keep_what_matters(rows)
            self._tell(error)
            return error, {}
        self._unsaved = {}
        if self._failing and any(rows.values()):
            self._failing = False
            logger.warning("The journal %s can be written again.", self._path)
        return None, refused

    def _write_all(self, store: Store, rows: Rows) -> dict[Record, JournalError]:
        """Write all rows but those that have something in them that cannot be stored."""
        try:
            store.write(list(rows.items()))
        except JournalError:
            raise
        except Exception:
            refused: dict[Record, JournalError] = {}
            for record, row in rows.items():
                try:
                    store.write([(record, row)])
                except JournalError:
                    raise
                except Exception as error:
                    refused[record] = self._cannot_take(record, error)
            return refused
        return {}

    def _cannot_take(self, record: Record, error: Exception) -> JournalError:
        task = f"task {record.task_id!r}" if record.task_id is not None else "a submission"
        told = JournalError(
            f"The journal {self._path} cannot store the record of {task}: {_named(error)}.",
            path=self._journal.path,
        )
        told.__cause__ = error
        logger.warning("%s", told)
        return told

    def _keep_what_matters(self, rows: Rows) -> None:
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

    def _tell_what_is_missing(self) -> None:
        """Tell which tasks were paid for and will not be known to the next client."""
        open_tasks = [
            str(record.task_id)
            for record in self._unsaved
            if record.state == "open" and record.task_id is not None
        ]
        if open_tasks:
            logger.warning(
                "The journal %s ends without the tasks %s, which are paid for and not collected.",
                self._path,
                ", ".join(open_tasks),
            )


def _changes(jobs: Iterable[Job]) -> Rows:
    """Return the latest row of each record."""
    return dict(job.change for job in jobs if job.change is not None)


def _named(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}".removesuffix(": ").removesuffix(".")
