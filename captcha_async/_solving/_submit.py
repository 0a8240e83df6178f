"""Submitting a task: createTask is sent once, and its reply is never lost (rules 1 and 2)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import anyio
import attrs
from anyio.lowlevel import checkpoint_if_cancelled

from .._account._api import Api
from .._account._gateway import Gateway
from .._account._limits import RateLimitedSemaphore
from .._account._retry import Retrier
from .._account._slots import Lease
from .._account._spending import Spending
from .._callbacks import Callback, CallbackUse
from .._events import SolveEvents
from .._journal import Entry, JournalUse, Place
from ..errors import AccountError, CaptchaError, ServiceError, SubmitUncertain
from ..tasks._model import Task
from ..wire._models import model_name
from ..wire._replies import Created
from ._pending import PendingTask
from ._registry import Registry

__all__ = ["Draft", "Submitter"]

logger = logging.getLogger("captcha_async")
requests = logging.getLogger("captcha_async.requests")


@attrs.define(eq=False)
class Draft:
    """A submission under way."""

    task: Task[Any]
    callback_url: str | None = None
    """The user's own."""
    soft_id: int | str | None = None
    reserved: Decimal = Decimal(0)
    """The money set aside for it."""
    callback: Callback | None = None
    """Where the client itself expects the result."""
    pending: PendingTask[Any] | None = None
    """The accepted task, as soon as there is one."""
    place: Place | None = None
    """Where it stands in a batch, if the journal is to know."""
    entry: Entry = attrs.field(factory=Entry)
    """Its line in the journal, new for each attempt."""
    uncertain: bool = False
    """Whether the caller was cancelled while createTask was on the wire, and no reply came."""
    events: SolveEvents | None = None
    """Where to tell what happens to it, if anybody listens."""


class Submitter:
    """Turns drafts into pending tasks.

    Args:
        accept: gives an accepted draft its pending task; told the moment of its sending.
    """

    def __init__(
        self,
        api: Api,
        gateway: Gateway,
        retrier: Retrier,
        rate: RateLimitedSemaphore,
        spending: Spending,
        registry: Registry[PendingTask[Any]],
        callbacks: CallbackUse,
        journal: JournalUse,
        accept: Callable[[Draft, Created, float], None],
    ) -> None:
        self._api = api
        self._gateway = gateway
        self._retrier = retrier
        self._rate = rate
        self._spending = spending
        self._registry = registry
        self._callbacks = callbacks
        self._journal = journal
        self._accept = accept

    async def submit(self, draft: Draft, lease: Lease | None = None) -> PendingTask[Any]:
        """Create the task of *draft*, with further attempts where they cannot cost twice."""
        try:
            return await self._retrier.create(lambda: self._attempt(draft), lease)
        finally:
            if draft.callback is not None and draft.pending is None:
                draft.callback.end(polled=False)

    async def _attempt(self, draft: Draft) -> PendingTask[Any]:
        await self._gateway.enter(self._rate)
        self._rate.release()
        if draft.callback is None and draft.callback_url is None:
            draft.callback = self._callbacks.expect()
        draft.reserved = self._spending.reserve(draft.task.type)
        try:
            return await self._send(draft)
        except BaseException as error:
            if draft.pending is None:
                # What may have been accepted may cost.
                uncertain = draft.uncertain or isinstance(error, SubmitUncertain)
                settle = self._spending.presume if uncertain else self._spending.release
                settle(draft.reserved)
            raise

    async def _send(self, draft: Draft) -> PendingTask[Any]:
        try:
            return await self._gateway.call("create", lambda: self._exchange(draft))
        except ServiceError as error:
            if draft.callback is None or not self._callbacks.refuses(error):
                raise
            refusal = error
        # Is it the callback, or the service? Nothing was accepted, so the task may be sent again.
        callback, draft.callback = draft.callback, None
        try:
            await self._gateway.enter(self._rate)
            self._rate.release()
            pending = await self._gateway.call("create", lambda: self._exchange(draft))
        finally:
            if draft.pending is None:
                draft.callback = callback
            else:
                callback.end(polled=False)
        self._callbacks.give_up(refusal)
        return pending

    async def _exchange(self, draft: Draft) -> PendingTask[Any]:
        """Send createTask and wait for its reply, even when cancelled meanwhile.

        The request runs in a child of its own: a shield stops only anyio's cancellation, but
        asyncio's `Task.cancel` (as used by `asyncio.timeout`) hits whoever awaits.
        """
        draft.entry = self._journal.entry(model_name(draft.task), draft.place)
        await draft.entry.begin()
        request = _Request(self._api, draft)
        if draft.events is not None:
            draft.events.started = request.sent_at
        try:
            async with anyio.create_task_group() as children:
                children.start_soon(request.run)
            if request.created is not None:
                self._accept(draft, request.created, request.sent_at)
            await checkpoint_if_cancelled()
        except BaseException:
            self._abandon(draft, request)
            raise
        finally:
            request.settle()
            _tell(draft, request.error)
        if request.error is not None:
            if isinstance(request.error, SubmitUncertain):
                self._gateway.counters.uncertain += 1
            if draft.pending is not None:
                # It was accepted all the same, and only the journal could not take it down.
                self._registry.keep(draft.pending)
                if isinstance(request.error, CaptchaError):
                    request.error.ref = draft.pending.ref
            raise request.error
        assert draft.pending is not None
        return draft.pending

    def _abandon(self, draft: Draft, request: _Request) -> None:
        """Keep what came of a request whose caller was cancelled, or interrupted."""
        if draft.pending is None and request.created is not None:
            self._accept(draft, request.created, request.sent_at)
        if draft.pending is not None:
            # Also if it has its answer already.
            self._registry.keep(draft.pending)
        elif isinstance(request.error, AccountError):
            self._gateway.fuse.blow(request.error)
        elif request.sent and (request.error is None or isinstance(request.error, SubmitUncertain)):
            draft.uncertain = True
            self._gateway.counters.uncertain += 1
            logger.warning(
                "A submission was cancelled and no reply came; a task may exist: %s",
                draft.task.type,
            )


def _tell(draft: Draft, error: Exception | None) -> None:
    """Log what came of a createTask; an accepted task has been told to those who listen."""
    if draft.pending is not None:
        requests.debug("createTask of %s: task %s", draft.task.type, draft.pending.task_id)
        return
    said = type(error).__name__ if error else "cancelled"
    requests.debug("createTask of %s: %s", draft.task.type, said)
    if draft.events is not None:
        draft.events.submit_failed(draft.task, error)


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
        ours = None if draft.callback is None else draft.callback.url
        with anyio.CancelScope() as scope:

            def sending() -> None:
                self.sent = True
                self.sent_at = anyio.current_time()
                scope.shield = True

            try:
                self.created = await self._api.create_task(
                    draft.task,
                    callback_url=draft.callback_url or ours,
                    soft_id=draft.soft_id,
                    sending=sending,
                )
                # Safe before anybody hears of the task.
                await draft.entry.accepted(self.created.task_id)
            except Exception as error:
                self.error = error

    def settle(self) -> None:
        """Tell the journal what became of a request without a task."""
        if self.created is not None:
            return
        if self.sent and (self.error is None or isinstance(self.error, SubmitUncertain)):
            self._draft.entry.uncertain()
        else:
            self._draft.entry.drop()
