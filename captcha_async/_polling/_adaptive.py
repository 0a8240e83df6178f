"""Adaptive polling: the schedule that learns, per task type, when a poll pays.

A poll too early is a request for nothing, a poll too late is time lost. Both are put into one
cost in seconds, `delay + poll_price * polls`, and the next poll is made where what is still to be
paid is least, given how long the tasks of this type have taken so far and how long this one has
(see `_solve_times` and `_poll_plan`).

What one task learns serves all others of its type at once: when a planned poll falls due, the plan
is asked again, and if others' polls have meanwhile shown that nothing is ready at that age, the
poll is put off. So in a burst of tasks of an unknown type a few go ahead and the rest follow.
"""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections.abc import Mapping

import attrs

from .._checks import check_number
from ..services import Service
from ._poll_plan import PollPlan
from ._schedule import PollState
from ._solve_times import STARTS, SolveTimes

__all__ = ["AdaptivePolling", "LearnedTimes"]

# Polls that are learned from before the plan is made anew: few at first, later this many.
_REPLAN_AT_MOST = 128
_REPLAN_SHARE = 8
_MOST_TYPES = 256

# A poll also teaches. So it is cheaper until this many were learned from: its share of the price.
_TAUGHT_AT = 500
_LEAST_SHARE = 0.25
# Polls from which the tail of the distribution is believed.
_ENOUGH = 20

# A planned wait is stretched or shortened by up to this share, so that no burst polls in step.
_JITTER = 0.125
# This share of tasks is polled a first time earlier than planned, anywhere from 0 on: nobody else
# would notice that tasks are solved sooner than they used to be.
_SCOUTS = 0.04
# Multiples of these numbers, taken modulo 1, are spread more evenly than random ones.
_SPREAD, _SPREAD_OF_POLLS, _SPREAD_OF_SCOUTS = 0.618033988749895, 0.754877666246693, 0.414213562373

# The last poll before a deadline leaves this many seconds for its reply.
_LAST_CALL = 1.0
# Without a deadline, or with one beyond, the polls that are allowed are made to last so long.
_LONGEST_WAIT = 3600.0

# While polls queue for longer than this many seconds, their price grows by the rate per second, up
# to the limit; else it shrinks again, and faster: what was left out by too much is noticed late.
# Rates and limit are logarithms.
_QUEUEING_TOLERATED = 0.25
_PRESSURE_RATE, _RELIEF_RATE = 0.2, 0.5
_PRESSURE_LIMIT = math.log(200)
_PRESSURE_NOTICED = 0.15


@attrs.frozen
class LearnedTimes:
    """What an `AdaptivePolling` knows of one task type; times in seconds."""

    polls: int
    """Polls that were learned from."""
    p20: float
    """20th percentile of the solve times."""
    p50: float
    """Median of the solve times."""
    p90: float
    """90th percentile of the solve times."""
    first_poll: float
    """When a new task would be polled for the first time, without jitter."""


