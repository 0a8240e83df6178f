"""The one way out: how many requests are on the wire, in which order, and who gives back what."""

from __future__ import annotations

from contextlib import suppress

import anyio
import pytest
from local import KEY
from solves import make_solve, make_tenant

from captcha_async import Account, CaptchaError, Limits, RateLimited, SubmitUncertain
from captcha_async._account._fuse import RequestKind
from captcha_async.errors import TransportError


def make_account(connections: int = 64) -> Account:
    """Make an account with some limits."""
    return Account(KEY, limits=Limits(connections=connections))


async def test_no_more_requests_are_on_the_wire_than_there_are_connections() -> None:
    """Of all kinds together, whoever sends them; the others come in their order."""
    account, tenant = make_account(connections=2), make_tenant()
    inside = most = 0
    order: list[int] = []

    async def request(number: int) -> None:
        nonlocal inside, most
        async with account.admit("balance", tenant):
            order.append(number)
            inside += 1
            most = max(most, inside)
            await anyio.sleep(1)
            inside -= 1

    async with anyio.create_task_group() as group:
        for number in range(6):
            group.start_soon(request, number)
            await anyio.wait_all_tasks_blocked()
    assert most == 2
    assert order == list(range(6))
    assert tenant.counters.requests == 6


async def test_who_is_cancelled_on_the_way_takes_nothing_along() -> None:
    """Neither a lane nor a place in the queue is lost."""
    account, tenant = make_account(connections=1), make_tenant()

    async def request() -> None:
        async with account.admit("poll", tenant):
            await anyio.sleep_forever()

    for _ in range(3):
        async with anyio.create_task_group() as group:
            for _ in range(4):
                group.start_soon(request)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()
    assert account.gates.requests.statistics().borrowed == 0
    assert account.gates.requests.statistics().waiting == 0
    assert not account.gates.fuse.guards
    with anyio.fail_after(1):
        async with account.admit("poll", tenant):
            pass


@pytest.mark.parametrize("seconds", [10.0, 100.0])
async def test_a_pause_beyond_the_deadline_is_an_error_at_once(seconds: float) -> None:
    """Who cannot wait so long is told the moment; nothing was sent."""
    account, tenant = make_account(), make_tenant()
    start = anyio.current_time()
    account.gates.pause.for_seconds(seconds)
    if seconds > 50:
        with pytest.raises(RateLimited, match="no request was sent") as caught:
            async with account.admit("poll", tenant, deadline=start + 50):
                raise AssertionError("unreachable")
        assert caught.value.until == start + seconds
        assert anyio.current_time() == start
        assert tenant.counters.requests == 0
    else:
        async with account.admit("poll", tenant, deadline=start + 50):
            assert anyio.current_time() - start == pytest.approx(seconds)


async def test_a_pause_without_any_bound_is_not_waited_for() -> None:
    """Eleven days are no pause."""
    account, tenant = make_account(), make_tenant()
    account.gates.pause.for_seconds(1e6)
    with pytest.raises(RateLimited):
        async with account.admit("balance", tenant):
            raise AssertionError("unreachable")


async def test_silence_for_a_minute_is_an_outage_until_somebody_answers() -> None:
    """A single error is none."""
    account, tenant = make_account(), make_tenant()

    async def fail() -> None:
        with pytest.raises(TransportError):
            async with account.admit("poll", tenant):
                raise TransportError("No network.")

    await fail()
    assert not account.gates.is_out
    await anyio.sleep(61)
    await fail()
    assert account.gates.is_out
    async with account.admit("poll", tenant):
        pass
    assert not account.gates.is_out


@pytest.mark.parametrize("kind", ["poll", "create"])
async def test_a_pause_does_not_end_in_a_burst(kind: RequestKind) -> None:
    """Who had a turn when the pause came waits for another one: a rate is one of departures."""
    limits = {"poll": Limits(requests_per_second=5), "create": Limits(submits_per_second=5)}
    account, tenant = Account(KEY, limits=limits[kind]), make_tenant()
    account.gates.pause.for_seconds(3)
    departures: list[float] = []

    async def request() -> None:
        async with account.admit(kind, tenant, make_solve() if kind == "create" else None):
            departures.append(anyio.current_time())

    async with anyio.create_task_group() as group:
        for _ in range(40):
            group.start_soon(request)
        # Put off while some have gone and the others wait for their turn.
        await anyio.sleep(3.5)
        account.gates.pause.for_seconds(20)
    assert len(departures) == 40
    assert most_within(1.0, departures) == 5


async def test_the_end_of_an_outage_is_no_burst() -> None:
    """What was held back by the brake keeps to the rate of submissions afterwards."""
    account, tenant = Account(KEY, limits=Limits(submits_per_second=2)), make_tenant()
    departures: list[float] = []

    async def create() -> None:
        with suppress(SubmitUncertain):
            async with account.admit("create", tenant, make_solve()):
                departures.append(anyio.current_time())
                if len(departures) <= 4:
                    raise SubmitUncertain("no reply")

    async with anyio.create_task_group() as group:
        for _ in range(30):
            group.start_soon(create)
    assert len(departures) == 30
    assert most_within(1.0, departures) == 2


async def test_behind_the_brake_one_goes_at_a_time_whoever_gives_up() -> None:
    """A wait that ends, or a createTask from before, is not the end of the trial on its way."""
    account, tenant = Account(KEY, limits=Limits()), make_tenant()
    inside = most = entered = 0

    async def create(seconds: float, error: CaptchaError | None) -> None:
        nonlocal inside, most, entered
        with suppress(SubmitUncertain):
            async with account.admit("create", tenant, make_solve()):
                entered += 1
                inside += 1
                most = max(most, inside)
                try:
                    await anyio.sleep(seconds)
                finally:
                    inside -= 1
                if error is not None:
                    raise error

    await create(0, SubmitUncertain("no reply"))
    async with anyio.create_task_group() as group:
        for number in range(20):
            with_patience = 3 + number / 2

            async def wait(patience: float = with_patience) -> None:
                with anyio.move_on_after(patience):
                    await create(60, None)

            group.start_soon(wait)
    assert most == 1
    assert entered < 20
    # Nothing of the trial is left behind.
    with anyio.fail_after(60):
        await create(0, None)
        await create(0, None)


async def test_a_reply_lets_all_go_that_the_brake_holds_back() -> None:
    """Also one to a createTask from before the failure; a reset of the fuse does the same."""
    account, tenant = Account(KEY, limits=Limits()), make_tenant()
    gates = account.gates
    for _ in range(6):
        gates.brake.failed(None, uncertain=True)
    start = anyio.current_time()
    async with anyio.create_task_group() as group:

        async def create() -> None:
            async with account.admit("create", tenant, make_solve()):
                pass

        for _ in range(3):
            group.start_soon(create)
        await anyio.sleep(1)
        account.gates.reset_fuse()
    assert anyio.current_time() - start == pytest.approx(1)


def most_within(seconds: float, moments: list[float]) -> int:
    """Return how many of *moments* lie in the fullest window of so many *seconds*."""
    tick = 1e-6
    return max(
        sum(first <= moment < first + seconds - tick for moment in moments) for first in moments
    )
