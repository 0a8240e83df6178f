"""The half of CaptchaClient that asks about the account, and tells the service of answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import datetime
from decimal import Decimal
from functools import partial
from typing import Any, TypeVar

import anyio

from ._account._account import Account
from ._account._fuse import RequestKind
from ._account._retry import Attempts, Retries
from ._account._tenant import Tenant
from ._arguments import check_json, check_name, check_ref
from ._outcome import Reported, Solved
from ._ref import TaskRef
from ._solving._pending import PendingTask
from .errors import CaptchaError, ClientClosed, InsufficientBalance, WrongEventLoop, invalid
from .services import Service
from .wire._account_facts import AccountFacts, QueueStatistics, SpendingSpan

__all__ = ["AccountMethods"]

T = TypeVar("T")


class AccountMethods:
    """What a client asks of its service besides solving; `CaptchaClient` is one."""

    _account: Account
    _tenant: Tenant
    _retries: Retries

    @property
    def service(self) -> Service:
        """The service's profile."""
        return self._account.service

    async def balance(self) -> Decimal:
        """Return the account's balance; its currency is `service.currency`, where it is known.

        A balance above zero closes a fuse that was blown by an empty one.

        Raises:
            AccountError: the key is not accepted.
            TransportError: the service could not be reached.
        """
        return (await self.account_facts()).balance

    async def account_facts(self) -> AccountFacts:
        """Return the balance, and the credits and packages that a service tells beside it.

        A balance above zero closes a fuse that was blown by an empty one.

        Raises:
            AccountError: the key is not accepted.
            TransportError: the service could not be reached.
        """
        account = self._account
        facts = await self._ask("balance", account.api.get_balance, harmless=True)
        if facts.balance > 0 and isinstance(account.gates.fuse.error, InsufficientBalance):
            account.gates.reset_fuse()
        return facts

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
        self.service.path_of("queue_statistics")
        if isinstance(queue, bool) or not isinstance(queue, int) or queue < 1:
            raise invalid("queue", queue, "the number of a queue")
        if not isinstance(template, str):
            raise invalid("template", template, "a string")
        body: dict[str, Any] = {"queueId": queue}
        if template:
            body["templateName"] = template
        request = partial(self._account.api.get_queue_statistics, body)
        return await self._ask("balance", request, harmless=True)

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
        self.service.path_of("spending_statistics")
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
        request = partial(self._account.api.get_spending, body)
        return await self._ask("balance", request, harmless=True)

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
        self.service.path_of("push_variable")
        ref = task.ref if isinstance(task, PendingTask) else task
        check_ref(ref, self.service)
        check_name(name)
        check_json("value", value)
        request = partial(self._account.api.push_variable, ref.task_id, name, value)
        await self._ask("report", request, harmless=False)

    async def report_incorrect(self, answer: Solved[Any] | TaskRef) -> Reported:
        """Tell the service that an answer was wrong; see `report_correct`."""
        return await self._report(answer, correct=False)

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
        # The service counts from the answer's making, so that one which came here too long ago is
        # certainly too old; its own time of the answer is by another clock.
        age = answer.age if isinstance(answer, Solved) else None
        if method.window is not None and age is not None and age > method.window:
            why = (
                f"{self.service.name} takes reports up to {method.window:g} s after the answer, "
                f"which came {age:.0f} s ago."
            )
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
