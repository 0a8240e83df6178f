"""The grain of time on which polls are planned."""

from __future__ import annotations

import pytest
from solves import make_solve

from captcha_async._solving._grain import DOWN, GRAIN, on_grain


@pytest.mark.parametrize("allowed", [0.0, 9.9, 9.93, 9.96, 10.0, 10.02])
@pytest.mark.parametrize("late", [0.0, 0.01, 0.05, 0.3])
@pytest.mark.parametrize("left", [0.0, 0.01, 0.04, 0.5, float("inf")])
def test_a_poll_is_neither_too_early_nor_beyond_the_deadline(
    allowed: float, late: float, left: float
) -> None:
    """A poll that was due before the deadline is made, however near that is."""
    solve = make_solve()
    solve.polled_before(1, allowed)
    due = max(allowed, 9.9) + late
    planned = on_grain(due, solve, due + left)
    assert planned <= due + left
    assert planned >= allowed
    assert due - DOWN * GRAIN - 1e-9 <= planned <= due + GRAIN
    if left:
        assert planned < due + left
