"""A context that lives in a task of its own, so that one task may enter it and another leave it.

A task group or a cancel scope has to be left by the task that entered it. Fixtures, start-up hooks
and exit stacks do not promise that, so what `serve` needs of the kind is entered and left here.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from contextvars import copy_context
from types import TracebackType
from typing import Any, Generic, TypeVar

import anyio
from anyio.lowlevel import EventLoopToken, current_token

__all__ = ["OwnTask"]

T = TypeVar("T")

logger = logging.getLogger("captcha_async")

# An event loop of asyncio's holds its tasks weakly, so they are held here until they end.
_running: set[asyncio.Task[None]] = set()


class OwnTask(AbstractAsyncContextManager[T], Generic[T]):
    """Enters a context manager, waits, and leaves it, all in one task that belongs to this object.

    The task ends when this is left, and at the latest with the event loop, which cancels what is
    left over. Whatever task leaves this waits for the task's end, also if it is cancelled: what is
    entered here has to be left within bounds.

    - Entered a second time: RuntimeError. Left a second time: nothing happens.
    - Left after the task was cancelled with the loop's other tasks: nothing is left to be done.
    - Left in another event loop: RuntimeError, for only its own can end it.
    - Cancelled while it is entered: what was begun is undone first.

    Args:
        manager: entered once. An error of the block does not reach it; an error of its own is
            raised by who enters or leaves this.
        what: what it is, for errors.
    """

    def __init__(self, manager: AbstractAsyncContextManager[T], what: str) -> None:
        self._manager = manager
        self._what = what
        # The loop of the task; None until this is entered, which it is only once.
        self._loop: EventLoopToken | None = None
        # Made when it is entered, for they belong to the event loop. Each event is set once, in
        # this order; the first is skipped if entering fails. The scope is cancelled if whoever
        # enters does not wait for it any more.
        self._leave: anyio.Event
        self._entered: anyio.Event
        self._ended: anyio.Event
        self._scope: anyio.CancelScope
        # What the manager gave, from then on until the task ends.
        self._value: list[T] = []
        # What the manager raised; taken out by who enters or leaves.
        self._error: BaseException | None = None

    async def __aenter__(self) -> T:
        if self._loop is not None:
            raise RuntimeError(f"{self._what} was entered already; make a new context for it")
        self._loop = current_token()
        self._leave, self._entered, self._ended = anyio.Event(), anyio.Event(), anyio.Event()
        self._scope = anyio.CancelScope()
        _start(self._run, self._loop.native_token)
        try:
            await self._entered.wait()
        except BaseException:
            self._scope.cancel()
            await self._wait_ended()
            raise
        if self._value:
            return self._value[0]
        raise self._take_error() or RuntimeError(f"{self._what} was cancelled while it started")

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._loop is None:
            raise RuntimeError(f"{self._what} was never entered")
        if not self._ended.is_set():
            if self._loop != current_token():
                raise RuntimeError(f"{self._what} must be left in the event loop that it runs in")
            self._leave.set()
            await self._wait_ended()
        error = self._take_error()
        if error is not None and exc_value is None:
            raise error
        if error is not None:
            # The error of the block is the one to see.
            logger.error("%s ended with %r", self._what, error)

    async def _run(self) -> None:
        try:
            with self._scope:
                async with self._manager as value:
                    self._value.append(value)
                    self._entered.set()
                    await self._leave.wait()
        except BaseException as error:
            if isinstance(error, anyio.get_cancelled_exc_class()):
                raise
            self._error = error
        finally:
            self._value.clear()
            self._entered.set()
            self._ended.set()

    async def _wait_ended(self) -> None:
        """Wait for the end of the task, then let a cancellation through."""
        cancelled: BaseException | None = None
        with anyio.CancelScope(shield=True):
            while not self._ended.is_set():
                try:
                    await self._ended.wait()
                except anyio.get_cancelled_exc_class() as error:
                    # asyncio's own cancellation passes the shield.
                    cancelled = error
        if cancelled is not None:
            raise cancelled

    def _take_error(self) -> BaseException | None:
        error, self._error = self._error, None
        return error


def _start(run: Callable[[], Coroutine[Any, Any, None]], loop: Any) -> None:
    """Start the task by the means of the event loop, which cancels it at its own end."""
    if isinstance(loop, asyncio.AbstractEventLoop):
        task = loop.create_task(run())
        _running.add(task)
        task.add_done_callback(_running.discard)
    else:
        import trio

        trio.lowlevel.spawn_system_task(run, context=copy_context())
