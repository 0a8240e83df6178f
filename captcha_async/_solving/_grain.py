"""The grain of time on which tasks are polled, so that one wake-up of the loop serves several."""

from __future__ import annotations

import math

from ._solve import Solve

__all__ = ["GRAIN", "on_grain"]

GRAIN = 0.1
"""Due moments are rounded to multiples of this.

Measured at 500 tasks: of the CPU that 0.02 costs, 0.1 saves a fifth to a third, and answers are
noticed 0.04 s later."""

DOWN = 0.4
"""The part of a grain by which a moment may be rounded down; up to there a poll is not put off."""


def on_grain(moment: float, solve: Solve, deadline: float) -> float:
    """Return the moment at which a task is looked at that is due at *moment*.

    Never before its next poll is allowed, and never after the deadline; and what was posted waits
    for no grain.
    """
    if solve.callback is not None and solve.callback.arrived:
        return min(moment, deadline)
    if moment >= deadline:
        return deadline
    on = math.floor(moment / GRAIN + 1.0 - DOWN) * GRAIN
    if on < solve.next_allowed:
        on = math.ceil(moment / GRAIN) * GRAIN
    return on if on < deadline else moment
