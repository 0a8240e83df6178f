"""The latency histogram: right to within its bucket, and of bounded size."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async._account._counters import LatencyHistogram


def test_nothing_counted_is_nothing_known() -> None:
    """Before the first solve there is no latency."""
    numbers = LatencyHistogram().snapshot()
    assert (numbers.count, numbers.mean, numbers.p50, numbers.p95) == (0, None, None, None)


@given(st.lists(st.floats(0.001, 1e5), min_size=1, max_size=300))
def test_quantiles_are_within_five_percent(values: list[float]) -> None:
    """The median and the 95th percentile are those of the values, to within a bucket."""
    histogram = LatencyHistogram()
    for value in values:
        histogram.add(value)
    ordered = sorted(values)
    numbers = histogram.snapshot()
    for share, found in ((0.5, numbers.p50), (0.95, numbers.p95)):
        # The smallest value that `share` of all do not exceed.
        rank = next(i for i in range(len(ordered)) if i + 1 >= share * len(ordered) - 1e-9)
        assert found == pytest.approx(ordered[rank], rel=0.051)
    assert numbers.longest == ordered[-1]
    assert numbers.mean == pytest.approx(sum(values) / len(values))
