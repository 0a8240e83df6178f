"""AdaptivePolling: what holds for any history, and what it does with what it knows."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from solves import make_solve

from captcha_async import ANTI_CAPTCHA, CAPMONSTER, InvalidArgument, Service
from captcha_async._polling._adaptive import AdaptivePolling
from captcha_async._polling._schedule import PollState

FRESH = PollState("RecaptchaV2Task", "recaptcha")
# Polled in vain after 4 s and with success 2 s later.
USUAL = [(0.0, 4.0, 0.1, False), (4.0, 2.0, 0.1, True)]

histories = st.lists(
    st.tuples(st.floats(0, 700), st.floats(0, 60), st.floats(0, 30), st.booleans()), max_size=40
)


def taught(
    history: list[tuple[float, float, float, bool]], service: Service = CAPMONSTER, seed: int = 0
) -> AdaptivePolling:
    """Return a schedule that has seen *history*: (since, wait, duration, ready)."""
    schedule = AdaptivePolling(service, seed=seed)
    for since, wait, duration, ready in history:
        state = attrs.evolve(FRESH, polls=1, last=since, since=since)
        schedule.observe(state, since + wait, since + wait + duration, ready)
    return schedule


def polls_of_an_endless_task(
    schedule: AdaptivePolling, service: Service, deadline: float, round_trip: float
) -> list[float]:
    """Return the ages at which a task is polled that is never solved, until its deadline."""
    solve = make_solve(service)
    state, now, sent = attrs.evolve(FRESH, deadline=deadline), 0.0, list[float]()
    while True:
        now = max(now, schedule.next_poll(state), solve.next_allowed)
        if now >= deadline:
            return sent
        sent.append(now)
        solve.begin_poll(now)
        begun, now = now, now + round_trip
        solve.end_poll(now)
        schedule.observe(state, begun, now, ready=False)
        state = attrs.evolve(state, polls=solve.polls, last=now, since=begun)


# -- gap, cap, deadline ---------------------------------------------------------------------------


@given(
    history=histories, last=st.floats(0, 1000), quiet=st.floats(0, 100), deadline=st.floats(0, 2000)
)
def test_no_history_brings_a_poll_within_the_gap(
    history: list[tuple[float, float, float, bool]], last: float, quiet: float, deadline: float
) -> None:
    """Whatever was learned and whatever the deadline, the next poll waits for the gap."""
    state = attrs.evolve(FRESH, polls=3, last=last, since=max(0, last - quiet), deadline=deadline)
    assert taught(history).next_poll(state) >= last + CAPMONSTER.min_poll_gap


@settings(max_examples=40)
@given(
    history=histories,
    deadline=st.sampled_from([5.0, 60.0, 180.0, 600.0, 3600.0]),
    round_trip=st.sampled_from([0.0, 0.05, 1.0]),
    service=st.sampled_from([CAPMONSTER, ANTI_CAPTCHA]),
)
def test_polls_last_until_the_deadline(
    history: list[tuple[float, float, float, bool]],
    deadline: float,
    round_trip: float,
    service: Service,
) -> None:
    """The cap is never used up before the deadline, and a last poll is made shortly before it."""
    schedule = taught(history, service)
    sent = polls_of_an_endless_task(schedule, service, deadline, round_trip)
    assert len(sent) <= service.max_polls
    assert deadline - 3.1 - round_trip <= sent[-1] < deadline


def test_a_long_deadline_does_not_thin_out_the_first_polls() -> None:
    """Somebody who allows an hour gets his answer as soon as somebody who allows a minute."""
    hour = polls_of_an_endless_task(AdaptivePolling(CAPMONSTER, seed=1), CAPMONSTER, 3600.0, 0.0)
    minute = polls_of_an_endless_task(AdaptivePolling(CAPMONSTER, seed=1), CAPMONSTER, 60.0, 0.0)
    assert hour[:10] == minute[:10]


def test_a_wait_without_end_is_polled_for_an_hour() -> None:
    """Without a deadline the allowed polls are spread, so that a slow task is not lost."""
    schedule = AdaptivePolling(CAPMONSTER, seed=1)
    state, age = FRESH, 0.0
    for polls in range(CAPMONSTER.max_polls):
        age = schedule.next_poll(state)
        state = attrs.evolve(state, polls=polls + 1, last=age, since=age)
    assert 3000 < age <= 3600


@given(
    polls=st.integers(1, 119),
    last=st.floats(0.01, 300.0),
    waited=st.floats(0.0, 30.0),
    left=st.floats(0.0, 4000.0),
)
def test_waits_grow_if_the_polls_would_not_last(
    polls: int, last: float, waited: float, left: float
) -> None:
    """The wait is never shorter than growing waits would need to make the last polls do."""
    schedule = taught(USUAL * 50)
    state = PollState("RecaptchaV2Task", "recaptcha", 7, polls, last, last - waited, last + left)
    end, age = min(state.deadline, 3600.0), max(last, CAPMONSTER.min_poll_gap)
    due = schedule.next_poll(state)
    if age < end:
        least = age * (end / age) ** (1 / (CAPMONSTER.max_polls - polls))
        assert due >= min(least, state.deadline - 1.0)


def test_a_service_without_a_gap_is_polled_on() -> None:
    """A first poll that has taken no time leaves nothing to multiply, and harms nothing."""
    schedule = AdaptivePolling(attrs.evolve(CAPMONSTER, min_poll_gap=0.0), seed=1)
    state = attrs.evolve(FRESH, polls=1, attached=True, deadline=60.0)
    assert 0.0 <= schedule.next_poll(state) < 60.0


def test_no_result_is_waited_for_until_it_is_dropped() -> None:
    """Even if polls are dear, the waits stay below the time that the service keeps a result."""
    schedule = AdaptivePolling(ANTI_CAPTCHA, seed=1, poll_price=1000)
    sent = polls_of_an_endless_task(schedule, ANTI_CAPTCHA, 300.0, 0.1)
    waits = [after - before for before, after in zip([0.0, *sent], sent, strict=False)]
    assert max(waits) <= ANTI_CAPTCHA.result_retention / 2 + 1


# -- learning -------------------------------------------------------------------------------------


def test_the_first_task_is_polled_at_the_documented_time() -> None:
    """As long as nothing is known, the service's own first time holds, give or take a half."""
    schedule = AdaptivePolling(CAPMONSTER, seed=1)
    for family, name in (("image", "ImageToTextTask"), ("recaptcha", "RecaptchaV2Task")):
        first = CAPMONSTER.poll_times(family).first
        ages = [schedule.next_poll(PollState(name, family, number)) for number in range(50)]
        assert min(ages) >= first * 0.5
        assert max(ages) <= first * 1.5
        assert sum(ages) / 50 == pytest.approx(first, rel=0.05)


