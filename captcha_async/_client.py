"""CaptchaClient, the facade: puts the parts together and checks the arguments."""

from __future__ import annotations

import os
import ssl
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio

from . import wire
from ._api import Api
from ._collect import Collector, OpenTask
from ._fuse import Fuse
from ._gateway import Gateway
from ._limits import Limits, RateLimitedSemaphore
from ._outcome import Solved
from ._pending import PendingTask, Registry, check_timeout
from ._polling import PollLedger, Schedule, default_schedule
from ._ref import TaskRef
from ._replies import Created
from ._retry import Retrier, Retries
from ._statistics import Counters, Statistics
from ._submit import Draft, Submitter
from ._transport import HttpTransport
from .errors import InsufficientBalance, SolveTimeout, SubmitUncertain, invalid
from .services import Service, find_service
from .tasks._fields import check_url
from .tasks._model import Solution, Task

if TYPE_CHECKING:
    import httpx

__all__ = ["CaptchaClient"]

KEY_VARIABLE = "CAPTCHA_API_KEY"

S = TypeVar("S", bound=Solution)


class CaptchaClient:
    """A client of one captcha-solving service under one API key.

    Use it with `async with`, or call `aclose()` when you are done. One client serves any number
    of concurrent solves; it starts no background task.

    Args:
        api_key: the account's key; without it the environment variable `CAPTCHA_API_KEY` is read.
        service: name of a built-in profile, or a `Service`.
        base_url: another address of the service, such as a mirror's.
        limits: how much at once and how fast.
        polling: a schedule such as `FixedPolling(first=1, interval=3)`; the service's own without.
            The service's minimum gap and poll cap hold whatever it says.
        retries: how often a request is repeated that the service has certainly not accepted.
        http_client: an httpx client to use; you keep closing it.
        proxy: URL of a proxy on the way to the service (not the proxy of a task).
        ssl_context: TLS settings; httpx's default without.

    Raises:
        InvalidArgument: an argument is certainly wrong; the message names it.
    """

    def __init__(
        self,
        api_key: str | None = None,
        *,
        service: str | Service = "capmonster",
        base_url: str | None = None,
        limits: Limits | None = None,
        polling: Schedule | None = None,
        retries: Retries | None = None,
        http_client: httpx.AsyncClient | None = None,
        proxy: str | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        profile = find_service(service)
        if base_url is not None:
            profile = profile.evolve(base_url=base_url)
        if http_client is not None and (proxy is not None or ssl_context is not None):
            field = "proxy" if proxy is not None else "ssl_context"
            raise invalid(field, None, "left out when http_client is given", show=False)
        limits = Limits() if limits is None else limits
        if not isinstance(limits, Limits):
            raise invalid("limits", limits, "a Limits")
        key = _check_key(os.environ.get(KEY_VARIABLE) if api_key is None else api_key)

        self._service = profile
        self._counters = Counters()
        self._fuse = Fuse(profile.ban_window)
        self._registry = Registry(self._counters)
        self._in_flight = RateLimitedSemaphore(limits.in_flight)
        self._transport = HttpTransport(
            http_client=http_client,
            connections=limits.connections,
            ssl_context=ssl_context,
            proxy=proxy,
            base_url=profile.base_url,
        )
        self._api = Api(self._transport, profile, key, request_timeout=limits.request_timeout)
        self._gateway = Gateway(self._fuse, limits, self._counters)
        self._collector = Collector(
            self._api, self._gateway, profile, polling or default_schedule(profile)
        )
        self._retrier = Retrier(self._gateway, retries or Retries())
        self._submitter = Submitter(
            self._api,
            self._gateway,
            self._retrier,
            RateLimitedSemaphore(None, limits.submits_per_second),
            self._registry,
            self._accept,
        )

    def __repr__(self) -> str:
        return (
            f"<CaptchaClient of {self._service.name}, {len(self._registry)} in flight, "
            f"fuse {self._fuse.state}>"
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the client: what waits fails with `ClientClosed`, the lanes are closed."""
        self._fuse.close()
        await self._transport.aclose()

    @property
    def service(self) -> Service:
        """The service's profile."""
        return self._service

    @property
    def orphans(self) -> tuple[PendingTask[Any], ...]:
        """Tasks that were paid for and that nobody waits for any more; each can be awaited."""
        return self._registry.orphans

    async def solve(
        self,
        task: Task[S],
        *,
        timeout: float | None = None,
        callback_url: str | None = None,
        soft_id: int | str | None = None,
    ) -> Solved[S]:
        """Create a task and wait for its answer.

        Args:
            task: what to solve.
            timeout: seconds for everything: waiting for a slot, submitting, and solving. Without
                it only the solving is bounded, by the service's default for this kind of task.
            callback_url: address of yours to which the service posts the result as well.
            soft_id: your partner id.

        Raises:
            InvalidArgument: the service is certain to refuse the task; nothing was sent.
            SolveTimeout: the deadline passed; its `ref` collects the task later.
            SubmitUncertain: createTask was sent, but whether a task exists is unknown.
            CaptchaError: the account, the service or the task failed (see `errors`).
        """
        draft = self._draft(task, callback_url, soft_id)
        check_timeout(timeout)
        with anyio.move_on_after(float("inf") if timeout is None else timeout):
            return await self._solve(draft, None if timeout is None else float("inf"))
        raise self._timed_out(draft, timeout or 0.0)

    async def _solve(self, draft: Draft, wait: float | None) -> Solved[Any]:
        await self._gateway.enter(self._in_flight)
        try:
            pending = await self._submitter.submit(draft)
            return await pending.result(wait)
        finally:
            self._in_flight.release()

    def _timed_out(self, draft: Draft, timeout: float) -> SolveTimeout | SubmitUncertain:
        if draft.pending is not None:
            return draft.pending.timed_out(timeout)
        self._counters.timed_out += 1
        if draft.uncertain:
            return SubmitUncertain(
                f"The deadline of {timeout:g} s passed while createTask was on its way and no "
                "reply came; a task may exist, so look at the account before you send it again."
            )
        return SolveTimeout(
            f"{draft.task.type} was not accepted within {timeout:g} s; nothing was paid: allow "
            "more time, or have fewer tasks in flight."
        )

    async def submit(
        self,
        task: Task[S],
        *,
        callback_url: str | None = None,
        soft_id: int | str | None = None,
    ) -> PendingTask[S]:
        """Create a task; its answer is collected by awaiting what this returns.

        Args:
            task: what to solve.
            callback_url: address of yours to which the service posts the result as well.
            soft_id: your partner id.

        Raises:
            InvalidArgument: the service is certain to refuse the task; nothing was sent.
            SubmitUncertain: createTask was sent, but whether a task exists is unknown.
            CaptchaError: the account or the service failed, or the task was refused.
        """
        return await self._submitter.submit(self._draft(task, callback_url, soft_id))

    def attach(self, ref: TaskRef) -> PendingTask[Any]:
        """Take up a task that was submitted earlier, by its reference. Makes no request.

        Raises:
            InvalidArgument: the reference belongs to another service.
        """
        if not isinstance(ref, TaskRef):
            raise invalid("ref", ref, "a TaskRef, such as TaskRef.from_json(text)")
        if ref.service != self._service.name:
            raise invalid("ref.service", ref.service, f"{self._service.name!r}, this client's")
        known = self._registry.get(ref.task_id)
        if known is not None:
            return known
        now = anyio.current_time()
        ledger = PollLedger(self._service, polls=ref.polls, now=now)
        family = wire.spec_of(ref.task_type).family
        return self._register(OpenTask(ref.task_id, None, ref.task_type, family, now, ledger))

    async def balance(self) -> Decimal:
        """Return the account's balance, in the service's own currency.

        Raises:
            AccountError: the key is not accepted.
            TransportError: the service could not be reached.
        """
        balance = await self._retrier.ask(
            lambda: self._gateway.call("balance", self._api.get_balance)
        )
        if balance > 0 and isinstance(self._fuse.error, InsufficientBalance):
            self._fuse.reset()
        return balance

    async def report_incorrect(self, answer: Solved[Any] | TaskRef) -> None:
        """Tell the service that an answer was wrong; the right method is chosen by the task.

        Raises:
            InvalidArgument: the service takes no such report for this kind of task.
            ServiceError: the service refused the report.
        """
        ref = answer.ref if isinstance(answer, Solved) else answer
        if not isinstance(ref, TaskRef):
            raise invalid("answer", answer, "what solve returned", show=False)
        kind = wire.spec_of(ref.task_type).report
        path = None if kind is None else self._service.report_methods.get(kind)
        if path is None:
            rule = f"of a type whose wrong answers {self._service.name} takes reports of"
            raise invalid("answer", ref.task_type, rule)
        await self._retrier.create(
            lambda: self._gateway.call(
                "report", lambda: self._api.report_incorrect(path, ref.task_id)
            )
        )

    async def user_agent(self) -> str:
        """Return the user agent that the service works with now, to be put into tasks.

        Raises:
            InvalidArgument: the service does not tell one.
            TransportError: the page could not be reached.
        """
        return await self._api.get_user_agent()

    def statistics(self) -> Statistics:
        """Return what the client has done so far."""
        counters = self._counters
        return Statistics(
            submitted=counters.submitted,
            solved=counters.solved,
            failed=counters.failed,
            timed_out=counters.timed_out,
            uncertain=counters.uncertain,
            in_flight=len(self._registry),
            queued=self._in_flight.statistics().waiting,
            orphans=len(self._registry.orphans),
            requests=counters.requests,
            polls=counters.polls,
            retries=counters.retries,
            spent=counters.spent,
            fuse=self._fuse.state,
            latencies=counters.latencies.snapshot(),
        )

    def reset_fuse(self) -> None:
        """Let requests through again after an account error, for example after topping up."""
        self._fuse.reset()

    def _draft(self, task: Task[Any], callback_url: str | None, soft_id: int | str | None) -> Draft:
        self._service.check(task)
        if callback_url is not None:
            check_url("callback_url", callback_url)
        if soft_id is not None and (
            isinstance(soft_id, bool) or not isinstance(soft_id, int | str)
        ):
            raise invalid("soft_id", soft_id, "a number, or a string where the service wants one")
        return Draft(task, callback_url, soft_id)

    def _accept(self, task: Task[Any], created: Created, sent_at: float) -> PendingTask[Any]:
        """Register a task that the service has accepted."""
        self._counters.submitted += 1
        ledger = PollLedger(self._service)
        pending = self._register(
            OpenTask(
                created.task_id, task, wire.model_name(task), task.spec.family, sent_at, ledger
            )
        )
        if created.solution is not None:
            pending.answered(created.solution, created.cost)
        return pending

    def _register(self, state: OpenTask) -> PendingTask[Any]:
        timeout = self._service.poll_times(state.family).timeout
        pending: PendingTask[Any] = PendingTask(state, self._collector, self._registry, timeout)
        self._registry.add(pending)
        return pending


def _check_key(key: str | None) -> str:
    if key is None:
        raise invalid("api_key", None, f"given, or set in the environment as {KEY_VARIABLE}")
    if not isinstance(key, str) or not key.strip():
        raise invalid("api_key", key, "a non-empty string", show=False)
    if not key.isprintable() or key != key.strip():
        raise invalid("api_key", key, "without white space around it or in it", show=False)
    return key
