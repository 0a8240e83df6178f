"""What goes wrong with callbacks: which share of them is lost, late, repeated, early or spoiled."""

from __future__ import annotations

import random

import attrs

__all__ = ["CallbackFaults", "CallbackPlan"]


@attrs.frozen
class CallbackPlan:
    """How one task's callback goes."""

    dropped: bool = False
    delay: float = 0.0
    """Seconds from ready to its first delivery."""
    times: int = 1
    """How often it is delivered."""
    early: bool = False
    """Whether it comes before createTask's reply; then the task is ready at once."""
    body: bytes | None = None
    """What is sent in place of the result."""


@attrs.define
class CallbackFaults:
    """The faults that were ordered; each hits its share of the tasks, whatever else hits them."""

    seed: int | str
    refusal: str | None = None
    """Error code of a createTask that has a callback URL."""
    dropped: float = 0.0
    early: float = 0.0
    # Each with the share that it hits.
    delay: tuple[float, float] = (0.0, 0.0)
    times: tuple[int, float] = (1, 0.0)
    body: tuple[bytes, float] = (b"", 0.0)

    def plan(self, number: int) -> CallbackPlan:
        """Draw what happens to the callback of a task; its *number* and the seed decide."""
        dice = random.Random(f"{self.seed}/{number}/callback")
        # One draw for each fault, so that ordering one does not move the others.
        draws = [dice.random() for _ in range(5)]
        early = draws[3] < self.early
        return CallbackPlan(
            dropped=draws[0] < self.dropped,
            # One that comes before the reply is not late.
            delay=self.delay[0] if draws[1] < self.delay[1] and not early else 0.0,
            times=self.times[0] if draws[2] < self.times[1] else 1,
            early=early,
            body=self.body[0] if draws[4] < self.body[1] else None,
        )
