"""The brake: createTask after createTask without a reply is an outage, and each may cost."""

from __future__ import annotations

from itertools import pairwise

import anyio
import pytest
from local import TOKEN_TASK, joined

from captcha_async import (
    CaptchaClient,
    Event,
    FixedPolling,
    FuseBlown,
    FuseClosed,
    Retries,
    ServiceUnavailable,
    Solved,
    SubmitUncertain,
)
from captcha_async._account._brake import Brake
from captcha_async.emulator import Emulator, Latency


async def test_ten_in_a_row_without_a_reply_open_the_fuse_for_a_minute() -> None:
    """A loop pays for ten tasks at most; then one probe a minute finds out whether it is over."""
    told: list[Event] = []
    emulator = Emulator(latency=Latency.fixed(1))
    async with joined(emulator, on_event=told.append) as client:
        emulator.break_http("createTask", status=502, times=11)
        for _ in range(10):
            with pytest.raises(SubmitUncertain):
                await client.submit(TOKEN_TASK)
        assert client.statistics().fuse == "open"
        with pytest.raises(ServiceUnavailable, match="10 createTask calls in a row") as caught:
            await client.submit(TOKEN_TASK)
        assert "No request was sent" in str(caught.value)
        assert len(emulator.requests_to("createTask")) == 10
        await anyio.sleep(60)
        with pytest.raises(SubmitUncertain):
            await client.submit(TOKEN_TASK)
        assert client.statistics().fuse == "open"
        await anyio.sleep(60)
        assert await client.solve(TOKEN_TASK)
        assert client.statistics().fuse == "closed"
        assert len(emulator.requests_to("createTask")) == 12
    fuse = [type(event) for event in told if isinstance(event, FuseBlown | FuseClosed)]
    assert fuse == [FuseBlown, FuseClosed]


async def test_each_failure_makes_the_next_wait_longer() -> None:
    """Half a second, then twice as long each time, up to thirty seconds."""
    emulator = Emulator()
    async with joined(emulator) as client:
        emulator.break_http("createTask", status=502, times=9)
        for _ in range(9):
            with pytest.raises(SubmitUncertain):
                await client.submit(TOKEN_TASK)
    sent = [request.at for request in emulator.requests_to("createTask")]
    gaps = [later - earlier for earlier, later in pairwise(sent)]
    assert gaps == pytest.approx([0.5, 1, 2, 4, 8, 16, 30, 30], abs=0.01)


async def test_what_is_paid_for_is_collected_in_an_outage_of_createtask() -> None:
    """Polls and the balance pass the fuse."""
    emulator = Emulator(latency=Latency.fixed(100))
    async with joined(emulator, polling=FixedPolling(first=5, interval=5)) as client:
        pending = await client.submit(TOKEN_TASK)
        emulator.break_http("createTask", status=502, times=10)
        for _ in range(10):
            with pytest.raises(SubmitUncertain):
                await client.submit(TOKEN_TASK)
        assert client.statistics().fuse == "open"
        assert isinstance(await pending.result(timeout=110), Solved)
        assert await client.balance() > 0


async def test_a_reply_ends_the_row() -> None:
    """Nine lost replies, a good one, and nine lost ones are no outage."""
    emulator = Emulator(latency=Latency.fixed(1))
    async with joined(emulator) as client:
        for _ in range(2):
            emulator.break_http("createTask", status=502, times=9)
            for _ in range(9):
                with pytest.raises(SubmitUncertain):
                    await client.submit(TOKEN_TASK)
            await client.solve(TOKEN_TASK)
        assert client.statistics().fuse == "closed"


async def test_those_on_their_way_together_are_one_failure() -> None:
    """A short outage under many requests is over soon: only trials make the wait longer."""
    brake = Brake()
    for _ in range(9):
        brake.failed(None, uncertain=True)
    assert (brake.hold, brake.uncertain) == (0.5, 9)
    for expected in (1.0, 2.0):
        await anyio.sleep(brake.hold)
        trial = brake.try_nowait()
        brake.failed(None, uncertain=False)
        brake.failed(trial, uncertain=False)
        assert brake.hold == pytest.approx(expected)


async def _lost(client: CaptchaClient) -> None:
    with pytest.raises(SubmitUncertain):
        await client.submit(TOKEN_TASK)


async def test_the_next_attempt_is_told() -> None:
    """A person who waits is told for how long: by the back-off, the brake, and the fuse."""
    emulator = Emulator(latency=Latency.fixed(1))
    retries = Retries(attempts=3, backoff=8.0)
    async with joined(emulator, retries=retries) as client:
        assert client.statistics().retry_in is None
        emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=1)
        async with anyio.create_task_group() as solving:
            solving.start_soon(client.solve, TOKEN_TASK)
            await anyio.sleep(0.1)
            left = client.statistics().retry_in
            assert left is not None
            assert 3.9 <= left <= 7.9
            await anyio.sleep(1)
            assert client.statistics().retry_in == pytest.approx(left - 1)
        assert client.statistics().retry_in is None
        emulator.break_http("createTask", status=502, times=10)
        for expected in (0.5, 2.0):
            await _lost(client)
            async with anyio.create_task_group() as solving:
                solving.start_soon(_lost, client)
                await anyio.sleep(0.1)
                assert client.statistics().retry_in == pytest.approx(expected - 0.1, abs=0.01)
