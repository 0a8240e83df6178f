"""CaptchaClient, the facade: puts the parts together and checks the arguments."""

from __future__ import annotations

import os
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from decimal import Decimal
from functools import partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import anyio

from ._account._account import Account
from ._account._fuse import RequestKind
from ._account._limits import Limits
from ._account._retry import Attempts, Retries
from ._account._statistics import Counters, Statistics
from ._account._tenant import Tenant
from ._arguments import (
    check_callback_url,
    check_callbacks,
    check_left_out,
    check_name,
    check_ref,
    check_soft_id,
    check_source,
    to_handlers,
    to_journal,
)
from ._batch._batch import Batch
from ._batch._resume import Resumption, take_up
from ._batch._source import Pairs, Source
from ._callbacks import CallbackReceiver, ClientCallbacks
from ._checks import check_count, check_timeout
from ._events import Event, Events
from ._journal import Journal, UncertainSubmission
from ._outcome import Failed, Reported, Solved
from ._polling._schedule import Schedule
from ._ref import TaskRef
from ._solving._books import Books
from ._solving._pending import PendingTask
from ._solving._solve import Solve
from ._solving._solver import Solver
from .errors import (
    CaptchaError,
    ClientClosed,
    InsufficientBalance,
    WrongEventLoop,
    invalid,
)
from .services import Service
from .tasks._model import Solution, Task

if TYPE_CHECKING:
    import httpx

__all__ = ["CaptchaClient"]

S = TypeVar("S", bound=Solution)
T = TypeVar("T")


