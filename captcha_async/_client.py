"""CaptchaClient, the facade: puts the parts together and checks the arguments."""

from __future__ import annotations

import os
import ssl
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

from ._account._limits import Limits
from ._account._retry import Retries
from ._account._statistics import Statistics
from ._arguments import (
    check_callback_url,
    check_callbacks,
    check_key,
    check_left_out,
    check_limits,
    check_max_in_flight,
    check_soft_id,
    check_source,
    to_handlers,
    to_journal,
    to_profile,
)
from ._batch._batch import Batch, Pairs, Source
from ._batch._leftovers import Leftovers
from ._batch._resume import Resumption
from ._callbacks import CallbackReceiver
from ._events import Event
from ._journal import Journal
from ._outcome import Failed, Solved
from ._polling._adaptive import AdaptivePolling
from ._polling._schedule import Schedule
from ._ref import TaskRef
from ._solving._engine import Engine
from ._solving._pending import PendingTask, check_timeout
from ._solving._submit import Draft
from ._transport import HttpTransport
from .errors import InsufficientBalance, invalid
from .services import Service
from .tasks._model import Solution, Task
from .wire._models import spec_of

if TYPE_CHECKING:
    import httpx

__all__ = ["CaptchaClient"]

S = TypeVar("S", bound=Solution)


