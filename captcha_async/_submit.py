"""Submitting a task: createTask is sent once, and its reply is never lost (rules 1 and 2)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anyio
import attrs
from anyio.lowlevel import checkpoint_if_cancelled

from ._api import Api
from ._gateway import Gateway
from ._limits import RateLimitedSemaphore
from ._pending import PendingTask, Registry
from ._replies import Created
from ._retry import Retrier
from ._slots import Lease
from ._spending import Spending
from .errors import AccountError, SubmitUncertain
from .tasks._model import Task

__all__ = ["Draft", "Submitter"]

logger = logging.getLogger("captcha_async")


@attrs.define(eq=False)
class Draft:
    """A submission under way."""

    task: Task[Any]
    callback_url: str | None = None
    soft_id: int | str | None = None
    reserved: Decimal = Decimal(0)
    """The money set aside for it."""
    pending: PendingTask[Any] | None = None
    """The accepted task, as soon as there is one."""
    uncertain: bool = False
    """Whether the caller was cancelled while createTask was on the wire, and no reply came."""


class Submitter:
    """Turns drafts into pending tasks.

    Args:
        accept: makes the pending task of an accepted draft; given the moment of its sending.
    """

    def __init__(
        self,
        api: Api,
        gateway: Gateway,
        retrier: Retrier,
        rate: RateLimitedSemaphore,
        spending: Spending,
        registry: Registry,
        accept: Callable[[Draft, Created, float], PendingTask[Any]],
    ) -> None:
        self._api = api
        self._gateway = gateway
        self._retrier = retrier
        self._rate = rate
        self._spending = spending
        self._registry = registry
        self._accept = accept

    async def submit(self, draft: Draft, lease: Lease | None = None) -> PendingTask[Any]:
        """Create the task of *draft*, with further attempts where they cannot cost twice."""
        return await self._retrier.create(lambda: self._attempt(draft), lease)

    async def _attempt(self, draft: Draft) -> PendingTask[Any]:
        await self._gateway.enter(self._rate)
        self._rate.release()
        draft.reserved = self._spending.reserve(draft.task.type)
        try:
            return await self._gateway.call("create", lambda: self._exchange(draft))
        except BaseException as error:
            # What may have been accepted may cost.
            uncertain = draft.uncertain or isinstance(error, SubmitUncertain)
            if draft.pending is None and not uncertain:
                self._spending.release(draft.reserved)
            raise

    async def _exchange(self, draft: Draft) -> PendingTask[Any]:
        """Send createTask and wait for its reply, even when cancelled meanwhile.

        The request runs in a child of its own: a shield stops only anyio's cancellation, but
        asyncio's `Task.cancel` (as used by `asyncio.timeout`) hits whoever awaits.
        """
        request = _Request(self._api, draft)
        try:
            async with anyio.create_task_group() as children:
                children.start_soon(request.run)
            if request.created is not None:
                draft.pending = self._accept(draft, request.created, request.sent_at)
            await checkpoint_if_cancelled()
        except anyio.get_cancelled_exc_class():
            self._abandon(draft, request)
            raise
        if request.error is not None:
            if isinstance(request.error, SubmitUncertain):
                self._gateway.counters.uncertain += 1
            raise request.error
        assert draft.pending is not None
        return draft.pending

    def _abandon(self, draft: Draft, request: _Request) -> None:
        """Keep what came of a request whose caller was cancelled."""
        if draft.pending is None and request.created is not None:
            draft.pending = self._accept(draft, request.created, request.sent_at)
        if draft.pending is not None:
            self._registry.orphan(draft.pending)
        elif isinstance(request.error, AccountError):
            self._gateway.fuse.blow(request.error)
        elif request.sent and (request.error is None or isinstance(request.error, SubmitUncertain)):
            draft.uncertain = True
            self._gateway.counters.uncertain += 1
            logger.warning(
                "A submission was cancelled and no reply came; a task may exist: %s",
                draft.task.type,
            )


class _Request:
    """One createTask on its way."""

    def __init__(self, api: Api, draft: Draft) -> None:
        self._api = api
        self._draft = draft
        self.sent = False
        self.sent_at = anyio.current_time()
        self.created: Created | None = None
        self.error: Exception | None = None

    async def run(self) -> None:
        """Make the request; once it is on the wire only its own time-out ends it."""
        draft = self._draft
        with anyio.CancelScope() as scope:

            def sending() -> None:
                self.sent = True
                self.sent_at = anyio.current_time()
                scope.shield = True

            try:
                self.created = await self._api.create_task(
                    draft.task,
                    callback_url=draft.callback_url,
                    soft_id=draft.soft_id,
                    sending=sending,
                )
            except Exception as error:
                self.error = error
