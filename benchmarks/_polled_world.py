"""A simulated service and its pollers, without network and in no time: what a schedule achieves.

It does what the client does: a task is asked for when its poll falls due and the schedule, asked
again, still finds it due; the service's gap is counted from the end of the poll before.
"""

from __future__ import annotations

import heapq
import math
import random
from collections.abc import Callable, Iterable
from itertools import count

import attrs

from captcha_async._polling._schedule import PollState, Schedule

__all__ = ["DISTRIBUTIONS", "Result", "simulate"]

Draw = Callable[[random.Random, float], float]
"""Draws a solve time; the second argument grows from 0 to 1 with the tasks."""

DISTRIBUTIONS: dict[str, Draw] = {
    "log-normal": lambda dice, _: 6 * math.exp(dice.gauss(0, 0.35)),
    "half cached": lambda dice, _: (
        0.3 * math.exp(dice.gauss(0, 0.2)) if dice.random() < 0.5 else 30 + dice.gauss(0, 4)
    ),
    "heavy tail": lambda dice, _: 3 * dice.paretovariate(1.5),
    "drifting": lambda dice, part: (6 + 14 * part) * math.exp(dice.gauss(0, 0.35)),
}

# Worth waking up once more for.
WORTH_A_WAIT = 0.05


@attrs.frozen
class Result:
    """What became of the tasks."""

    delays: list[float]
    """Seconds from ready at the service to known, for each task."""
    polls: list[int]
    """Polls of each task."""
    moments: list[float]
    """When the polls were sent."""

    @property
    def delay(self) -> float:
        """Mean seconds from ready to known."""
        return math.fsum(self.delays) / len(self.delays)

    @property
    def polls_per_solve(self) -> float:
        """Mean number of polls."""
        return sum(self.polls) / len(self.polls)


@attrs.define
class _Task:
    state: PollState
    born: float
    solve_time: float
    due: float = 0.0
    sent: float = 0.0
    replied: bool = True


@attrs.define
class _World:
    schedule: Schedule
    gap: float
    round_trip: float
    per_second: float
    # [(moment, serial number of the event, task)]
    events: list[tuple[float, int, _Task]] = attrs.Factory(list)
    serial: Iterable[int] = attrs.Factory(count)
    free_at: float = 0.0
    result: Result = attrs.Factory(lambda: Result([], [], []))

    def run(self) -> Result:
        """Let everything happen, in the order of time."""
        while self.events:
            now, _, task = heapq.heappop(self.events)
            if task.replied:
                self._fall_due(now, task)
            else:
                self._reply(now, task)
        return self.result

    def plan(self, task: _Task, now: float) -> None:
        """Ask the schedule when to poll."""
        state = task.state
        earliest = task.born + state.last + self.gap if state.polls else now
        task.due = max(earliest, now, task.born + self.schedule.next_poll(state))
        self._at(task.due, task)

    def _at(self, moment: float, task: _Task) -> None:
        heapq.heappush(self.events, (moment, next(iter(self.serial)), task))

    def _fall_due(self, now: float, task: _Task) -> None:
        later = task.born + self.schedule.next_poll(task.state)
        if later > task.due + WORTH_A_WAIT:
            task.due = later
            self._at(later, task)
            return
        # The requests leave one after the other, at the rate that the account allows.
        sent = max(now, self.free_at)
        self.free_at = sent + 1 / self.per_second
        self.schedule.observe_queueing(sent - now, now)
        self.result.moments.append(sent)
        task.sent = sent - task.born
        task.replied = False
        self._at(sent + self.round_trip, task)

    def _reply(self, now: float, task: _Task) -> None:
        age = now - task.born
        ready = task.solve_time <= task.sent + self.round_trip / 2
        self.schedule.observe(task.state, task.sent, age, ready)
        polls = task.state.polls + 1
        if ready:
            self.result.delays.append(age - task.solve_time)
            self.result.polls.append(polls)
            return
        task.state = attrs.evolve(task.state, polls=polls, last=age, since=task.sent)
        task.replied = True
        self.plan(task, now)


def simulate(
    schedule: Schedule,
    draw: Draw,
    tasks: int,
    *,
    seed: int = 0,
    submits_per_second: float = math.inf,
    requests_per_second: float = math.inf,
    gap: float = 2.0,
    round_trip: float = 0.02,
) -> Result:
    """Poll tasks whose solve times are drawn, and return what became of them."""
    dice = random.Random(seed)
    world = _World(schedule, gap, round_trip, requests_per_second)
    for number in range(tasks):
        state = PollState("RecaptchaV2Task", "recaptcha", number)
        born = number / submits_per_second
        task = _Task(state, born, draw(dice, number / tasks))
        # Its first event comes at its submission, when nothing is due yet.
        task.due = -math.inf
        heapq.heappush(world.events, (born, next(iter(world.serial)), task))
    return world.run()
