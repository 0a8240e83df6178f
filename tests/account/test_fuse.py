"""The account fuse: closed, open, half-open by one probe; what waits fails at once."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from hypothesis import given
from hypothesis import strategies as st

from captcha_async._account._fuse import Fuse, RequestKind
from captcha_async.errors import (
    AccountBlocked,
    AccountError,
    CaptchaError,
    InsufficientBalance,
    KeyRejected,
    NoSlotAvailable,
    TransportError,
)

WINDOW = 600.0
EVERY_KIND: list[RequestKind] = ["create", "poll", "report", "balance"]


@contextmanager
def request(fuse: Fuse, kind: RequestKind) -> Generator[None, None, None]:
    """Send one request, as an account does it."""
    probe = fuse.begin(kind)
    error: BaseException | None = None
    try:
        yield
    except BaseException as caught:
        error = caught
        raise
    finally:
        fuse.end(probe=probe, error=error)


def blow(fuse: Fuse, error: AccountError | None = None) -> None:
    """Let a request of the fuse end with an account error."""
    error = error or KeyRejected("The key is unknown.")
    with pytest.raises(type(error)), request(fuse, "create"):
        raise error


async def test_an_account_error_stops_every_request() -> None:
    """After a wrong key nothing leaves any more, and the error says that nothing was sent."""
    fuse = Fuse(WINDOW)
    blow(fuse)
    assert fuse.state == "open"
    for kind in EVERY_KIND:
        with pytest.raises(KeyRejected, match=r"The key is unknown. No request was sent"):
            fuse.check(kind)


async def test_without_money_only_new_tasks_are_stopped() -> None:
    """What is paid for can still be collected when the balance is zero."""
    fuse = Fuse(WINDOW)
    blow(fuse, InsufficientBalance("No money."))
    with pytest.raises(InsufficientBalance):
        fuse.check("create")
    for kind in EVERY_KIND[1:]:
        fuse.check(kind)


async def test_who_waits_fails_at_once() -> None:
    """A blown fuse ends the waits that it concerns, and no other."""
    fuse = Fuse(WINDOW)
    ended: list[str] = []

    async def wait(kind: RequestKind) -> None:
        with pytest.raises(AccountError), fuse.guard(kind):
            await anyio.sleep_forever()
        ended.append(kind)

    async with anyio.create_task_group() as group:
        for kind in EVERY_KIND:
            group.start_soon(wait, kind)
        await wait_all_tasks_blocked()
        fuse.blow(InsufficientBalance("No money."))
        await wait_all_tasks_blocked()
        assert ended == ["create"]
        fuse.blow(AccountBlocked("Banned."))
        await wait_all_tasks_blocked()
        assert sorted(ended) == sorted(EVERY_KIND)


async def test_one_probe_after_the_window_closes_the_fuse() -> None:
    """When the ban is over exactly one request may try; if it is accepted all may follow."""
    fuse = Fuse(WINDOW)
    blow(fuse)
    await anyio.sleep(WINDOW + 1)
    assert fuse.state == "half-open"
    with request(fuse, "create"):
        assert fuse.state == "open"
        with pytest.raises(KeyRejected):
            fuse.check("poll")
    assert fuse.state == "closed"
    assert fuse.error is None


async def test_a_failed_probe_opens_the_fuse_for_another_window() -> None:
    """A probe that meets the ban again waits as long again."""
    fuse = Fuse(WINDOW)
    blow(fuse)
    await anyio.sleep(WINDOW + 1)
    blow(fuse, AccountBlocked("Still banned."))
    assert fuse.state == "open"
    await anyio.sleep(WINDOW - 1)
    assert fuse.state == "open"
    await anyio.sleep(2)
    assert fuse.state == "half-open"


async def test_any_answer_but_an_account_error_closes_the_fuse() -> None:
    """That there is no slot tells that the account is accepted."""
    fuse = Fuse(WINDOW)
    blow(fuse)
    await anyio.sleep(WINDOW + 1)
    with pytest.raises(NoSlotAvailable), request(fuse, "create"):
        raise NoSlotAvailable("No slot.")
    assert fuse.state == "closed"


async def test_a_probe_that_got_no_answer_leaves_the_fuse_half_open() -> None:
    """A network error or a cancellation tells nothing about the account: the next one may try."""
    fuse = Fuse(WINDOW)
    blow(fuse)
    await anyio.sleep(WINDOW + 1)
    with pytest.raises(TransportError), request(fuse, "create"):
        raise TransportError("No network.")
    assert fuse.state == "half-open"
    with anyio.move_on_after(1), request(fuse, "create"):
        await anyio.sleep_forever()
    assert fuse.state == "half-open"


async def test_an_answer_to_an_older_request_does_not_close_the_fuse() -> None:
    """Only the probe counts: the others left before the fuse blew."""
    fuse = Fuse(WINDOW)
    with request(fuse, "create"):
        fuse.blow(KeyRejected("The key is unknown."))
    assert fuse.state == "open"


async def test_the_service_may_ask_for_a_longer_ban() -> None:
    """Retry-After prolongs the window."""
    fuse = Fuse(WINDOW)
    blow(fuse, AccountBlocked("Banned.", retry_after=2 * WINDOW))
    await anyio.sleep(WINDOW + 1)
    assert fuse.state == "open"


async def test_the_fuse_can_be_reset_by_hand() -> None:
    """After topping up nobody has to wait for the window."""
    fuse = Fuse(WINDOW)
    blow(fuse)
    fuse.reset()
    assert fuse.state == "closed"
    assert repr(fuse) == "<Fuse closed>"
    fuse.check("create")


async def test_an_outer_cancellation_is_not_taken_for_a_blown_fuse() -> None:
    """Who is cancelled from outside gets no account error."""
    fuse = Fuse(WINDOW)
    errors: list[CaptchaError] = []
    with anyio.move_on_after(1) as scope:
        try:
            with fuse.guard("create"):
                await anyio.sleep_forever()
        except CaptchaError as error:  # pragma: no cover
            errors.append(error)
    assert scope.cancelled_caught
    assert errors == []


@given(
    st.lists(
        st.tuples(
            st.floats(0, 2 * WINDOW), st.sampled_from(["accepted", "refused", "no network", "ban"])
        ),
        max_size=30,
    )
)
async def test_no_history_lets_a_request_through_too_early(
    history: list[tuple[float, str]],
) -> None:
    """Whatever happened: during a ban nothing passes, after it one request decides."""
    fuse = Fuse(WINDOW)
    until = float("-inf")
    outcomes = {
        "accepted": None,
        "refused": NoSlotAvailable("No slot."),
        "no network": TransportError("No network."),
        "ban": AccountBlocked("Banned."),
    }
    for wait, outcome in history:
        await anyio.sleep(wait)
        now, passed = anyio.current_time(), False
        try:
            with request(fuse, "create"):
                passed = True
                error = outcomes[outcome]
                if error is not None:
                    raise error
        except CaptchaError:
            pass
        assert passed == (now >= until)
        if passed and outcome == "ban":
            until = now + WINDOW
        elif passed and outcome != "no network":
            until = float("-inf")
        assert (fuse.state == "closed") == (until == float("-inf"))
