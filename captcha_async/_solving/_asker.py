"""Requests that create no task: balances, and reports of right and wrong answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import anyio

from .._account._fuse import RequestKind
from .._account._retry import Attempts, Retries
from .._arguments import check_ref
from .._outcome import Reported, Solved
from .._ref import TaskRef
from ..errors import CaptchaError, ClientClosed, InsufficientBalance, WrongEventLoop, invalid
from ._seat import Seat
from ._seats import Seats

if TYPE_CHECKING:
    from ..wire._account_facts import AccountFacts

__all__ = ["Asker"]

T = TypeVar("T")

_ZERO = Decimal(0)


class Asker:
    """Asks a client's accounts what creates no task.

    Args:
        seats: the accounts.
        retries: how often a request is repeated.
    """

    def __init__(self, seats: Seats, retries: Retries) -> None:
        self._seats = seats
        self._retries = retries

    async def balance(self, seat: Seat) -> Decimal:
        """Return an account's balance; one above zero closes a fuse blown by an empty one.

        Raises:
            CaptchaError: it could not be had.
        """
        return (await self.facts(seat)).balance

    async def balances(self) -> dict[str, Decimal | CaptchaError]:
        """Return the balance of each account by its name, or why it could not be had."""
        self._seats.enter()
        # All names from the start, so that they stand in the order of preference.
        found: dict[str, Decimal | CaptchaError] = {seat.tenant.name: _ZERO for seat in self._seats}

        async def ask(seat: Seat) -> None:
            try:
                found[seat.tenant.name] = await self.balance(seat)
            except CaptchaError as error:
                found[seat.tenant.name] = error

        async with anyio.create_task_group() as group:
            for seat in self._seats:
                group.start_soon(ask, seat)
        return found

    async def facts(self, seat: Seat) -> AccountFacts:
        """Return an account's balance, and what else is told beside it.

        Raises:
            CaptchaError: it could not be had.
        """
        gates = seat.account.gates
        facts = await self.ask(seat, "balance", seat.account.api.get_balance, harmless=True)
        if facts.balance > 0 and isinstance(gates.fuse.error, InsufficientBalance):
            gates.reset_fuse()
        return facts

    async def report(self, answer: Solved[Any] | TaskRef, *, correct: bool) -> Reported:
        """Report an answer to the service that it is from.

        Raises:
            InvalidArgument: *answer* is nothing that can be reported.
            ClientClosed: the client is closed.
        """
        ref = answer.ref if isinstance(answer, Solved) else answer
        if not isinstance(ref, TaskRef):
            raise invalid("answer", answer, "what solve returned", show=False)
        check_ref(ref)
        seat = self._seats.of_ref(ref)
        service = seat.account.service
        method = service.report_for(ref.task_type, correct=correct)
        if method is None:
            what = "right" if correct else "wrong"
            why = f"{service.name} takes no report of {what} answers to {ref.task_type} tasks."
            return Reported(taken=False, why=why)
        # The service counts from the answer's making, so that one which came here too long ago is
        # certainly too old; its own time of the answer is by another clock.
        age = answer.age if isinstance(answer, Solved) else None
        if method.window is not None and age is not None and age > method.window:
            why = (
                f"{service.name} takes reports up to {method.window:g} s after the answer, which "
                f"came {age:.0f} s ago."
            )
            return Reported(taken=False, why=why)
        try:
            request = partial(seat.account.api.report, method, ref.task_id)
            await self.ask(seat, "report", request, harmless=False)
        except (ClientClosed, WrongEventLoop):
            raise
        except CaptchaError as error:
            return Reported(taken=False, why=str(error), error=error)
        return Reported(taken=True)

    async def ask(
        self, seat: Seat, kind: RequestKind, request: Callable[[], Awaitable[T]], *, harmless: bool
    ) -> T:
        """Make a request that creates no task, with further attempts.

        Args:
            seat: the account.
            kind: of the request.
            request: sends it.
            harmless: whether it changes nothing, so that it may be sent twice.
        """
        account = seat.account
        account.enter()
        attempts = Attempts(self._retries)
        while True:
            try:
                async with account.admit(kind, seat.tenant):
                    return await request()
            except CaptchaError as error:
                delay = attempts.after(error, harmless=harmless)
                if delay is None:
                    raise
                account.tell_retry(error, delay, attempts.made)
            with account.gates.fuse.guard(kind, tenant=seat.tenant):
                await anyio.sleep(delay)
