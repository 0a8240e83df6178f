"""The run of `batch`: tasks in, results out, until the end, an interruption or an empty account."""

from __future__ import annotations

import signal
from collections.abc import Mapping
from contextlib import AsyncExitStack
from decimal import Decimal
from typing import Any

import anyio
import anyio.to_thread
import attrs
from anyio.abc import TaskStatus

from ... import Batch, CallbackReceiver, CaptchaClient, Failed, Solved
from ...errors import (
    AccountError,
    CaptchaError,
    InvalidArgument,
    JournalError,
    ServiceUnavailable,
    SpendLimitReached,
    SubmitUncertain,
    TransportError,
)
from .._health import Health
from .._screen import Screen
from .._tally import Tally
from ._budget import Budget
from ._files import Files
from ._frame import Frame, Pace
from ._lines import Job, Source, TaskLines, moved
from ._progress import watch_batch
from ._results import Results, describe_failed, describe_solved
from ._series import Failures, Point, Series

__all__ = ["BatchRun", "Outage", "Settings"]

# No later task can fare better, and nothing was sent for the one that failed.
FATAL = (AccountError, SpendLimitReached, JournalError)
# The service was not reached; the task is as new.
NOT_SENT = (TransportError, ServiceUnavailable)
# What an outage leaves in flight is collected by the next run, not waited for.
LAST_LOOK = 5.0
RATES = 24
MOST_LOST = 10
"""Submissions in a row of which nobody knows what became of them."""


class Outage(TransportError):
    """Nothing answers."""


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
    max_spend: Decimal | None = None
    """Cap on the money, if there is one."""
    prices: Mapping[str, Decimal] = attrs.field(factory=dict)
    """By type on the wire, as far as they are given."""
    patience: float = 60.0
    """Seconds without an answer of the service after which the run ends."""