class CaptchaClient(Leftovers):
    """A client of one captcha-solving service under one API key.

    Use it with `async with`, or call `aclose()` when you are done. One client serves any number
    of concurrent solves; it starts no background task.

    Args:
        api_key: the account's key; without it the environment variable `CAPTCHA_API_KEY` is read.
        service: name of a built-in profile, or a `Service`.
        base_url: another address of the service, such as a mirror's.
        limits: how much at once and how fast.
        polling: a schedule such as `FixedPolling(first=1, interval=3)`; `AdaptivePolling` without.
            The service's minimum gap and poll cap hold whatever it says.
        retries: how often a request is repeated that the service has certainly not accepted.
        callbacks: a receiver to which the service posts results, so that polls are needed only
            where a callback does not come. It may serve several clients.
        journal: path of a file that outlives a crash, or a `Journal`: what was submitted and what
            became of it, for `resume` and for batches.
        http_client: an httpx client to use; you keep closing it.
        proxy: URL of a proxy on the way to the service (not the proxy of a task); without it
            `HTTPS_PROXY` and `NO_PROXY` are obeyed.
        on_event: called with each event (see `Event`); it must be quick. Several may be given.
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
        callbacks: CallbackReceiver | None = None,
        journal: str | os.PathLike[str] | Journal | None = None,
        http_client: httpx.AsyncClient | None = None,
        proxy: str | None = None,
        on_event: Callable[[Event], None] | Iterable[Callable[[Event], None]] | None = None,
        ssl_context: ssl.SSLContext | None = None,
    ) -> None:
        profile = to_profile(service, base_url)
        if http_client is not None:
            check_left_out(proxy=proxy, ssl_context=ssl_context)
        limits = check_limits(limits)
        check_callbacks(callbacks)
        key = check_key(api_key)
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
            polling or AdaptivePolling(profile),
            retries or Retries(),
            callbacks,
            to_journal(journal),
            to_handlers(on_event),
        )

    def __repr__(self) -> str:
        engine = self._engine
        return (
            f"<CaptchaClient of {engine.service.name}, {len(engine.registry)} in flight, "
            f"fuse {engine.fuse.state}>"
        )

    async def __aenter__(self) -> Self:
        try:
            await self._engine.journal.open()
        except BaseException:
            await self.aclose()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    async def aclose(self, *, drain: float | None = None) -> None:
        """Close the client: what waits fails with `ClientClosed`, lanes and journal are closed.

        Args:
            drain: seconds to wait before for the answers of tasks that nobody waits for: the
                orphans, and what was submitted and never awaited. They can be read from `orphans`
                afterwards, and a journal has them for `resume`.

        Raises:
            InvalidArgument: *drain* is no number of seconds.
            JournalError: the journal could not be written to its end.
        """
        check_timeout(drain)
        try:
            if drain is not None:
                await self._engine.drain(drain)
        finally:
            self._engine.fuse.close()
            self._engine.registry.close()
            try:
                await self._engine.transport.aclose()
            finally:
                await self._engine.journal.aclose()

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
            callback_url: address of yours to which the service posts the result, in place of the
                client's receiver; the client polls.
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
            callback_url: address of yours to which the service posts the result, in place of the
                client's receiver; the client polls.
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
        tasks: Source[S] | Pairs[S],
        *,
        max_in_flight: int | None = None,
        timeout: float | None = None,
        name: str = "",
        resume: bool = False,
        resend_uncertain: bool = False,
    ) -> Batch[S]:
        """Solve many tasks: outcomes come as they complete, failures among them as values.

        ```python
        async with client.batch(tasks) as outcomes:
            async for outcome in outcomes:
                if isinstance(outcome, Solved): ...
        ```

        Args:
            tasks: any iterable or async iterable of tasks, or of pairs (key, task), read as there
                is room; or a mapping by key.
            max_in_flight: how many of them may be under way at once; `Limits.in_flight` without.
            timeout: seconds for each task, as for `solve`.
            name: under which the journal knows the batch; give each job of one file its own.
            resume: go on where an earlier run of the batch has stopped: what was paid for is
                collected, and a key whose answer was taken is skipped, or handed out again if the
                journal keeps solutions.
            resend_uncertain: solve keys anew of which nobody knows whether a task exists; without
                it they fail with `SubmitUncertain`.

        Raises:
            InvalidArgument: an argument is certainly wrong. A wrong task is a `Failed` outcome.
        """
        check_source(tasks)
        most = check_max_in_flight(max_in_flight, self._engine.limits)
        check_timeout(timeout)
        if not isinstance(name, str):
            raise invalid("name", name, "a string")
        if resume and self._engine.journal.journal is None:
            raise invalid("resume", resume, "left out, or the client be given a journal")
        resumption = Resumption(
            self._engine,
            name,
            indexed=not isinstance(tasks, Mapping),
            resume=resume,
            resend=resend_uncertain,
        )
        return Batch(self._engine, tasks, most, timeout, resumption)

    async def solve_all(
        self,
        tasks: Source[S],
        *,
        max_in_flight: int | None = None,
        timeout: float | None = None,
        name: str = "",
        resume: bool = False,
        resend_uncertain: bool = False,
    ) -> list[Solved[S] | Failed]:
        """Solve many tasks and return their outcomes in the order of *tasks*; see `batch`.

        Raises:
            InvalidArgument: an argument is certainly wrong; `resume` needs a journal that keeps
                solutions, since the list is to have all of them.
        """
        journal = self._engine.journal.journal
        if resume and (journal is None or not journal.keep_solutions):
            raise invalid("resume", resume, "left out unless the journal has keep_solutions=True")
        batch = self.batch(
            tasks,
            max_in_flight=max_in_flight,
            timeout=timeout,
            name=name,
            resume=resume,
            resend_uncertain=resend_uncertain,
        )
        outcomes: dict[Any, Solved[S] | Failed] = {}
        async with batch:
            # Taken all together at the end, for nobody has the list before.
            async for outcome in batch.hold():
                outcomes[outcome.key] = outcome
        keys = tasks if isinstance(tasks, Mapping) else range(len(outcomes))
        return [outcomes[key] for key in keys]

    async def balance(self) -> Decimal:
        """Return the account's balance, in the service's own currency, which none documents.

        A balance above zero closes a fuse that was blown by an empty one.

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

        Paths are from the documentation of CapMonster Cloud, anti-captcha and 2captcha; captcha69
        is taken to have CapMonster's.

        Raises:
            InvalidArgument: the service takes no such report for this kind of task.
            ServiceError: the service refused the report.
        """
        ref = answer.ref if isinstance(answer, Solved) else answer
        if not isinstance(ref, TaskRef):
            raise invalid("answer", answer, "what solve returned", show=False)
        kind = spec_of(ref.task_type).report
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

        Only CapMonster Cloud is known to tell it, from its official MCP server.

        Raises:
            InvalidArgument: the service does not tell one.
            AccountError: the fuse is open; nothing was sent.
            TransportError: the page could not be reached.
        """
        self._engine.fuse.check("balance")
        return await self._engine.api.get_user_agent()

    def statistics(self) -> Statistics:
        """Return what the client has done so far."""
        return self._engine.statistics()

    def reset_fuse(self) -> None:
        """Let requests through again after an account error, for example after topping up."""
        self._engine.fuse.reset()

    def _draft(self, task: Task[Any], callback_url: str | None, soft_id: int | str | None) -> Draft:
        self._engine.service.check(task)
        return Draft(task, check_callback_url(callback_url), check_soft_id(soft_id))
