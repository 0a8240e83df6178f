"""Cancelled in trouble, or just when an answer comes: nothing is lost, and nothing hangs."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from fault_cases import CASES, Case, World, world
from journal_files import rows
from local import TOKEN_TASK, joined

from captcha_async import CaptchaClient, CaptchaError, Limits, PendingTask, Solved, TaskExpired
from captcha_async.emulator import Emulator, Latency

BACKENDS = ["asyncio-real", "uvloop-real", "trio-real"]
MOMENTS = (0.0, 0.001, 0.003, 0.01, 0.03)
"""Seconds after which a call is cancelled; a fault takes a few milliseconds, or 0.4 s."""


# -- the matrix: each fault, cancelled ------------------------------------------------------------


class Canceller:
    """Makes calls that meet the fault of a world, and cancels them.

    Args:
        place: the world.
        native: whether to cancel in asyncio's own way now and then.
        chance: decides when and how.
    """

    def __init__(self, place: World, *, native: bool, chance: random.Random) -> None:
        self._place = place
        self._native = native
        self._chance = chance

    async def call(self, action: Callable[[], Awaitable[Any]]) -> None:
        """Make a call, and cancel it; afterwards the service is well."""
        await self._place.break_once()
        with suppress(CaptchaError):
            await self._cancel(self._chance.choice(MOMENTS), action)
        self._place.server.disarm()
        self._place.names.fail(0)
        self._place.client.reset_fuse()

    async def _cancel(self, seconds: float, action: Callable[[], Awaitable[Any]]) -> None:
        if self._native and self._chance.random() < 0.5:
            with suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await action()
        else:
            with anyio.move_on_after(seconds):
                await action()


async def call_everything(client: CaptchaClient, canceller: Canceller) -> set[Any]:
    """Let each kind of call be cancelled; returns the ids that reached the caller."""
    kept = set[Any]()

    async def submit() -> None:
        kept.add((await client.submit(TOKEN_TASK)).task_id)

    async def batch() -> None:
        async with client.batch([TOKEN_TASK] * 3) as outcomes:
            async for outcome in outcomes:
                kept.add(outcome.task_id)

    for _ in range(3):
        await canceller.call(submit)
        await canceller.call(batch)
    await canceller.call(client.balance)
    solved = await client.solve(TOKEN_TASK, timeout=10)
    await canceller.call(lambda: client.report_incorrect(solved))
    pending = await client.submit(TOKEN_TASK)
    for _ in range(2):
        await canceller.call(pending.result)
    await check_answer(pending)
    return kept | {solved.task_id, pending.task_id}


async def check_answer(pending: PendingTask[Any]) -> None:
    """The answer can be had, unless the service has said that it is gone."""
    try:
        token = (await pending).solution.token
    except TaskExpired:
        return
    assert token == f"token of {pending.task_id}"


@pytest.mark.real_time
@pytest.mark.parametrize(
    ("case", "anyio_backend"),
    [
        pytest.param(case, backend, id=f"{name}-{backend}")
        for name, case in CASES.items()
        for backend in BACKENDS
        # Its look-ups are its own.
        if (case.fault, backend) != ("dns", "uvloop-real")
    ],
    indirect=["anyio_backend"],
)
async def test_a_call_that_is_cancelled_in_trouble_loses_nothing(
    case: Case, anyio_backend_name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was created is with the caller, an orphan, or told as uncertain; nothing is stuck."""
    chance, native = random.Random(1), anyio_backend_name == "asyncio"
    async with world(case, tmp_path, monkeypatch) as place:
        client = place.client
        with anyio.fail_after(30):
            known = await call_everything(client, Canceller(place, native=native, chance=chance))
            for orphan in client.orphans:
                known.add(orphan.task_id)
                await check_answer(orphan)
        numbers = client.statistics()
        assert len(set(place.server.created) - known) <= numbers.uncertain
        assert len(await client.uncertain()) == numbers.uncertain
        assert (numbers.queued, numbers.orphans) == (0, 0)
        assert numbers.lanes is not None
        assert numbers.lanes.busy == 0
        await client.aclose()
        assert rows(place.journal).count("uncertain") == numbers.uncertain
        assert "sending" not in rows(place.journal)


# -- cancelled when an answer comes ---------------------------------------------------------------


async def test_a_cancelled_submit_that_is_answered_at_once_keeps_the_answer() -> None:
    """The reply of createTask brings it when nobody waits any more."""
    emulator = Emulator()
    emulator.answer_at_once()
    emulator.delay(3, "createTask")
    async with joined(emulator) as client:
        with anyio.move_on_after(1):
            await client.submit(TOKEN_TASK)
        (orphan,) = client.orphans
        assert orphan.done
        assert (await orphan).solution.token
        assert client.orphans == ()
    assert emulator.requests_to("getTaskResult") == []


@pytest.mark.parametrize("seed", range(5))
async def test_a_cancelled_reader_of_a_batch_loses_no_outcome(seed: int) -> None:
    """Readers that give up at any moment, even at that of an arrival, leave it for the next."""
    chance = random.Random(seed)
    emulator = Emulator(latency=Latency(median=5, sigma=0.5), seed=seed)
    seen: list[Any] = []
    async with joined(emulator, limits=Limits(in_flight=20)) as client:
        async with client.batch([TOKEN_TASK] * 100) as batch:

            async def read() -> None:
                with suppress(StopAsyncIteration):
                    while True:
                        with anyio.move_on_after(chance.choice([0.02, 0.5, 1])):
                            seen.append((await anext(batch)).key)

            async with anyio.create_task_group() as group:
                for _ in range(3):
                    group.start_soon(read)
        assert client.orphans == ()
    assert sorted(seen) == list(range(100))


@pytest.mark.parametrize("seed", range(5))
async def test_a_batch_that_is_left_at_any_moment_keeps_every_answer(seed: int) -> None:
    """What was paid for was handed out, or is an orphan."""
    chance = random.Random(seed)
    emulator = Emulator(latency=Latency(median=3, sigma=0.5), seed=seed)
    emulator.delay(0.2, "createTask")
    emulator.answer_at_once(times=10)
    seen: set[Any] = set()
    async with joined(emulator, limits=Limits(in_flight=20)) as client:
        for _ in range(10):
            with anyio.move_on_after(chance.uniform(0, 6)):
                async with client.batch([TOKEN_TASK] * 30) as batch:
                    async for outcome in batch:
                        assert isinstance(outcome, Solved)
                        seen.add(outcome.task_id)
        orphans = {orphan.task_id for orphan in client.orphans}
        assert seen | orphans == set(emulator.tasks)
        assert seen.isdisjoint(orphans)
    assert emulator.violations == []
