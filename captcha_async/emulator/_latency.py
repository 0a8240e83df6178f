"""How long the emulated service takes to solve a task."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from ..errors import invalid

__all__ = ["Latency", "LatencyModel"]

LatencyModel = Callable[[random.Random, Mapping[str, Any]], float]
"""Called with a seeded source of chance and the task object; returns seconds until ready."""


def _check_seconds(_: object, attribute: attrs.Attribute[float], value: Any) -> None:
    check_seconds(attribute.name, value)


def check_seconds(name: str, value: Any) -> None:
    """Refuse what is no length of time; infinity means "never"."""
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not value >= 0:
        raise invalid(name, value, "a number of seconds, 0 or more")


def check_share(value: Any) -> float:
    """Return a share of all, from 0 to 1."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        raise invalid("share", value, "a number from 0 to 1")
    return float(value)


@attrs.frozen
class Latency:
    """Log-normal solve times: few are very short, a long tail is slow.

    Raises:
        InvalidArgument: a value is negative or no number.
    """

    median: float = attrs.field(default=6.0, validator=_check_seconds)
    """Seconds within which half of the tasks are solved."""
    sigma: float = attrs.field(default=0.35, validator=_check_seconds)
    """Spread: about two thirds lie between median / e^sigma and median * e^sigma."""

    @classmethod
    def fixed(cls, seconds: float) -> Latency:
        """Return a latency that is always the same."""
        return cls(median=seconds, sigma=0.0)

    def __call__(self, rng: random.Random, task: Mapping[str, Any]) -> float:
        """Draw the seconds that *task* takes."""
        return self.median * math.exp(rng.gauss(0.0, self.sigma)) if self.sigma else self.median
