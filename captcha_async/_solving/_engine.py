"""The engine: the parts of one client put together, and the path of one solve through them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from typing import Any

import anyio

from .._account._api import Api
from .._account._fuse import Fuse
from .._account._gateway import Gateway
from .._account._limits import Limits, RateLimitedSemaphore
from .._account._retry import Retrier, Retries
from .._account._slots import Lease, Slots
from .._account._spending import Spending
from .._account._statistics import Counters, Statistics
from .._callbacks import CallbackReceiver, CallbackUse
from .._events import Event, Events, FuseBlown, FuseClosed, SolveEvents
from .._journal import Entry, Journal, JournalUse
from .._outcome import Solved
from .._polling._schedule import PollLedger, Schedule
from .._ref import TaskRef
from .._transport import HttpTransport
from ..errors import AccountError, CaptchaError, SolveTimeout, SubmitUncertain
from ..services import Service
from ..tasks._model import Task
from ..wire._models import model_name, spec_of
from ..wire._replies import Created
from ._collect import Collector, OpenTask
from ._pending import PendingTask
from ._registry import Registry
from ._submit import Draft, Submitter

__all__ = ["Engine"]

logger = logging.getLogger("captcha_async")

NOT_TOLD = nullcontext()


class Engine:
    """What a client is made of."""

    def __init__(
        self,
        service: Service,
        api_key: str,
        transport: HttpTransport,
        limits: Limits,
        schedule: Schedule,
        retries: Retries,
        callbacks: CallbackReceiver | None = None,
        journal: Journal | None = None,
        handlers: tuple[Callable[[Event], None], ...] = (),
    ) -> None:
        self.service = service
        self._events = Events(service, handlers)
        self.limits = limits
        self.transport = transport
        self.counters: Counters = Counters()
        self.fuse: Fuse = Fuse(service.ban_window, self._fuse_blown, self._fuse_closed)
        self.spending: Spending = Spending(limits.max_spend, limits.per, limits.prices)
        self.registry: Registry[PendingTask[Any]] = Registry(self.counters, self.spending)
        self.gateway: Gateway = Gateway(self.fuse, limits, self.counters)
        self.slots: Slots = Slots(limits.in_flight, self.registry.__len__, self.gateway)
        self.api: Api = Api(transport, service, api_key, request_timeout=limits.request_timeout)
        self.retrier: Retrier = Retrier(self.gateway, retries)
        self.journal: JournalUse = JournalUse(journal, service.name, api_key)
        self._callbacks = CallbackUse(callbacks, service.name)
        self._collector = Collector(self.api, self.gateway, service, schedule)
        self._submitter = Submitter(
            self.api,
            self.gateway,
            self.retrier,
            RateLimitedSemaphore(None, limits.submits_per_second),
            self.spending,
            self.registry,
            self._callbacks,
            self.journal,
            self._accept,
        )

    def _fuse_blown(self, error: AccountError) -> None:
        logger.warning("The fuse has blown, no request leaves: %s", error)
        if self._events:
            event = FuseBlown(at=anyio.current_time(), service=self.service, error=error)
            self._events.emit(event)

    def _fuse_closed(self) -> None:
        logger.info("The fuse is closed again.")
        if self._events:
            self._events.emit(FuseClosed(at=anyio.current_time(), service=self.service))

    async def submit(self, draft: Draft) -> PendingTask[Any]:
        """Create the task of *draft*."""
        with self._told(draft):
            return await self._submitter.submit(draft)

    def _told(self, draft: Draft) -> AbstractContextManager[None]:
        """Submit *draft* inside of this: its start and its failure are told, if anybody listens."""
        return self._telling(draft) if self._events else NOT_TOLD

    @contextmanager
    def _telling(self, draft: Draft) -> Generator[None, None, None]:
        # What was taken up again has events of its own.
        events = draft.events = SolveEvents(self._events)
        if draft.pending is None:
            events.queued(draft.task)
        try:
            yield
        except BaseException as caught:
            error = caught if isinstance(caught, CaptchaError) else None
            uncertain = draft.uncertain or isinstance(error, SubmitUncertain)
            if draft.pending is None:
                events.dropped(draft.task, error, uncertain=uncertain)
            else:
                draft.pending.abandon(error)
            raise

    async def solve(self, draft: Draft, timeout: float | None) -> Solved[Any]:
        """Create the task of *draft* and collect its answer, under one deadline for both."""
        lease = Lease(self.slots)
        deadline = anyio.current_time() + (float("inf") if timeout is None else timeout)
        try:
            pending = await self.accepted(draft, lease, timeout)
            if timeout is None:
                solved = await pending.result()
            else:
                solved = await pending.result_until(deadline, timeout)
            self.slots.succeeded()
            return solved
        finally:
            lease.leave()

    async def accepted(self, draft: Draft, lease: Lease, timeout: float | None) -> PendingTask[Any]:
        """Create the task of *draft* under a *lease*, within its time-out."""
        with self._told(draft):
            with anyio.move_on_after(timeout):
                await lease.enter()
                if draft.pending is None:
                    await self._submitter.submit(draft, lease)
            if draft.pending is None:
                raise self._not_accepted(draft, timeout or 0.0)
            return draft.pending

    def _not_accepted(self, draft: Draft, timeout: float) -> SolveTimeout | SubmitUncertain:
        self.counters.timed_out += 1
        if draft.uncertain:
            return SubmitUncertain(
                f"The deadline of {timeout:g} s passed while createTask was on its way and no "
                "reply came; a task may exist, so look at the account before you send it again."
            )
        return SolveTimeout(
            f"{draft.task.type} was not accepted within {timeout:g} s; nothing was paid: allow "
            "more time, or have fewer tasks in flight."
        )

    def attach(self, ref: TaskRef) -> PendingTask[Any]:
        """Return the pending task of *ref*: the one that is open, or a new one."""
        return self.take_up(ref, self.journal.attached(ref))

    def take_up(
        self, ref: TaskRef, entry: Entry, task: Task[Any] | None = None
    ) -> PendingTask[Any]:
        """Return the pending task of *ref*, which the journal knows by *entry*."""
        known = self.registry.get(ref.task_id)
        if known is not None:
            return known
        now = anyio.current_time()
        ledger = PollLedger(self.service, polls=ref.polls, now=now)
        family = spec_of(ref.task_type).family
        events = SolveEvents(self._events) if self._events else None
        state = OpenTask(
            ref.task_id, task, ref.task_type, family, now, ledger, entry=entry, events=events
        )
        if events is not None:
            events.taken_up(ref)
        return self._register(state)

    async def drain(self, seconds: float) -> None:
        """Wait for the answers that nobody waits for; they are orphans then, to be looked at."""
        deadline = anyio.current_time() + seconds

        async def wait_for(pending: PendingTask[Any]) -> None:
            with suppress(CaptchaError):
                await pending.wait_until(deadline, seconds)
                self.registry.keep(pending)

        async with anyio.create_task_group() as group:
            for pending in self.registry.uncollected:
                group.start_soon(wait_for, pending)

    def _accept(self, draft: Draft, created: Created, sent_at: float) -> None:
        """Register a task that the service has accepted."""
        self.counters.submitted += 1
        task = draft.task
        pending = draft.pending = self._register(
            OpenTask(
                created.task_id,
                task,
                model_name(task),
                task.spec.family,
                sent_at,
                PollLedger(self.service),
                draft.reserved,
                callback=draft.callback,
                entry=draft.entry,
                events=draft.events,
            )
        )
        if draft.callback is not None:
            draft.callback.bind(created.task_id)
        if draft.events is not None:
            draft.events.submitted(pending.ref, task)
        if created.solution is not None:
            pending.answered(created.solution, created.cost, "reply")

    def _register(self, state: OpenTask) -> PendingTask[Any]:
        timeout = self.service.poll_times(state.family).timeout
        pending: PendingTask[Any] = PendingTask(state, self._collector, self.registry, timeout)
        self.registry.add(pending)
        return pending

    def statistics(self) -> Statistics:
        """Return the numbers of now."""
        counters = self.counters
        return Statistics(
            submitted=counters.submitted,
            solved=counters.solved,
            failed=counters.failed,
            timed_out=counters.timed_out,
            uncertain=counters.uncertain,
            in_flight=len(self.registry),
            queued=self.slots.waiting,
            slots=self.slots.limit,
            orphans=len(self.registry.orphans),
            requests=counters.requests,
            polls=counters.polls,
            retries=counters.retries,
            spent=self.spending.total,
            fuse=self.fuse.state,
            lanes=self.transport.statistics(),
            latencies=counters.latencies.snapshot(),
            callbacks=self._callbacks.statistics(),
        )
