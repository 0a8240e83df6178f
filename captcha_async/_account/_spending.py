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
        # The types without a price of which a task is in flight.
        self._trying: dict[str, None] = {}
        # Set, and replaced, when money or a price has come.
        self._news = anyio.Event()
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
            if price is None and kind in self._trying:
                return None
        if self._member is not None:
            try:
                self._member.reserve_nowait(price or ZERO)
            except anyio.WouldBlock:
                return None
        return self._set_aside(kind, price)

    @property
    def _is_capped(self) -> bool:
        return self._most is not None if self._member is None else self._member.capped

    def _set_aside(self, kind: str, price: Decimal | None) -> Decimal:
        if price is None:
            self._trying[kind] = None
            price = ZERO
        self._reserved += price
        return price

    async def reserve(self, kind: str) -> Decimal:
        """Set the price of a task aside, if need be when another one has told it, or when the
        money for it was lent.

        Raises:
            SpendLimitReached: it does not fit under the cap any more.
        """
        while (price := self.reserve_nowait(kind)) is None:
            if self._member is None or kind in self._trying:
                await self._news.wait()
            else:
                price = self._prices.get(kind)
                await self._member.reserve(price or ZERO)
                # Of a type without a price another one may have gone meanwhile.
                if price is not None or kind not in self._trying:
                    return self._set_aside(kind, price)
        return price

    def release(self, kind: str, reserved: Decimal) -> None:
        """Return what was set aside for a task that costs nothing."""
        self._settle(kind, reserved)
        if self._member is not None:
            self._member.release(reserved)

    def presume(self, kind: str, reserved: Decimal) -> None:
        """Count what was set aside as spent now: whether it was will never be known."""
        self._settle(kind, reserved)
        self._note(reserved, reserved)

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

    def take_over(self, reserved: Decimal, ago: float) -> None:
        """Set aside again what an earlier client has set aside for a task that is taken up.

        Args:
            reserved: how much.
            ago: seconds since then.
        """
        self._reserved += reserved
        if self._member is not None:
            self._member.inherit(reserved)
        elif self._has_recalled and reserved:
            # It was recalled as spent. This leaves the window before that does, not after it.
            bisect.insort(self._recent, (anyio.current_time() - ago - 2 * A_SECOND, -reserved))
            self._sum -= reserved

    def shift(self, seconds: float) -> None:
        """Go over to a clock that is ahead by so many *seconds*; nobody is waiting."""
        self._recent = deque((moment + seconds, cost) for moment, cost in self._recent)
        self._first = None if self._first is None else self._first + seconds
        self._news = anyio.Event()

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
        if self._is_capped:
            self._trying.pop(kind, None)
            self._news.set()
            self._news = anyio.Event()

    def _note(self, reserved: Decimal, cost: Decimal) -> None:
        """Let *cost* count for the length of the window, in place of what was *reserved*."""
        if self._member is not None:
            self._member.spend(reserved, cost)
        elif self._most is not None and cost:
            if self._first is None:
                self._first = anyio.current_time()
            self._recent.append((anyio.current_time(), cost))
            self._sum += cost

    def _drop_old(self) -> None:
        limit = anyio.current_time() - self._per
        while self._recent and self._recent[0][0] <= limit:
            self._sum -= self._recent.popleft()[1]
