"""The brake: createTask after createTask without a reply is an outage, and each may cost."""

from __future__ import annotations

from itertools import pairwise

import anyio
import pytest
from local import TOKEN_TASK, joined

from captcha_async import (
    Event,
    FixedPolling,
    FuseBlown,
    FuseClosed,
    ServiceUnavailable,
    Solved,
    SubmitUncertain,
)
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
