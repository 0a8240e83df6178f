"""Held: work that is not to be cut off once it has gone too far to be undone.

A createTask whose first byte may have left has to be followed to its reply, whatever happens to its
caller: the reply may tell the id of a paid task. Two kinds of cancellation have to be kept away.
anyio's own ends at a shield. asyncio's `Task.cancel`, as used by `asyncio.timeout`, by a task group
of asyncio and by `asyncio.run` when it ends, does not: it hits whatever the task awaits. So on
asyncio the work has a task of its own, which the caller's task waits for to its end, and which is
taken off the list of tasks that `asyncio.run` cancels. A task that stands alone needs no other one:
nobody knows it, and one shield does for all that it ever holds.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Generator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from ._turn import asyncio_task

if TYPE_CHECKING:
    import asyncio

__all__ = ["Held", "stand_alone"]

# The task that stands alone, and its shield; another one that has inherited the context does not.
_alone: ContextVar[tuple[object, anyio.CancelScope | None]] = ContextVar(
    "_alone", default=(None, None)
)

CLEAN_UP = 5.0
"""Seconds that work may take to end when it is cut off, before it is told again."""


class Held:
    """One piece of work, and whether it has gone too far to be cut off."""

    def __init__(self) -> None:
        # What shields whoever does the work, or waits for it; set when that is known.
        self._scope: anyio.CancelScope | None = None
        # Set once, by `hold`: from then on only the work itself ends the work.
        self.held: bool = False

    def hold(self) -> None:
        """Let nothing cut the work off from now on."""
        self.held = True
        if self._scope is not None:
            self._scope.shield = True

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do *work*, to its end if `hold` was called; a cancellation comes through afterwards."""
        task = asyncio_task()
        alone, shield = _alone.get()
        # There is no other cancellation than the one that a shield stops, on trio and where the
        # task stands alone.
        if task is None:
            with anyio.CancelScope() as self._scope:
                await work()
        elif task is alone:
            self._scope = shield
            try:
                await work()
            finally:
                assert shield is not None
                shield.shield = False
        else:
            await self._run_on_asyncio(task.get_loop(), work)
        await checkpoint_if_cancelled()

    async def _run_on_asyncio(
        self, loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        import asyncio

        child = loop.create_task(work())
        asyncio._unregister_task(child)
        cancelled: asyncio.CancelledError | None = None
        with anyio.CancelScope() as self._scope:
            # Set when the work is told to end: it may clean up then. anyio, which cancels again and
            # again, is kept away from that, because its shields do not stop what comes from here.
            grace: float | None = None
            while not child.done():
                # Unlike the child itself, it may be cancelled with whoever waits for it.
                over = loop.create_future()
                end = partial(_end, over)
                child.add_done_callback(end)
                timer = None if grace is None else loop.call_later(grace, end, child)
                try:
                    await over
                except asyncio.CancelledError as error:
                    cancelled = error
                    if self.held or grace is not None:
                        continue
                    grace, self._scope.shield = CLEAN_UP, True
                    child.cancel()
                else:
                    if grace is not None and not self.held and not child.done():
                        child.cancel()
                finally:
                    child.remove_done_callback(end)
                    if timer is not None:
                        timer.cancel()
            if cancelled is not None:
                _drop_outcome(child)
                raise cancelled
        child.result()


@contextmanager
def stand_alone() -> Generator[None]:
    """Keep asyncio's own cancellation away from the task that runs: it is off the list of tasks.

    To be used only where nobody else knows the task, a task group waits for its end, and it does
    nothing but what is in the block.
    """
    task = asyncio_task()
    if task is None:
        yield
        return
    import asyncio

    asyncio._unregister_task(task)
    with anyio.CancelScope() as shield:
        _alone.set((task, shield))
        yield


def _end(over: asyncio.Future[None], _: object) -> None:
    if not over.done():
        over.set_result(None)


def _drop_outcome(child: Any) -> None:
    """Look at what came of a task, so that nobody complains that it was never looked at."""
    if not child.cancelled():
        child.exception()
