"""The emulator's callbacks go wrong as they were ordered to."""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from emulator_calls import RECAPTCHA, Caller, Deliveries

from captcha_async.emulator import Emulator, Latency
from captcha_async.errors import InvalidArgument

CALLBACK = "https://receiver.example/hidden-token"


def make(**options: Any) -> tuple[Emulator, Deliveries, Caller]:
    """Return an emulator whose tasks take five seconds, and both its sides."""
    deliveries = Deliveries()
    emulator = Emulator(latency=Latency.fixed(5), deliver=deliveries, **options)
    return emulator, deliveries, Caller(emulator)


async def test_a_dropped_callback_never_comes() -> None:
    """The result can be polled for nevertheless."""
    emulator, deliveries, caller = make()
    emulator.drop_callbacks()
    async with emulator:
        task_id = await caller.create(callbackUrl=CALLBACK)
        await anyio.sleep(100)
        assert (await caller.poll(task_id))["status"] == "ready"
    assert deliveries.seen == []
    assert emulator.tasks[task_id].called_back is None


async def test_a_delayed_callback_brings_the_result_late() -> None:
    """Also when the service itself has dropped it meanwhile."""
    emulator, deliveries, caller = make()
    emulator.delay_callbacks(1000)
    async with emulator:
        start = anyio.current_time()
        await caller.create(callbackUrl=CALLBACK)
        await anyio.sleep(2000)
    ((_, body, at),) = deliveries.seen
    assert at - start == pytest.approx(1005)
    assert isinstance(body, dict)
    assert body["status"] == "ready"
    assert body["solution"]


async def test_a_repeated_callback_comes_several_times() -> None:
    """Each time with the same body."""
    emulator, deliveries, caller = make()
    emulator.repeat_callbacks(3)
    async with emulator:
        await caller.create(callbackUrl=CALLBACK)
        await anyio.sleep(10)
    assert len(deliveries.seen) == 3
    assert len({str(body) for _, body, _ in deliveries.seen}) == 1
    assert emulator.statistics().callbacks == 1


async def test_an_early_callback_comes_before_the_reply() -> None:
    """The task is ready at once, and the reply waits for the callback's delivery."""
    emulator, deliveries, caller = make()
    emulator.call_back_before_reply()
    emulator.delay_callbacks(5)
    deliveries.seconds = 1
    async with emulator:
        start = anyio.current_time()
        await caller.create(callbackUrl=CALLBACK)
        assert anyio.current_time() - start == pytest.approx(1)
        assert len(deliveries.seen) == 1


async def test_a_spoiled_callback_has_another_body() -> None:
    """The bytes are sent as they were given."""
    emulator, deliveries, caller = make()
    emulator.spoil_callbacks(b'{"wrong": 1}')
    async with emulator:
        await caller.create(callbackUrl=CALLBACK)
        await anyio.sleep(10)
    assert [body for _, body, _ in deliveries.seen] == [{"wrong": 1}]


async def test_a_service_may_refuse_callbacks() -> None:
    """Tasks without one are taken."""
    emulator, _, caller = make()
    emulator.refuse_callbacks()
    async with emulator:
        code = await caller.code("createTask", task={"type": "x"}, callbackUrl=CALLBACK)
        assert code == "ERROR_TASK_NOT_SUPPORTED"
        reply = (await caller.call("createTask", task=RECAPTCHA, callbackUrl=CALLBACK)).json()
        assert reply["errorCode"] == "ERROR_SERVICE_NOT_AVAILABLE"
        await caller.create()
        emulator.refuse_callbacks(None)
        await caller.create(callbackUrl=CALLBACK)


async def test_a_share_hits_so_many_tasks_and_the_same_ones_each_time() -> None:
    """The seed decides, for each fault on its own."""
    hit: list[list[Any]] = []
    for other in (0.0, 1.0):
        emulator, _, caller = make(seed=7)
        emulator.drop_callbacks(0.3)
        emulator.repeat_callbacks(2, other)
        async with emulator:
            for _ in range(300):
                await caller.create(callbackUrl=CALLBACK)
            await anyio.sleep(10)
            hit.append([task.called_back for task in emulator.tasks.values()])
    assert hit[0] == hit[1]
    assert 60 < hit[0].count(None) < 120


async def test_a_reset_ends_the_faults() -> None:
    """The emulator is as new."""
    emulator, deliveries, caller = make()
    emulator.drop_callbacks()
    emulator.reset()
    async with emulator:
        await caller.create(callbackUrl=CALLBACK)
        await anyio.sleep(10)
    assert len(deliveries.seen) == 1


def test_wrong_orders_are_refused() -> None:
    """A share lies between 0 and 1, a delay is a time, a number is whole."""
    emulator = Emulator()
    for share in (-0.1, 1.1, "all", True, float("nan")):
        with pytest.raises(InvalidArgument, match="share"):
            emulator.drop_callbacks(share)  # type: ignore[arg-type]
    with pytest.raises(InvalidArgument, match="seconds"):
        emulator.delay_callbacks(-1)
    with pytest.raises(InvalidArgument, match="times"):
        emulator.repeat_callbacks(0)
