"""The slow start: an account of which nothing is known is not asked by all at once."""

from __future__ import annotations

from decimal import Decimal

import anyio
import pytest
from local import TOKEN_TASK, joined

from captcha_async import CaptchaClient, Failed, InsufficientBalance, Limits, Solved
from captcha_async._account._slow_start import FIRST
from captcha_async.emulator import Emulator, Latency


def departures(emulator: Emulator) -> list[int]:
    """Return how many createTask calls came at each moment, in order."""
    moments = [round(request.at, 1) for request in emulator.requests_to("createTask")]
    return [moments.count(moment) for moment in sorted(set(moments))]


async def test_each_round_of_accepted_tasks_doubles_the_next() -> None:
    """After three round trips all lanes are in use."""
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.delay(1, "createTask")
    async with joined(emulator, limits=Limits(connections=64)) as client:
        outcomes = await client.solve_all([TOKEN_TASK] * 300)
    assert all(isinstance(outcome, Solved) for outcome in outcomes)
    assert departures(emulator)[:5] == [FIRST, 2 * FIRST, 4 * FIRST, 64, 64]


async def test_money_that_runs_out_in_the_first_round_costs_one_round() -> None:
    """Some are accepted; those that the replies let go are the last."""
    emulator = Emulator(latency=Latency.fixed(5), balance=Decimal("0.003"))
    emulator.delay(1, "createTask")
    async with joined(emulator, limits=Limits(connections=64)) as client:
        outcomes = await client.solve_all([TOKEN_TASK] * 300)
    accepted = emulator.statistics().created
    assert 0 < accepted < FIRST
    assert sum(isinstance(outcome, Solved) for outcome in outcomes) == accepted
    assert {type(o.error) for o in outcomes if isinstance(o, Failed)} == {InsufficientBalance}
    assert len(emulator.requests_to("createTask")) <= FIRST + accepted
    assert {violation.rule for violation in emulator.violations} <= {"no-money"}


async def create(client: CaptchaClient, count: int) -> None:
    """Submit so many tasks at once."""
    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(client.submit, TOKEN_TASK)


async def test_who_was_idle_begins_anew() -> None:
    """The account may have been emptied meanwhile."""
    emulator = Emulator()
    emulator.delay(1, "createTask")
    async with joined(emulator, limits=Limits(connections=64)) as client:
        await create(client, 7 * FIRST)
        await anyio.sleep(100)
        await create(client, 7 * FIRST)
    assert departures(emulator) == [FIRST, 2 * FIRST, 4 * FIRST] * 2


async def test_who_is_cancelled_gives_the_place_back() -> None:
    """Before createTask has left, and while it is on its way."""
    emulator = Emulator()
    emulator.delay(1, "createTask")
    async with joined(emulator, limits=Limits(connections=64)) as client:
        for _ in range(3):
            with anyio.move_on_after(0.5):
                await create(client, 5 * FIRST)
        emulator.reset()
        await create(client, FIRST)
        assert departures(emulator) == [FIRST]


async def test_fewer_lanes_are_the_limit() -> None:
    """There is no need to begin with more than can go."""
    emulator = Emulator()
    emulator.delay(1, "createTask")
    async with joined(emulator, limits=Limits(connections=3)) as client:
        await create(client, 6)
    assert departures(emulator) == [3, 3]


async def test_a_rate_counts_departures() -> None:
    """Who had to wait for a place after its turn waits for a turn again."""
    emulator = Emulator()
    emulator.delay(3, "createTask")
    limits = Limits(connections=64, submits_per_second=10)
    async with joined(emulator, limits=limits) as client:
        await create(client, 60)
    moments = [request.at for request in emulator.requests_to("createTask")]
    for first, later in zip(moments, moments[10:], strict=False):
        assert later - first >= 1 - 1e-6 or later - first == pytest.approx(1)
