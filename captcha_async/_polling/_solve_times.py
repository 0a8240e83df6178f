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
from collections.abc import Sequence
from itertools import pairwise

__all__ = ["BINS", "EDGES", "WIDTHS", "SolveTimes", "bin_of", "surviving"]

BINS = 120
# 0.15 s wide at first, 5 % of the age later; the last one ends after 20 minutes.
_SCALE, _GROWTH = 3.0, 0.05
EDGES = tuple(_SCALE * math.expm1(_GROWTH * edge) for edge in range(BINS + 1))
"""Ages in seconds at which the bins begin; the last one is where the last bin ends."""
WIDTHS = tuple(end - start for start, end in pairwise(EDGES))

# Before anything is known: the weight of this many tasks, spread widely around a typical time.
_PRIOR_TASKS = 2.0
_PRIOR_STEEPNESS = 1.5

# Least share of an end per second, so that what was held to be impossible can still be learned.
_LEAST = 1e-6
_MOMENT = 1e-3


def bin_of(age: float) -> int:
    """Return the number of the bin that holds *age*."""
    return min(int(math.log1p(age / _SCALE) / _GROWTH), BINS - 1)


def surviving(rates: Sequence[float]) -> list[float]:
    """Return the share of tasks that is still unsolved at each edge."""
    shares = [1.0]
    for rate, width in zip(rates, WIDTHS, strict=True):
        shares.append(shares[-1] * math.exp(-rate * width))
    return shares


class SolveTimes:
    """The learned distribution of the solve times of one task type.

    Args:
        typical: about how many seconds a solve takes, as far as is known beforehand.
        half_life: number of tasks seen in a bin after which the older ones weigh half.
    """

    __slots__ = ("_forgetting", "_news", "_prior", "_seconds", "_solved", "rates")

    def __init__(self, typical: float, half_life: float) -> None:
        self._forgetting = math.log(2) / half_life
        self._seconds = [0.0] * BINS
        self._solved = [0.0] * BINS
        # Seconds, then solves, that were seen since `take_news`, for who adds them up.
        self._news = [0.0] * (2 * BINS)
        self._prior = _prior(typical)
        self.rates = self._learned()

    def refresh(self) -> None:
        """Bring the rates up to date with what was seen."""
        self.rates = self._learned()

    def see_processing(self, since: float, age: float) -> None:
        """Learn that a task was unsolved at *since*, and still was at *age*."""
        self._add([(number, seconds, 0.0) for number, seconds in _pieces(since, age)])

    def see_ready(self, since: float, age: float) -> None:
        """Learn that a task was unsolved at *since*, and solved at *age*."""
        rates = self.rates
        left = 1.0
        shares: list[tuple[int, float, float]] = []
        for number, seconds in _pieces(max(0.0, min(since, age - _MOMENT)), max(age, _MOMENT)):
            after = left * math.exp(-rates[number] * seconds)
            shares.append((number, seconds, left - after + _LEAST * seconds))
            left = after
        later = total = sum([share for _, _, share in shares])
        seen = []
        for number, seconds, share in shares:
            later -= share
            seen.append((number, seconds * (later + share / 2) / total, share / total))
        self._add(seen)

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

    def _add(self, seen: list[tuple[int, float, float]]) -> None:
        """Add to some bins: [(bin, seconds, solves)]."""
        news, all_seconds, all_solved = self._news, self._seconds, self._solved
        for number, seconds, solved in seen:
            news[number] += seconds
            news[BINS + number] += solved
            keep = max(0.0, 1.0 - self._forgetting * seconds / WIDTHS[number])
            all_seconds[number] = all_seconds[number] * keep + seconds
            all_solved[number] = all_solved[number] * keep + solved

    def _learned(self) -> list[float]:
        solved, seconds = self._prior
        solved = _smooth([a + b for a, b in zip(solved, self._solved, strict=True)])
        seconds = _smooth([a + b for a, b in zip(seconds, self._seconds, strict=True)])
        return [a / b for a, b in zip(solved, seconds, strict=True)]


def _pieces(since: float, age: float) -> list[tuple[int, float]]:
    """Cut the time from *since* to *age* at the edges: [(bin, seconds in it)]."""
    age = min(age, EDGES[-1])
    if age <= since:
        return []
    first, last = bin_of(since), bin_of(age)
    if first == last:
        return [(first, age - since)]
    pieces = [(number, WIDTHS[number]) for number in range(first, last)]
    pieces[0] = (first, EDGES[first + 1] - since)
    pieces.append((last, age - EDGES[last]))
    return pieces


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
    padded = [values[0], *values, values[-1]]
    return [
        (padded[number] + 2 * padded[number + 1] + padded[number + 2]) / 4
        for number in range(len(values))
    ]
