"""What adaptive polling achieves against fixed times, in a simulated world with fixed seeds."""

from __future__ import annotations

import math
from collections import Counter
from itertools import pairwise

import pytest

from benchmarks._polled_world import DISTRIBUTIONS, Result, simulate
from captcha_async import CAPMONSTER, FixedPolling
from captcha_async._polling._adaptive import AdaptivePolling

LOG_NORMAL = DISTRIBUTIONS["log-normal"]
OFFICIAL = FixedPolling(first=1, interval=3)


def product(result: Result) -> float:
    """Return delay times polls, which no schedule betters by merely polling more or less."""
    return result.delay * result.polls_per_solve


def cost(result: Result) -> float:
    """Return what the schedule minimises, at its usual price of a poll."""
    return result.delay + 0.12 * result.polls_per_solve


@pytest.mark.parametrize(
    ("name", "polls", "delay", "median"),
    [
        ("log-normal", 510, 3.0487648197062764, 6.177376237686224),
        ("half cached", 946, 1.9942215164165802, 22.382458146030586),
        ("heavy tail", 701, 2.767279538823049, 4.950727503989604),
        ("drifting", 883, 2.8565082344114265, 13.364189531109385),
    ],
)
def test_plans_stay_as_they_are(name: str, polls: int, delay: float, median: float) -> None:
    """What is learned and planned, while some polls queue, is that of the first, plain reading."""
    schedule = AdaptivePolling(CAPMONSTER, seed=1)
    result = simulate(
        schedule,
        DISTRIBUTIONS[name],
        300,
        seed=1,
        submits_per_second=40.0,
        requests_per_second=30.0,
    )
    assert sum(result.polls) == polls
    assert result.delay == pytest.approx(delay, rel=1e-9)
    assert schedule.statistics()["RecaptchaV2Task"].p50 == pytest.approx(median, rel=1e-9)


@pytest.mark.parametrize("tasks", [500, 2000])
def test_a_burst_of_an_unknown_type_is_polled_well(tasks: int) -> None:
    """From a cold start, answers are known after 1.1 s on average, with 3 polls or fewer."""
    results = [
        simulate(AdaptivePolling(CAPMONSTER, seed=seed), LOG_NORMAL, tasks, seed=seed)
        for seed in range(4)
    ]
    assert sum(result.delay for result in results) / 4 <= 1.1
    assert sum(result.polls_per_solve for result in results) / 4 <= 3.0


def test_a_known_type_is_polled_better() -> None:
    """Once learned: 1.05 s and 2.6 polls, on average over some clients and bursts."""
    results: list[Result] = []
    for seed in range(4):
        schedule = AdaptivePolling(CAPMONSTER, seed=seed)
        simulate(schedule, LOG_NORMAL, 1000, seed=seed)
        results += [simulate(schedule, LOG_NORMAL, 1000, seed=seed + 10 * run) for run in (1, 2)]
    assert sum(result.delay for result in results) / len(results) <= 1.05
    assert sum(result.polls_per_solve for result in results) / len(results) <= 2.6


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("submits_per_second", [math.inf, 10.0])
def test_it_is_better_than_fixed_times(name: str, submits_per_second: float) -> None:
    """Delay times polls is less than with the official client's times, and so is the cost."""
    draw = DISTRIBUTIONS[name]
    fixed = simulate(OFFICIAL, draw, 1000, submits_per_second=submits_per_second)
    schedule = AdaptivePolling(CAPMONSTER, seed=1)
    adaptive = simulate(schedule, draw, 1000, submits_per_second=submits_per_second)
    assert product(adaptive) < 0.8 * product(fixed)
    assert cost(adaptive) < cost(fixed)


def test_quicker_solves_are_noticed() -> None:
    """When the median falls from 20 s to 6 s, the polls come earlier soon."""
    schedule = AdaptivePolling(CAPMONSTER, seed=1)
    simulate(schedule, lambda dice, _: 20 * math.exp(dice.gauss(0, 0.35)), 1000)
    slow = schedule.statistics()["RecaptchaV2Task"].p50
    simulate(schedule, LOG_NORMAL, 1000, submits_per_second=10)
    assert slow > 15
    assert schedule.statistics()["RecaptchaV2Task"].p50 < 8


def test_a_burst_does_not_poll_in_step() -> None:
    """Of 1,000 tasks of one moment, no tenth of a second sees more than a fraction polled."""
    schedule = AdaptivePolling(CAPMONSTER, seed=1)
    simulate(schedule, LOG_NORMAL, 1000, seed=1)
    result = simulate(schedule, LOG_NORMAL, 1000, seed=2)
    crowds = Counter(int(moment * 10) for moment in result.moments)
    assert max(crowds.values()) < 150
    in_step = simulate(OFFICIAL, LOG_NORMAL, 1000, seed=2)
    assert max(Counter(int(moment * 10) for moment in in_step.moments).values()) == 1000


def test_scarce_requests_are_spent_where_they_pay() -> None:
    """When fewer requests are allowed than polls are wanted, polls are left out, not queued."""
    queued: list[float] = []

    class Deaf(AdaptivePolling):
        def observe_queueing(self, seconds: float, now: float) -> None:
            queued.append(seconds)

    class Hearing(Deaf):
        def observe_queueing(self, seconds: float, now: float) -> None:
            super().observe_queueing(seconds, now)
            AdaptivePolling.observe_queueing(self, seconds, now)

    waits: dict[type[Deaf], float] = {}
    delays: dict[type[Deaf], float] = {}
    for kind in (Deaf, Hearing):
        queued.clear()
        result = simulate(
            kind(CAPMONSTER, seed=1),
            LOG_NORMAL,
            3000,
            submits_per_second=50,
            requests_per_second=75,
        )
        waits[kind] = sum(queued[1000:]) / len(queued[1000:])
        delays[kind] = result.delay
    assert waits[Hearing] < waits[Deaf] / 2
    assert delays[Hearing] < delays[Deaf]


def test_a_single_solver_is_served_too() -> None:
    """Tasks one after the other: at first by the documented times, soon by what is known."""
    result = simulate(AdaptivePolling(CAPMONSTER, seed=1), LOG_NORMAL, 200, submits_per_second=0.02)
    assert all(after > before for before, after in pairwise(result.moments))
    assert sum(result.polls[:10]) / 10 < 4
    assert sum(result.polls[100:]) / 100 <= 2.7
    assert sum(result.delays[100:]) / 100 <= 1.2
