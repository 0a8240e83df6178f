"""The spending cap: how much may be spent in any window of time, checked before each createTask.

What a task will cost is known from a price table, or from what the service said earlier tasks of
its type cost. Tasks in flight count with that price until their real cost is known. Of a type whose
price nobody knows one task goes at a time, until the service has told.
"""

from __future__ import annotations

import bisect
from collections import deque
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import TYPE_CHECKING

import anyio

from ..errors import SpendLimitReached

if TYPE_CHECKING:
    from .._sharing._member import Member

__all__ = ["Spending"]

ZERO = Decimal(0)
UNPRICED = Decimal(0)
"""What is set aside for a task whose price nobody knows; told from other zeros by its identity."""
A_SECOND = 1.0
"""How well a journal knows the moment of a cost."""


class Spending:
    """What was spent, and whether more may be.

    Args:
        most: the cap; None to only keep the sum.
        per: length of the window in seconds; None for all time.
        prices: price by the name of the task model, for types whose cost the service does not tell.
        member: of an account that several processes share: it keeps the cap, and lends the money.
    """

    def __init__(
        self,
        most: Decimal | None,
        per: float | None,
        prices: Mapping[str, Decimal],
        member: Member | None = None,
    ) -> None:
        self._most = most
        self._member = member
        self._per = float("inf") if per is None else per
        # What a task of a type costs: the dearest that was seen, once the service has told.
        self._prices = dict(prices)
        self._told: set[str] = set()
        # The sum of what is set aside for tasks in flight.
        self._reserved = ZERO
        # How many tasks without a price are in flight, by type, and when the last one was let go:
        # up by `reserve_nowait` and `take_over`, down when they are settled.
        self._trying: dict[str, int] = {}
        self._tried_at: dict[str, float] = {}
        # The moments at which such tasks were presumed to be spent, until a price is told.
        self._unpriced: dict[str, list[float]] = {}
        # Set, and dropped, when money or a price has come; made by who waits, in an event loop.
        self._news: anyio.Event | None = None
        # (moment, cost) within the window, oldest first, and their sum.
        self._recent: deque[tuple[float, Decimal]] = deque()
        self._sum = ZERO
        # The moment of the first cost that was counted here; None before. Set once.
        self._first: float | None = None
        # Whether a journal has told what was spent before; set once.
        self._has_recalled = False
        self.total: Decimal = ZERO

    @property
    def most(self) -> Decimal | None:
        """The cap."""
        return self._most

    def price_of(self, kind: str) -> Decimal | None:
        """Return what a task of this *kind* costs, if that is known."""
        return self._prices.get(kind)

    def affords(self, kind: str) -> bool:
        """Tell whether a task of this *kind* fits under the cap."""
        if self._member is not None:
            return self._member.affords(self._prices.get(kind, ZERO))
        try:
            self._check(self._prices.get(kind, ZERO))
        except SpendLimitReached:
            return False
        return True

    def reserve_nowait(self, kind: str) -> Decimal | None:
        """Set the price of a task of this *kind* aside; None if `reserve` has to wait for it.

        Raises:
            SpendLimitReached: it does not fit under the cap any more.
        """
        price = self._prices.get(kind)
        if not self._is_capped:
            price = price or ZERO
        else:
            self._check(price or ZERO)
            if price is None and self._trying.get(kind):
                return None
        if self._member is not None:
            try:
                self._member.reserve_nowait(price or ZERO)
            except anyio.WouldBlock:
                return None
        return self._try(kind) if price is None else self._set_aside(price)

    @property
    def _is_capped(self) -> bool:
        return self._most is not None if self._member is None else self._member.capped

    def _set_aside(self, price: Decimal) -> Decimal:
        self._reserved += price
        return price

    async def reserve(self, kind: str, longest: float) -> Decimal:
        """Set the price of a task aside, if need be when another one has told it, or when the
        money for it was lent.

        Args:
            kind: the task's type.
            longest: seconds after which the other one is not waited for any more: it may have been
                given up, or nobody may await it.

        Raises:
            SpendLimitReached: it does not fit under the cap any more, or nobody knows.
        """
        while (price := self.reserve_nowait(kind)) is None:
            if self._member is not None and not self._trying.get(kind):
                lent = await self._borrow(kind, self._member)
                if lent is not None:
                    return lent
                continue
            until = self._tried_at[kind] + longest
            if anyio.current_time() >= until:
                raise SpendLimitReached(
                    f"What a {kind} costs is not known, and the one that was to tell it has not "
                    "ended: await that one, or give the price in Limits(prices=...); nothing was "
                    "sent.",
                    spent=self._sum if self._member is None else self._member.statistics().spent,
                )
            with anyio.CancelScope(deadline=until):
                self._news = self._news or anyio.Event()
                await self._news.wait()
        return price

    async def _borrow(self, kind: str, member: Member) -> Decimal | None:
        """Set the price of a task aside once it was lent; None if meanwhile a type without a
        price has got one, or another task went that is to tell it.
        """
        price = self._prices.get(kind)
        await member.reserve(price or ZERO)
        if price is not None:
            return self._set_aside(price)
        return None if kind in self._prices or self._trying.get(kind) else self._try(kind)

    def _try(self, kind: str) -> Decimal:
        """Let a task go whose price is to be found out by it."""
        self._trying[kind] = self._trying.get(kind, 0) + 1
        self._tried_at[kind] = anyio.current_time()
        return UNPRICED

    def release(self, kind: str, reserved: Decimal) -> None:
        """Return what was set aside for a task that costs nothing."""
        self._settle(kind, reserved)
        if self._member is not None:
            self._member.release(reserved)

    def presume(self, kind: str, reserved: Decimal) -> None:
        """Count what was set aside as spent now: whether it was will never be known."""
        self._settle(kind, reserved)
        cost = reserved
        if reserved is UNPRICED:
            if kind in self._prices:
                cost = self._prices[kind]
            else:
                self._unpriced.setdefault(kind, []).append(anyio.current_time())
        self._note(reserved, cost)

    def spend(self, kind: str, reserved: Decimal, cost: Decimal | None) -> Decimal:
        """Replace what was set aside by the real *cost*; None if the service does not tell it.

        Returns:
            What is counted as spent.
        """
        if cost is None:
            cost = reserved
        else:
            dearest = self._prices.get(kind, ZERO) if kind in self._told else ZERO
            self._prices[kind] = max(dearest, cost)
            self._told.add(kind)
            self._price(self._unpriced.pop(kind, ()), self._prices[kind])
        self._settle(kind, reserved)
        self.total += cost
        self._note(reserved, cost)
        return cost

    def recall(self, spent: Iterable[tuple[float, Decimal]]) -> None:
        """Count what earlier clients have spent, as a journal has it.

        Args:
            spent: (seconds ago, cost), the oldest first. What is younger than the first cost that
                was counted here is left out: it is the same.
        """
        now = anyio.current_time()
        before = [
            (now - ago, cost)
            for ago, cost in spent
            if self._first is None or now - ago < self._first - A_SECOND
        ]
        self._recent = deque(sorted([*before, *self._recent]))
        self._sum += sum((cost for _, cost in before), ZERO)
        self._has_recalled = True

    def take_over(self, kind: str, reserved: Decimal, ago: float) -> Decimal:
        """Set aside again what an earlier client has set aside for a task that is taken up.

        Args:
            kind: the task's type.
            reserved: how much.
            ago: seconds since then.

        Returns:
            What is set aside now.
        """
        if not reserved and self._is_capped and kind not in self._prices:
            return self._try(kind)
        self._reserved += reserved
        if self._member is not None:
            self._member.inherit(reserved)
        elif self._has_recalled and reserved:
            # It was recalled as spent. This leaves the window before that does, not after it.
            bisect.insort(self._recent, (anyio.current_time() - ago - 2 * A_SECOND, -reserved))
            self._sum -= reserved
        return reserved

    def shift(self, seconds: float) -> None:
        """Go over to a clock that is ahead by so many *seconds*; nobody is waiting."""
        self._recent = deque((moment + seconds, cost) for moment, cost in self._recent)
        self._tried_at = {kind: moment + seconds for kind, moment in self._tried_at.items()}
        self._unpriced = {
            kind: [moment + seconds for moment in moments]
            for kind, moments in self._unpriced.items()
        }
        self._first = None if self._first is None else self._first + seconds
        self._news = None

    def _check(self, price: Decimal) -> None:
        if self._member is not None:
            # It says so itself, when it cannot lend any more.
            return
        most = self._most
        self._drop_old()
        if most is not None and (self._sum + self._reserved + price > most or self._sum >= most):
            window = "in all" if self._per == float("inf") else f"in {self._per:g} s"
            raise SpendLimitReached(
                f"The spending cap of {most} {window} is reached: raise max_spend, or go on later; "
                "nothing was sent.",
                spent=self._sum,
            )

    def _settle(self, kind: str, reserved: Decimal) -> None:
        self._reserved -= reserved
        unpriced = reserved is UNPRICED
        if unpriced:
            self._trying[kind] -= 1
        # The cap of a shared account may have gone since: others wait all the same.
        if unpriced or self._is_capped:
            news, self._news = self._news, None
            if news is not None:
                news.set()

    def _note(self, reserved: Decimal, cost: Decimal) -> None:
        """Let *cost* count for the length of the window, in place of what was *reserved*."""
        if self._member is not None:
            self._member.spend(reserved, cost)
        elif self._most is not None and cost:
            if self._first is None:
                self._first = anyio.current_time()
            self._recent.append((anyio.current_time(), cost))
            self._sum += cost

    def _price(self, moments: Iterable[float], price: Decimal) -> None:
        """Count what was presumed to be spent at those *moments*, now that its price is known."""
        for moment in moments:
            if self._member is not None:
                # The store counts from now on, which is longer than need be.
                self._member.spend(ZERO, price)
            else:
                bisect.insort(self._recent, (moment, price))
                self._sum += price

    def _drop_old(self) -> None:
        limit = anyio.current_time() - self._per
        while self._recent and self._recent[0][0] <= limit:
            self._sum -= self._recent.popleft()[1]
