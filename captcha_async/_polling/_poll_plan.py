"""The best age for the next poll, if the distribution of the solve times is known.

What is minimised is a cost in seconds: the time from ready to known, plus a price for each poll.
It is found backwards: what the best polls after an age cost is known for all later ages first.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from ._solve_times import BINS, EDGES, WIDTHS, bin_of, surviving

__all__ = ["PollPlan"]


_LEAST_GAP = 0.1


class PollPlan:
    """For each age of a task, the age at which to poll it next.

    Args:
        rates: how fast tasks are solved, for each bin of ages.
        price: seconds of waiting that one poll is worth.
        gap: least seconds between two polls.
        longest: most seconds between two polls.
    """

    __slots__ = (
        "_costs",
        "_gap",
        "_gap_ends",
        "_longest",
        "_next",
        "_price",
        "_unsolved",
        "_unsolved_time",
    )

    def __init__(self, rates: Sequence[float], price: float, gap: float, longest: float) -> None:
        self._price = price
        # A service without a gap is not asked without a pause either.
        self._gap = max(gap, _LEAST_GAP)
        self._gap_ends = _ends_of_gap(self._gap)
        self._longest = longest
        self._unsolved = surviving(rates)
        # The area below the curve of the unsolved, up to each edge.
        self._unsolved_time = [0.0]
        for width, (before, after) in zip(WIDTHS, pairwise(self._unsolved), strict=True):
            self._unsolved_time.append(self._unsolved_time[-1] + width * (before + after) / 2)
        # What is still to be paid after an edge, times the share of tasks that get there.
        self._costs = [self._unsolved[-1] * (price + self._gap)] * (BINS + 1)
        self._next = [EDGES[-1] + self._gap] * (BINS + 1)
        for edge in range(BINS - 1, -1, -1):
            self._costs[edge], self._next[edge] = self._best(edge)

    def first(self) -> float:
        """Return the age of the first poll."""
        return self._next[0]

    def after(self, age: float) -> float:
        """Return the age of the next poll of a task that was unsolved at *age*."""
        return self._next[bin_of(age)]

    def quantile(self, share: float) -> float:
        """Return the age at which *share* of all tasks are solved."""
        for edge, unsolved in enumerate(self._unsolved):
            if unsolved <= 1 - share:
                before = self._unsolved[edge - 1]
                return EDGES[edge] - WIDTHS[edge - 1] * (1 - share - unsolved) / (before - unsolved)
        return EDGES[-1]

    def _best(self, edge: int) -> tuple[float, float]:
        """Return the cost after an edge, and the age of the poll that achieves it."""
        poll, first, share = (0.0, 0, 0.0) if edge == 0 else self._gap_ends[edge]
        cost = float("inf") if edge == 0 else self._soonest(edge, first, share)
        start, unsolved, time = EDGES[edge], self._unsolved[edge], self._unsolved_time[edge]
        for later in range(first + 1, BINS + 1):
            wait = EDGES[later] - start
            paid = unsolved * (self._price + wait) - (self._unsolved_time[later] - time)
            # Later polls cost only more: what is paid grows with the wait.
            if paid >= cost or wait > self._longest:
                break
            if paid + self._costs[later] < cost:
                cost, poll = paid + self._costs[later], EDGES[later]
        return cost, poll

    def _soonest(self, edge: int, number: int, share: float) -> float:
        """Return the cost of a poll as soon as the gap is over, in a bin of that *number*."""
        time = self._between(self._unsolved_time, number, share) - self._unsolved_time[edge]
        paid = self._unsolved[edge] * (self._price + self._gap) - time
        if number > edge:
            return paid + self._between(self._costs, number, share)
        # The gap ends within the very bin: as many such polls as it takes to leave it.
        return paid / share + self._costs[edge + 1]

    @staticmethod
    def _between(values: list[float], number: int, share: float) -> float:
        return values[number] + share * (values[number + 1] - values[number])


@lru_cache(maxsize=64)
def _ends_of_gap(gap: float) -> list[tuple[float, int, float]]:
    """Return where the gap after each edge ends: the age, its bin, and how far into that."""
    ends = []
    for edge in EDGES[:-1]:
        age = edge + gap
        number = bin_of(age)
        ends.append((age, number, min(1.0, (age - EDGES[number]) / WIDTHS[number])))
    return ends
