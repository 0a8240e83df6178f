"""Demand: how many tokens should be ready or on their way, as recent demand tells. Pure: no clock.

By Little's law, demand that comes at a rate of r per second and is answered after L seconds has
r * L tokens on their way at any time, and more for its ups and downs. Demand that comes in bursts
needs as many as were ever asked for within L seconds, if it is to be answered at once. And more
than are asked for within the life of a token would expire.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections import deque

__all__ = ["Demand"]

MOST = 2_000
"""Moments that are remembered; at a higher demand they tell its rate well enough."""

SAMPLES = 50
"""Of how many of them it is looked what has followed."""

SPREAD = 1.65
"""Standard deviations of chance demand that are provided for: 19 of 20 times it is enough."""

LIVES, FEW = 4, 20
"""Lives of a token for which demand is remembered; but so many of the last ones in any case."""


class Demand:
    """The recent demand for tokens of one kind.

    Args:
        life: seconds for which a token can be used.
    """

    def __init__(self, life: float) -> None:
        self._life = life
        # Moments at which a token was asked for, the oldest first.
        self._asked: deque[float] = deque(maxlen=MOST)

    def note(self, now: float) -> None:
        """Note that a token is asked for."""
        self._asked.append(now)

    def rate(self, now: float) -> float:
        """Return how many are asked for in a second, over the last life of a token."""
        self._drop_old(now)
        recent = self._within(now, self._life)
        if not recent:
            return 0.0
        full = len(recent) == MOST
        span = now - recent[0] if full else min(self._life, max(now - self._asked[0], 1.0))
        return len(recent) / max(span, 1e-3)

    def wanted(self, now: float, lead: float) -> int:
        """Return how many tokens should be ready or on their way.

        Args:
            now: the moment.
            lead: seconds that it takes to get one.
        """
        steady = self.rate(now) * lead
        chance = math.ceil(steady + SPREAD * math.sqrt(steady)) if steady else 0
        return min(max(chance, self._peak(lead)), self._used(now, lead))

    def _used(self, now: float, lead: float) -> int:
        """Return how many of the tokens that are bought at one time are used before they expire.

        That is told by the demand that followed on earlier ones.
        """
        moments = list(self._asked)
        # Where it is known what has followed; of many moments some will do.
        known = moments[: bisect_right(moments, now - self._life - lead)]
        if not known:
            return len(moments)
        some = known[:: max(1, len(known) // SAMPLES)]
        following = [
            bisect_right(moments, moment + self._life + lead) - bisect_right(moments, moment + lead)
            for moment in some
        ]
        return math.ceil(sum(following) / len(following))

    def _peak(self, span: float) -> int:
        """Return how many were asked for within *span* seconds, at most."""
        most, first = 0, 0
        moments = list(self._asked)
        for number, moment in enumerate(moments):
            while moments[first] <= moment - span:
                first += 1
            most = max(most, number - first + 1)
        return most

    def _within(self, now: float, span: float) -> list[float]:
        return [moment for moment in self._asked if moment > now - span]

    def _drop_old(self, now: float) -> None:
        while len(self._asked) > FEW and self._asked[0] <= now - LIVES * self._life:
            self._asked.popleft()
