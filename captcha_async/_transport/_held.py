"""Held: work that is not to be cut off once it has gone too far to be undone.

A createTask whose first byte may have left has to be followed to its reply, whatever happens to its
caller: the reply may tell the id of a paid task. Two kinds of cancellation have to be kept away.
anyio's own ends at a shield. asyncio's `Task.cancel`, as used by `asyncio.timeout`, by a task group
of asyncio and by `asyncio.run` when it ends, does not: it hits whatever the task awaits. So on
asyncio the work has a task of its own, which the caller's task waits for to its end, and which is
taken off the list of tasks that `asyncio.run` cancels.
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from typing import Any

import anyio
from anyio.lowlevel import checkpoint_if_cancelled

__all__ = ["Held"]


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
        if _on_asyncio():
            await self._run_on_asyncio(work)
        else:
            # There is no other cancellation than the one that a shield stops.
            with self._scope:
                await work()
        await checkpoint_if_cancelled()

    async def _run_on_asyncio(self, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        import asyncio

        loop = asyncio.get_running_loop()
        child = loop.create_task(work())
        asyncio._unregister_task(child)
        cancelled: asyncio.CancelledError | None = None
        with self._scope:
            while not child.done():
                try:
                    await asyncio.wait((child,))
                except asyncio.CancelledError as error:
                    cancelled = error
                    if not self.held:
                        child.cancel()
            if cancelled is not None:
                _drop_outcome(child)
                raise cancelled
        child.result()


def _drop_outcome(child: Any) -> None:
    """Look at what came of a task, so that nobody complains that it was never looked at."""
    if not child.cancelled():
        child.exception()


def _on_asyncio() -> bool:
    import asyncio

    # trio can run as a guest of an asyncio loop; no asyncio task is current then.
    try:
        return asyncio.current_task() is not None
    except RuntimeError:
        return False
