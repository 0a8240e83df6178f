"""The rate-limited semaphore: slots, exact rate, order, cancellation; and the client's limits."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from anyio import wait_all_tasks_blocked
from anyio.lowlevel import checkpoint
from hypothesis import given
from hypothesis import strategies as st

from captcha_async import InvalidArgument, Limits, RateLimitedSemaphore
from captcha_async._account._pause import Pause


async def enter_all(semaphore: RateLimitedSemaphore, count: int, hold: float = 0.0) -> list[float]:
    """Enter *count* times from as many tasks, and return the moments since now."""
    start = anyio.current_time()
    moments: list[float] = []

    async def enter() -> None:
        async with semaphore:
            moments.append(anyio.current_time() - start)
            if hold:
                await anyio.sleep(hold)

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(enter)
    return moments


async def test_no_more_than_capacity_are_inside() -> None:
    """A slot is taken and given back."""
    semaphore = RateLimitedSemaphore(3)
    moments = await enter_all(semaphore, 9, hold=1.0)
    assert [round(moment) for moment in moments] == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert semaphore.statistics().borrowed == 0
    assert semaphore.statistics().entered == 9


@given(
    rate=st.integers(1, 7),
    per=st.floats(0.1, 10.0),
    burst=st.none() | st.integers(1, 3),
    count=st.integers(1, 30),
    hold=st.floats(0.0, 2.0),
    capacity=st.none() | st.integers(1, 5),
)
async def test_no_window_ever_sees_more_than_the_rate(
    rate: int, per: float, burst: int | None, count: int, hold: float, capacity: int | None
) -> None:
    """The rate is exact for every window, not only on average."""
    burst = None if burst is None else min(burst, rate)
    semaphore = RateLimitedSemaphore(capacity, rate, per, burst)
    moments = await enter_all(semaphore, count, hold)
    assert len(moments) == count
    tolerance = 1e-6
    for first, last in zip(moments, moments[rate:], strict=False):
        assert last - first >= per - tolerance
    if burst is not None:
        for first, last in zip(moments, moments[burst:], strict=False):
            assert last - first >= per * burst / rate - tolerance


async def test_the_rate_is_used_up_fully() -> None:
    """Nobody waits longer than the rate demands."""
    moments = await enter_all(RateLimitedSemaphore(None, 2, 1.0), 6)
    assert moments == pytest.approx([0, 0, 1, 1, 2, 2], abs=1e-3)


async def test_burst_of_one_spaces_entries_evenly() -> None:
    """With a burst of 1 no two entries follow each other at once."""
    moments = await enter_all(RateLimitedSemaphore(None, 4, 1.0, burst=1), 5)
    assert moments == pytest.approx([0, 0.25, 0.5, 0.75, 1.0], abs=1e-3)


async def test_a_rate_that_is_no_whole_number_holds() -> None:
    """Half an entry per second is one in two seconds."""
    moments = await enter_all(RateLimitedSemaphore(None, 0.5), 3)
    assert moments == pytest.approx([0, 2, 4], abs=1e-3)


async def test_entry_is_in_order_of_arrival() -> None:
    """A newcomer never overtakes, not even when a slot is free."""
    semaphore = RateLimitedSemaphore(1, 1000)
    order: list[int] = []

    async def enter(number: int) -> None:
        async with semaphore:
            order.append(number)
            await checkpoint()

    await semaphore.acquire()
    async with anyio.create_task_group() as group:
        for number in range(20):
            group.start_soon(enter, number)
            await wait_all_tasks_blocked()
        semaphore.release()
        with pytest.raises(anyio.WouldBlock):
            semaphore.acquire_nowait()
    assert order == list(range(20))


@pytest.mark.parametrize("victim", [0, 1, 2])
async def test_a_cancelled_waiter_takes_nothing_with_it(victim: int) -> None:
    """Whoever is cancelled in the queue, the others still get in, and no slot is lost."""
    semaphore = RateLimitedSemaphore(1, 1, 1.0)
    entered: list[int] = []
    scopes = [anyio.CancelScope() for _ in range(3)]

    async def enter(number: int) -> None:
        with scopes[number]:
            async with semaphore:
                entered.append(number)

    await semaphore.acquire()
    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(enter, number)
            await wait_all_tasks_blocked()
        scopes[victim].cancel()
        await wait_all_tasks_blocked()
        assert semaphore.statistics().waiting == 2
        semaphore.release()
    assert entered == [number for number in range(3) if number != victim]
    assert semaphore.statistics().borrowed == 0


async def test_cancelling_at_the_moment_of_entry_keeps_the_count() -> None:
    """A release and a cancellation in the same instant neither lose nor double a slot."""
    semaphore = RateLimitedSemaphore(1)
    scope = anyio.CancelScope()

    async def enter() -> None:
        with scope:
            async with semaphore:
                await anyio.sleep_forever()

    await semaphore.acquire()
    async with anyio.create_task_group() as group:
        group.start_soon(enter)
        await wait_all_tasks_blocked()
        semaphore.release()
        scope.cancel()
    assert semaphore.statistics().borrowed == 0
    semaphore.acquire_nowait()
    semaphore.release()


@pytest.mark.parametrize("seed", range(20))
async def test_random_cancellation_loses_no_slot(seed: int) -> None:
    """After any mix of entries and cancellations every slot is free again."""
    import random

    chance = random.Random(seed)
    semaphore = RateLimitedSemaphore(2, 50, 1.0)

    async def enter(patience: float, hold: float) -> None:
        with anyio.move_on_after(patience):
            async with semaphore:
                await anyio.sleep(hold)

    async with anyio.create_task_group() as group:
        for _ in range(100):
            group.start_soon(enter, chance.uniform(0, 3), chance.uniform(0, 0.2))
            if chance.random() < 0.3:
                await anyio.sleep(chance.uniform(0, 0.1))
    numbers = semaphore.statistics()
    assert (numbers.borrowed, numbers.waiting) == (0, 0)


async def test_acquire_is_a_cancellation_point() -> None:
    """A cancelled caller does not get in, even if there is room."""
    semaphore = RateLimitedSemaphore(5)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await semaphore.acquire()
    assert semaphore.statistics().borrowed == 0


async def test_release_without_acquire_is_an_error() -> None:
    """A slot that nobody took cannot be given back."""
    with pytest.raises(RuntimeError, match=r"release\(\) without acquire"):
        RateLimitedSemaphore(1).release()


async def test_the_repr_tells_the_state() -> None:
    """Printing the semaphore shows what it does."""
    semaphore = RateLimitedSemaphore(2)
    await semaphore.acquire()
    assert repr(semaphore) == "<RateLimitedSemaphore 1 of 2 borrowed, 0 waiting>"
    assert "of any" in repr(RateLimitedSemaphore(None))


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"capacity": 0}, "capacity"),
        ({"capacity": 1.5}, "capacity"),
        ({"capacity": True}, "capacity"),
        ({"capacity": 1, "rate": 0}, "rate"),
        ({"capacity": 1, "rate": float("inf")}, "rate"),
        ({"capacity": 1, "rate": 1, "per": -1}, "per"),
        ({"capacity": 1, "rate": 2, "burst": 3}, "burst"),
        ({"capacity": 1, "burst": 1}, "burst"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], field: str) -> None:
    """The error says which argument is wrong."""
    with pytest.raises(InvalidArgument, match=field) as caught:
        RateLimitedSemaphore(**arguments)
    assert caught.value.field == field


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("in_flight", 0),
        ("connections", "64"),
        ("submits_per_second", 0),
        ("requests_per_second", -1.0),
        ("request_timeout", 0),
    ],
)
def test_bad_limits_are_named(field: str, value: Any) -> None:
    """The error says which limit is wrong."""
    with pytest.raises(InvalidArgument, match=field):
        Limits(**{field: value})


async def test_a_pause_can_be_prolonged_while_it_lasts() -> None:
    """Who waits already waits for the later end too; a shorter wish changes nothing."""
    pause = Pause()
    start = anyio.current_time()
    pause.for_seconds(5)

    async def prolong() -> None:
        await anyio.sleep(3)
        pause.for_seconds(4)
        pause.for_seconds(1)

    async with anyio.create_task_group() as group:
        group.start_soon(prolong)
        await pause.wait()
    assert anyio.current_time() - start == pytest.approx(7, abs=0.01)
