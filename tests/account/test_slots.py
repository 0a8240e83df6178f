"""The adaptive slot limit, and what it makes of refusals."""

from __future__ import annotations

import anyio
import pytest
from local import TOKEN_TASK, joined

from captcha_async import Limits, NoSlotAvailable
from captcha_async._account._slots import Slots
from captcha_async.emulator import Emulator, Latency


async def test_the_limit_drops_to_what_was_open_at_the_refusal() -> None:
    """The service has just told how many it takes."""
    slots = Slots(1000)
    slots.refused(slots.epoch, 40)
    assert slots.limit == 40
    assert repr(slots) == "<Slots 40 of 1000>"


async def test_refusals_of_one_burst_count_once() -> None:
    """What was sent before the reduction tells nothing about the limit after it."""
    slots = Slots(100)
    epoch = slots.epoch
    for _ in range(50):
        slots.refused(epoch, 200)
    assert slots.limit == 90
    slots.refused(slots.epoch, 200)
    assert slots.limit == 81


async def test_the_limit_grows_by_a_twentieth_per_round_and_never_over_the_most() -> None:
    """After a round of solves there is a little more room."""
    slots = Slots(110)
    slots.refused(slots.epoch, 100)
    for _ in range(100):
        slots.succeeded()
    assert 104 <= slots.limit <= 106
    for _ in range(1000):
        slots.succeeded()
    assert slots.limit == 110


async def test_the_limit_is_at_least_one() -> None:
    """With nothing open a refusal is not for us to mend."""
    slots = Slots(10)
    slots.refused(slots.epoch, 0)
    assert slots.limit == 1


async def test_without_open_tasks_refusals_are_counted() -> None:
    """When others use the account up, the attempts of the user's settings hold."""
    emulator = Emulator()
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE")
    async with joined(emulator) as client:
        with pytest.raises(NoSlotAvailable):
            await client.solve(TOKEN_TASK)
    assert len(emulator.requests) == 6


async def test_a_cancelled_back_off_keeps_no_slot() -> None:
    """Solves that are cancelled while they wait for room leave all slots free."""
    emulator = Emulator(latency=Latency.fixed(30), slots=2)
    async with joined(emulator, limits=Limits(in_flight=10)) as client:
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(client.solve, TOKEN_TASK)
            await anyio.sleep(8)
            assert client.statistics().in_flight == 2
            group.cancel_scope.cancel()
        assert client.statistics().queued == 0
        assert len(client.orphans) == 2
        for pending in client.orphans:
            await pending
        await client.solve(TOKEN_TASK)


async def test_tasks_that_nobody_collects_do_not_make_refusals_uncounted() -> None:
    """Waiting for one of them to end would be waiting for nobody."""
    emulator = Emulator(latency=Latency.fixed(1000))
    async with joined(emulator) as client:
        await client.submit(TOKEN_TASK)
        emulator.refuse("ERROR_NO_SLOT_AVAILABLE")
        with pytest.raises(NoSlotAvailable):
            await client.solve(TOKEN_TASK)
        assert len(emulator.requests_to("createTask")) == 7
