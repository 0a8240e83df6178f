"""The record of one task: gap and cap are kept by it, whoever asks."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from solves import make_solve

from captcha_async import CAPMONSTER, PollLimitReached

GAP = CAPMONSTER.min_poll_gap


@given(
    steps=st.lists(
        st.tuples(st.floats(0, 10), st.floats(0, 5), st.booleans(), st.floats(0, 30)), max_size=200
    )
)
def test_no_history_of_polls_breaks_gap_or_cap(
    steps: list[tuple[float, float, bool, float]],
) -> None:
    """Whatever happens to the polls, the next one waits for the gap, and none exceeds the cap."""
    solve = make_solve()
    now, seen, ends = 0.0, 0, float("-inf")
    for eagerness, duration, sent, asked in steps:
        start = max(now + eagerness, solve.next_allowed)
        assert start - ends >= GAP - 1e-9
        if seen == CAPMONSTER.max_polls:
            with pytest.raises(PollLimitReached):
                solve.begin_poll(start)
            return
        assert solve.begin_poll(start)
        now = start + duration
        solve.end_poll(now, sent=sent, wait=asked)
        seen += sent
        ends = now
        assert solve.next_allowed >= now + asked
        assert solve.polls == seen


def test_an_early_poll_is_refused() -> None:
    """No bug above can make the service see one."""
    solve = make_solve()
    solve.begin_poll(10.0)
    assert not solve.begin_poll(11.9)
    solve.end_poll(13.0)
    assert not solve.begin_poll(14.9)
    assert solve.begin_poll(15.0)
    assert solve.polls == 2


def test_the_cap_is_the_services() -> None:
    """The poll after the last allowed one is refused locally."""
    solve = make_solve()
    solve.polled_before(119, 0.0)
    solve.begin_poll(1.0)
    solve.end_poll(1.0)
    with pytest.raises(PollLimitReached, match="All 120 polls") as caught:
        solve.begin_poll(10.0)
    assert caught.value.polls == 120
    assert caught.value.ref == solve.ref


def test_polls_of_another_process_count() -> None:
    """A reference brings its polls along, and the last of them may have been just now."""
    solve = make_solve()
    solve.polled_before(7, 102.0)
    assert (solve.polls, solve.ref.polls) == (7, 7)
    assert not solve.may_poll(101.9)
    assert solve.may_poll(102.0)
    assert make_solve().may_poll(0.0)


def test_a_poll_that_was_never_sent_does_not_count() -> None:
    """Without a network no poll is used up; the next one waits all the same."""
    solve = make_solve()
    solve.begin_poll(0.0)
    solve.end_poll(1.0, sent=False)
    assert solve.polls == 0
    assert solve.next_allowed == 1.0 + GAP


def test_two_with_one_id_are_polled_as_one() -> None:
    """The service sees one task, whatever it meant."""
    first, second = make_solve(), make_solve()
    second.same_as = first
    first.begin_poll(0.0)
    assert not second.begin_poll(1.0)
    first.end_poll(1.0)
    assert second.begin_poll(1.0 + GAP)
    assert first.polls == 2
    assert not first.may_poll(2.0 + GAP)
