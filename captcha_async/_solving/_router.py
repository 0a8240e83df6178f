"""Router: a task's way to the first of several accounts that accepts it (rule 1).

It goes on to the next one only where it is certain that no task exists at the one before: its
createTask was not sent, or was refused. A refusal costs one call; when all have refused and waiting
may help, the router waits, and begins again.
"""

from __future__ import annotations

import logging

import anyio

from .._account._retry import Attempts, Retries
from ..errors import (
    AccountError,
    CapacityError,
    CaptchaError,
    SpendLimitReached,
    TaskRejected,
    TransportError,
    UnknownServiceError,
    invalid,
)
from ._books import Books
from ._seat import Seat
from ._seats import Seats
from ._solve import Solve
from ._submit import Refusal, Submitter

__all__ = ["Router"]

logger = logging.getLogger("captcha_async")

# Another account may take what one has refused, or could not be asked, for these.
MOVABLE = (
    AccountError,
    CapacityError,
    TaskRejected,
    UnknownServiceError,
    TransportError,
    SpendLimitReached,
)


class Router:
    """Submits one client's tasks at one of its accounts.

    Args:
        seats: the accounts.
        submitter: sends createTask.
        books: the client's books.
        retries: how often all of them are tried.
    """

    def __init__(self, seats: Seats, submitter: Submitter, books: Books, retries: Retries) -> None:
        self._seats = seats
        self._submitter = submitter
        self._books = books
        self._retries = retries

    async def submit(self, solve: Solve) -> None:
        """Have *solve* accepted by one of the accounts.

        Raises:
            CaptchaError: none has accepted it, or nobody knows whether one did.
        """
        if len(self._seats) == 1:
            await self._submitter.submit(solve)
            return
        rounds = Attempts(self._retries)
        while True:
            refusals = await self._go_round(solve)
            if not refusals:
                return
            await self._wait(solve, rounds, refusals)

    async def _go_round(self, solve: Solve) -> list[tuple[Seat, Refusal]]:
        """Try one account after the other; returns why none has accepted, or nothing if one has."""
        refusals: list[tuple[Seat, Refusal]] = []
        order = self._seats.ordered(solve)
        if not order:
            raise invalid("strategy", "no account", "a function that returns at least one")
        resting = order[0].resting()
        if resting is not None:
            # All are left alone, and there is no need to hear it once more.
            return [(order[0], Refusal(resting[1], crowded=False))]
        for seat in order:
            if solve.account is not seat.account:
                solve.account.give_back_slot(solve)
                self._books.moved(solve, seat.account, seat.tenant, refused=bool(refusals))
            begun = anyio.current_time()
            with seat.tried(solve):
                refusal = await self._submitter.once(solve)
            if refusal is None:
                seat.accepted(solve)
                return []
            if not _may_move(solve, refusal.error):
                raise refusal.error
            refusals.append((seat, refusal))
            logger.info("%s did not accept a task: %s", seat.tenant.name, refusal.error)
            if not refusal.crowded:
                seat.refused(solve, refusal.error, begun)
        return refusals

    async def _wait(
        self, solve: Solve, rounds: Attempts, refusals: list[tuple[Seat, Refusal]]
    ) -> None:
        """Wait until they may be tried again, or raise why none has accepted."""
        seat, refusal = next((pair for pair in refusals if pair[1].error.retryable), refusals[0])
        crowded = any(refusal.crowded for _, refusal in refusals)
        delay = rounds.after(refusal.error, crowded=crowded)
        if delay is None:
            _tell_of_others(refusal.error, seat, refusals)
            raise refusal.error
        solve.account.give_back_slot(solve)
        resting = seat.resting()
        delay = max(delay, 0.0 if resting is None else resting[0])
        seat.account.tell_retry(refusal.error, delay, rounds.made)
        try:
            with seat.account.gates.fuse.guard("create", tenant=seat.tenant):
                await anyio.sleep(delay)
        except AccountError:
            # That one cannot be used any more; the others need not be waited for any longer.
            pass
        solve.tenant.counters.retries += 1


def _may_move(solve: Solve, error: CaptchaError) -> bool:
    """Tell whether another account may be asked, without the task being paid for twice."""
    return not solve.accepted and not solve.uncertain and isinstance(error, MOVABLE)


def _tell_of_others(error: CaptchaError, seat: Seat, refusals: list[tuple[Seat, Refusal]]) -> None:
    for other, refusal in refusals:
        if other is not seat:
            error.add_note(f"{other.tenant.name}: {refusal.error}")
