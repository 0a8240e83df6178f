"""Many tasks at once: bounded, as completed, failures as values.

The batch owns a task group for as long as its block is open. One feeder reads the source, and only
when there is room: what is read but not yet handed out never exceeds twice `max_in_flight`.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Iterable, Mapping
from contextlib import aclosing, asynccontextmanager, nullcontext
from typing import Any, Generic, Self, TypeVar

import anyio
import attrs
from anyio import AsyncContextManagerMixin
from anyio.abc import TaskGroup

from ._engine import Engine
from ._limits import RateLimitedSemaphore
from ._outcome import Failed, Solved
from ._submit import Draft
from .errors import CaptchaError
from .tasks._model import Solution, Task

__all__ = ["Batch", "BatchProgress", "Source"]

S = TypeVar("S", bound=Solution)

Source = Iterable[Task[S]] | AsyncIterable[Task[S]] | Mapping[Any, Task[S]]
"""Where a batch takes its tasks from."""


@attrs.frozen(kw_only=True)
class BatchProgress:
    """How far a batch has come."""

    read: int
    """Tasks taken from the source."""
    in_flight: int
    """Of these, not ended yet."""
    solved: int
    failed: int
    exhausted: bool
    """Whether the source has no more tasks."""
    elapsed: float
    """Seconds since the batch was opened."""


@attrs.define(eq=False)
class _Counts:
    read: int = 0
    solved: int = 0
    failed: int = 0
    exhausted: bool = False


class Batch(AsyncContextManagerMixin, Generic[S]):
    """A running batch: iterate over it with `async for`, inside of its `async with`.

    Made by `CaptchaClient.batch`. Leaving the block ends it: what is in flight is cancelled, and
    every task that was paid for and whose outcome was not taken is in `client.orphans`.
    """

    def __init__(
        self, engine: Engine, source: Source[S], max_in_flight: int, timeout: float | None
    ) -> None:
        self._engine = engine
        self._source = source
        self._timeout = timeout
        self._most = max_in_flight
        self._room = RateLimitedSemaphore(max_in_flight)
        self._counts = _Counts()
        self._started: float | None = None
        # What broke the source; told when all that was read before is handed out.
        self._error: Exception | None = None

    def __repr__(self) -> str:
        counts = self._counts
        return f"<Batch: {counts.read} read, {counts.solved} solved, {counts.failed} failed>"

    def progress(self) -> BatchProgress:
        """Return how far the batch has come; cheap enough to be called for every outcome."""
        counts = self._counts
        elapsed = 0.0 if self._started is None else anyio.current_time() - self._started
        return BatchProgress(
            read=counts.read,
            in_flight=counts.read - counts.solved - counts.failed,
            solved=counts.solved,
            failed=counts.failed,
            exhausted=counts.exhausted,
            elapsed=elapsed,
        )

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self, None]:
        if self._started is not None:
            raise RuntimeError("a batch can be entered once; call client.batch(...) again")
        self._started = anyio.current_time()
        self._send, self._receive = anyio.create_memory_object_stream[
            tuple[Draft | None, Solved[S] | Failed]
        ](self._most)
        error: Exception | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._run)
                try:
                    yield self
                except Exception as caught:
                    # Raised below, outside of the group, which would wrap it in an ExceptionGroup.
                    error = caught
                finally:
                    group.cancel_scope.cancel()
        finally:
            self._file_untaken()
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
        try:
            _, outcome = await self._receive.receive()
        except anyio.EndOfStream:
            if self._error is not None:
                raise self._error from None
            raise StopAsyncIteration from None
        return outcome

    async def _run(self) -> None:
        async with self._send:
            async with anyio.create_task_group() as group:
                try:
                    await self._feed(group)
                except Exception as error:
                    self._error = error
            self._counts.exhausted = True

    async def _feed(self, group: TaskGroup) -> None:
        """Start a solve for each task of the source, when there is room for it."""
        async with aclosing(_keyed(self._source)) as tasks:
            while True:
                await self._room.acquire()
                try:
                    key, task = await anext(tasks)
                except BaseException as error:
                    self._room.release()
                    if isinstance(error, StopAsyncIteration):
                        return
                    raise
                self._counts.read += 1
                group.start_soon(self._solve, key, task)

    async def _solve(self, key: Any, task: Any) -> None:
        draft: Draft | None = None
        outcome: Solved[S] | Failed
        try:
            self._engine.service.check(task)
            draft = Draft(task)
            solved = await self._engine.solve(draft, self._timeout)
            outcome = attrs.evolve(solved, key=key)
            self._counts.solved += 1
        except CaptchaError as error:
            outcome = Failed(error=error, task=task, key=key)
            self._counts.failed += 1
        except BaseException:
            self._room.release()
            raise
        try:
            # Holds its room until there is a place for its outcome: a slow reader slows the batch.
            await self._send.send((draft, outcome))
        except anyio.get_cancelled_exc_class():
            self._file(draft, outcome)
            raise
        finally:
            self._room.release()

    def _file_untaken(self) -> None:
        while True:
            try:
                self._file(*self._receive.receive_nowait())
            except (anyio.WouldBlock, anyio.EndOfStream):
                break
        self._receive.close()

    def _file(self, draft: Draft | None, outcome: Solved[S] | Failed) -> None:
        """Keep an answer that was paid for and that nobody has taken."""
        if draft is not None and draft.pending is not None and isinstance(outcome, Solved):
            self._engine.registry.keep(draft.pending)


async def _keyed(source: Source[S]) -> AsyncGenerator[tuple[Any, Any], None]:
    """Yield (key, task) from any kind of source."""
    if isinstance(source, Mapping):
        for key, task in source.items():
            yield key, task
    elif isinstance(source, AsyncIterable):
        index = 0
        # Left to the garbage collector, a half-read generator would complain.
        async with aclosing(source) if isinstance(source, AsyncGenerator) else nullcontext():
            async for task in source:
                yield index, task
                index += 1
    else:
        for index, task in enumerate(source):
            yield index, task
