"""Work that is cut off before it has gone too far, and followed to its end afterwards."""

from __future__ import annotations

import asyncio

import anyio
import pytest

from captcha_async._transport import Held


async def test_what_is_cut_off_may_clean_up_in_its_own_shield() -> None:
    """However often the caller is cancelled meanwhile: connections are closed, not left behind."""
    cleaned = False

    async def work() -> None:
        nonlocal cleaned
        try:
            await anyio.sleep(100)
        finally:
            with anyio.move_on_after(2, shield=True):
                await anyio.sleep(0.5)
                cleaned = True

    start = anyio.current_time()
    with anyio.move_on_after(1) as scope:
        await Held().run(work)
    assert scope.cancelled_caught
    assert cleaned
    assert anyio.current_time() - start == pytest.approx(1.5)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_held_work_is_followed_however_often_its_caller_is_cancelled() -> None:
    """A second Ctrl-C does not end it either."""
    ended = False
    held = Held()

    async def work() -> None:
        nonlocal ended
        held.hold()
        await anyio.sleep(1)
        ended = True

    caller = asyncio.create_task(held.run(work))
    for _ in range(3):
        await asyncio.sleep(0.1)
        caller.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller
    assert ended
