"""Many tasks at once: bounded, as completed, failures as values.

The batch owns a task group for as long as its block is open. In it one feeder reads the source,
and only when there is room: what is read and not yet handed out never exceeds `max_in_flight`. What
is accepted is collected by a `Watch`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import Any, Generic, Literal, Self, TypeVar

import anyio
import attrs
from anyio import AsyncContextManagerMixin
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from .._account._limits import RateLimitedSemaphore
from .._account._slots import Lease
from .._journal import OtherTasks
from .._outcome import Failed, Solved
from .._solving._engine import Engine
from .._solving._pending import PendingTask
from .._solving._submit import Draft
from .._solving._watch import Watch
from ..errors import CaptchaError, SubmitUncertain
from ..tasks._model import Solution, Task
from ._resume import Resumption

__all__ = ["Batch", "BatchProgress", "Pairs", "Source"]

S = TypeVar("S", bound=Solution)

AT_ONCE = 50
"""Tasks that are read from one turn of the event loop to the next."""

Source = Iterable[Task[S]] | AsyncIterable[Task[S]] | Mapping[Any, Task[S]]
"""Where a batch takes its tasks from."""

Pairs = Iterable[tuple[Any, Task[S]]] | AsyncIterable[tuple[Any, Task[S]]]
"""The same with keys: (key, task)."""


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
    """Whether the source has no more tasks."""
    elapsed: float
    """Seconds since the batch was opened."""


@attrs.define(eq=False)
class _Counts:
    read: int = 0
    solved: int = 0
    failed: int = 0
    skipped: int = 0
    dropped: int = 0
    exhausted: bool = False

    @property
    def in_flight(self) -> int:
        return self.read - self.solved - self.failed - self.skipped - self.dropped


@attrs.define(eq=False)
class _Item:
    """A task of the batch that has not ended."""

    key: Any
    task: Any
    lease: Lease
    start: float
    draft: Draft | None = None


class Batch(AsyncContextManagerMixin, Generic[S]):
    """A running batch: iterate over it with `async for`, inside of its `async with`.

    Made by `CaptchaClient.batch`. Leaving the block ends it: what is in flight is cancelled, and
    every task that was paid for and whose outcome was not taken is in `client.orphans`. In the
    journal an answer counts as taken when the next one is asked for, or at a good end of the block.
    """

    def __init__(
        self,
        engine: Engine,
        source: Source[S] | Pairs[S],
        max_in_flight: int,
        timeout: float | None,
        resumption: Resumption,
    ) -> None:
        self._engine = engine
        self._source = source
        self._timeout = timeout
        self._resumption = resumption
        # What waits for a reader; not a stream, in which a cancelled reader may lose an item.
        self._outcomes: deque[tuple[_Item, Solved[S] | Failed]] = deque()
        # What a reader has taken and may still be working on, by that reader's task.
        self._handed: dict[int, _Item] = {}
        # What was handed out meanwhile, if all is to count as taken only at the end.
        self._held: list[_Item] = []
        self._holding = False
        # A place for each task that is read and whose outcome is not taken yet.
        self._room = RateLimitedSemaphore(max_in_flight)
        self._items: dict[_Item, None] = {}
        self._watch: Watch[_Item] = Watch(
            engine.fuse, min(engine.limits.connections, max_in_flight), self._ended
        )
        self._counts = _Counts()
        self._started: float | None = None
        # Cancelled by `stop`; inside of it tasks are read and submitted.
        self._submitting: anyio.CancelScope | None = None
        self._leaving = False
        # What broke the source; told when all that was read before is handed out.
        self._error: Exception | None = None

    def __repr__(self) -> str:
        counts = self._counts
        return f"<Batch: {counts.read} read, {counts.solved} solved, {counts.failed} failed>"

    def hold(self) -> Self:
        """Let the journal count no answer as taken before a good end of the block."""
        self._holding = True
        return self

    def progress(self) -> BatchProgress:
        """Return how far the batch has come; cheap enough to be called for every outcome."""
        counts = self._counts
        elapsed = 0.0 if self._started is None else anyio.current_time() - self._started
        return BatchProgress(
            read=counts.read,
            in_flight=counts.in_flight,
            solved=counts.solved,
            failed=counts.failed,
            skipped=counts.skipped,
            dropped=counts.dropped,
            exhausted=counts.exhausted,
            elapsed=elapsed,
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

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self, None]:
        if self._started is not None:
            raise RuntimeError("a batch can be entered once; call client.batch(...) again")
        self._started = anyio.current_time()
        self._submitting = anyio.CancelScope()
        # Set, and replaced by a new one, when there is something for readers.
        self._news = anyio.Event()
        self._over = False
        self._all_ended = anyio.Event()
        error: Exception | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._run, self._submitting)
                try:
                    yield self
                    await self._acknowledge(*self._held, *self._handed.values())
                except Exception as caught:
                    # Raised below, outside of the group, which would wrap it in an ExceptionGroup.
                    error = caught
                finally:
                    self._leaving = True
                    group.cancel_scope.cancel()
        finally:
            self._give_up()
            self._resumption.close()
        if error is not None:
            raise error

    def __aiter__(self) -> AsyncIterator[Solved[S] | Failed]:
        return self

    async def __anext__(self) -> Solved[S] | Failed:
        if self._started is None:
            raise RuntimeError(
                "a batch is opened first: `async with client.batch(tasks) as outcomes:` and inside "
                "of it `async for outcome in outcomes:`"
            )
        if self._engine.journal.journal is not None:
            await self._acknowledge(self._handed.pop(anyio.get_current_task().id, None))
        await checkpoint()
        while not self._outcomes:
            if self._over:
                raise self._error or StopAsyncIteration
            await self._news.wait()
        item, outcome = self._outcomes.popleft()
        self._room.release()
        if isinstance(outcome, Failed):
            return outcome
        if self._engine.journal.journal is not None:
            if self._holding:
                self._held.append(item)
            else:
                self._handed[anyio.get_current_task().id] = item
        return outcome

    async def _acknowledge(self, *items: _Item | None) -> None:
        """Record that the reader is done with outcomes, and wait until that is safe."""
        taken = False
        for item in items:
            if item is not None and item.draft is not None and item.draft.pending is not None:
                item.draft.pending.taken()
                taken = True
        if taken:
            await self._engine.journal.settled()

    async def _run(self, submitting: anyio.CancelScope) -> None:
        try:
            async with anyio.create_task_group() as watching:
                watching.start_soon(self._watch.run)
                with submitting:
                    async with anyio.create_task_group() as group:
                        try:
                            await self._feed(group)
                        except Exception as error:
                            self._error = error
                self._counts.exhausted = True
                if self._counts.in_flight:
                    await self._all_ended.wait()
                watching.cancel_scope.cancel()
        finally:
            # Also if it was cancelled: a reader may be shielded from that.
            self._end()

    async def _feed(self, group: TaskGroup) -> None:
        """Submit each task of the source, when there is room for it."""
        await self._resumption.open()
        async with aclosing(_keyed(self._source)) as tasks:
            while True:
                await self._room.acquire()
                try:
                    key, task = await anext(tasks)
                except StopAsyncIteration:
                    return
                self._counts.read += 1
                if not self._counts.read % AT_ONCE:
                    # A source that never waits must not keep the event loop to itself.
                    await checkpoint()
                if self._resumption.is_done(key, task):
                    self._counts.skipped += 1
                    self._room.release()
                    continue
                lease = Lease(self._engine.slots)
                item = _Item(key, task, lease, anyio.current_time())
                self._items[item] = None
                group.start_soon(self._submit, item)

    async def _submit(self, item: _Item) -> None:
        engine = self._engine
        try:
            engine.service.check(item.task)
            item.draft = Draft(item.task)
            earlier = await self._resumption.look_up(item.draft, item.key)
            if earlier is not None:
                self._ended(item, earlier)
                return
            pending = await engine.accepted(item.draft, item.lease, self._timeout)
        except OtherTasks as error:
            # It is wrong as a whole, and nothing of it was sent.
            self._error = self._error or error
            self._stopped(item)
            self.stop()
        except CaptchaError as error:
            self._ended(item, error)
        except anyio.get_cancelled_exc_class():
            if not self._leaving:
                self._stopped(item)
            raise
        else:
            self._collect(item, pending)

    def _collect(self, item: _Item, pending: PendingTask[Any]) -> None:
        """Have the answer of an accepted task watched for."""
        if self._timeout is None:
            wait = self._engine.service.poll_times(item.task.spec.family).timeout
            self._watch.add(pending, item, anyio.current_time() + wait, wait)
        else:
            self._watch.add(pending, item, item.start + self._timeout, self._timeout)

    def _stopped(self, item: _Item) -> None:
        """See what there is of a task that was being submitted when the batch was stopped."""
        draft = item.draft
        if draft is not None and draft.pending is not None:
            self._collect(item, draft.pending)
        elif draft is not None and draft.uncertain:
            message = "createTask was on its way when the batch was stopped, and no reply came; a "
            advice = "task may exist: look at the account before you send it again."
            self._ended(item, SubmitUncertain(message + advice))
        else:
            del self._items[item]
            item.lease.leave()
            self._counts.dropped += 1

    def _ended(self, item: _Item, result: Solved[Any] | CaptchaError | Literal["skip"]) -> None:
        """Put the outcome of a task where the reader finds it."""
        del self._items[item]
        item.lease.leave()
        if result == "skip":
            self._counts.skipped += 1
            self._room.release()
        else:
            self._outcomes.append((item, self._outcome(item, result)))
            self._tell()
        if self._counts.exhausted and not self._counts.in_flight:
            self._all_ended.set()

    def _end(self) -> None:
        """Let readers have what is there, and then no more."""
        self._over = True
        self._tell()

    def _tell(self) -> None:
        """Wake the readers."""
        self._news.set()
        self._news = anyio.Event()

    def _outcome(self, item: _Item, result: Solved[Any] | CaptchaError) -> Solved[S] | Failed:
        if isinstance(result, CaptchaError):
            self._counts.failed += 1
            return Failed(error=result, task=item.task, key=item.key)
        self._counts.solved += 1
        self._engine.slots.succeeded()
        return attrs.evolve(result, key=item.key)

    def _give_up(self) -> None:
        """Let go of what has not ended, and keep the answers that nobody has taken."""
        # A reader in another task may have outlived the block.
        self._end()
        for item in self._items:
            item.lease.leave()
        for item in (*self._items, *(item for item, _ in self._outcomes)):
            pending = None if item.draft is None else item.draft.pending
            if pending is not None and pending.has_answer:
                self._engine.registry.keep(pending)
        self._outcomes.clear()


async def _keyed(source: Source[S] | Pairs[S]) -> AsyncGenerator[tuple[Any, Any], None]:
    """Yield (key, task) from any kind of source."""
    if isinstance(source, Mapping):
        for key, task in source.items():
            yield key, task
    elif isinstance(source, AsyncIterable):
        index = 0
        # Left to the garbage collector, a half-read generator would complain.
        async with aclosing(source) if isinstance(source, AsyncGenerator) else nullcontext():
            async for item in source:
                yield item if isinstance(item, tuple) else (index, item)
                index += 1
    else:
        for index, item in enumerate(source):
            yield item if isinstance(item, tuple) else (index, item)
