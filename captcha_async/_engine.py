"""The engine: the parts of one client put together, and the path of one solve through them."""

from __future__ import annotations

from typing import Any

import anyio

from . import wire
from ._api import Api
from ._collect import Collector, OpenTask
from ._fuse import Fuse
from ._gateway import Gateway
from ._limits import Limits, RateLimitedSemaphore
from ._outcome import Solved
from ._pending import PendingTask, Registry
from ._polling import PollLedger, Schedule
from ._ref import TaskRef
from ._replies import Created
from ._retry import Retrier, Retries
from ._slots import Lease, Slots
from ._spending import Spending
from ._statistics import Counters, Statistics
from ._submit import Draft, Submitter
from ._transport import HttpTransport
from .errors import SolveTimeout, SubmitUncertain
from .services import Service

__all__ = ["Engine"]


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
    ) -> None:
        self.service = service
        self.limits = limits
        self.transport = transport
        self.counters = Counters()
        self.fuse = Fuse(service.ban_window)
        self.spending = Spending(limits.max_spend, limits.per, limits.prices)
        self.registry = Registry(self.counters, self.spending)
        self.gateway = Gateway(self.fuse, limits, self.counters)
        self.slots = Slots(limits.in_flight, self.registry.__len__, self.gateway)
        self.api = Api(transport, service, api_key, request_timeout=limits.request_timeout)
        self.retrier = Retrier(self.gateway, retries)
        self._collector = Collector(self.api, self.gateway, service, schedule)
        self._submitter = Submitter(
            self.api,
            self.gateway,
            self.retrier,
            RateLimitedSemaphore(None, limits.submits_per_second),
            self.spending,
            self.registry,
            self._accept,
        )

    async def submit(self, draft: Draft) -> PendingTask[Any]:
        """Create the task of *draft*."""
        return await self._submitter.submit(draft)

    async def solve(self, draft: Draft, timeout: float | None) -> Solved[Any]:
        """Create the task of *draft* and collect its answer, under one deadline for both."""
        with anyio.move_on_after(float("inf") if timeout is None else timeout):
            return await self._solve(draft, None if timeout is None else float("inf"))
        raise self._timed_out(draft, timeout or 0.0)

    async def _solve(self, draft: Draft, wait: float | None) -> Solved[Any]:
        lease = Lease(self.slots)
        try:
            await lease.enter()
            pending = await self._submitter.submit(draft, lease)
            solved = await pending.result(wait)
            self.slots.succeeded()
            return solved
        finally:
            lease.leave()

    def _timed_out(self, draft: Draft, timeout: float) -> SolveTimeout | SubmitUncertain:
        if draft.pending is not None:
            return draft.pending.timed_out(timeout)
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
        known = self.registry.get(ref.task_id)
        if known is not None:
            return known
        now = anyio.current_time()
        ledger = PollLedger(self.service, polls=ref.polls, now=now)
        family = wire.spec_of(ref.task_type).family
        return self._register(OpenTask(ref.task_id, None, ref.task_type, family, now, ledger))

    def _accept(self, draft: Draft, created: Created, sent_at: float) -> PendingTask[Any]:
        """Register a task that the service has accepted."""
        self.counters.submitted += 1
        task = draft.task
        pending = self._register(
            OpenTask(
                created.task_id,
                task,
                wire.model_name(task),
                task.spec.family,
                sent_at,
                PollLedger(self.service),
                draft.reserved,
            )
        )
        if created.solution is not None:
            pending.answered(created.solution, created.cost)
        return pending

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
            latencies=counters.latencies.snapshot(),
        )
