"""Hands: as many as it takes for nothing to lie, and no more."""

from __future__ import annotations

import asyncio

import anyio
import pytest
from local import TOKEN_TASK, joined

from captcha_async._solving._hands import FEW, PATIENCE, Hands
from captcha_async.emulator import Emulator, Latency


class Work:
    """Pieces of work that take some seconds each."""

    def __init__(self, seconds: float) -> None:
        self.seconds = seconds
        self.done: list[int] = []
        self.most = 0
        self._at_once = 0

    async def do(self, piece: int) -> None:
        """Do one."""
        self._at_once += 1
        self.most = max(self.most, self._at_once)
        await anyio.sleep(self.seconds)
        self._at_once -= 1
        self.done.append(piece)


async def test_a_few_hands_do_what_is_quickly_done() -> None:
    """Each takes the next piece when it is done with one, so that none waits for a lane."""
    work = Work(PATIENCE / 100)
    hands = Hands(work.do, 64)
    hands.open()
    async with anyio.create_task_group() as group:
        for piece in range(200):
            hands.give(piece, group)
        await hands.all_taken(group)
        hands.end()
    assert sorted(work.done) == list(range(200))
    assert work.most == FEW


async def test_there_are_more_hands_where_work_lies() -> None:
    """Up to the limit, and soon: a slow service is asked for as much at once as a quick one."""
    work = Work(1.0)
    hands = Hands(work.do, 30)
    hands.open()
    async with anyio.create_task_group() as group:
        start = anyio.current_time()
        for piece in range(60):
            hands.give(piece, group)
            await hands.all_taken(group)
        hands.end()
    assert len(work.done) == 60
    assert work.most == 30
    assert anyio.current_time() - start < 2 + 10 * PATIENCE


async def test_hands_at_rest_are_woken_by_new_work() -> None:
    """They are used again; no piece is left lying once all rest."""
    work = Work(0.5)
    hands = Hands(work.do, 64)
    hands.open()
    async with anyio.create_task_group() as group:
        for piece in range(6):
            hands.give(piece, group)
            await hands.all_taken(group)
            await anyio.sleep(1)
            assert work.done == list(range(piece + 1))
        hands.end()
    assert work.most == 1


async def test_what_no_hand_has_taken_is_told() -> None:
    """If they are cancelled, somebody else has to see to it."""
    work = Work(100)
    hands = Hands(work.do, 2)
    hands.open()
    async with anyio.create_task_group() as group:
        for piece in range(5):
            hands.give(piece, group)
        await anyio.sleep(1)
        group.cancel_scope.cancel()
    assert hands.left == (2, 3, 4)


@pytest.mark.parametrize("anyio_backend", ["asyncio"])
async def test_no_cancellation_of_asyncio_s_own_cuts_a_createtask_of_a_batch_off() -> None:
    """Not that of the task with the block, and not the one of all tasks when a program ends."""
    emulator = Emulator(latency=Latency.fixed(50))
    emulator.delay(1.5, "createTask")
    async with joined(emulator) as client:

        async def run() -> None:
            async with client.batch([TOKEN_TASK] * 3) as outcomes:
                async for _ in outcomes:
                    pass

        before = asyncio.all_tasks()
        task = asyncio.create_task(run())
        await asyncio.sleep(0.5)
        # As `asyncio.run` does in the end.
        for each in asyncio.all_tasks() - before:
            each.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert {pending.task_id for pending in client.orphans} == set(emulator.tasks)
        assert len(client.orphans) == 3
