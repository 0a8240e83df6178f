"""How long to wait before a further attempt."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async import InvalidArgument, Retries


@given(attempt=st.integers(1, 10_000), jitter=st.floats(0, 1, exclude_max=True))
def test_the_backoff_is_bounded_and_never_nothing(attempt: int, jitter: float) -> None:
    """However many attempts, the wait stays between half the backoff and the longest one."""
    delay = Retries().delay(attempt, jitter)
    assert 0.5 <= delay <= 30.0


def test_the_backoff_doubles() -> None:
    """Each attempt waits twice as long as the one before."""
    retries = Retries(backoff=1.0, max_backoff=100.0)
    assert [retries.delay(number, 0.0) for number in (1, 2, 3)] == [0.5, 1.0, 2.0]


@pytest.mark.parametrize(
    ("field", "value"), [("attempts", 0), ("attempts", 1.5), ("backoff", -1), ("max_backoff", "3")]
)
def test_bad_retries_are_named(field: str, value: Any) -> None:
    """The error says which value is wrong."""
    with pytest.raises(InvalidArgument, match=field):
        Retries(**{field: value})
