"""The best age for the next poll, if the distribution of the solve times is known.

What is minimised is a cost in seconds: the time from ready to known, plus a price for each poll.
It is found backwards: what the best polls after an age cost is known for all later ages first.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from functools import lru_cache, partial
from itertools import accumulate, pairwise
from operator import add, neg

from ._solve_times import BINS, EDGES, WIDTHS, bin_of

__all__ = ["PollPlan"]


_LEAST_GAP = 0.1


class PollPlan:
    """For each age of a task, the age at which to poll it next.

    Args:
        unsolved: the share of tasks that is still unsolved at each edge of the bins of ages.
        price: seconds of waiting that one poll is worth.
        gap: least seconds between two polls.
        longest: most seconds between two polls.
    """

    __slots__ = ("_unsolved", "ages", "first")

    def __init__(self, unsolved: list[float], price: float, gap: float, longest: float) -> None:
        self._unsolved = unsolved
        # A service without a gap is not asked without a pause either.
        self.ages = _best_polls(unsolved, price, max(gap, _LEAST_GAP), longest)
        """For each bin of ages, the age of the next poll of a task that was unsolved in it."""
        self.first = self.ages[0]
        """Age of the first poll."""

    def quantile(self, share: float) -> float:
        """Return the age at which *share* of all tasks are solved."""
        edge = bisect_left(self._unsolved, share - 1, key=neg)
        if edge > BINS:
            return EDGES[-1]
        before, unsolved = self._unsolved[edge - 1], self._unsolved[edge]
        return EDGES[edge] - WIDTHS[edge - 1] * (1 - share - unsolved) / (before - unsolved)


def _best_polls(unsolved: list[float], price: float, gap: float, longest: float) -> list[float]:
    """Return for each edge the age of the poll that costs least, if a task is unsolved there."""
    # The area below the curve of the unsolved, up to each edge.
    areas = [width * (a + b) / 2 for width, (a, b) in zip(WIDTHS, pairwise(unsolved), strict=True)]
    passed = list(accumulate(areas, initial=0.0))
    # What is still to be paid after an edge, times the share of tasks that get there.
    costs = [unsolved[-1] * (price + gap)] * (BINS + 1)
    polls = [EDGES[-1] + gap] * (BINS + 1)
    for edge, start, poll, number, share, laters in _frame(gap, longest):
        left, before = unsolved[edge], passed[edge]
        # A poll as soon as the gap is over.
        time = passed[number] + share * (passed[number + 1] - passed[number])
        cost = left * (price + gap) - (time - before)
        if number > edge:
            cost += costs[number] + share * (costs[number + 1] - costs[number])
        elif edge > 0:
            # The gap ends within the very bin: as many such polls as it takes to leave it.
            cost = cost / share + costs[edge + 1]
        else:
            # Nothing is asked for at once.
            cost = math.inf
        for later in laters:
            age = EDGES[later]
            paid = left * (price + (age - start)) - (passed[later] - before)
            # Later polls cost only more: what is paid grows with the wait.
            if paid >= cost:
                break
            total = paid + costs[later]
            if total < cost:
                cost, poll = total, age
        costs[edge], polls[edge] = cost, poll
    return polls


@lru_cache(maxsize=64)
def _frame(gap: float, longest: float) -> list[tuple[int, float, float, int, float, range]]:
    """Return what is the same for all plans, of one edge after the other, the last one first.

    The edge and its age; the age when the gap after it ends, its bin, and how far into that; and
    the edges at which it may be polled later than that.
    """
    frame = []
    for edge in range(BINS - 1, -1, -1):
        start = EDGES[edge]
        # The first poll need not wait for a gap.
        end = start + gap if edge else 0.0
        number = bin_of(end)
        share = min(1.0, (end - EDGES[number]) / WIDTHS[number])
        beyond = bisect_right(EDGES, longest, key=partial(add, -start))
        frame.append((edge, start, end, number, share, range(number + 1, beyond)))
    return frame
