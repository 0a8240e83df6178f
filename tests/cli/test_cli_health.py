"""What the service is like, in words, from a client's events."""

from __future__ import annotations

import re
from typing import Any

import pytest

from captcha_async import (
    CAPMONSTER,
    AccountBlocked,
    CaptchaError,
    FuseBlown,
    FuseClosed,
    InsufficientBalance,
    KeyRejected,
    NoSlotAvailable,
    PollFailed,
    ServiceUnavailable,
    SubmitFailed,
    SubmitUncertain,
    TaskPolled,
    TaskQueued,
    TaskRef,
    TransportError,
    TurnstileTask,
)
from captcha_async.cli._health import Health, cause_of

TASK = TurnstileTask(website_url="https://example.com", website_key="0x4")
REF = TaskRef("capmonster", 1, "TurnstileTask")


def unreachable(cause: Exception | None = None) -> TransportError:
    """Return the error of a request that was not sent."""
    error = TransportError("The service could not be reached (ConnectError: why); try again.")
    error.__cause__ = cause
    return error


def failed(at: float, error: CaptchaError) -> SubmitFailed:
    """Return the event of a submission that failed."""
    return SubmitFailed(solve=1, at=at, task=TASK, started=at, error=error)


def polled(at: float) -> TaskPolled:
    """Return the event of an answer."""
    return TaskPolled(solve=1, at=at, ref=REF, status="processing", started=at)


def blown(error: Any) -> FuseBlown:
    """Return the event of an account error."""
    return FuseBlown(at=0.0, service=CAPMONSTER, error=error)


def test_trouble_lasts_until_an_answer() -> None:
    """It is counted from the first failure, whatever fails; any answer ends it."""
    health = Health()
    assert health.words(0.0) == ("nothing sent yet", "good")
    health(polled(1.0))
    assert health.words(2.0) == ("service ok", "good")
    health(failed(5.0, unreachable(ConnectionRefusedError(111, "Connection refused"))))
    poll = PollFailed(solve=1, at=9.0, ref=REF, started=9.0, error=unreachable())
    health(poll)
    words, mood = health.words(17.0)
    assert (words, mood) == ("service unreachable for 12 s: ConnectError: why; trying again", "bad")
    assert health.silence(17.0) == 12.0
    assert health.words(17.0, again=8.4)[0].endswith("why; trying again in 8 s")
    assert health.words(17.0, again=0.1)[0].endswith("why; trying again in 1 s")
    assert health.words(17.0, again=8.4, over=True)[0].endswith("for 12 s: ConnectError: why")
    health(polled(18.0))
    assert (health.silence(20.0), health.words(20.0)[1]) == (0.0, "good")
    assert "could not be reached" in health.last_error


def test_silence_begins_with_the_first_request_that_had_no_answer() -> None:
    """A reply that does not come is told of after the time-out: all of it has been silence."""
    health = Health()
    health(polled(2.0))
    lost = SubmitFailed(solve=1, at=30.0, task=TASK, started=0.0, error=SubmitUncertain("lost"))
    health(lost)
    assert health.silence(31.0) == 29.0


def test_a_service_that_answers_badly() -> None:
    """It is told apart from one that is not there."""
    health = Health()
    health(failed(0.0, ServiceUnavailable("no", code=None, http_status=503)))
    assert health.words(3.0)[0] == (
        "service does not answer well for 3 s: HTTP status 503; trying again"
    )


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (InsufficientBalance("no", code="ERROR_ZERO_BALANCE"), "out of money: top up the account"),
        (KeyRejected("no", code="ERROR_KEY_DOES_NOT_EXIST"), "the key is refused (ERROR_KEY"),
        (AccountBlocked("no", code="ERROR_IP_BANNED"), "banned until "),
    ],
)
def test_the_account(error: CaptchaError, words: str) -> None:
    """An open fuse is told by its reason, until it closes."""
    health = Health(ban_window=600)
    health(blown(error))
    told, mood = health.words(1.0)
    assert told.startswith(words)
    assert mood == "bad"
    health(FuseClosed(at=2.0, service=CAPMONSTER))
    health(polled(3.0))
    assert health.words(3.0) == ("service ok", "good")


def test_an_outage_that_opened_the_fuse_is_no_ban() -> None:
    """Ten createTask calls without a reply stop the client, and the account is well."""
    health = Health()
    health(blown(ServiceUnavailable("no", code=None, http_status=None)))
    assert health.words(1.0, again=49.0) == (
        "service out of order: no createTask was answered; trying again in 49 s",
        "bad",
    )


def test_the_end_of_a_ban_is_a_time_of_day() -> None:
    """Somebody has to know when to come back."""
    health = Health(ban_window=600)
    health(blown(AccountBlocked("no", code="ERROR_IP_BANNED")))
    assert re.fullmatch(r"banned until \d\d:\d\d \(ERROR_IP_BANNED\)", health.words(0.0)[0])


def test_no_room() -> None:
    """The service answers; it is only full, and that is forgotten soon."""
    health = Health()
    health(failed(0.0, NoSlotAvailable("no", code="ERROR_NO_SLOT_AVAILABLE")))
    assert health.words(1.0, again=2.2) == (
        "service busy (ERROR_NO_SLOT_AVAILABLE); trying again in 2 s",
        "warn",
    )
    assert health.silence(1.0) == 0.0
    assert health.words(60.0)[0] == "service ok"


def test_silence_while_tasks_wait() -> None:
    """A service that takes connections and says nothing is told before any time-out."""
    health = Health()
    assert health.words(1.0, waiting=True) == ("waiting for the first answer", "good")
    health(polled(1.0))
    assert health.words(5.0, waiting=True)[0] == "service ok"
    assert health.words(14.0, waiting=True) == ("no answer for 13 s", "warn")


def test_silence_from_the_beginning() -> None:
    """Before the first answer two seconds are long."""
    health = Health()
    health(TaskQueued(solve=1, at=1.0, service=CAPMONSTER, task=TASK))
    health(TaskQueued(solve=2, at=2.0, service=CAPMONSTER, task=TASK))
    assert health.words(2.0, waiting=True) == ("waiting for the first answer", "good")
    assert health.words(3.0, waiting=True) == ("no answer yet, for 2 s", "warn")


@pytest.mark.parametrize(
    ("cause", "words"),
    [
        (ConnectionRefusedError(111, "Connection refused"), "connection refused"),
        (OSError(111, "Connect call failed ('127.0.0.1', 9)"), "connection refused"),
        (OSError(-2, "Name or service not known"), "name or service not known"),
        (ExceptionGroup("all", [OSError(113, "No route to host")]), "no route to host"),
        (None, "ConnectError: why"),
    ],
)
def test_the_cause_in_a_few_words(cause: Exception | None, words: str) -> None:
    """What the system says goes before what libraries make of it."""
    assert cause_of(unreachable(cause)) == words
