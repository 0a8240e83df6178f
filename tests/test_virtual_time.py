"""The test suite's own clocks: what the other tests rely on."""

from __future__ import annotations

import anyio
import anyio.to_thread
import pytest
import sniffio
from hypothesis import given
from hypothesis import strategies as st

from captcha_async.errors import CaptchaError


async def test_an_hour_takes_no_time() -> None:
    """Sleeping moves the clock on by just the time slept."""
    started = anyio.current_time()
    await anyio.sleep(3600)
    assert anyio.current_time() - started == pytest.approx(3600)


async def test_the_clock_starts_at_zero() -> None:
    """Each test has a clock of its own."""
    assert anyio.current_time() < 1


async def test_timers_fire_in_order() -> None:
    """The clock stops at every timer on the way."""
    fired: list[tuple[str, float]] = []

    async def wait(name: str, seconds: float) -> None:
        await anyio.sleep(seconds)
        fired.append((name, round(anyio.current_time(), 6)))

    async with anyio.create_task_group() as group:
        group.start_soon(wait, "late", 20)
        group.start_soon(wait, "early", 10)
    assert fired == [("early", 10), ("late", 20)]


async def test_deadlines_fire() -> None:
    """A cancel scope's deadline is virtual too."""
    with anyio.move_on_after(300) as scope:
        await anyio.sleep_forever()
    assert scope.cancelled_caught
    assert anyio.current_time() == pytest.approx(300)


@given(seconds=st.floats(0, 1000))
async def test_property_tests_run_in_virtual_time(seconds: float) -> None:
    """Hypothesis drives async tests on both backends."""
    started = anyio.current_time()
    await anyio.sleep(seconds)
    assert anyio.current_time() - started == pytest.approx(seconds, abs=1e-6)


@pytest.mark.real_time
async def test_marked_tests_see_the_real_clock(anyio_backend_name: str) -> None:
    """`real_time` gives the backend's own clock, for threads and sockets."""
    assert sniffio.current_async_library() == anyio_backend_name
    before = anyio.current_time()
    await anyio.to_thread.run_sync(CaptchaError, "any")
    assert 0 <= anyio.current_time() - before < 60
