"""Work that is cut off before it has gone too far, and followed to its end afterwards."""

from __future__ import annotations

import asyncio
from functools import partial

import anyio
import pytest

from captcha_async._transport import Held, stand_alone


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


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_that_stands_alone_does_the_work_itself() -> None:
    """Nobody can cancel it behind anyio's back, for it is on no list; and it is shielded."""
    held = Held()
    by = []

    async def work() -> None:
        held.hold()
        by.append(asyncio.current_task())
        await anyio.sleep(1)
        by.append(asyncio.current_task())

    async def alone() -> None:
        with stand_alone():
            assert asyncio.current_task() not in asyncio.all_tasks()
            by.append(asyncio.current_task())
            await held.run(work)

    async with anyio.create_task_group() as group:
        group.start_soon(alone)
        await anyio.sleep(0.5)
        group.cancel_scope.cancel()
    assert len(by) == 3
    assert len(set(by)) == 1


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_a_task_made_by_one_that_stands_alone_does_not() -> None:
    """It has inherited the context, but others know it: its work is followed all the same."""
    ended = False
    held = Held()

    async def work() -> None:
        nonlocal ended
        held.hold()
        await anyio.sleep(1)
        ended = True

    async def alone() -> None:
        with stand_alone():
            child = asyncio.create_task(held.run(work))
            await asyncio.sleep(0.1)
            child.cancel()
            with pytest.raises(asyncio.CancelledError):
                await child

    async with anyio.create_task_group() as group:
        group.start_soon(alone)
    assert ended


@pytest.mark.parametrize("held", [True, False])
async def test_what_stands_alone_is_shielded_only_while_it_holds(held: bool) -> None:
    """A cancellation that came meanwhile is told right afterwards; the next work is cut off."""
    told: list[str] = []

    async def work(now: Held) -> None:
        if held:
            now.hold()
        await anyio.sleep(1)
        told.append("worked")

    async def alone() -> None:
        with stand_alone():
            for _ in range(2):
                now = Held()
                await now.run(partial(work, now))
                told.append("went on")
            await anyio.sleep(100)

    async with anyio.create_task_group() as group:
        group.start_soon(alone)
        await anyio.sleep(1.5)
        group.cancel_scope.cancel()
    assert told == ["worked", "went on", "worked"][: 3 if held else 2]
    assert anyio.current_time() < 100