class CaptchaClient:
    """A client of one captcha-solving service under one API key.

    Use it with `async with`, or call `aclose()` when you are done. One client serves any number
    of concurrent solves; it starts no background task. It belongs to the event loop and the process
    in which it is first used; when that loop has ended and nothing is open, it goes on in the next.

    Args:
        api_key: the account's key; without it the environment variable `CAPTCHA_API_KEY` is read.
        service: name of a built-in profile, or a `Service`.
        account: an `Account`, in place of *api_key*, *service* and the settings of the way to it;
            clients that are given the same one share its limits, fuse, spending and connections.
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
        account: Account | None = None,
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
        check_callbacks(callbacks)
        account = _account_for(
            account,
            api_key,
            service,
            base_url=base_url,
            limits=limits,
            polling=polling,
            http_client=http_client,
            proxy=proxy,
            ssl_context=ssl_context,
        )
        self._account = account
        self._retries = retries or Retries()
        events, counters = Events(to_handlers(on_event)), Counters()
        # The client, as the account knows it: a member from now on until it is closed.
        self._tenant = Tenant(events, counters)
        self._journal = account.journal_of(to_journal(journal))
        self._callbacks = ClientCallbacks(callbacks, account.service.name)
        self._books = Books(counters, events, self._journal)
        self._solver = Solver(account, self._tenant, self._books, self._callbacks, self._retries)
        account.join(self._tenant)

    def __repr__(self) -> str:
        account = self._account
        return (
            f"<CaptchaClient of {account.service.name}, {len(self._books)} in flight, "
            f"fuse {account.gates.fuse.state}>"
        )

    async def __aenter__(self) -> Self:
        try:
            self._account.enter()
            await self._journal.open()
            await self._solver.recall_spending()
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

        The lanes of an `Account` of yours stay open until the last of its clients is closed.

        Args:
            drain: seconds to wait before for the answers of tasks that nobody waits for: the
                orphans, and what was submitted and never awaited. They can be read from `orphans`
                afterwards, and a journal has them for `resume`.

        Raises:
            InvalidArgument: *drain* is no number of seconds.
            JournalError: the journal could not be written to its end.
            WrongEventLoop: the client lives in another event loop.
        """
        check_timeout(drain)
        if not self._account.is_homeless:
            self._account.enter()
        try:
            if drain is not None:
                self._account.enter()
                await self._solver.drain(drain)
        finally:
            self._tenant.closed = True
            self._solver.read_callbacks()
            self._books.close()
            try:
                await self._account.leave(self._tenant)
            finally:
                await self._journal.aclose()

    @property
    def account(self) -> Account:
        """The account that tasks are solved at."""
        return self._account

    @property
    def service(self) -> Service:
        """The service's profile."""
        return self._account.service

    @property
    def orphans(self) -> tuple[PendingTask[Any], ...]:
        """Tasks that were paid for and that nobody waits for any more; each can be awaited."""
        return tuple(self._solver.handle(solve) for solve in self._books.orphans)

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
        check_timeout(timeout)
        solve = self._queue(task, timeout, callback_url, soft_id)
        solve.wants_slot = True
        return await self._solver.solve(solve)

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
        solve = self._queue(task, None, callback_url, soft_id)
        await self._solver.submit(solve)
        return self._solver.handle(solve)

    def attach(self, ref: TaskRef) -> PendingTask[Any]:
        """Take up a task that was submitted earlier, by its reference. Makes no request.

        Raises:
            InvalidArgument: the reference belongs to another service.
        """
        check_ref(ref, self.service)
        self._account.enter()
        return self._solver.handle(self._solver.take_up(ref, self._journal.attached(ref)))

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
        most = self._account.limits.in_flight if max_in_flight is None else max_in_flight
        check_count("max_in_flight", most)
        check_timeout(timeout)
        check_name(name)
        if resume and self._journal.journal is None:
            raise invalid("resume", resume, "left out, or the client be given a journal")
        resumption = Resumption(
            self._solver,
            name,
            indexed=not isinstance(tasks, Mapping),
            resume=resume,
            resend=resend_uncertain,
        )
        return Batch(self._solver, tasks, most, timeout, resumption)

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
        journal = self._journal.journal
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
        outcomes: dict[int, Solved[S] | Failed] = {}
        async with batch:
            # Taken all together at the end, for nobody has the list before.
            async for outcome in batch.hold():
                outcomes[batch.position] = outcome
            stopped_by = batch.progress().stopped_by
            if stopped_by is not None and not batch.progress().exhausted:
                # What was solved is among the orphans.
                raise stopped_by
        return [outcomes[position] for position in sorted(outcomes)]

    async def balance(self) -> Decimal:
        """Return the account's balance, in the service's own currency, which none documents.

        A balance above zero closes a fuse that was blown by an empty one.

        Raises:
            AccountError: the key is not accepted.
            TransportError: the service could not be reached.
        """
        account = self._account
        balance = await self._ask("balance", account.api.get_balance, harmless=True)
        if balance > 0 and isinstance(account.gates.fuse.error, InsufficientBalance):
            account.gates.reset_fuse()
        return balance

    async def report_incorrect(self, answer: Solved[Any] | TaskRef) -> Reported:
        """Tell the service that an answer was wrong; see `report_correct`."""
        return await self._report(answer, correct=False)

    async def report_correct(self, answer: Solved[Any] | TaskRef) -> Reported:
        """Tell the service that an answer was right.

        The method, its body and the time in which it is taken are each service's own; the facts are
        from their documentation. A report that the service does not take costs nothing but itself:
        that is told by what this returns, and not by an error.

        Returns:
            Whether the report was taken, and if not, why.

        Raises:
            InvalidArgument: *answer* is nothing that can be reported.
            ClientClosed: the client is closed.
        """
        return await self._report(answer, correct=True)

    async def _report(self, answer: Solved[Any] | TaskRef, *, correct: bool) -> Reported:
        ref = answer.ref if isinstance(answer, Solved) else answer
        if not isinstance(ref, TaskRef):
            raise invalid("answer", answer, "what solve returned", show=False)
        check_ref(ref, self.service)
        method = self.service.report_for(ref.task_type, correct=correct)
        if method is None:
            what = "right" if correct else "wrong"
            why = f"{self.service.name} takes no report of {what} answers to a {ref.task_type}."
            return Reported(taken=False, why=why)
        try:
            request = partial(self._account.api.report, method, ref.task_id)
            await self._ask("report", request, harmless=False)
        except (ClientClosed, WrongEventLoop):
            raise
        except CaptchaError as error:
            return Reported(taken=False, why=str(error), error=error)
        return Reported(taken=True)

    async def user_agent(self) -> str:
        """Return the user agent that the service works with now, to be put into tasks.

        Only CapMonster Cloud is known to tell it, from its official MCP server.

        Raises:
            InvalidArgument: the service does not tell one.
            AccountError: the fuse is open; nothing was sent.
            TransportError: the page could not be reached.
        """
        self._account.enter()
        async with self._account.admit("balance", self._tenant):
            return await self._account.api.get_user_agent()

    def statistics(self) -> Statistics:
        """Return what the client has done so far."""
        account, counters = self._account, self._tenant.counters
        return Statistics(
            submitted=counters.submitted,
            solved=counters.solved,
            failed=counters.failed,
            timed_out=counters.timed_out,
            uncertain=counters.uncertain,
            in_flight=len(self._books),
            queued=account.gates.slots.waiting,
            slots=account.gates.slots.limit,
            orphans=len(self._books.orphans),
            requests=counters.requests,
            polls=counters.polls,
            retries=counters.retries,
            spent=account.gates.spending.total,
            fuse=account.gates.fuse.state,
            lanes=account.lanes(),
            latencies=counters.latencies.snapshot(),
            callbacks=self._callbacks.statistics(),
        )

    def reset_fuse(self) -> None:
        """Let requests through again after an account error, for example after topping up."""
        self._account.gates.reset_fuse()

    # -- what earlier clients have left in the journal --------------------------------------------

    async def resume(self) -> AsyncGenerator[PendingTask[Any]]:
        """Take up what earlier clients with this journal have paid for and not collected.

        ```python
        async for pending in client.resume():
            solved = await pending
        ```

        Makes no request. A task whose result is certainly gone fails with `TaskExpired` when it is
        awaited. Submissions of which nobody knows whether they created a task are not among these:
        see `uncertain`. `Solved.key` tells the key of a task that was in a batch.

        Raises:
            InvalidArgument: the client has no journal.
            JournalError: it cannot be read.
        """
        self._account.enter()
        for record, entry in await self._journal.left_open():
            yield self._solver.handle(await take_up(self._solver, record, entry))

    async def uncertain(self) -> tuple[UncertainSubmission, ...]:
        """Return the submissions that may have created a task, as the journal has them.

        Their process died, or the network failed, between createTask and its reply. They are never
        sent again by themselves.

        Raises:
            InvalidArgument: the client has no journal.
            JournalError: it cannot be read.
        """
        return await self._journal.uncertain()

    async def forget(self, submission: UncertainSubmission) -> None:
        """Remove an uncertain submission, for example after a look at the account.

        A batch with `resume=True` then solves its key anew.

        Raises:
            InvalidArgument: the client has no journal.
            JournalError: it cannot be written.
        """
        if not isinstance(submission, UncertainSubmission):
            raise invalid("submission", submission, "one of those that uncertain() returns")
        await self._journal.forget(submission.number)

    async def forget_batch(self, name: str = "") -> int:
        """Forget a batch that has ended, so that the same keys are solved anew.

        What was paid for stays in the journal; the stored answers of the batch do not.

        Args:
            name: the batch's name; that of batches without one if it is left out.

        Returns:
            How many keys were forgotten.

        Raises:
            InvalidArgument: the client has no journal; or the batch is running, or something of it
                is paid for and not collected, or uncertain.
            JournalError: it cannot be written.
        """
        if not isinstance(name, str):
            raise invalid("name", name, "a string")
        return await self._journal.forget_batch(name)

    # -- inside -----------------------------------------------------------------------------------

    def _queue(
        self,
        task: Task[Any],
        timeout: float | None,
        callback_url: str | None,
        soft_id: int | str | None,
    ) -> Solve:
        """Check a task, and make the record of it."""
        self.service.check(task)
        self._account.enter()
        return self._solver.make(
            task,
            timeout,
            callback_url=check_callback_url(callback_url),
            soft_id=check_soft_id(soft_id),
        )

    async def _ask(
        self, kind: RequestKind, request: Callable[[], Awaitable[T]], *, harmless: bool
    ) -> T:
        """Make a request that creates no task, with further attempts.

        Args:
            kind: of the request.
            request: sends it.
            harmless: whether it changes nothing, so that it may be sent twice.
        """
        account = self._account
        account.enter()
        attempts = Attempts(self._retries)
        while True:
            try:
                async with account.admit(kind, self._tenant):
                    return await request()
            except CaptchaError as error:
                delay = attempts.after(error, harmless=harmless)
                if delay is None:
                    raise
                account.tell_retry(error, delay, attempts.made)
            with account.gates.fuse.guard(kind, tenant=self._tenant):
                await anyio.sleep(delay)


def _account_for(
    account: Account | None, api_key: str | None, service: str | Service, **way: Any
) -> Account:
    """Return the account that was given, or one made of the settings."""
    if account is None:
        return Account(api_key, service=service, **way)
    if not isinstance(account, Account):
        raise invalid("account", account, "an Account", show=False)
    other = None if service == "capmonster" else service
    check_left_out("account", api_key=api_key, service=other, **way)
    return account
