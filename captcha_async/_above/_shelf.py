"""Shelf: the tokens of one task that are ready, on their way, and waited for."""

from __future__ import annotations

import math
from collections import deque
from decimal import Decimal
from typing import Any

import anyio

from .._outcome import Solved
from .._solving._books import Books
from .._solving._seats import Seats
from .._solving._solve import EVER, Solve
from ..errors import CaptchaError
from ..tasks._model import Task
from ..wire._models import model_name
from ._demand import Demand
from ._plan import StockPlan, life_of

__all__ = ["Shelf", "Waiter"]

FIRST_PAUSE, LONGEST_PAUSE = 2.0, 120.0
"""Seconds for which nothing is bought in advance after a failure; doubled each time."""


class Waiter:
    """Somebody who waits for a token; at most one of token and error is set, and once."""

    def __init__(self) -> None:
        self.solve: Solve | None = None
        self.error: CaptchaError | None = None
        self.event = anyio.Event()

    def serve(self, solve: Solve) -> None:
        """Give it a token."""
        self.solve = solve
        self.event.set()

    def refuse(self, error: CaptchaError) -> None:
        """Tell it that none will come."""
        self.error = error
        self.event.set()


class Shelf:
    """One task's tokens.

    Args:
        task: the task.
        plan: what is wanted of the stock.
        books: the client's books.
        seats: the client's accounts, which know how long a solve takes.
    """

    def __init__(self, task: Task[Any], plan: StockPlan, books: Books, seats: Seats) -> None:
        self.task = task
        self._type = model_name(task)
        self._plan = plan
        self._books = books
        self._seats = seats
        self._life = life_of(task, plan)
        self._demand = Demand(self._life - plan.margin)
        # (moment at which it is of no use any more, token), the first to expire first.
        self._ready: deque[tuple[float, Solve]] = deque()
        # In order of arrival.
        self.waiters: dict[Waiter, None] = {}
        self.on_the_way = 0
        # Moment of the last demand, as which the beginning counts; and up to which nothing is
        # bought in advance, after a failure.
        self._last_asked = -EVER
        self._paused_until = -EVER
        self._failures = 0
        self.bought = 0
        self.asked = 0
        self.at_once = 0
        self.wasted = 0
        self.wasted_cost = Decimal(0)

    @property
    def ready(self) -> int:
        """Tokens that can be taken."""
        return len(self._ready)

    def open(self, now: float) -> None:
        """Begin: the first stock is bought before anybody asks."""
        self._last_asked = now

    # -- tokens -----------------------------------------------------------------------------------

    def ask(self, now: float) -> Solve | None:
        """Take a token for somebody who asks for one; None if there is none."""
        self._demand.note(now)
        self._last_asked = now
        self._throw_away(now)
        self.asked += 1
        if not self._ready:
            return None
        self.at_once += 1
        return self._ready.popleft()[1]

    def put(self, solve: Solve) -> None:
        """Give a token to whoever has waited longest, or lay it down."""
        if self.waiters:
            self._first().serve(solve)
            return
        end = self._end_of(solve)
        # Nearly always it is the last to expire.
        place = len(self._ready)
        while place and self._ready[place - 1][0] > end:
            place -= 1
        self._ready.insert(place, (end, solve))

    def _end_of(self, solve: Solve) -> float:
        """Return the moment at which a token is thrown away."""
        return solve.born + solve.since + self._life - self._plan.margin

    def _throw_away(self, now: float) -> None:
        """Throw away what is about to expire."""
        while self._ready and self._ready[0][0] <= now:
            solve = self._ready.popleft()[1]
            self.wasted += 1
            if isinstance(solve.outcome, Solved) and solve.outcome.cost is not None:
                self.wasted_cost += solve.outcome.cost
            self._books.wasted(solve)

    def clear(self) -> list[Solve]:
        """Return all tokens that nobody has taken, and forget them."""
        left = [solve for _, solve in self._ready]
        self._ready.clear()
        return left

    # -- buying -----------------------------------------------------------------------------------

    def missing(self, now: float) -> int:
        """Return how many tokens are to be bought now."""
        self._throw_away(now)
        needed = len(self.waiters) - self.on_the_way
        if now >= self._paused_until and self._is_in_demand(now) and self._may_waste(now):
            # What will be thrown away before a new one comes does not count.
            lasting = now + self._lead()
            usable = sum(end > lasting for end, _ in self._ready)
            needed = max(needed, self.target(now) + needed - usable)
        return max(0, needed)

    def target(self, now: float) -> int:
        """Return how many tokens should be ready or on their way."""
        plan = self._plan
        if plan.ready != "auto":
            return plan.ready
        wanted = self._demand.wanted(now, self._lead())
        return min(max(wanted, plan.least), plan.most)

    def next_look(self, now: float) -> float:
        """Return the moment at which something may be to do without anybody's asking."""
        lead = self._lead()
        moments = [self._paused_until]
        for end, _ in self._ready:
            moments += [end - lead, end]
        return min((moment for moment in moments if moment > now), default=EVER)

    def _lead(self) -> float:
        """Return the seconds that nearly every solve takes at most."""
        return max(seat.typical(self._type, 0.9) for seat in self._seats)

    def _is_in_demand(self, now: float) -> bool:
        """Tell whether somebody has asked so lately that tokens in advance will be used."""
        idle = self._plan.idle
        if idle is None:
            # So a stock that nobody uses expires once, and is not replaced.
            idle = max(self._lead(), self._life - self._plan.margin - self._lead())
        return now < self._last_asked + idle

    def _may_waste(self, now: float) -> bool:
        """Tell whether tokens may be bought that may expire, as many as were wasted so far."""
        allowed = self._plan.max_waste * self.bought + self.target(now)
        return self.wasted <= allowed

    def arrived(self, solve: Solve) -> None:
        """Note a token that was bought."""
        self.bought += 1
        self._failures = 0
        self._paused_until = -EVER
        self.put(solve)

    def failed(self, error: CaptchaError, now: float) -> None:
        """Note that a token could not be bought: whoever waits for it is told."""
        self._failures += 1
        pause = min(LONGEST_PAUSE, FIRST_PAUSE * math.pow(2.0, min(self._failures - 1, 10)))
        self._paused_until = now + pause
        # The others have a token on its way each.
        if len(self.waiters) > self.on_the_way:
            self._first().refuse(error)

    def turn_away(self, error: CaptchaError) -> None:
        """Tell everybody who waits that no token will come."""
        while self.waiters:
            self._first().refuse(error)

    def _first(self) -> Waiter:
        """Remove whoever has waited longest from those that wait."""
        waiter = next(iter(self.waiters))
        del self.waiters[waiter]
        return waiter