def test_a_task_learns_from_the_others() -> None:
    """A poll that was planned too early is put off when others were asked in vain at that age."""
    schedule = AdaptivePolling(CAPMONSTER, seed=1)
    waiting = attrs.evolve(FRESH, number=1)
    planned = schedule.next_poll(waiting)
    for number in range(2, 12):
        schedule.observe(attrs.evolve(FRESH, number=number), planned, planned + 0.1, ready=False)
    assert schedule.next_poll(waiting) > planned + 0.5


def test_types_are_learned_apart() -> None:
    """What one task type teaches does not change another one of the same family."""
    schedule = AdaptivePolling(CAPMONSTER, seed=1)
    other = PollState("RecaptchaV3Task", "recaptcha", number=3)
    before = schedule.next_poll(other)
    for _ in range(50):
        schedule.observe(FRESH, 20.0, 20.1, ready=False)
    assert schedule.next_poll(other) == before


def test_the_same_seed_gives_the_same_polls() -> None:
    """Ages depend on the seed and on what was seen, and on nothing else."""
    history = USUAL * 20
    states = [attrs.evolve(FRESH, number=number) for number in range(30)]
    one, same, other = (taught(history, seed=seed) for seed in (1, 1, 2))
    ages = [one.next_poll(state) for state in states]
    assert ages == [same.next_poll(state) for state in states]
    assert ages != [other.next_poll(state) for state in states]
    assert ages == [one.next_poll(state) for state in states], "asking changes nothing"


