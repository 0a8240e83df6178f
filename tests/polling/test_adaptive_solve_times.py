"""The learned distribution of solve times, and the plan that is made of it."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from captcha_async._polling._poll_plan import PollPlan
from captcha_async._polling._solve_times import BINS, EDGES, SolveTimes, bin_of, surviving

ages = st.floats(0, 5000)


def plan_of(times: SolveTimes, price: float = 0.1, gap: float = 2.0) -> PollPlan:
    """Make a plan of what was learned."""
    times.refresh()
    return PollPlan(times.surviving(), price, gap, longest=150.0)


def polled_every(times: SolveTimes, interval: float, solve_time: float, first: float) -> None:
    """Let a task be polled at even ages until it is ready."""
    since, age = 0.0, first
    while age < solve_time:
        times.see(since, age, ready=False)
        since, age = age, age + interval
    times.see(since, age, ready=True)


@given(age=ages)
def test_every_age_has_its_bin(age: float) -> None:
    """Bins follow each other without a hole; what is beyond the last edge is in the last one."""
    number = bin_of(age)
    assert 0 <= number < BINS
    assert EDGES[number] <= age + 1e-9
    assert number == BINS - 1 or age <= EDGES[number + 1] + 1e-9


def test_an_edge_belongs_to_the_bin_that_begins_there() -> None:
    """Also where a logarithm would be rounded to the wrong side of it."""
    assert [bin_of(edge) for edge in EDGES[:-1]] == list(range(BINS))
    assert [bin_of(math.nextafter(edge, 0.0)) for edge in EDGES[1:]] == list(range(BINS))


@given(polls=st.lists(st.tuples(ages, ages, st.booleans()), max_size=60))
def test_rates_stay_sane(polls: list[tuple[float, float, bool]]) -> None:
    """Whatever was seen, rates are positive and finite, and fewer and fewer are unsolved."""
    times = SolveTimes(typical=4.0, half_life=20.0)
    for one, other, ready in polls:
        times.see(min(one, other), max(one, other), ready)
        times.refresh()
    assert all(0 < rate < math.inf for rate in times.rates)
    shares = surviving(times.rates)
    assert shares == sorted(shares, reverse=True)


def test_polls_that_see_only_intervals_show_the_distribution() -> None:
    """Polls two seconds apart, at ages that differ, find the percentiles to within a bin or so."""
    dice = random.Random(1)
    times = SolveTimes(typical=4.0, half_life=2000.0)
    for _ in range(2000):
        solve_time = 6 * math.exp(dice.gauss(0, 0.35))
        polled_every(times, 2.0, solve_time, first=dice.uniform(1, 4))
        times.refresh()
    plan = plan_of(times)
    assert plan.quantile(0.2) == pytest.approx(4.5, abs=0.4)
    assert plan.quantile(0.5) == pytest.approx(6.0, abs=0.4)
    assert plan.quantile(0.9) == pytest.approx(9.4, abs=0.8)


def test_tasks_that_never_end_are_learned_from() -> None:
    """Polls that say `processing` move the percentiles up, although no task was solved yet."""
    times = SolveTimes(typical=4.0, half_life=500.0)
    before = plan_of(times).first
    for _ in range(100):
        times.see(0.0, 8.0, ready=False)
    assert plan_of(times).quantile(0.05) > 8.0
    assert plan_of(times).first > 2 * before


def test_an_exact_time_is_learned_as_such() -> None:
    """A solve time that is known to the moment falls into one bin."""
    times = SolveTimes(typical=4.0, half_life=500.0)
    for _ in range(50):
        times.see(0.0, 5.0, ready=False)
        times.see(5.0, 5.0, ready=True)
    assert plan_of(times).quantile(0.5) == pytest.approx(5.0, abs=0.4)


def test_old_solves_are_forgotten() -> None:
    """When tasks take longer than they used to, the old times fade with the half-life."""
    times = SolveTimes(typical=4.0, half_life=50.0)
    for solve_time in [3.0] * 300 + [20.0] * 300:
        polled_every(times, 2.0, solve_time, first=1.0)
    assert plan_of(times).quantile(0.1) > 15


def test_a_plan_skips_what_brings_nothing() -> None:
    """If half is ready at once and half after 30 s, no poll falls between."""
    times = SolveTimes(typical=4.0, half_life=500.0)
    for number in range(400):
        polled_every(times, 0.25, 0.3 if number % 2 else 30.0 + number % 5, first=0.25)
    plan = plan_of(times, price=0.5)
    assert plan.first < 1.0
    assert 28 < plan.ages[bin_of(1.0)] < 36


def test_dearer_polls_are_fewer() -> None:
    """The price of a poll moves the first one back, and the next ones apart."""
    times = SolveTimes(typical=4.0, half_life=500.0)
    cheap, dear = plan_of(times, price=0.05), plan_of(times, price=5.0)
    assert cheap.first < dear.first
    assert cheap.ages[bin_of(20.0)] < dear.ages[bin_of(20.0)]


@settings(max_examples=50)
@given(
    polls=st.lists(st.tuples(ages, ages, st.booleans()), max_size=30),
    price=st.floats(0, 100),
    gap=st.sampled_from([0.0, 2.0, 5.0]),
)
def test_a_plan_goes_forward(
    polls: list[tuple[float, float, bool]], price: float, gap: float
) -> None:
    """Every age but the last ones has a later poll, and quantiles are in order."""
    times = SolveTimes(typical=4.0, half_life=20.0)
    for one, other, ready in polls:
        times.see(min(one, other), max(one, other), ready)
    plan = plan_of(times, price, gap)
    assert 0 < plan.first <= EDGES[-1]
    for age in EDGES[1:-1]:
        assert plan.ages[bin_of(age + 1e-6)] > age
    quantiles = [plan.quantile(share) for share in (0.1, 0.5, 0.9)]
    assert quantiles == sorted(quantiles)


def test_two_that_add_up_what_they_saw_know_what_both_saw() -> None:
    """News add up in whole numbers, are taken once, and the sum tells more than each part."""
    fast, slow, new = (SolveTimes(10.0, 150.0) for _ in range(3))
    for _ in range(200):
        fast.see(3.0, 4.0, ready=True)
        slow.see(0.0, 10.0, ready=False)
        slow.see(10.0, 12.0, ready=True)
    sums = [a + b for a, b in zip(fast.take_news(), slow.take_news(), strict=True)]
    assert not any(fast.take_news())
    new.absorb(sums)
    left = surviving(new.rates)
    assert left[bin_of(5.0)] == pytest.approx(0.5, abs=0.1)
    assert left[bin_of(14.0)] < 0.15


def test_what_others_saw_does_not_outweigh_what_is_seen_later() -> None:
    """However much was added up, drift is followed as fast as by one process alone."""
    times, alone = SolveTimes(10.0, 150.0), SolveTimes(10.0, 150.0)
    for _ in range(100_000):
        times.see(3.0, 4.0, ready=True)
    times.absorb([100 * number for number in times.take_news()])
    for _ in range(1000):
        times.see(0.0, 8.0, ready=False)
        alone.see(0.0, 8.0, ready=False)
    times.refresh()
    alone.refresh()
    assert surviving(times.rates)[bin_of(8.0)] > 0.9 * surviving(alone.rates)[bin_of(8.0)]


@pytest.mark.parametrize("sums", [[], [1], [0] * 240, [5] * 241])
def test_sums_of_another_form_change_nothing(sums: list[int]) -> None:
    """Members of another version may keep other bins."""
    times = SolveTimes(10.0, 150.0)
    before = list(times.rates)
    times.absorb(sums)
    assert times.rates == before
