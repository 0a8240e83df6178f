"""Retry-After: every form of the standard, repeated headers, and whatever else is sent."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async import CAPMONSTER, CaptchaError
from captcha_async.wire._replies import Reply, read_balance, read_created, read_task_result
from captcha_async.wire._retry_after import MOST_SECONDS, read_retry_after

DATE = "Wed, 21 Oct 2026 07:28:00 GMT"
NOW = datetime(2026, 10, 21, 7, 28, tzinfo=UTC).timestamp()

VALUES: dict[str, float | None] = {
    "0": 0.0,
    "60": 60.0,
    " 60 ": 60.0,
    "1.5": 1.5,
    "-5": 0.0,
    "9" * 400: MOST_SECONDS,
    "86401": MOST_SECONDS,
    "60, 120": 120.0,
    "120,60": 120.0,
    "soon, 30": 30.0,
    "Wed, 21 Oct 2026 07:29:00 GMT": 60.0,
    "Wednesday, 21-Oct-26 07:29:00 GMT": 60.0,
    "Wed Oct 21 07:29:00 2026": 60.0,
    "Sun Nov  1 07:28:00 2026": MOST_SECONDS,
    "Wed, 21 Oct 2026 07:29:00 GMT, 30": 60.0,
    "90, Wednesday, 21-Oct-26 07:29:00 GMT": 90.0,
    "Wed, 21 Oct 2026 07:28:30 GMT, Wed, 21 Oct 2026 07:29:00 GMT": 60.0,
    "Tue, 20 Oct 2026 07:29:00 GMT": 0.0,
    "": None,
    "soon": None,
    "60 s": None,
    "1e3": None,
    "٣": None,
    "Wed, 21 Oct 99999 07:29:00 GMT": None,
}


@pytest.mark.parametrize(("value", "seconds"), VALUES.items())
@pytest.mark.parametrize("date", [DATE, "Wed Oct 21 07:28:00 2026", None, "yesterday"])
def test_every_form_is_read(value: str, seconds: float | None, date: str | None) -> None:
    """A date is relative to the reply's own, or to the clock where that has none to be read."""
    assert read_retry_after(value, date, lambda: NOW) == seconds


def test_no_header_asks_for_nothing() -> None:
    """Nor does an empty one."""
    assert read_retry_after(None) is None
    assert Reply(200, b"").seconds_to_wait is None


@given(st.integers(-(10**6), 10**6))
def test_any_date_is_the_time_until_it(seconds: int) -> None:
    """From 0 to a day, whatever the date."""
    until = datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds)
    found = read_retry_after(format_datetime(until, usegmt=True), DATE)
    assert found == min(max(0, seconds), MOST_SECONDS)


@given(st.text(), st.none() | st.text() | st.just(DATE))
def test_any_text_is_a_bounded_time_or_none(value: str, date: str | None) -> None:
    """Nothing that stands in a header raises."""
    found = read_retry_after(value, date)
    assert found is None or 0 <= found <= MOST_SECONDS


@given(st.lists(st.sampled_from(list(VALUES)), min_size=1, max_size=4))
def test_the_longest_of_several_counts(values: list[str]) -> None:
    """Who waits too long loses time, who asks too early gets banned."""
    known = [VALUES[value] for value in values]
    wanted = max((seconds for seconds in known if seconds is not None), default=None)
    assert read_retry_after(", ".join(values), DATE) == wanted


REPLIES: dict[str, tuple[Any, int, bytes]] = {
    "rate limited": (read_created, 429, b""),
    "unavailable": (read_task_result, 503, b"<html>"),
    "uncertain": (read_created, 503, b"busy"),
    "a firewall": (read_task_result, 403, b"<html>"),
    "wrong address": (read_balance, 404, b""),
    "account": (read_created, 200, b'{"errorId": 1, "errorCode": "ERROR_ZERO_BALANCE"}'),
    "unsolvable": (read_task_result, 200, b'{"status": "failed"}'),
    "rejected": (read_created, 400, b'{"errorId": 1, "errorCode": "ERROR_TASK_ABSENT"}'),
    "bare text": (read_created, 200, b"ERROR_NO_SLOT_AVAILABLE"),
}


@pytest.mark.parametrize("name", REPLIES)
def test_every_error_tells_what_was_asked(name: str) -> None:
    """Not those of capacity only: the account can pause after any of them."""
    read, status, body = REPLIES[name]
    with pytest.raises(CaptchaError) as caught:
        read(CAPMONSTER, Reply(status, body, "17"))
    assert caught.value.retry_after == 17


def test_values_and_doubts_tell_it_too() -> None:
    """A reply that is no error may ask for a pause as well."""
    body = b'{"errorId": 0, "status": "processing", "taskId": 5}'
    assert read_task_result(CAPMONSTER, Reply(200, body, "17")).retry_after == 17
    assert read_created(CAPMONSTER, Reply(200, body, "17")).retry_after == 17
    doubt = read_task_result(CAPMONSTER, Reply(200, b'{"status": "lost"}', "17")).doubt
    assert doubt is not None
    assert doubt.retry_after == 17


def test_a_documented_pause_stands_in_for_the_header() -> None:
    """2captcha says how long it shuts out; the header, where there is one, knows better."""
    for header, seconds in ((None, 10), ("3", 3)):
        with pytest.raises(CaptchaError) as caught:
            read_created(CAPMONSTER, Reply(200, b"MAX_USER_TURN", header))
        assert caught.value.retry_after == seconds
