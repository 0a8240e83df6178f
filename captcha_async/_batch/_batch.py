"""Many tasks at once: bounded, as completed, failures as values.

The batch owns a task group for as long as its block is open. In it one feeder reads the source,
and only when there is room: what is read and not yet handed out never exceeds `max_in_flight`. What
is accepted is collected by a `Watch`.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import aclosing, asynccontextmanager
from typing import Any, Generic, Self, TypeVar, cast

import anyio
import attrs
from anyio import AsyncContextManagerMixin
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint, checkpoint_if_cancelled, current_token

from .._account._semaphore import RateLimitedSemaphore
from .._journal import OtherTasks
from .._outcome import Failed, Solved
from .._solving._grain import GRAIN
from .._solving._group import single
from .._solving._hands import Hands
from .._solving._outcomes import Outcomes
from .._solving._solve import Solve
from .._solving._solver import Solver
from .._solving._submit import KeyTaken
from .._solving._watch import Watch
from ..errors import (
    AccountUnavailable,
    CaptchaError,
    ServiceUnavailable,
    SubmitUncertain,
    TransportError,
)
from ..tasks._model import Solution, Task
from ._pace import BURST, Pace
from ._resume import Resumption
from ._source import Pairs, Source, keyed

__all__ = ["Batch", "BatchProgress"]

S = TypeVar("S", bound=Solution)

logger = logging.getLogger("captcha_async")

IN_A_ROW = 4
"""Tasks that are read of a source that need not wait before others have a turn."""


@attrs.frozen(kw_only=True)
class BatchProgress:
    """How far a batch has come."""

    read: int
    """Tasks taken from the source."""
    in_flight: int
    """Of these, not ended yet."""
    solved: int
    """Of these, ended with an answer."""
    failed: int
    """Of these, ended without one."""
    skipped: int
    """Of these, solved and taken before, and not handed out again."""
    dropped: int
    """Of these, not submitted, because the batch was stopped."""
    exhausted: bool
    """Whether the source was read to its end."""
    elapsed: float
    """Seconds since the batch was opened."""
    stopped_by: CaptchaError | None = None
    """The outage of the service that has ended the reading early; None if there was none. What was
    not read is left for a run with `resume=True`."""


class Batch(AsyncContextManagerMixin, Generic[S]):
    """A running batch: iterate over it with `async for`, inside of its `async with`.

    Made by `CaptchaClient.batch`. Leaving the block ends it: what is in flight is cancelled, and
    every task that was paid for and whose outcome was not taken is in `client.orphans`. In the
    journal an answer counts as taken when the next one is asked for, or at a good end of the block.
    The block is left by the task that has entered it; the outcomes may be read by any.
    """

    def __init__(
        self,
        solver: Solver,
        source: Source[S] | Pairs[S],
        max_in_flight: int,
        timeout: float | None,
        resumption: Resumption,
    ) -> None:
        self._solver = solver
        self._source = source
        self._timeout = timeout
        self._resumption = resumption
        self._outcomes = Outcomes()
        # What a reader has taken and may still be working on, by that reader's task.
        self._handed: dict[int, Solve] = {}
        # What was handed out meanwhile, if all is to count as taken only at the end.
        self._held: list[Solve] = []
        self._holding = False
        # A place for each task that is read and whose outcome is not taken yet.
        self._room = RateLimitedSemaphore(max_in_flight)
        self._watch: Watch = solver.watch(self._outcomes)
        # A task that waits for one account must not keep others from another one that is free.
        at_once = solver.seats.connections if len(solver.seats) == 1 else max_in_flight
        self._hands: Hands[Solve] = Hands(self._submit, min(at_once, max_in_flight))
        # What no hand has taken before its deadline; each leaves when one does.
        self._late: set[Solve] = set()
        self._exhausted = False
        # Where the outcome that was handed out last stands in the source.
        self.position: int = 0
        self._started: float | None = None
        # Cancelled by `stop`; inside of it tasks are read and submitted.
        self._submitting: anyio.CancelScope | None = None
        self._leaving = False
        # What broke the source; told when all that was read before is handed out, or at the end of
        # the block if it was a cancellation.
        self._error: Exception | None = None
        self._cancellation: RuntimeError | None = None
        # Cancelled in an outage; inside of it tasks are read.
        self._reading = anyio.CancelScope()
        self._stopped_by: CaptchaError | None = None

    def __repr__(self) -> str:
        counts = self._outcomes
        return f"<Batch: {counts.read} read, {counts.solved} solved, {counts.failed} failed>"

    def hold(self) -> Self:
        """Let no answer count as taken before a good end of the block."""
        self._holding = True
        return self

    def progress(self) -> BatchProgress:
        """Return how far the batch has come; cheap enough to be called for every outcome."""
        counts = self._outcomes
        elapsed = 0.0 if self._started is None else anyio.current_time() - self._started
        return BatchProgress(
            read=counts.read,
            in_flight=counts.in_flight,
            solved=counts.solved,
            failed=counts.failed,
            skipped=counts.skipped,
            dropped=counts.dropped,
            exhausted=self._exhausted,
            elapsed=elapsed,
            stopped_by=self._stopped_by,
        )

    def stop(self) -> None:
        """Read and submit nothing more: what is paid for is collected, then the loop ends.

        Tasks that were read and not submitted get no outcome; with a journal a later run with
        `resume=True` solves them.

        Raises:
            RuntimeError: the batch is not open yet.
        """
        if self._submitting is None:
            raise RuntimeError("a batch is opened before it is stopped")
        self._submitting.cancel()

    # -- its block --------------------------------------------------------------------------------

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self, None]:
        if self._started is not None:
            raise RuntimeError("a batch can be entered once; call client.batch(...) again")
        self._solver.seats.enter()
        self._started = anyio.current_time()
        self._submitting = anyio.CancelScope()
        error: BaseException | None = None
        left = anyio.Event()
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._run, self._submitting)
                group.start_soon(_cancel_after, left, group.cancel_scope)
                try:
                    yield self
                    await self._acknowledge(*self._handed.values())
                    error = self._cancellation
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as caught:
                    # Raised below, outside of the group, which would wrap it in an ExceptionGroup.
                    error = caught
                finally:
                    self._leaving = True
                    left.set()
            if error is None:
                # Only now: a cancellation may come in as long as the group is left.
                await self._acknowledge(*self._held)
                self._held.clear()
        except BaseExceptionGroup as several:
            # Such as a KeyboardInterrupt in a handler of events: it comes out as itself.
            error = error or single(several)
        finally:
            self._give_up()
            self._resumption.close()
        if error is not None:
            raise error

    async def _run(self, submitting: anyio.CancelScope) -> None:
        try:
            async with anyio.create_task_group() as watching:
                watching.start_soon(self._watch.run)
                if self._timeout is not None and not self._resumption.resumes:
                    watching.start_soon(self._expire, max(self._timeout, GRAIN))
                with submitting:
                    async with anyio.create_task_group() as group:
                        with self._reading:
                            try:
                                await self._feed(group)
                            except Exception as error:
                                self._error = error
                        await self._hands.all_taken(group)
                        self._hands.end()
                for solve in self._hands.left:
                    self._outcomes.dropped_out(solve)
                await self._outcomes.wait_idle()
                watching.cancel_scope.cancel()
        finally:
            # Also if it was cancelled: a reader may be shielded from that.
            self._outcomes.end()

    def _give_up(self) -> None:
        """Let go of what has not ended, and keep the answers that nobody has taken."""
        # A reader in another task may have outlived the block.
        self._outcomes.end()
        under_way = self._outcomes.under_way
        for solve in (*under_way, *self._outcomes.unread, *self._held):
            if solve.has_answer:
                self._solver.books.kept(solve)
        for solve in under_way:
            self._outcomes.dropped_out(solve)
        self._outcomes.clear()

    # -- read -------------------------------------------------------------------------------------

    def __aiter__(self) -> AsyncIterator[Solved[S] | Failed]:
        return self

    async def __anext__(self) -> Solved[S] | Failed:
        if self._started is None:
            raise RuntimeError(
                "a batch is opened first: `async with client.batch(tasks) as outcomes:` and inside "
                "of it `async for outcome in outcomes:`"
            )
        if self._solver.books.journal.journal is not None:
            await self._acknowledge(self._handed.pop(anyio.get_current_task().id, None))
        if self._outcomes.has_unread:
            # Whoever need not wait must not keep the event loop to itself.
            await checkpoint()
        ended = await self._outcomes.next()
        if ended is None:
            raise self._error or StopAsyncIteration
        solve, outcome = ended
        self.position = solve.position
        self._room.release()
        if isinstance(outcome, CaptchaError):
            return Failed(error=outcome, task=solve.task, key=solve.key)
        self._hand_out(solve)
        # Of a task that was taken up, the answer may have been made before it had this key.
        return outcome if outcome.key is solve.key else attrs.evolve(outcome, key=solve.key)

    def _hand_out(self, solve: Solve) -> None:
        """Note that a reader has the answer; it counts as taken now, or later in the journal."""
        if self._holding:
            self._held.append(solve)
        elif self._solver.books.journal.journal is not None:
            self._handed[anyio.get_current_task().id] = solve

    async def _acknowledge(self, *solves: Solve | None) -> None:
        """Record that the reader is done with outcomes, and wait until that is safe."""
        taken = False
        for solve in solves:
            if solve is not None and solve.accepted:
                self._solver.books.taken(solve)
                taken = True
        if taken:
            await self._solver.books.journal.settled()

    # -- submitted --------------------------------------------------------------------------------

    async def _feed(self, group: TaskGroup) -> None:
        """Submit each task of the source, when there is room for it."""
        await self._resumption.open()
        self._hands.open()
        pace = Pace(self._watch)
        async with aclosing(keyed(self._source)) as tasks:
            while True:
                if self._watch.is_behind:
                    await anyio.sleep(GRAIN)
                if not self._room.try_acquire():
                    await self._room.acquire()
                elif self._outcomes.read % IN_A_ROW == 0:
                    # A source that never waits must not keep the event loop to itself.
                    await checkpoint()
                try:
                    key, task = await anext(tasks)
                except StopAsyncIteration:
                    self._exhausted = True
                    return
                except anyio.get_cancelled_exc_class() as error:
                    if await _is_cancelled():
                        raise
                    self._cancellation = RuntimeError(
                        "The source of the batch raised a cancellation, and nobody had cancelled "
                        "the batch: something that it waits for was. What it gave before is solved."
                    )
                    self._cancellation.__cause__ = error
                    return
                if self._resumption.is_done(key, task):
                    self._outcomes.passed_over()
                    self._room.release()
                    continue
                solve = self._solver.make(task, self._timeout, key=key, wants_slot=True)
                solve.position = self._outcomes.read
                self._outcomes.entered(solve)
                self._hands.give(solve, group)
                await self._hands.room(group)
                if self._outcomes.read % BURST == 0:
                    await pace.pause()

    async def _expire(self, timeout: float) -> None:
        """End at its deadline what no hand has taken: all of them may be held up for longer.

        What may have been paid for before is left alone until that was looked up.
        """
        while True:
            # In the order of their deadlines; and what is given from now on has as much time.
            first = next(self._lying(), None)
            now = anyio.current_time()
            await anyio.sleep_until(now + timeout if first is None else first.deadline)
            now = anyio.current_time()
            for solve in [solve for solve in self._lying() if solve.deadline <= now]:
                self._late.add(solve)
                self._outcomes.ended(solve, self._solver.not_begun(solve))

    def _lying(self) -> Iterator[Solve]:
        """Yield what no hand has taken, and that is a task."""
        for solve in self._hands.left:
            if solve not in self._late and isinstance(solve.task, Task):
                yield solve

    async def _submit(self, solve: Solve) -> None:
        if solve in self._late:
            self._late.remove(solve)
            return
        try:
            self._solver.seats.check(cast("Any", solve.task))
            while not solve.accepted:
                earlier = await self._resumption.look_up(solve)
                if earlier == "skip":
                    self._outcomes.skipped_over(solve)
                    self._room.release()
                    return
                if isinstance(earlier, Solved):
                    self._outcomes.ended(solve, earlier)
                    return
                if earlier is not None:
                    solve = self._exchange(solve, earlier)
                try:
                    await self._solver.submit(solve)
                except KeyTaken:
                    # Another process was quicker, and its task is waited for.
                    solve.account.give_back_slot(solve)
        except OtherTasks as error:
            # It is wrong as a whole, and nothing of it was sent.
            self._error = self._error or error
            self._outcomes.dropped_out(solve)
            self.stop()
        except CaptchaError as error:
            self._outcomes.ended(solve, error)
            self._stop_in_outage(error)
        except anyio.get_cancelled_exc_class():
            if not self._leaving:
                self._stopped(solve)
            raise
        else:
            self._watch.add(solve)

    def _stop_in_outage(self, error: CaptchaError) -> None:
        """Read no more in an outage, in which every further task would fail likewise."""
        unanswered = isinstance(error, ServiceUnavailable | SubmitUncertain | TransportError)
        # Nor can anybody tell then whether a key was paid for.
        is_out = isinstance(error, AccountUnavailable) and self._resumption.is_shared
        is_out = is_out or (unanswered and self._solver.seats.is_out)
        if is_out and self._stopped_by is None:
            self._stopped_by = error
            self._reading.cancel()
            logger.warning("The batch reads no further tasks: %s", error)

    def _exchange(self, solve: Solve, earlier: Solve) -> Solve:
        """Go on with a task that was submitted before, in place of a new one."""
        earlier.key, earlier.position = solve.key, solve.position
        # What has ended, or is in flight for another process, takes no slot of ours.
        earlier.wants_slot = earlier.lacks_slot
        earlier.deadline, earlier.wait = solve.deadline, solve.wait
        self._outcomes.exchanged(solve, earlier)
        return earlier

    def _stopped(self, solve: Solve) -> None:
        """See what there is of a task that was being submitted when the batch was stopped."""
        if solve.accepted:
            if solve.wait is None:
                solve.deadline = anyio.current_time() + solve.allowed
            self._watch.add(solve)
        elif solve.uncertain:
            message = "createTask was on its way when the batch was stopped, and no reply came; a "
            advice = "task may exist: look at the account before you send it again."
            self._outcomes.ended(solve, SubmitUncertain(message + advice))
        else:
            self._outcomes.dropped_out(solve)


async def _cancel_after(event: anyio.Event, scope: anyio.CancelScope) -> None:
    """Cancel a scope from a task of ours.

    On asyncio the reason of a cancellation describes the task that cancels. For a task of the
    user's that may be long: a task queue's had all of its other tasks in it, and took 0.2 s each.
    """
    await event.wait()
    scope.cancel()


async def _is_cancelled() -> bool:
    """Tell whether the task that calls this is being cancelled."""
    try:
        await checkpoint_if_cancelled()
    except anyio.get_cancelled_exc_class():
        return True
    # A cancellation of asyncio's own kind is not known to anyio.
    asyncio, loop = sys.modules.get("asyncio"), current_token().native_token
    if asyncio is None or not isinstance(loop, asyncio.AbstractEventLoop):
        return False
    task = asyncio.current_task(loop)
    return task is not None and task.cancelling() > 0
