"""The one way out: how many requests are on the wire, in which order, and who gives back what."""

from __future__ import annotations

import anyio
import pytest
from local import KEY
from solves import make_tenant

from captcha_async import Account, Limits, RateLimited
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
