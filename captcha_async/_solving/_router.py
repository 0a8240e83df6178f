"""Router: a task's way to the first of several accounts that accepts it (rule 1).

It goes on to the next one only where it is certain that no task exists at the one before: its
createTask was not sent, or was refused. A refusal costs one call; when all have refused and waiting
may help, the router waits, and begins again.
"""

from __future__ import annotations

import logging
from contextlib import suppress

import anyio

from .._account._retry import Attempts, Retries
from ..errors import (
    AccountError,
    CapacityError,
    CaptchaError,
    NoSlotAvailable,
    SpendLimitReached,
    TaskRejected,
    TransportError,
    UnknownServiceError,
    invalid,
)
from ._books import Books
from ._seat import SOON, Seat
from ._seats import Seats
from ._solve import EVER, Solve
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
        # Why each of them has not accepted it, the last time that it was asked.
        refusals: dict[Seat, Refusal] = {}
        while not await self._go_round(solve, refusals):
            await self._wait(solve, rounds, refusals)

    async def _go_round(self, solve: Solve, refusals: dict[Seat, Refusal]) -> bool:
        """Try one account after the other; tell whether one has accepted."""
        order = self._seats.ordered(solve)
        if not order:
            raise invalid("strategy", "no account", "a function that returns at least one")
        resting = order[0].resting()
        if resting is not None:
            # All are left alone, and there is no need to hear it once more.
            refusals[order[0]] = Refusal(resting[1], crowded=False)
            return False
        refused = False
        for seat in order:
            if solve.account is not seat.account:
                solve.account.give_back_slot(solve)
                self._books.moved(solve, seat.account, seat.tenant, refused=refused)
            refusal = await self._try(solve, seat, EVER if seat is order[-1] else SOON)
            if refusal is None:
                return True
            if not _may_move(solve, refusal.error):
                raise refusal.error
            refusals[seat] = refusal
            refused = True
            logger.info(
                "%s did not accept a task: %s", seat.tenant.name, refusal.error, extra=solve.told
            )
        return False

    async def _try(self, solve: Solve, seat: Seat, patience: float) -> Refusal | None:
        """Try one account, if it has a slot before *patience* seconds are over."""
        begun = anyio.current_time()
        with seat.tried(solve):
            try:
                await _take_slot(solve, patience)
            except CaptchaError as error:
                return Refusal(error, crowded=True)
            refusal = await self._submitter.once(solve)
        if refusal is None:
            seat.accepted(solve)
        elif not refusal.crowded:
            seat.refused(solve, refusal.error, begun)
        return refusal

    async def _wait(self, solve: Solve, rounds: Attempts, refusals: dict[Seat, Refusal]) -> None:
        """Wait until they may be tried again, or raise why none has accepted."""
        pairs = list(refusals.items())
        seat, refusal = next((pair for pair in pairs if pair[1].error.retryable), pairs[0])
        crowded = any(refusal.crowded for refusal in refusals.values())
        delay = rounds.after(refusal.error, crowded=crowded)
        if delay is None:
            _tell_of_others(seat, refusals)
            raise refusal.error
        solve.account.give_back_slot(solve)
        resting = seat.resting()
        delay = max(delay, 0.0 if resting is None else resting[0])
        seat.account.tell_retry(refusal.error, delay, rounds.made)
        # That one may become unusable; then the others need not be waited for any longer.
        with suppress(AccountError), seat.account.gates.fuse.guard("create", tenant=seat.tenant):
            await anyio.sleep(delay)
        solve.tenant.counters.retries += 1


async def _take_slot(solve: Solve, patience: float) -> None:
    """Take a slot of the account where a task is.

    Raises:
        NoSlotAvailable: none became free in time; nothing was sent.
        CaptchaError: the account cannot be used any more.
    """
    if not solve.wants_slot or solve.has_slot:
        return
    semaphore = solve.account.gates.slots.semaphore
    with (
        solve.account.gates.fuse.guard("create", tenant=solve.tenant),
        anyio.move_on_after(patience),
    ):
        await semaphore.acquire()
        solve.has_slot = True
    if not solve.has_slot:
        raise NoSlotAvailable(
            f"No task of ours at {solve.tenant.name} has ended within {patience:g} s; nothing was "
            "sent: have fewer tasks in flight."
        )


def _may_move(solve: Solve, error: CaptchaError) -> bool:
    """Tell whether another account may be asked, without the task being paid for twice."""
    return not solve.accepted and not solve.uncertain and isinstance(error, MOVABLE)


def _tell_of_others(seat: Seat, refusals: dict[Seat, Refusal]) -> None:
    for other, refusal in refusals.items():
        if other is not seat:
            refusals[seat].error.add_note(f"{other.tenant.name}: {refusal.error}")
