"""When to poll: what a fixed schedule proposes."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from captcha_async import FixedPolling, InvalidArgument
from captcha_async._polling._schedule import PollState


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
