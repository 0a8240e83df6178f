"""When to poll: the schedule proposes, the ledger keeps the gap and the cap."""

from __future__ import annotations

from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async import CAPMONSTER, FixedPolling, InvalidArgument, PollLimitReached
from captcha_async._polling._schedule import PollLedger, PollState


@given(
    steps=st.lists(
        st.tuples(st.floats(0, 10), st.floats(0, 5), st.booleans(), st.floats(0, 30)), max_size=200
    )
)
def test_no_history_of_polls_breaks_gap_or_cap(
    steps: list[tuple[float, float, bool, float]],
) -> None:
    """Whatever happens to the polls, the next one waits for the gap, and none exceeds the cap."""
    ledger = PollLedger(CAPMONSTER)
    now, seen, ends = 0.0, 0, float("-inf")
    for eagerness, duration, sent, asked in steps:
        start = max(now + eagerness, ledger.allowed_at())
        assert start - ends >= CAPMONSTER.min_poll_gap - 1e-9
        if seen == CAPMONSTER.max_polls:
            with pytest.raises(PollLimitReached):
                ledger.begin("capmonster")
            return
        ledger.begin("capmonster")
        now = start + duration
        ledger.end(now, sent=sent, wait=asked)
        seen += sent
        ends = now
        assert ledger.allowed_at() >= now + asked
        assert ledger.polls == seen


def test_the_cap_is_the_services() -> None:
    """The poll after the last allowed one is refused locally."""
    ledger = PollLedger(CAPMONSTER, polls=119)
    ledger.begin("capmonster")
    with pytest.raises(PollLimitReached, match="All 120 polls") as caught:
        ledger.begin("capmonster")
    assert caught.value.polls == 120


def test_polls_of_another_process_count() -> None:
    """A reference brings its polls along, and the last of them may have been just now."""
    ledger = PollLedger(CAPMONSTER, polls=7, now=100.0)
    assert ledger.polls == 7
    assert ledger.allowed_at() == 102.0
    assert PollLedger(CAPMONSTER, polls=0, now=100.0).allowed_at() == float("-inf")


def test_a_poll_that_was_never_sent_does_not_count() -> None:
    """Without a network no poll is used up."""
    ledger = PollLedger(CAPMONSTER)
    ledger.begin("capmonster")
    ledger.end(1.0, sent=False)
    assert ledger.polls == 0


def test_fixed_polling_polls_first_and_then_evenly() -> None:
    """First after *first* seconds, then every *interval* seconds after the poll before."""
    polling = FixedPolling(first=1, interval=3)
    fresh = PollState("RecaptchaV2Task", "recaptcha")
    assert polling.next_poll(fresh) == 1
    polled = attrs.evolve(fresh, polls=1, last=1.5)
    assert polling.next_poll(polled) == 4.5
    polling.observe(fresh, 1.0, 1.5, ready=False)
    polling.observe_queueing(30.0, now=1.0)
    assert polling.next_poll(polled) == 4.5


@pytest.mark.parametrize("value", [-1, True, "3", float("nan"), float("inf")])
def test_bad_polling_times_are_named(value: Any) -> None:
    """The error says which time is wrong."""
    with pytest.raises(InvalidArgument, match="interval"):
        FixedPolling(first=1, interval=value)
