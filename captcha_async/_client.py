"""CaptchaClient, the facade: puts the parts together and checks the arguments."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, aclosing
from datetime import datetime
from decimal import Decimal
from functools import cached_property, partial
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, NoReturn, Self, TypeVar

from ._account._account import Account
from ._account._given import accounts_given
from ._account._limits import Limits
from ._account._retry import Retries
from ._arguments import (
    check_callback_url,
    check_callbacks,
    check_extra,
    check_json,
    check_name,
    check_ref,
    check_soft_id,
    check_source,
    to_handlers,
    to_journal,
)
from ._checks import check_count, check_timeout
from ._handlers import Events
from ._outcome import Failed, Reported, Solved
from ._polling._schedule import Schedule
from ._ref import TaskRef
from ._solving._books import Books
from ._solving._pending import PendingTask
from ._solving._seats import check_choice, take_seats
from ._solving._solve import Solve
from ._solving._solver import Solver
from .errors import CaptchaError, invalid
from .services import Service
from .tasks._model import Solution, Task

if TYPE_CHECKING:
    # Imported late, where they are made: neither a client nor its first solve needs any of them.
    import ssl

    import httpx

    from ._above._attempts import SolveAttempts
    from ._above._keys import KeyedTasks
    from ._above._stock import Stock
    from ._account._statistics import Statistics
    from ._batch._batch import Batch
    from ._batch._source import Pairs, Source
    from ._callbacks import CallbackReceiver
    from ._events import Event
    from ._journal import Journal, UncertainSubmission
    from ._solving._choice import Strategy
    from .wire._account_facts import AccountFacts, QueueStatistics, SpendingSpan

__all__ = ["CaptchaClient"]

S = TypeVar("S", bound=Solution)


class CaptchaClient:
    """A client of captcha-solving services, of one account or of several.

    Use it with `async with`, or call `aclose()` when you are done. One client serves any number
    of concurrent solves; it starts no background task. It belongs to the event loop and the process
    in which it is first used; when that loop has ended and nothing is open, it goes on in the next.

    Args:
        api_key: the account's key; without it the environment variable `CAPTCHA_API_KEY` is read.
        service: name of a built-in profile, or a `Service`; without it the environment variable
            `CAPTCHA_SERVICE` is read, and then it is capmonster.
        account: an `Account`, in place of *api_key*, *service* and the settings of the way to it;
            clients that are given the same one share its limits, fuse, spending and connections.
        accounts: several of them, the preferred one first: a task goes to the first that takes it
            and can be used, and on to the next where it is certain that it is not paid for twice.
        strategy: in which order a task tries them: `first` as given, `cheapest` by known prices,
            `fastest` by learned times, or a function of the task and of the offers (see `Offer`).
        hedge: a share such as 0.99: `solve` creates a second task at another account when the first
            is slower than this share of its kind has been; None for never, since it costs twice.
            A task with a key has no second one.
        base_url: another address of the service, such as a mirror's; without it and without another
            *service* the environment variable `CAPTCHA_BASE_URL` is read.
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
        service: str | Service | None = None,
        account: Account | None = None,
        accounts: Iterable[Account] | None = None,
        strategy: Strategy = "first",
        hedge: float | None = None,
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
        given = accounts_given(
            account,
            accounts,
            api_key,
            service,
            base_url=base_url,
            limits=limits,
            polling=polling,
            http_client=http_client,
            proxy=proxy,
            ssl_context=ssl_context,
        )
        check_choice(strategy, hedge)
        used = given[0].journal_of(to_journal(journal))
        self._books = Books(Events(to_handlers(on_event)), used)
        # A tenant of each account from now on until the client is closed.
        self._seats = take_seats(given, self._books, callbacks, strategy)
        self._solver = Solver(self._seats, self._books, retries or Retries(), hedge)

    def __repr__(self) -> str:
        names = " and ".join(seat.tenant.name for seat in self._seats)
        fuses = ", ".join(seat.account.gates.fuse.state for seat in self._seats)
        return f"<CaptchaClient of {names}, {len(self._books)} in flight, fuse {fuses}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a CaptchaClient belongs to its process: pickle a ClientPerLoop")

    async def __aenter__(self) -> Self:
        try:
            self._seats.enter()
            await self._books.journal.open()
            await self._solver.join()
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
        self._seats.enter(homeless=False)
        try:
            if drain is not None:
                self._seats.enter()
                await self._solver.drain(drain)
        finally:
            self._seats.close()
            # From the last one to the first, each whatever the others raise.
            async with AsyncExitStack() as closing:
                closing.push_async_callback(self._books.journal.aclose)
                closing.push_async_callback(self._seats.leave)
                closing.callback(self._books.close)
                closing.callback(self._solver.read_callbacks)

    @property
    def account(self) -> Account:
        """The account that tasks are solved at; the preferred one of several."""
        return self._seats.first.account

    @property
    def accounts(self) -> tuple[Account, ...]:
        """All of them, in order of preference."""
        return tuple(seat.account for seat in self._seats)

    @property
    def service(self) -> Service:
        """The service's profile; that of the preferred account of several."""
        return self._seats.first.account.service

    @property
    def orphans(self) -> tuple[PendingTask[Any], ...]:
        """Tasks that were paid for and that nobody waits for any more; each can be awaited."""
        return tuple(self._solver.handle(solve) for solve in self._books.orphans)

    async def solve(
        self,
        task: Task[S],
        *,
        key: Any = None,
        timeout: float | None = None,
        attempts: int = 1,
        callback_url: str | None = None,
        soft_id: int | str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Solved[S]:
        """Create a task and wait for its answer.

        Args:
            task: what to solve.
            key: under which the journal knows the task, and all processes of a shared account, as
                with `submit`: the same key again, here, after a restart or in another process,
                waits for the same task and returns its answer, and pays for no second one. Only if
                it has failed it is solved anew. It is not hedged.
            timeout: seconds for everything: waiting for a slot, submitting, and solving. Without
                it only the solving is bounded, by the service's default for this kind of task.
            attempts: how many tasks may be created and paid for, one after the other, if one
                proves unsolvable or its answer unreadable; at another account if there is one.
                Of a *key* one that was found counts as well.
            callback_url: address of yours to which the service posts the result, in place of the
                client's receiver; the client polls.
            soft_id: your partner id.
            extra: further keys beside the task, for what a service adds tomorrow.

        Raises:
            InvalidArgument: the service is certain to refuse the task; or the key is another
                task's, or there is neither a journal nor a shared account. Nothing was sent.
            SolveTimeout: the deadline passed; its `ref`, or the key, collects the task later.
            SubmitUncertain: createTask was sent, but whether a task exists is unknown. With a key
                it is not sent again until it is forgotten (see `uncertain`).
            TaskExpired: an earlier client has handed out the answer of the key, and the journal
                does not keep answers.
            AccountUnavailable: the shared account's store does not answer, so that nobody can tell
                whether the key was paid for; nothing was sent.
            CaptchaError: the account, the service or the task failed (see `errors`).
        """
        check_timeout(timeout)
        check_count("attempts", attempts)
        solve = self._queue(task, timeout, callback_url, soft_id, extra)
        solve.wants_slot = True
        if key is None:
            return await self._solver.solve(solve, attempts)
        return await self._keyed.solve(solve, key, attempts)

    async def submit(
        self,
        task: Task[S],
        *,
        key: Any = None,
        timeout: float | None = None,
        callback_url: str | None = None,
        soft_id: int | str | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> PendingTask[S]:
        """Create a task; its answer is collected by awaiting what this returns.

        Args:
            task: what to solve.
            key: under which the journal knows the task, and all processes of a shared account,
                such as 'order-17': the same key again returns the same task, also in another
                process, and `lookup` finds it.
            timeout: seconds until the service has accepted it.
            callback_url: address of yours to which the service posts the result, in place of the
                client's receiver; the client polls.
            soft_id: your partner id.
            extra: further keys beside the task, for what a service adds tomorrow.

        Raises:
            InvalidArgument: the service is certain to refuse the task; nothing was sent.
            SubmitUncertain: createTask was sent, but whether a task exists is unknown.
            CaptchaError: the account or the service failed, or the task was refused.
        """
        check_timeout(timeout)
        solve = self._queue(task, timeout, callback_url, soft_id, extra)
        if key is not None:
            return self._solver.handle(await self._keyed.submit(solve, key))
        await self._solver.submit(solve)
        return self._solver.handle(solve)

    async def lookup(self, key: Any) -> PendingTask[Any] | None:
        """Return the task that was submitted or solved under a key, here, by an earlier client, or
        by another process of a shared account.

        Makes no request. `await` it for its answer, or `peek`.

        Returns:
            The task; None if nothing was submitted under the key.

        Raises:
            InvalidArgument: the client has no journal, and its account is not shared.
            QueueTimeout: its createTask is on its way, and was not over within 15 s.
            AccountUnavailable: the shared account's store does not answer.
            SubmitUncertain: createTask was sent for it, but whether a task exists is unknown.
            TaskExpired: its result is gone; or an earlier client has handed it out, and the journal
                does not keep answers.
            CaptchaError: the task has failed. One that did here may be returned all the same: to
                await it raises then.
            JournalError: the journal cannot be read.
        """
        self._seats.enter()
        solve = await self._keyed.look_up(key)
        return None if solve is None else self._solver.handle(solve)

    def attach(self, ref: TaskRef) -> PendingTask[Any]:
        """Take up a task that was submitted earlier, by its reference. Makes no request.

        Raises:
            InvalidArgument: the reference belongs to another service.
        """
        check_ref(ref)
        self._seats.enter()
        entry = self._books.journal.attached(ref, self._seats.of_ref(ref).account.owner)
        return self._solver.handle(self._solver.take_up(ref, entry))

    def attempts(
        self,
        task: Task[S],
        attempts: int,
        *,
        timeout: float | None = None,
        callback_url: str | None = None,
        soft_id: int | str | None = None,
    ) -> SolveAttempts[S]:
        """Solve a task until its answer is taken where it is used.

        ```python
        async with client.attempts(task, 3, timeout=180) as attempts:
            async for solved in attempts:
                if await submit_form(solved.solution.token):
                    break
        ```

        Leaving by `break` or `return` means that the answer was right, going round that it was
        wrong, an exception neither; it is reported where the service takes such reports. A task
        that proves unsolvable is an attempt too. When the attempts are used up the loop ends, or
        raises if the last one brought no answer.

        Args:
            task: what to solve.
            attempts: how many tasks may be created and paid for, at another account each time if
                there is one.
            timeout: seconds from the block's beginning for all of them, as for `solve`.
            callback_url: as for `solve`.
            soft_id: your partner id.

        Raises:
            InvalidArgument: an argument is certainly wrong; nothing was sent.
        """
        from ._above._attempts import SolveAttempts

        check_timeout(timeout)
        check_count("attempts", attempts)
        solve = self._queue(task, timeout, callback_url, soft_id)
        solve.wants_slot = True
        return SolveAttempts(self._solver, solve, attempts)

    def stock(
        self,
        task: Task[S] | Iterable[Task[S]] | Mapping[Any, Task[S]],
        *,
        ready: int | Literal["auto"] = 3,
        least: int = 1,
        most: int = 50,
        margin: float = 5.0,
        max_waste: float = 0.5,
        idle: float | None = None,
        life: float | None = None,
    ) -> Stock[S]:
        """Keep tokens ready, for whoever cannot wait when one is needed.

        ```python
        async with client.stock(task, ready=3) as tokens:
            solved = await tokens.get()
        ```

        Args:
            task: what to solve; several, or a mapping of them by key: `await tokens.get(key)`.
            ready: how many of each are kept ready or on their way; `auto` for as many as recent
                demand, the time of a solve and the life of a token tell.
            least: with `auto`, the fewest of each.
            most: with `auto`, the most of each.
            margin: seconds that a token can still be used when `get` returns it; one with less is
                thrown away, and replaced in time.
            max_waste: share of what was bought that may expire unused; beyond it, and beyond one
                whole stock, a token is bought only when somebody waits for it.
            idle: seconds without a `get` after which nothing more is bought in advance; without it
                so long that a stock which nobody uses expires once and is not replaced.
            life: seconds that a token can be used after it was made, where none are documented, or
                to go by other ones.

        Raises:
            InvalidArgument: an argument is certainly wrong; nothing was sent.
        """
        from ._above._plan import StockPlan
        from ._above._stock import Stock

        plan = StockPlan(
            ready=ready,
            least=least,
            most=most,
            margin=margin,
            max_waste=max_waste,
            idle=idle,
            life=life,
        )
        return Stock(self._solver, task, plan)

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
            resume: go on where an earlier run of the batch has stopped, here or in another process
                of a shared account: what was paid for is collected, and a key whose answer was
                taken is handed out again, or skipped if only the journal knows it and keeps no
                solutions.
            resend_uncertain: solve keys anew of which nobody knows whether a task exists; without
                it they fail with `SubmitUncertain`.

        Raises:
            InvalidArgument: an argument is certainly wrong. A wrong task is a `Failed` outcome.
        """
        check_source(tasks)
        most = self._seats.in_flight if max_in_flight is None else max_in_flight
        check_count("max_in_flight", most)
        check_timeout(timeout)
        check_name(name)
        if resume and self._books.journal.journal is None and self._keyed.shared is None:
            rule = "left out, or the client be given a journal or a shared account"
            raise invalid("resume", resume, rule)
        from ._batch._batch import Batch
        from ._batch._resume import Resumption

        resumption = Resumption(
            self._solver,
            name,
            indexed=not isinstance(tasks, Mapping),
            resume=resume,
            resend=resend_uncertain,
            shared=self._keyed.shared,
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
        journal = self._books.journal.journal
        keeps = self._keyed.shared is not None if journal is None else journal.keep_solutions
        if resume and not keeps:
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
        """Return the account's balance; its currency is `service.currency`, where it is known.

        Of several accounts it is the preferred one's; see `balances`.

        A balance above zero closes a fuse that was blown by an empty one.

        Raises:
            AccountError: the key is not accepted.
            TransportError: the service could not be reached.
        """
        return await self._solver.asker.balance(self._seats.first)

    async def balances(self) -> dict[str, Decimal | CaptchaError]:
        """Return the balance of each account by its name, or why it could not be had."""
        return await self._solver.asker.balances()

    async def account_facts(self) -> AccountFacts:
        """Return the balance, and the credits and packages that a service tells beside it.

        Of several accounts it is the preferred one's.

        Raises:
            AccountError: the key is not accepted.
            TransportError: the service could not be reached.
        """
        return await self._solver.asker.facts(self._seats.first)

    async def queue_statistics(self, queue: int, *, template: str = "") -> QueueStatistics:
        """Return how busy the workers of a queue are; needs no valid key, at anti-captcha only.

        The service works the numbers out anew every 10 s.

        Args:
            queue: number of the queue, such as 1 for images in English or 6 for reCAPTCHA v2
                without a proxy.
            template: name of an AntiGate template; queue 25 wants it.

        Raises:
            InvalidArgument: the service has no such method, or an argument is certainly wrong.
            TransportError: the service could not be reached.
        """
        seat = self._seats.first
        seat.account.service.path_of("queue_statistics")
        if isinstance(queue, bool) or not isinstance(queue, int) or queue < 1:
            raise invalid("queue", queue, "the number of a queue")
        if not isinstance(template, str):
            raise invalid("template", template, "a string")
        body: dict[str, Any] = {"queueId": queue}
        if template:
            body["templateName"] = template
        request = partial(seat.account.api.get_queue_statistics, body)
        return await self._solver.asker.ask(seat, "balance", request, harmless=True)

    async def spending_statistics(
        self,
        *,
        date: datetime | None = None,
        queue: str | None = None,
        soft_id: int | None = None,
        ip: str | None = None,
    ) -> tuple[SpendingSpan, ...]:
        """Return what was spent in the 24 hours from *date* on, at anti-captcha only.

        Args:
            date: their beginning, with a time zone.
            queue: name of a queue, such as "English ImageToText" or "Recaptcha Proxyless".
            soft_id: only what was spent with this partner id.
            ip: only what was spent from this address.

        Raises:
            InvalidArgument: the service has no such method, or an argument is certainly wrong.
            AccountError: the key is not accepted.
            TransportError: the service could not be reached.
        """
        seat = self._seats.first
        seat.account.service.path_of("spending_statistics")
        if date is not None and (not isinstance(date, datetime) or date.tzinfo is None):
            raise invalid("date", date, "a datetime that has a time zone")
        if soft_id is not None and (isinstance(soft_id, bool) or not isinstance(soft_id, int)):
            raise invalid("soft_id", soft_id, "a number")
        for field, value in (("queue", queue), ("ip", ip)):
            if value is not None and not (isinstance(value, str) and value):
                raise invalid(field, value, "a non-empty string")
        given = {
            "date": None if date is None else int(date.timestamp()),
            "queue": queue,
            "softId": soft_id,
            "ip": ip,
        }
        body = {key: value for key, value in given.items() if value is not None}
        request = partial(seat.account.api.get_spending, body)
        return await self._solver.asker.ask(seat, "balance", request, harmless=True)

    async def push_variable(self, task: PendingTask[Any] | TaskRef, name: str, value: Any) -> None:
        """Give a running AntiGate task a value that was not known at its start.

        Args:
            task: what `submit` returned, or its reference.
            name: of the variable, as the template has it.
            value: anything that JSON has; it is shown nowhere.

        Raises:
            InvalidArgument: the service has no such method, or an argument is certainly wrong.
            ServiceError: the service refused it, such as for a task that has ended.
            TransportError: no reply came.
        """
        ref = task.ref if isinstance(task, PendingTask) else task
        check_ref(ref)
        seat = self._seats.of_ref(ref)
        seat.account.service.path_of("push_variable")
        check_name(name)
        check_json("value", value)
        request = partial(seat.account.api.push_variable, ref.task_id, name, value)
        await self._solver.asker.ask(seat, "report", request, harmless=False)

    async def report_incorrect(self, answer: Solved[Any] | TaskRef) -> Reported:
        """Tell the service that an answer was wrong; see `report_correct`."""
        return await self._solver.asker.report(answer, correct=False)

    async def report_correct(self, answer: Solved[Any] | TaskRef) -> Reported:
        """Tell the service that an answer was right.

        The method, its body and the time in which it is taken are each service's own; the facts are
        from their documentation. A report that the service does not take costs nothing but itself:
        that is told by what this returns, and not by an error.

        A `Solved` that is older than the service's window is not sent; of a `TaskRef` nothing tells
        the age.

        Returns:
            Whether the report was taken, and if not, why.

        Raises:
            InvalidArgument: *answer* is nothing that can be reported.
            ClientClosed: the client is closed.
        """
        return await self._solver.asker.report(answer, correct=True)

    async def user_agent(self) -> str:
        """Return the user agent that the service works with now, to be put into tasks.

        Only CapMonster Cloud is known to tell it, from its official MCP server.

        Raises:
            InvalidArgument: the service does not tell one.
            AccountError: the fuse is open; nothing was sent.
            TransportError: the page could not be reached.
        """
        seat = self._seats.first
        seat.account.enter()
        async with seat.account.admit("balance", seat.tenant):
            return await seat.account.api.get_user_agent()

    def statistics(self) -> Statistics:
        """Return what the client has done so far, in all and at each account."""
        from ._solving._numbers import statistics_of

        return statistics_of(self._seats, self._books)

    def reset_fuse(self) -> None:
        """Let requests through again after an account error, for example after topping up."""
        for seat in self._seats:
            seat.account.gates.reset_fuse()

    # -- what earlier clients have left in the journal --------------------------------------------

    async def resume(self) -> AsyncGenerator[PendingTask[Any]]:
        """Take up what earlier clients with this journal have paid for and not collected.

        With a shared account, also what processes that are gone have left of keys; each is taken up
        by one of those that ask.

        ```python
        async for pending in client.resume():
            solved = await pending
        ```

        Makes no request. A task whose result is certainly gone fails with `TaskExpired` when it is
        awaited. Submissions of which nobody knows whether they created a task are not among these:
        see `uncertain`. `Solved.key` tells the key of a task that was in a batch.

        Raises:
            InvalidArgument: the client has no journal, and its account is not shared.
            AccountUnavailable: the shared account's store does not answer.
            JournalError: it cannot be read.
        """
        from ._above._left import left_open

        self._seats.enter()
        async with aclosing(left_open(self._solver, self._keyed.shared)) as solves:
            async for solve in solves:
                yield self._solver.handle(solve)

    async def uncertain(self) -> tuple[UncertainSubmission, ...]:
        """Return the submissions that may have created a task, as the journal has them, and the
        processes of a shared account of their keys.

        Their process died, or the network failed, between createTask and its reply. They are never
        sent again by themselves. What cannot be read counts as well, since a task may exist: a
        damaged row or record, and a shared record of a newer version whose process is gone; its key
        is None if that cannot be read either.

        Raises:
            InvalidArgument: the client has no journal, and its account is not shared.
            AccountUnavailable: the shared account's store does not answer.
            JournalError: it cannot be read.
        """
        from ._above._left import uncertain

        return await uncertain(self._solver, self._keyed.shared)

    async def forget(self, submission: UncertainSubmission) -> None:
        """Remove an uncertain submission, for example after a look at the account.

        A batch with `resume=True` then solves its key anew.

        Raises:
            InvalidArgument: the client has no journal, and its account is not shared.
            AccountUnavailable: the shared account's store does not answer.
            JournalError: it cannot be written.
        """
        from ._above._left import forget

        await forget(self._solver, self._keyed.shared, submission)

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
        return await self._books.journal.forget_batch(name)

    # -- inside -----------------------------------------------------------------------------------

    @cached_property
    def _keyed(self) -> KeyedTasks:
        """The tasks that have a key."""
        from ._above._keys import KeyedTasks

        return KeyedTasks(self._solver)

    def _queue(
        self,
        task: Task[Any],
        timeout: float | None,
        callback_url: str | None,
        soft_id: int | str | None,
        extra: Mapping[str, Any] | None = None,
    ) -> Solve:
        """Check a task, and make the record of it."""
        self._seats.check(task)
        self._seats.enter()
        return self._solver.make(
            task,
            timeout,
            callback_url=check_callback_url(callback_url),
            soft_id=check_soft_id(soft_id),
            extra=check_extra(extra, task, self.service),
        )
