"""The run of `batch`: tasks in, results out, until the end, an interruption or an empty account."""

from __future__ import annotations

import signal
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import anyio
import anyio.to_thread
import attrs
from anyio.abc import TaskStatus

from ..._batch._batch import Batch
from ..._callbacks import CallbackReceiver
from ..._client import CaptchaClient
from ..._outcome import Failed, Solved
from ...errors import AccountError, CaptchaError, InvalidArgument, JournalError, SpendLimitReached
from .._tally import Tally
from ._files import Files
from ._lines import MOVED, Job, TaskLines
from ._pipes import RawFile
from ._prices import Prices
from ._progress import Frame, Pace, watch_batch
from ._results import Results, describe_failed, describe_solved

__all__ = ["BatchRun", "Settings"]

# No later task can fare better, and nothing was sent for the one that failed.
FATAL = (AccountError, SpendLimitReached, JournalError)


@attrs.frozen
class Settings:
    """How a batch is run."""

    max_in_flight: int
    timeout: float | None
    resend_uncertain: bool
    drain: float
    """Seconds for what is paid for when the run is interrupted."""
    callbacks_at: tuple[str, int]
    """Host and port on which the receiver listens."""
    max_spend: str | None = None
    """Cap on the money, if there is one."""


@attrs.define(eq=False)
class BatchRun:
    """One batch: what it is to do, and what came of it."""

    client: CaptchaClient
    lines: TaskLines
    files: Files
    settings: Settings
    receiver: CallbackReceiver | None = None
    tally: Tally = attrs.field(factory=Tally, init=False)
    solved: int = attrs.field(default=0, init=False)
    failed: int = attrs.field(default=0, init=False)
    refused: int = attrs.field(default=0, init=False)
    """Tasks that the journal knows as others; they count as bad lines."""
    unsent: int = attrs.field(default=0, init=False)
    """Tasks that were read and not sent, because the run was stopped."""
    taken_before: int = attrs.field(default=0, init=False)
    """Tasks whose answers an earlier run has taken, although the results do not have them."""
    uncollected: list[Any] = attrs.field(factory=list, init=False)
    """Ids of tasks that were paid for and not collected."""
    total: int | None = attrs.field(default=None, init=False)
    seconds: float = attrs.field(default=0.0, init=False)
    spent: Decimal = attrs.field(default=Decimal(0), init=False)
    interrupted: bool = attrs.field(default=False, init=False)
    fatal: CaptchaError | None = attrs.field(default=None, init=False)
    """What no later task could have got by."""
    error: Exception | None = attrs.field(default=None, init=False)
    """What broke the run itself."""
    _batch: Batch[Any] | None = attrs.field(default=None, init=False)
    _prices: Prices = attrs.field(init=False)
    _pace: Pace = attrs.field(factory=Pace, init=False)
    # Cancelled when there is no more time for what is in flight.
    _scope: anyio.CancelScope = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._prices = Prices(self._under_way)

    @property
    def complete(self) -> bool:
        """Whether every line was read and every task has ended."""
        left = self.unsent or self.uncollected or self.error
        return self.lines.finished and not left

    @property
    def done(self) -> int:
        """Lines that nothing is left to do for."""
        lines = self.lines
        return self.solved + self.failed + lines.skipped + lines.bad + lines.empty

    async def run(self) -> None:
        """Solve the tasks and write the results.

        Raises:
            NotResults: the file of the results holds something else.
            JournalError: the journal cannot be used.
            OSError: a file or the receiver's port cannot be used.
        """
        started = anyio.current_time()
        self._scope = anyio.CancelScope()
        async with AsyncExitStack() as stack:
            if self.receiver is not None:
                await stack.enter_async_context(self.receiver.serve(*self.settings.callbacks_at))
            await stack.enter_async_context(self.client)
            # With the journal held, so that no other run has the same files.
            results = await anyio.to_thread.run_sync(self.files.open_results, self.lines)
            stack.callback(results.close)
            tasks = stack.enter_context(self.files.open_tasks())
            async with anyio.create_task_group() as watching:
                await watching.start(self._listen)
                watching.start_soon(self._count)
                watching.start_soon(self._watch, started)
                try:
                    with self._scope:
                        await self._solve(tasks, results)
                except Exception as error:
                    self.error = error
                watching.cancel_scope.cancel()
            self._sum_up()
            self.seconds = anyio.current_time() - started

    async def _solve(self, tasks: RawFile, results: Results) -> None:
        settings, files = self.settings, self.files
        pairs = self.lines.pairs(tasks)
        batch = self.client.batch(
            self._prices.one_by_one(pairs) if settings.max_spend is not None else pairs,
            max_in_flight=settings.max_in_flight,
            timeout=settings.timeout,
            name=files.name,
            resume=files.resume and files.journal is not None,
            resend_uncertain=settings.resend_uncertain,
        )
        async with batch as outcomes:
            # Only from now on can it be stopped.
            self._batch = batch
            if self.interrupted:
                outcomes.stop()
            async for outcome in outcomes:
                await self._take(outcome, results)

    async def _take(self, outcome: Solved[Any] | Failed, results: Results) -> None:
        """Write an outcome down; the journal hears of it when the next one is asked for."""
        job = self.lines.ended(outcome.key)
        if isinstance(outcome, Solved):
            await self._keep(results, job, outcome)
            self._prices.learn(job.task.type)
            self.tally.add_solved(job.task, outcome)
            self.solved += 1
            return
        error = outcome.error
        if isinstance(error, FATAL):
            self._stop(error)
        if isinstance(error, InvalidArgument) and error.field == "tasks":
            self.lines.refuse(job.line, MOVED)
            self.refused += 1
        elif not isinstance(error, FATAL) or error.ref is not None:
            await results.write(describe_failed(job, error))
            self.tally.add_failed(job.task, error)
            self.failed += 1

    async def _keep(self, results: Results, job: Job, solved: Solved[Any]) -> None:
        """Write an answer; one that could not be written counts as not collected."""
        try:
            await results.write(describe_solved(job, solved))
        except BaseException:
            self.uncollected.append(solved.task_id)
            raise

    def _under_way(self) -> int:
        return 0 if self._batch is None else self._batch.progress().in_flight

    def _stop(self, error: CaptchaError) -> None:
        """Send nothing more; what is paid for is still collected."""
        if self.fatal is None:
            self.fatal = error
            if self._batch is not None:
                self._batch.stop()

    def _sum_up(self) -> None:
        """Take down what can only be told by an open client."""
        self.spent = self.client.statistics().spent
        self.uncollected += [pending.task_id for pending in self.client.orphans]
        if self._batch is not None:
            progress = self._batch.progress()
            if self.files.output is None:
                # Nobody can tell what became of them: as it seems, they were used.
                self.lines.skipped += progress.skipped
            else:
                self.taken_before = progress.skipped
            ended = progress.skipped + self.solved + self.failed + self.refused
            self.unsent = max(0, progress.read - ended - len(self.uncollected))

    # -- interruption -----------------------------------------------------------------------------

    async def _listen(self, *, task_status: TaskStatus[None]) -> None:
        """Let the first Ctrl-C end the reading, the second everything, and a third the process."""
        try:
            with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
                task_status.started()
                async for _ in signals:
                    if self.interrupted:
                        self._scope.cancel()
                        return
                    self.interrupt()
        except NotImplementedError:
            # On Windows Ctrl-C ends the event loop.
            task_status.started()

    def interrupt(self) -> None:
        """Send nothing more, and give what is paid for some time."""
        self.interrupted = True
        self._scope.deadline = anyio.current_time() + self.settings.drain
        if self._batch is not None:
            self._batch.stop()

    # -- progress ---------------------------------------------------------------------------------

    async def _count(self) -> None:
        count = self.files.counter()
        if count is not None:
            self.total = await anyio.to_thread.run_sync(count, abandon_on_cancel=True)

    async def _watch(self, started: float) -> None:
        files = self.files
        await watch_batch(lambda: self.frame(started), files.console, live=files.live)

    def frame(self, started: float) -> Frame:
        """Return the numbers of now."""
        now = anyio.current_time()
        lines, numbers = self.lines, self.client.statistics()
        taken = 0 if self._batch is None else self._batch.progress().skipped
        return Frame(
            lines=self.done + taken,
            total=self.total,
            solved=self.solved,
            failed=self.failed,
            skipped=lines.skipped + taken,
            bad=lines.bad,
            waiting=max(0, self._under_way() - numbers.in_flight),
            in_flight=numbers.in_flight,
            rate=self._pace.look(now, self.solved + self.failed),
            p50=numbers.latencies.p50,
            p95=numbers.latencies.p95,
            spent=numbers.spent,
            fuse=numbers.fuse,
            elapsed=now - started,
            note=self._note(now),
        )

    def _note(self, now: float) -> str:
        if self.interrupted:
            left = max(0.0, self._scope.deadline - now)
            return f"interrupted: collecting what is paid for ({left:.0f} s); Ctrl-C again: end now"
        if self.fatal is not None:
            return "stopped: collecting what is paid for"
        return ""
