"""The net: when a callback that does not come is polled for. Pure."""

from __future__ import annotations

from collections.abc import Callable

from ..services import Service
from ._schedule import PollState, Schedule

__all__ = ["overdue_age"]

# What a schedule without knowledge is taken to know: callbacks of slower tasks cost them one poll.
FIRST_POLLS, MARGIN = 2.0, 20.0

# Of the age at which nearly all tasks are solved, and seconds for the callback's way.
SLOWNESS, WAY = 1.25, 2.0

# Tasks of a burst are not overdue all at once: the first ones polled tell the others' schedule.
SPREAD, GOLDEN = 0.25, 0.618033988749895

# Of the time that a result is kept.
RETENTION = 0.5


def overdue_age(schedule: Schedule, task: PollState, service: Service) -> float:
    """Return the age from which *task* is polled for, as its callback is overdue.

    It is late enough not to ask for what is on its way, and early enough for the answer to be still
    kept by the service, and to be of use to whoever waits for it.
    """
    first = service.poll_times(task.family).first
    age = FIRST_POLLS * first + MARGIN
    # Of a schedule that learns: the age at which nearly all tasks are solved; None if unknown yet.
    # To ask by `isinstance` with a protocol would cost ten times as much.
    slow_age: Callable[[PollState], float | None] | None = getattr(schedule, "slow_age", None)
    slow = None if slow_age is None else slow_age(task)
    if slow is not None:
        age = max(age, SLOWNESS * slow + WAY)
    age *= 1 + SPREAD * (task.number * GOLDEN % 1.0)
    # Who waits for less than the usual time of a first poll is not helped by an earlier one.
    last_call = task.deadline - service.min_poll_gap
    return min(age, service.result_retention * RETENTION, max(first, last_call))