@attrs.define(eq=False)
class BatchRun:
    """One batch: what it is to do, and what came of it."""

    client: CaptchaClient
    lines: TaskLines
    files: Files
    settings: Settings
    health: Health
    """Told the client's events."""
    receiver: CallbackReceiver | None = None
    screen: Screen | None = None
    """Where progress is drawn; None if it is told in lines."""
    tally: Tally = attrs.field(factory=Tally, init=False)
    solved: int = attrs.field(default=0, init=False)
    failed: int = attrs.field(default=0, init=False)
    again: int = attrs.field(default=0, init=False)
    """Failed tasks that may fare better if they are tried again."""
    uncertain: int = attrs.field(default=0, init=False)
    """Failed tasks of which nobody knows whether they were accepted."""
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
    state: str = attrs.field(default="", init=False)
    """What the service was like in the end."""
    series: Series = attrs.field(factory=Series, init=False)
    failures: Failures = attrs.field(factory=Failures, init=False)
    error: Exception | None = attrs.field(default=None, init=False)
    """What broke the run itself."""
    _batch: Batch[Any] | None = attrs.field(default=None, init=False)
    _budget: Budget = attrs.field(init=False)
    _pace: Pace = attrs.field(factory=Pace, init=False)
    # Submissions in a row that got lost.
    _lost: int = attrs.field(default=0, init=False)
    # Cancelled when there is no more time for what is in flight.
    _scope: anyio.CancelScope = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        settings = self.settings
        self._budget = Budget(
            settings.max_spend, settings.prices, self._spent_so_far, self._under_way
        )

    @property
    def complete(self) -> bool:
        """Whether every line was read and every task has ended."""
        left = self.unsent or self.uncollected or self.error
        return self.lines.finished and not left

    @property
    def done(self) -> int:
        """Lines that nothing is left to do for."""
        lines = self.lines
        return self.solved + self.failed + lines.skipped + len(lines.bad) + lines.empty

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
                watching.start_soon(self._guard)
                watching.start_soon(self._watch, started)
                try:
                    with self._scope:
                        await self._solve(tasks, results)
                except Exception as error:
                    self.error = error
                watching.cancel_scope.cancel()
            self._sum_up()
            self.seconds = anyio.current_time() - started
            self._note_point(started, last=True)

    async def _solve(self, tasks: Source, results: Results) -> None:
        settings, files = self.settings, self.files
        pairs = self.lines.pairs(tasks)
        batch = self.client.batch(
            self._budget.admit(pairs),
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
        if self._budget.reached and self.fatal is None:
            self.fatal = SpendLimitReached("--max-spend is reached", spent=self._spent_so_far())

    async def _take(self, outcome: Solved[Any] | Failed, results: Results) -> None:
        """Write an outcome down; the journal hears of it when the next one is asked for."""
        job = self.lines.ended(outcome.key)
        if isinstance(outcome, Solved):
            await self._keep(results, job, outcome)
            self._budget.learn(job.task.type, outcome.cost)
            self.tally.add_solved(job.task, outcome)
            self.solved += 1
            return
        error = outcome.error
        if isinstance(error, InvalidArgument) and error.field == "tasks":
            self.lines.bad.add(job.line, moved())
            self.refused += 1
        elif not self._spares(error):
            await results.write(describe_failed(job, error))
            self._count_failed(job, error)
            self._brake(error)

    def _spares(self, error: CaptchaError) -> bool:
        """Tell whether a task is left for the next run: nothing was sent, and nothing can be."""
        if error.ref is not None:
            return False
        if isinstance(error, FATAL):
            self._stop(error)
            return True
        if isinstance(error, NOT_SENT) and self.health.silence(anyio.current_time()):
            # All its attempts found nobody, and so did everybody else's since.
            self._give_up()
            return True
        return False

    def _brake(self, error: CaptchaError) -> None:
        """End the run when one submission after the other gets lost: the next ones would, too."""
        lost = isinstance(error, SubmitUncertain) and self.health.silence(anyio.current_time()) > 0
        self._lost = self._lost + 1 if lost else 0
        if self._lost >= MOST_LOST:
            self._give_up()

    def _count_failed(self, job: Job, error: CaptchaError) -> None:
        self.tally.add_failed(job.task, error)
        self.failures.add(error)
        self.failed += 1
        self.again += error.retryable
        self.uncertain += isinstance(error, SubmitUncertain)

    async def _keep(self, results: Results, job: Job, solved: Solved[Any]) -> None:
        """Write an answer; one that could not be written counts as not collected."""
        try:
            await results.write(describe_solved(job, solved))
        except BaseException:
            self.uncollected.append(solved.task_id)
            raise

    def _under_way(self) -> int:
        return 0 if self._batch is None else self._batch.progress().in_flight

    def _spent_so_far(self) -> Decimal:
        return self.client.statistics().spent

    async def _guard(self) -> None:
        """End the run when for long nothing has answered."""
        while self.fatal is None and not self.interrupted:
            if self.health.silence(anyio.current_time()) >= self.settings.patience:
                self._give_up()
                return
            await anyio.sleep(0.25)

    def _give_up(self) -> None:
        """End the run for want of an answer; what is in flight gets a last look."""
        if self.fatal is None:
            silence = self.health.silence(anyio.current_time())
            cause = self.health.cause
            self._stop(Outage(f"the service has not answered for {silence:.0f} s: {cause}"))
            self._scope.deadline = anyio.current_time() + LAST_LOOK

    def _stop(self, error: CaptchaError) -> None:
        """Send nothing more; what is paid for is still collected."""
        if self.fatal is None:
            self.fatal = error
            if self._batch is not None:
                self._batch.stop()

    def _sum_up(self) -> None:
        """Take down what can only be told by an open client."""
        self.spent = self._spent_so_far()
        self.state = self._service(anyio.current_time())[0]
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
        await watch_batch(lambda: self.frame(started), self.files.console, self.screen)

    def say(self, text: str) -> None:
        """Print a line, above the picture if there is one."""
        if self.screen is not None:
            self.screen.say(text)
        else:
            self.files.console.print(text, markup=False, highlight=False, soft_wrap=True)

    def _note_point(self, started: float, *, last: bool = False) -> None:
        seconds = anyio.current_time() - started
        flying = self.client.statistics().in_flight
        point = Point(seconds, self.solved, self.failed, flying, self._spent_so_far())
        self.series.add(point, last=last)

    def frame(self, started: float) -> Frame:
        """Return the numbers of now."""
        now = anyio.current_time()
        self._note_point(started)
        numbers = self.client.statistics()
        taken = 0 if self._batch is None else self._batch.progress().skipped
        waiting = max(0, self._under_way() - numbers.in_flight)
        state, mood = self._service(now, waiting=waiting > 0)
        return Frame(
            lines=self.done + taken,
            total=self.total,
            solved=self.solved,
            failed=self.failed,
            skipped=self.lines.skipped + taken,
            bad=len(self.lines.bad),
            waiting=waiting,
            in_flight=numbers.in_flight,
            rate=self._pace.look(now, self.solved + self.failed),
            rates=self.series.rates(RATES),
            p50=numbers.latencies.p50,
            p95=numbers.latencies.p95,
            times=self.tally.times(),
            spent=numbers.spent,
            cap=self.settings.max_spend,
            state=state,
            mood=mood,
            last_error=self.health.last_error,
            elapsed=now - started,
            note=self._note(now, numbers.in_flight),
        )

    def _service(self, now: float, *, waiting: bool = False) -> tuple[str, str]:
        """Return what the service is like, and how bad that is."""
        again = self.client.statistics().retry_in
        over = self.fatal is not None or self.interrupted
        return self.health.words(now, waiting=waiting, again=again, over=over)

    def _note(self, now: float, flying: int) -> str:
        """Return what a run that sends nothing more is still doing."""
        if not self.interrupted and self.fatal is None:
            return ""
        why = "interrupted" if self.interrupted else "stopped"
        if not self._under_way():
            left_over = f"{flying} paid for and not collected"
            return f"{why}: {left_over if flying else 'nothing is in flight'}"
        doing = "collecting what is paid for" if flying else "waiting for replies to what was sent"
        if not self.interrupted:
            return f"{why}: {doing}"
        left = max(0.0, self._scope.deadline - now)
        return f"{why}: {doing} ({left:.0f} s); Ctrl-C again: end now"
