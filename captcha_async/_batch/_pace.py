"""Pace: the pauses between a batch's submissions that the polls of what is in flight need.

Most polls of a task come long after its submission. So where tasks are submitted as fast as it goes
there are more of them than the process can follow before the first poll is late.
"""

from __future__ import annotations

from collections.abc import Callable

import anyio

from .._clock import clock
from .._solving._watch import Watch

__all__ = ["BURST", "Pace"]

FOLLOWED = 20_000
"""Tasks in flight whose polls are left as much of the core's time as further submissions.

Measured with 100,000 that take 30 s: answers are noticed after 2.0 s instead of 7.0, with 5.4 polls
instead of 2.4, and all is over no later."""

BURST = 100
"""After so many submissions it is seen whether the polls need a pause of them."""

BURSTING = 0.2
"""Seconds within which so many are to be submitted for that; what comes in more slowly can be
followed."""

SHORTEST_PAUSE = 0.01
"""Seconds below which a pause is not worth a timer."""


class Pace:
    """Made in the event loop where the tasks are submitted, when that begins.

    Args:
        watch: polls what is in flight.
    """

    def __init__(self, watch: Watch) -> None:
        self._watch = watch
        self._now: Callable[[], float] = clock()
        # When the last burst of submissions was over, with the pause after it.
        self._burst_over = self._now()

    async def pause(self) -> None:
        """Leave to the polls of the tasks in flight the part of the core that they will take.

        Called after each `BURST` of submissions. Where they come as fast as it goes it makes a
        pause, the longer the more tasks there are.
        """
        took = self._now() - self._burst_over
        pause = took * self._watch.polled / FOLLOWED
        if took < BURSTING and pause >= SHORTEST_PAUSE:
            await anyio.sleep(pause)
        self._burst_over = self._now()
