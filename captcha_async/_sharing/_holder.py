"""Holds the one background task of a shared account.

The exception to the rule that whoever awaits, works: a lease has to be renewed while nobody waits,
and whoever opens an account and whoever closes it may be different tasks. The task is owned by the
account, catches what goes wrong in it, and has ended when `stop` returns.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

import anyio

__all__ = ["Holder"]

logger = logging.getLogger("captcha_async")


class Holder:
    """One task from `start` to `stop`, beside the tasks that call them.

    Args:
        work: what it does; ends by itself when it is told to, else it is cancelled.
    """

    def __init__(self, work: Callable[[], Awaitable[None]]) -> None:
        self._work = work
        self._ended = anyio.Event()
        self._scope = anyio.CancelScope()
        # asyncio keeps only weak references to tasks.
        self._task: object = None

    def start(self) -> None:
        """Start it, on whichever event loop runs."""
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            import trio

            trio.lowlevel.spawn_system_task(self._run, name="captcha_async account")
        else:
            self._task = loop.create_task(self._run(), name="captcha_async account")

    async def stop(self, patience: float) -> None:
        """Wait for its end; after *patience* seconds it is cancelled."""
        with anyio.CancelScope(shield=True):
            with anyio.move_on_after(patience):
                await self._ended.wait()
            self._scope.cancel()
            with anyio.move_on_after(patience):
                await self._ended.wait()

    async def _run(self) -> None:
        try:
            with self._scope:
                await self._work()
        except Exception:
            logger.exception("the shared account's background task has failed")
        finally:
            self._ended.set()
