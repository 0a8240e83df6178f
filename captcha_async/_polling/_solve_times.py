"""How long the tasks of one type take, learned from polls that only ever see a part of it.

A poll that says `processing` tells that a task takes longer than its age; one that says `ready`
tells that it was solved somewhere since the poll before. Ages are cut into bins, narrow at first
and ever wider. Each bin keeps two sums: the seconds that tasks spent in it unsolved, and how many
of them were solved there. Their quotient is the bin's rate, and from the rates follows everything
else (this is the actuaries' life table). A solve that may lie in several bins is shared out among
them as the rates of now make it likely. A bin forgets as it learns, so that drift is followed.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate, pairwise
from operator import add, mul, truediv

__all__ = ["BINS", "EDGES", "STARTS", "WIDTHS", "SolveTimes", "bin_of", "surviving"]

BINS = 120
# 0.15 s wide at first, 5 % of the age later; the last one ends after 20 minutes.
_SCALE, _GROWTH = 3.0, 0.05
EDGES = tuple(_SCALE * math.expm1(_GROWTH * edge) for edge in range(BINS + 1))
"""Ages in seconds at which the bins begin; the last one is where the last bin ends."""
WIDTHS = tuple(end - start for start, end in pairwise(EDGES))
_MINUS_WIDTHS = tuple(-width for width in WIDTHS)
STARTS = EDGES[1:-1]
"""Where the second bin begins, and each later one: as many as are not beyond an age, that is the
number of its bin. `bin_of` says so; the hot path, where calls count, does it itself."""

# Before anything is known: the weight of this many tasks, spread widely around a typical time.
_PRIOR_TASKS = 2.0
_PRIOR_STEEPNESS = 1.5

# Least share of an end per second, so that what was held to be impossible can still be learned.
_LEAST = 1e-6
_MOMENT = 1e-3


def bin_of(age: float) -> int:
    """Return the number of the bin that holds *age*."""
    return bisect_right(STARTS, age)


def surviving(rates: Sequence[float]) -> list[float]:
    """Return the share of tasks that is still unsolved at each edge."""
    return list(accumulate(_passing(rates), mul, initial=1.0))


def _passing(rates: Sequence[float]) -> list[float]:
    """Return for each bin the share of the tasks unsolved at its start that are so at its end."""
    return list(map(math.exp, map(mul, rates, _MINUS_WIDTHS)))


class SolveTimes:
    """The learned distribution of the solve times of one task type.

    Args:
        typical: about how many seconds a solve takes, as far as is known beforehand.
        half_life: number of tasks seen in a bin after which the older ones weigh half; at least 1.
    """

    __slots__ = ("_forgetting", "_news", "_passing", "_prior", "_seconds", "_solved", "rates")

    def __init__(self, typical: float, half_life: float) -> None:
        self._forgetting = math.log(2) / half_life
        self._seconds = [0.0] * BINS
        self._solved = [0.0] * BINS
        # Seconds, then solves, that were seen since `take_news`, for who adds them up.
        self._news = [0.0] * (2 * BINS)
        self._prior = _prior(typical)
        self.refresh()

    def refresh(self) -> None:
        """Bring the rates up to date with what was seen."""
        solved, seconds = self._prior
        solved = _smooth(list(map(add, solved, self._solved)))
        seconds = _smooth(list(map(add, seconds, self._seconds)))
        self.rates = list(map(truediv, solved, seconds))
        self._passing = _passing(self.rates)

    def surviving(self) -> list[float]:
        """Return the share of tasks that is still unsolved at each edge, as of the last refresh."""
        return list(accumulate(self._passing, mul, initial=1.0))

    def see(self, since: float, age: float, ready: bool) -> None:
        """Learn that a task was unsolved at *since*; and at *age* too, unless it was *ready*."""
        if ready:
            age = age if age > _MOMENT else _MOMENT
            since = since if since < age - _MOMENT else age - _MOMENT
        if age > EDGES[-1]:
            age = EDGES[-1]
        if age <= since:
            return
        # The seconds in each bin, from the first one on.
        first, last = bisect_right(STARTS, since), bisect_right(STARTS, age)
        if first == last:
            pieces = [age - since]
        else:
            pieces = [EDGES[first + 1] - since, *WIDTHS[first + 1 : last], age - EDGES[last]]
        shares = self._share_out(first, pieces) if ready else []
        later = total = sum(shares)
        news, all_seconds, all_solved = self._news, self._seconds, self._solved
        forgetting, number = self._forgetting, first
        for seconds in pieces:
            solved = 0.0
            if ready:
                share = shares[number - first]
                later -= share
                seconds = seconds * (later + share / 2) / total
                solved = share / total
                news[BINS + number] += solved
            keep = 1.0 - forgetting * seconds / WIDTHS[number]
            news[number] += seconds
            all_seconds[number] = all_seconds[number] * keep + seconds
            all_solved[number] = all_solved[number] * keep + solved
            number += 1

    def _share_out(self, first: int, pieces: list[float]) -> list[float]:
        """Return how likely each piece is the one in which a task was solved; their sum is any."""
        last = first + len(pieces) - 1
        # Of the tasks unsolved before each piece, the share that is so after it.
        passing = self._passing[first : last + 1]
        passing[0] = math.exp(-self.rates[first] * pieces[0])
        passing[-1] = math.exp(-self.rates[last] * pieces[-1])
        left = [1.0, *accumulate(passing, mul)]
        return [
            before - after + _LEAST * seconds
            for (before, after), seconds in zip(pairwise(left), pieces, strict=True)
        ]

    def take_news(self) -> list[int]:
        """Return what was seen since the last call, in thousandths: seconds by bin, then solves."""
        news, self._news = self._news, [0.0] * (2 * BINS)
        return [round(1000 * value) for value in news]

    def absorb(self, sums: Sequence[int]) -> None:
        """Take the sums of what several processes have seen, this one among them, for its own.

        They weigh no more than what one process remembers, so that drift is followed as before.
        """
        if len(sums) != 2 * BINS or not any(sums[BINS:]):
            return
        seconds, solved = sums[:BINS], sums[BINS:]
        seen = max(time / (1000 * width) for time, width in zip(seconds, WIDTHS, strict=True))
        factor = 1e-3 * min(1.0, 1 / (self._forgetting * max(seen, _MOMENT)))
        self._seconds = [factor * value for value in seconds]
        self._solved = [factor * value for value in solved]
        self.refresh()


def _prior(typical: float) -> tuple[list[float], list[float]]:
    """Return what a few tasks would have shown in each bin: how many solved, seconds unsolved."""
    shares = [1 / (1 + (edge / typical) ** _PRIOR_STEEPNESS) for edge in EDGES]
    solved = [_PRIOR_TASKS * (before - after) for before, after in pairwise(shares)]
    seconds = [
        _PRIOR_TASKS * width * (before + after) / 2
        for width, (before, after) in zip(WIDTHS, pairwise(shares), strict=True)
    ]
    return solved, seconds


def _smooth(values: list[float]) -> list[float]:
    """Mix each value with its neighbours: one bin alone is too few tasks to believe in."""
    before, after = [values[0], *values], [*values[1:], values[-1]]
    return [(a + 2.0 * b + c) * 0.25 for a, b, c in zip(before, values, after, strict=False)]
