"""The money that one process may spend: what it was lent, less what it has spent or set aside.

All sums only ever grow, so that a lost report or grant changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from decimal import ROUND_CEILING, Decimal
from functools import lru_cache

import anyio

from ..errors import SpendLimitReached
from ._messages import NANO, Grant

__all__ = ["Purse", "to_money", "to_units"]

PRICES_AT_ONCE = 50
"""How many times the price is asked for at once by who has to wait for it."""

AHEAD = 3.0
"""Seconds for which a process that spends steadily has money, so that nobody has to wait."""

MEASURED = 0.5
"""Seconds over which the pace of spending is measured, at least."""

FAR = 10
"""Money is asked for ahead while so many times as much is left under the cap."""


@lru_cache(maxsize=1024)
def to_units(amount: Decimal) -> int:
    """Return money in billionths, rounded up.

    There are few prices, and each is asked for several times a solve.
    """
    return int((amount * NANO).to_integral_value(ROUND_CEILING))


def to_money(units: int) -> Decimal:
    """Return billionths as money."""
    return Decimal(units) / NANO


class Purse:
    """One process's part of the spending cap.

    Args:
        ask: called when more is wanted.
        reachable: tells whether the store answers.
        capped: whether there is a cap, as far as is known before the first grant.
    """

    def __init__(
        self, ask: Callable[[], None], reachable: Callable[[], bool], *, capped: bool
    ) -> None:
        self._ask = ask
        self._reachable = reachable
        self.capped: bool = capped
        # All in billionths, and ever growing but for *reserved*.
        self.lent: int = 0
        self.spent: int = 0
        self.returned: int = 0
        self.acknowledged: int = 0
        self._reserved = 0
        # Set aside in an earlier life of the member, or by a process that is gone: the store has
        # counted it as spent then, so that settling it frees nothing here.
        self._foreign = 0
        # What all have spent within the window, and the cap.
        self.known: int = 0
        self.cap: int = 0
        self._scarce = False
        # All that was ever set aside, what of it at the last measurement, and the moment of that;
        # units per second since then.
        self._taken = self._measured = 0
        self._measured_at = float("-inf")
        self._pace = 0.0
        # Prices that are waited for, by the number of the waiter; answered up to this number.
        self._waiting: dict[int, int] = {}
        self._asked = self._told = self._answered = 0
        self._news = anyio.Event()

    @property
    def left(self) -> int:
        """What may yet be set aside."""
        return self.lent - self.spent - self.returned - (self._reserved - self._foreign)

    @property
    def open(self) -> Decimal:
        """What is set aside."""
        return to_money(self._reserved)

    def inherit(self, price: Decimal) -> None:
        """Take over what was set aside before, and is settled here."""
        units = to_units(price)
        self._reserved += units
        self._foreign += units

    def affords(self, price: Decimal) -> bool:
        """Tell whether there is money for a price, as far as is known."""
        if not self.capped or self.left >= max(to_units(price), 1):
            return True
        return self._reachable() and (not self.cap or self.known < self.cap)

    def reserve_nowait(self, price: Decimal) -> None:
        """Set money aside.

        Raises:
            anyio.WouldBlock: more has to be lent first.
        """
        units = to_units(price)
        if self.capped and self.left < max(units, 1):
            raise anyio.WouldBlock
        self._reserved += units
        self._taken += units

    async def reserve(self, price: Decimal) -> None:
        """Set money aside, and have it lent if need be.

        Raises:
            SpendLimitReached: there is no more under the cap, or nobody can be asked.
        """
        while True:
            try:
                self.reserve_nowait(price)
                return
            except anyio.WouldBlock:
                if not await self._lend(max(to_units(price), 1)):
                    raise self._refusal() from None

    async def _lend(self, units: int) -> bool:
        """Wait for an answer of the store; False if it has lent nothing, or is out of reach."""
        self._asked += 1
        number, before = self._asked, self.lent
        self._waiting[number] = units
        try:
            while self._answered < number:
                if not self._reachable():
                    return False
                self._ask()
                await self._news.wait()
        finally:
            del self._waiting[number]
        # Others may have taken what was lent; then there may be more.
        return self.left >= units or self.lent > before

    def _refusal(self) -> SpendLimitReached:
        spent = to_money(self.known)
        if not self._reachable():
            text = (
                "The shared account's store cannot be reached, and what it has lent of the "
                "spending cap is used up; nothing was sent: go on when it is back."
            )
        else:
            text = (
                f"The spending cap of {to_money(self.cap).normalize():f} is reached over all "
                "processes: raise max_spend, or go on later; nothing was sent."
            )
        return SpendLimitReached(text, spent=spent)

    def release(self, price: Decimal) -> None:
        """Return what was set aside for what costs nothing."""
        self._settle(to_units(price))

    def spend(self, reserved: Decimal, cost: Decimal) -> None:
        """Replace what was set aside by the real cost."""
        foreign = self._settle(to_units(reserved))
        self.spent += max(0, to_units(cost) - foreign)

    def _settle(self, units: int) -> int:
        """Take away what was set aside; return how much of it counted as spent already."""
        foreign = min(units, self._foreign)
        self._foreign -= foreign
        self._reserved -= units
        return foreign

    # -- the store --------------------------------------------------------------------------------

    def wants(self, now: float) -> tuple[int, int]:
        """Return what is wanted, and the least amount that is of use; note that it is told."""
        self._told = self._asked
        self._measure(now)
        if not self._waiting:
            if self._scarce:
                self.give_back()
            return self._ahead(), 0
        all_prices, lowest = sum(self._waiting.values()), min(self._waiting.values())
        missing = max(1, lowest - max(0, self.left))
        if self._scarce:
            return max(missing, all_prices - max(0, self.left)), missing
        return max(all_prices, lowest * PRICES_AT_ONCE, self._ahead()), missing

    def _measure(self, now: float) -> None:
        passed = now - self._measured_at
        if passed >= MEASURED:
            # Half of what it was: a pause of a second or two is no end.
            self._pace = max(self._pace / 2, (self._taken - self._measured) / passed)
            self._measured, self._measured_at = self._taken, now

    def _ahead(self) -> int:
        """Return what is wanted for the next seconds, if that is little next to the cap."""
        ahead = int(AHEAD * self._pace)
        if not self.capped or self._scarce or FAR * ahead > self.cap - self.known:
            return 0
        return max(0, ahead - self.left)

    def give_back(self) -> None:
        """Return all that is not set aside."""
        self.returned += max(0, self.left)

    def granted(self, grant: Grant, told: int) -> None:
        """Take what a grant says; *told* is what `mark` has returned with the report."""
        self.capped = grant.cap > 0
        self.cap, self.known = grant.cap, grant.spent
        self.lent = max(self.lent, grant.lent)
        self.acknowledged = max(self.acknowledged, grant.acknowledged)
        self._scarce = bool(grant.scarce)
        if not grant.grace:
            # A store that waits for others to come back has not answered yet.
            self._answered = max(self._answered, told)
        self.wake()

    def mark(self) -> int:
        """Return the number up to which the report that is made now asks."""
        return self._told

    def wake(self) -> None:
        """Let those who wait look again."""
        self._news.set()
        self._news = anyio.Event()
