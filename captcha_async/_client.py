"""CaptchaClient, the facade: puts the parts together and checks the arguments."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncIterable, Iterable, Mapping
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from . import wire
from ._batch import Batch, Source
from ._engine import Engine
from ._limits import Limits
from ._outcome import Failed, Solved
from ._pending import PendingTask, check_timeout
from ._polling import Schedule, default_schedule
from ._ref import TaskRef
from ._retry import Retries
from ._statistics import Statistics
from ._submit import Draft
from ._transport import HttpTransport
from .errors import InsufficientBalance, invalid
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

        transport = HttpTransport(
            http_client=http_client,
            connections=limits.connections,
            ssl_context=ssl_context,
            proxy=proxy,
            base_url=profile.base_url,
        )
        self._engine = Engine(
            profile,
            key,
            transport,
            limits,
            polling or default_schedule(profile),
            retries or Retries(),
        )

    def __repr__(self) -> str:
        engine = self._engine
        return (
            f"<CaptchaClient of {engine.service.name}, {len(engine.registry)} in flight, "
            f"fuse {engine.fuse.state}>"
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
        self._engine.fuse.close()
        await self._engine.transport.aclose()

    @property
    def service(self) -> Service:
        """The service's profile."""
        return self._engine.service

    @property
    def orphans(self) -> tuple[PendingTask[Any], ...]:
        """Tasks that were paid for and that nobody waits for any more; each can be awaited."""
        return self._engine.registry.orphans

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
        return await self._engine.solve(draft, timeout)

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
        return await self._engine.submit(self._draft(task, callback_url, soft_id))

    def attach(self, ref: TaskRef) -> PendingTask[Any]:
        """Take up a task that was submitted earlier, by its reference. Makes no request.

        Raises:
            InvalidArgument: the reference belongs to another service.
        """
        if not isinstance(ref, TaskRef):
            raise invalid("ref", ref, "a TaskRef, such as TaskRef.from_json(text)")
        if ref.service != self._engine.service.name:
            raise invalid(
                "ref.service", ref.service, f"{self._engine.service.name!r}, this client's"
            )
        return self._engine.attach(ref)

    def batch(
        self,
        tasks: Source[S],
        *,
        max_in_flight: int | None = None,
        timeout: float | None = None,
    ) -> Batch[S]:
        """Solve many tasks: outcomes come as they complete, failures among them as values.

        ```python
        async with client.batch(tasks) as outcomes:
            async for outcome in outcomes:
                if isinstance(outcome, Solved): ...
        ```

        Args:
            tasks: any iterable or async iterable, read as there is room, or a mapping by key.
            max_in_flight: how many of them may be under way at once; `Limits.in_flight` without.
            timeout: seconds for each task, as for `solve`.

        Raises:
            InvalidArgument: an argument is certainly wrong. A wrong task is a `Failed` outcome.
        """
        if not isinstance(tasks, Iterable | AsyncIterable) or isinstance(tasks, str | bytes):
            raise invalid("tasks", tasks, "an iterable of tasks, or a mapping of them")
        most = self._engine.limits.in_flight if max_in_flight is None else max_in_flight
        if type(most) is not int or most < 1:
            raise invalid("max_in_flight", most, "a whole number of at least 1")
        check_timeout(timeout)
        return Batch(self._engine, tasks, most, timeout)

    async def solve_all(
        self,
        tasks: Source[S],
        *,
        max_in_flight: int | None = None,
        timeout: float | None = None,
    ) -> list[Solved[S] | Failed]:
        """Solve many tasks and return their outcomes in the order of *tasks*; see `batch`."""
        outcomes: dict[Any, Solved[S] | Failed] = {}
        async with self.batch(tasks, max_in_flight=max_in_flight, timeout=timeout) as batch:
            async for outcome in batch:
                outcomes[outcome.key] = outcome
        keys = tasks if isinstance(tasks, Mapping) else range(len(outcomes))
        return [outcomes[key] for key in keys]

    async def balance(self) -> Decimal:
        """Return the account's balance, in the service's own currency.

        Raises:
            AccountError: the key is not accepted.
            TransportError: the service could not be reached.
        """
        balance = await self._engine.retrier.ask(
            lambda: self._engine.gateway.call("balance", self._engine.api.get_balance)
        )
        if balance > 0 and isinstance(self._engine.fuse.error, InsufficientBalance):
            self._engine.fuse.reset()
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
        path = None if kind is None else self._engine.service.report_methods.get(kind)
        if path is None:
            rule = f"of a type whose wrong answers {self._engine.service.name} takes reports of"
            raise invalid("answer", ref.task_type, rule)
        await self._engine.retrier.create(
            lambda: self._engine.gateway.call(
                "report", lambda: self._engine.api.report_incorrect(path, ref.task_id)
            )
        )

    async def user_agent(self) -> str:
        """Return the user agent that the service works with now, to be put into tasks.

        Raises:
            InvalidArgument: the service does not tell one.
            TransportError: the page could not be reached.
        """
        return await self._engine.api.get_user_agent()

    def statistics(self) -> Statistics:
        """Return what the client has done so far."""
        return self._engine.statistics()

    def reset_fuse(self) -> None:
        """Let requests through again after an account error, for example after topping up."""
        self._engine.fuse.reset()

    def _draft(self, task: Task[Any], callback_url: str | None, soft_id: int | str | None) -> Draft:
        self._engine.service.check(task)
        if callback_url is not None:
            check_url("callback_url", callback_url)
        if soft_id is not None and (
            isinstance(soft_id, bool) or not isinstance(soft_id, int | str)
        ):
            raise invalid("soft_id", soft_id, "a number, or a string where the service wants one")
        return Draft(task, callback_url, soft_id)


def _check_key(key: str | None) -> str:
    if key is None:
        raise invalid("api_key", None, f"given, or set in the environment as {KEY_VARIABLE}")
    if not isinstance(key, str) or not key.strip():
        raise invalid("api_key", key, "a non-empty string", show=False)
    if not key.isprintable() or key != key.strip():
        raise invalid("api_key", key, "without white space around it or in it", show=False)
    return key
