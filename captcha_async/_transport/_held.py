"""Held: work that is not to be cut off once it has gone too far to be undone.

A createTask whose first byte may have left has to be followed to its reply, whatever happens to its
caller: the reply may tell the id of a paid task. Two kinds of cancellation have to be kept away.
anyio's own ends at a shield. asyncio's `Task.cancel`, as used by `asyncio.timeout`, by a task group
of asyncio and by `asyncio.run` when it ends, does not: it hits whatever the task awaits. So on
asyncio the work has a task of its own, which the caller's task waits for to its end, and which is
taken off the list of tasks that `asyncio.run` cancels. A task that `stand_alone` has taken off
needs no other one: nobody knows it.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

from ._turn import asyncio_loop

if TYPE_CHECKING:
    import asyncio

__all__ = ["Held", "stand_alone"]

# The task that stands alone; another one that has inherited the context does not.
_alone: ContextVar[object] = ContextVar("_alone", default=None)

CLEAN_UP = 5.0
"""Seconds that work may take to end when it is cut off, before it is told again."""


class Held:
    """One piece of work, and whether it has gone too far to be cut off."""

    def __init__(self) -> None:
        self._scope = anyio.CancelScope()
        # Set once, by `hold`: from then on only the work itself ends the work.
        self.held: bool = False

    def hold(self) -> None:
        """Let nothing cut the work off from now on."""
        self.held = True
        self._scope.shield = True

    async def run(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Do *work*, to its end if `hold` was called; a cancellation comes through afterwards."""
        loop = asyncio_loop()
        if loop is None or _stands_alone(loop):
            # There is no other cancellation than the one that a shield stops.
            with self._scope:
                await work()
        else:
            await self._run_on_asyncio(loop, work)
        await checkpoint_if_cancelled()

    async def _run_on_asyncio(
        self, loop: asyncio.AbstractEventLoop, work: Callable[[], Coroutine[Any, Any, None]]
    ) -> None:
        import asyncio

        child = loop.create_task(work())
        asyncio._unregister_task(child)
        cancelled: asyncio.CancelledError | None = None
        with self._scope:
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


def stand_alone() -> None:
    """Keep asyncio's own cancellation away from the task that runs: it is off the list of tasks.

    To be called only where nobody else knows the task, and a task group waits for its end.
    """
    loop = asyncio_loop()
    if loop is None:
        return
    import asyncio

    task = asyncio.current_task(loop)
    assert task is not None
    asyncio._unregister_task(task)
    _alone.set(task)


def _stands_alone(loop: asyncio.AbstractEventLoop) -> bool:
    import asyncio

    return _alone.get() is asyncio.current_task(loop)


def _end(over: asyncio.Future[None], _: object) -> None:
    if not over.done():
        over.set_result(None)


def _drop_outcome(child: Any) -> None:
    """Look at what came of a task, so that nobody complains that it was never looked at."""
    if not child.cancelled():
        child.exception()