class AdaptivePolling:
    """Learns how long tasks take, and polls where it pays. The schedule of a client by default.

    Args:
        service: whose tasks are polled; its gap, cap and default times are the frame.
        seed: makes the jitter repeatable.
        poll_price: seconds of waiting that one poll is worth. More means fewer polls, and answers
            that are noticed later: where solves take about 6 s, 0.12 makes 2.5 polls and a delay
            of 1.04 s, 0.5 makes 2.0 and 1.2 s, 2 makes 1.5 and 1.7 s.
        half_life: how many observations of an age it takes until older ones weigh half.

    Raises:
        InvalidArgument: a value is negative or no number.
    """

    def __init__(
        self,
        service: Service,
        *,
        seed: int | None = None,
        poll_price: float = 0.12,
        half_life: float = 150.0,
    ) -> None:
        self._service = service
        self._poll_price = check_number("poll_price", poll_price, at_least=0.0)
        self._half_life = check_number("half_life", half_life, at_least=1.0)
        dice = random.Random(seed)
        self._offset, self._scouts_offset = dice.random(), dice.random()
        # By type; the oldest one leaves when there are too many.
        self._models: dict[str, _Model] = {}
        self._pressure = 0.0
        self._queueing_heard = float("-inf")
        self._gap, self._most_polls = service.min_poll_gap, service.max_polls
        # No result is waited for so long that the service drops it.
        self._longest = max(self._gap, service.result_retention / 2)

    def __repr__(self) -> str:
        polls = sum(model.polls for model in self._models.values())
        return (
            f"<AdaptivePolling of {self._service.name}, {len(self._models)} task types, "
            f"{polls} polls seen>"
        )

    def statistics(self) -> Mapping[str, LearnedTimes]:
        """Return what was learned, by task type."""
        return {name: model.learned() for name, model in self._models.items()}

    def take_learned(self) -> dict[str, list[int]]:
        """Return what was seen since the last call, by task type, to be added up with others'."""
        return {name: model.times.take_news() for name, model in self._models.items()}

    def absorb(self, task_type: str, sums: list[int]) -> None:
        """Take what several processes have seen of a type, this one among them, for its own."""
        model = self._models.get(task_type)
        if model is not None:
            model.times.absorb(sums)
            model.polls = max(model.polls, _ENOUGH)
            model.replan(self._plan(model.times, model.polls), self._pressure)

    def next_poll(self, task: PollState) -> float:
        """Return the age at which the task should be polled next."""
        last, polls = task.last, task.polls
        earliest = last + self._gap if polls else 0.0
        if task.attached:
            due = self._unknown_age(task)
        elif polls:
            # The age at which a poll costs least, give or take.
            model = self._models.get(task.type) or self._begin(task)
            offset = self._offset + task.number * _SPREAD + polls * _SPREAD_OF_POLLS
            free = model.plan.ages[bisect_right(STARTS, task.since)] - earliest
            due = earliest + free * (1 + _JITTER * (2 * (offset % 1.0) - 1))
        else:
            due = self._first(task)
        if due > last + self._longest:
            due = last + self._longest
        if due < earliest:
            due = earliest
        deadline = task.deadline
        if polls:
            # Unless waits as long as this one would do, and then growing ones all the more.
            age = last if last > self._gap else self._gap
            end = deadline if deadline < _LONGEST_WAIT else _LONGEST_WAIT
            if (self._most_polls - polls) * (due - age) < end - age:
                due = max(due, self._lasting(polls, age, end))
        last_call = deadline - _LAST_CALL
        if due <= last_call:
            return due
        return earliest if earliest > last_call else last_call

    def slow_age(self, task: PollState) -> float | None:
        """Return the age at which 99 of 100 tasks of its type are solved; None if not yet known."""
        model = self._models.get(task.type)
        known = model is not None and model.polls >= _ENOUGH
        return model.plan.quantile(0.99) if model is not None and known else None

    def observe(self, task: PollState, sent: float, ended: float, ready: bool) -> None:
        """Learn what a poll said."""
        if task.attached:
            return
        model = self._models.get(task.type) or self._begin(task)
        model.polls += 1
        model.times.see(task.since, ended if ready else sent, ready)
        risen = self._pressure - model.pressure
        if model.polls >= model.replan_at or abs(risen) > _PRESSURE_NOTICED:
            model.times.refresh()
            model.replan(self._plan(model.times, model.polls), self._pressure)

    def observe_queueing(self, seconds: float, now: float) -> None:
        """Raise the price of polls while they queue, so that those are left out that pay least."""
        heard, self._queueing_heard = self._queueing_heard, now
        # As nearly always: nothing queues, and nothing has of late.
        if seconds <= _QUEUEING_TOLERATED and not self._pressure:
            return
        elapsed = min(1.0, max(0.0, now - heard))
        excess = (seconds - _QUEUEING_TOLERATED) / _QUEUEING_TOLERATED
        rate = _PRESSURE_RATE if excess > 0 else _RELIEF_RATE
        change = rate * elapsed * max(-1.0, min(excess, 1.0))
        self._pressure = max(0.0, min(self._pressure + change, _PRESSURE_LIMIT))

    def _first(self, task: PollState) -> float:
        """Return the age at which a task is polled for the first time."""
        model = self._models.get(task.type) or self._begin(task)
        chance = (self._offset + task.number * _SPREAD) % 1.0
        if not model.polls:
            return self._service.poll_times(task.family).first * (0.5 + chance)
        if (self._scouts_offset + task.number * _SPREAD_OF_SCOUTS) % 1.0 < _SCOUTS:
            return model.plan.first * chance
        return model.plan.first * (1 + _JITTER * (2 * chance - 1))

    def _unknown_age(self, task: PollState) -> float:
        """Return the next age for a task that may well have been ready before it was attached."""
        if task.last:
            return task.last + self._service.poll_times(task.family).interval
        return self._gap * ((self._offset + task.number * _SPREAD) % 1.0)

    def _lasting(self, polls: int, age: float, end: float) -> float:
        """Return the age before which a poll would be missing in the end.

        The polls that are left would just reach the end if each wait were longer than the one
        before by the same factor.
        """
        left = self._most_polls - polls
        if left < 1 or not 0.0 < age < end:
            return 0.0
        return age * math.pow(end / age, 1 / left)

    def _begin(self, task: PollState) -> _Model:
        """Begin to learn of a type."""
        if len(self._models) >= _MOST_TYPES:
            del self._models[next(iter(self._models))]
        defaults = self._service.poll_times(task.family)
        times = SolveTimes(defaults.first + defaults.interval, self._half_life)
        model = self._models[task.type] = _Model(times, self._plan(times, 0), self._pressure)
        return model

    def _plan(self, times: SolveTimes, polls: int) -> PollPlan:
        taught = max(_LEAST_SHARE, min(polls / _TAUGHT_AT, 1.0))
        price = self._poll_price * taught * math.exp(self._pressure)
        return PollPlan(times.surviving(), price, self._gap, self._longest)


@attrs.define(eq=False, repr=False)
class _Model:
    """What is known of one task type, and the plan made of it."""

    times: SolveTimes
    plan: PollPlan
    pressure: float
    """The logarithm of the price that the plan was made for, above the usual one."""
    polls: int = 0
    replan_at: int = 0
    """Number of polls from which on a new plan is due."""

    def replan(self, plan: PollPlan, pressure: float) -> None:
        self.plan = plan
        self.pressure = pressure
        # When the new polls are that share of all, or as many as suffice in any case.
        share = (self.polls - 1) // (_REPLAN_SHARE - 1)
        self.replan_at = self.polls + max(1, min(share, _REPLAN_AT_MOST))

    def learned(self) -> LearnedTimes:
        plan = self.plan
        p20, p50, p90 = (plan.quantile(share) for share in (0.2, 0.5, 0.9))
        return LearnedTimes(self.polls, p20, p50, p90, plan.first)
