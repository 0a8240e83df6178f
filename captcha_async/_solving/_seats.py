"""Seats: the accounts of one client, in order of preference."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from .._account._account import Account
from .._account._tenant import Tenant
from .._callbacks import ClientCallbacks
from .._ref import TaskRef
from ..errors import invalid
from ..tasks._model import Task
from ._books import Books
from ._seat import SOON, Seat
from ._solve import EVER, Solve

if TYPE_CHECKING:
    from .._callbacks import CallbackReceiver
    from .._journal import Owner
    from ._choice import Strategy

__all__ = ["Seats", "check_choice", "take_seats"]


def check_choice(strategy: object, hedge: object) -> None:
    """Check a strategy, and the share of tasks beyond which a second one is created."""
    if strategy == "first" and hedge is None:
        return
    from ._choice import check_choice

    check_choice(strategy, hedge)


class Seats:
    """The accounts of one client; most clients have one.

    Args:
        seats: in order of preference.
        strategy: in which order a task tries them.
    """

    def __init__(self, seats: Sequence[Seat], strategy: Strategy = "first") -> None:
        self._seats = tuple(seats)
        self._strategy: Strategy = strategy

    def __iter__(self) -> Iterator[Seat]:
        return iter(self._seats)

    def __len__(self) -> int:
        return len(self._seats)

    @property
    def first(self) -> Seat:
        """The preferred one."""
        return self._seats[0]

    @property
    def is_out(self) -> bool:
        """Whether every one is out of order."""
        return all(seat.account.gates.is_out for seat in self._seats)

    @property
    def in_flight(self) -> int:
        """How many tasks may be in flight at all of them."""
        return sum(seat.account.limits.in_flight for seat in self._seats)

    @property
    def connections(self) -> int:
        """How many requests may be on the wire to all of them."""
        return sum(seat.account.limits.connections for seat in self._seats)

    def enter(self, *, homeless: bool = True) -> None:
        """Check that the caller is in the event loop where the accounts live.

        Args:
            homeless: whether an account that was not used yet lives here from now on.

        Raises:
            WrongEventLoop: it is not; nothing was sent.
        """
        for seat in self._seats:
            if homeless or not seat.account.is_homeless:
                seat.account.enter()

    def close(self) -> None:
        """Let the client send nothing any more."""
        for seat in self._seats:
            seat.tenant.closed = True
            seat.tenant.callbacks.close()

    async def leave(self) -> None:
        """Stop what waits at each, and close the lanes of those that nobody else uses."""
        await _leave(self._seats)

    # -- which one --------------------------------------------------------------------------------

    def check(self, task: Task[Any]) -> None:
        """Refuse a task that is certain to be refused everywhere.

        Raises:
            InvalidArgument: names the field and the rule of the first account's service.
        """
        if len(self._seats) == 1 or not any(seat.takes(task) for seat in self._seats):
            self.first.account.service.check(task)

    def of_ref(self, ref: TaskRef) -> Seat:
        """Return the account that a task of a reference is at.

        Raises:
            InvalidArgument: the client has no such account.
        """
        same = [seat for seat in self._seats if seat.account.service.name == ref.service]
        if not same:
            names = sorted({seat.account.service.name for seat in self._seats})
            one_of = " or ".join(repr(name) for name in names)
            raise invalid("ref.service", ref.service, f"{one_of}, this client's")
        named = [seat for seat in same if seat.tenant.name == ref.account]
        if not named and ref.account is not None and len(same) > 1:
            one_of = " or ".join(repr(seat.tenant.name) for seat in same)
            raise invalid("ref.account", ref.account, f"{one_of}, this client's at {ref.service}")
        return (named or same)[0]

    def of_owner(self, owner: Owner) -> Seat:
        """Return the account whose tasks the journal has under *owner*; the first if there is none.

        A stored answer may be of an account that the client has no more.
        """
        return next((seat for seat in self._seats if seat.account.owner == owner), self.first)

    def _ranked(self, solve: Solve, taking: list[Seat]) -> list[Seat]:
        # Imported late: most clients have one account, or try them as given.
        from ._choice import ranked

        return ranked(self._strategy, solve, taking)

    def ordered(self, solve: Solve) -> list[Seat]:
        """Return the accounts that a task is to try now, one after the other.

        They are those that can be used; if there are none, the one that can be used first; and if
        none can, all of them, each of which tells why without a request. There are none only where
        a task must go elsewhere, or the user's strategy has left out all.
        """
        assert solve.task is not None
        taking = [seat for seat in self._seats if seat.takes(solve.task)]
        if solve.elsewhere:
            taking = [seat for seat in taking if seat.account not in solve.tried]
        order = taking if self._strategy == "first" else self._ranked(solve, taking)
        # Where another task of the same solve was before, another one may do better.
        order.sort(key=lambda seat: seat.account in solve.tried)
        holds = {seat: seat.hold(solve) for seat in order}
        usable = [seat for seat in order if not holds[seat]]
        at_once = [seat for seat in usable if seat.queue(solve) <= SOON]
        if at_once:
            return at_once
        waits = {seat: holds[seat] + seat.queue(solve) for seat in order if holds[seat] < EVER}
        return [min(waits, key=lambda seat: waits[seat])] if waits else order


async def _leave(seats: Sequence[Seat]) -> None:
    if not seats:
        return
    try:
        await seats[0].account.leave(seats[0].tenant)
    finally:
        await _leave(seats[1:])


def take_seats(
    accounts: Sequence[Account],
    books: Books,
    receiver: CallbackReceiver | None,
    strategy: Strategy,
) -> Seats:
    """Make a client a tenant of its accounts.

    Args:
        accounts: in order of preference.
        books: the client's; their journal has the first account already.
        receiver: the client's receiver of callbacks.
        strategy: in which order a task tries them.

    Raises:
        InvalidArgument: two were given the same name.
    """
    services = [account.service.name for account in accounts]
    seats: list[Seat] = []
    for account, name in zip(accounts, _names(accounts), strict=True):
        service = account.service.name
        tenant = Tenant(books.events)
        tenant.name = name
        tenant.alone = len(accounts) == 1
        tenant.mark = name if services.count(service) > 1 else None
        member = account.gates.member
        shared = None if member is None else member.callbacks
        tenant.callbacks = ClientCallbacks(receiver, account.service, shared)
        if seats:
            books.journal.add(account.owner)
        seats.append(Seat(account, tenant))
    for seat in seats:
        seat.account.join(seat.tenant)
    return Seats(seats, strategy)


def _names(accounts: Sequence[Account]) -> list[str]:
    """Name the accounts; those of a name that another one has before are numbered."""
    names: list[str] = []
    for account in accounts:
        name, number = account.name, 2
        if name in names and account.is_named:
            raise invalid("accounts", name, "Accounts of different names")
        while name in names:
            name, number = f"{account.name}-{number}", number + 1
        names.append(name)
    return names