def test_a_few_tasks_look_earlier_than_planned() -> None:
    """So it is noticed when tasks are solved sooner than they used to be."""
    schedule = taught(USUAL * 50)
    planned = schedule.statistics()["RecaptchaV2Task"].first_poll
    ages = [schedule.next_poll(attrs.evolve(FRESH, number=number)) for number in range(1000)]
    early = [age for age in ages if age < planned * 0.87]
    assert 20 < len(early) < 60
    assert min(early) < planned / 4


def test_a_task_of_unknown_age_teaches_nothing() -> None:
    """A task that was attached is asked for soon, and is no measure for others."""
    schedule = AdaptivePolling(CAPMONSTER, seed=1)
    attached = attrs.evolve(FRESH, attached=True)
    assert schedule.next_poll(attached) <= CAPMONSTER.min_poll_gap
    schedule.observe(attached, 1.0, 1.1, ready=True)
    assert schedule.statistics() == {}
    again = attrs.evolve(attached, polls=4, last=1.0, since=1.0)
    assert schedule.next_poll(again) == 1.0 + CAPMONSTER.poll_times("recaptcha").interval


def test_queueing_makes_polls_dearer_until_it_ends() -> None:
    """While requests queue the polls move apart; when they no longer do, all is as before."""
    schedule = taught(USUAL * 300)
    usual = schedule.statistics()["RecaptchaV2Task"].first_poll
    for second in range(60):
        schedule.observe_queueing(5.0, now=float(second))
    schedule.observe(FRESH, 1.0, 1.1, ready=False)
    assert schedule.statistics()["RecaptchaV2Task"].first_poll > usual + 0.5
    for second in range(60, 180):
        schedule.observe_queueing(0.0, now=float(second))
    schedule.observe(FRESH, 1.0, 1.1, ready=False)
    assert schedule.statistics()["RecaptchaV2Task"].first_poll == usual


def test_a_moment_of_queueing_changes_little() -> None:
    """Thousands that were held back together and come at once are no lasting bottleneck."""
    schedule = taught(USUAL * 300)
    usual = schedule.statistics()["RecaptchaV2Task"].first_poll
    for _ in range(5000):
        schedule.observe_queueing(30.0, now=100.0)
    schedule.observe(FRESH, 1.0, 1.1, ready=False)
    assert schedule.statistics()["RecaptchaV2Task"].first_poll == pytest.approx(usual, abs=0.5)


# -- state ----------------------------------------------------------------------------------------


def test_memory_is_bounded() -> None:
    """Neither observations nor ever new type names make it grow."""
    schedule = AdaptivePolling(CAPMONSTER, seed=1)
    for number in range(600):
        schedule.next_poll(PollState(f"Type{number}", "token", number))
    assert len(schedule.statistics()) == 256
    assert "Type599" in schedule.statistics()


def test_it_shows_what_it_knows() -> None:
    """Statistics are a snapshot by type; the repr is short."""
    schedule = taught(USUAL * 50)
    learned = schedule.statistics()["RecaptchaV2Task"]
    assert learned.polls == 100
    assert 4 < learned.p20 < learned.p50 < learned.p90 < 7
    assert repr(schedule) == "<AdaptivePolling of capmonster, 1 task types, 100 polls seen>"


@pytest.mark.parametrize("value", [-1, True, "3", float("nan"), float("inf")])
@pytest.mark.parametrize("field", ["poll_price", "half_life"])
def test_bad_settings_are_named(field: str, value: Any) -> None:
    """The error says which one is wrong."""
    with pytest.raises(InvalidArgument, match=field):
        AdaptivePolling(CAPMONSTER, **{field: value})


def test_what_one_process_has_learned_another_takes_over() -> None:
    """A process that has just begun plans as one that has seen hundreds of tasks."""
    old, new = taught(USUAL * 300), taught([(0.0, 1.0, 0.1, False)])
    for task_type, news in old.take_learned().items():
        new.absorb(task_type, news)
    known, taken = old.statistics()[FRESH.type], new.statistics()[FRESH.type]
    assert taken.p50 == pytest.approx(known.p50, rel=0.1)
    assert taken.p90 == pytest.approx(known.p90, rel=0.1)
    assert new.slow_age(FRESH) is not None
    # Nothing is told twice, and a type that was never polled waits for its first task.
    assert not any(any(news) for news in old.take_learned().values())
    new.absorb("OtherTask", [1] * 240)
    assert "OtherTask" not in new.statistics()
