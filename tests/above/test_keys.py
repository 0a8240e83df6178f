"""Tasks by key: the same key is the same task, over calls, cancellations and restarts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from local import IMAGE_TASK, TOKEN_TASK, joined, several

from captcha_async import (
    InvalidArgument,
    Journal,
    NoSlotAvailable,
    PendingTask,
    Retries,
    SolveTimeout,
    SubmitUncertain,
    TaskExpired,
    Unsolvable,
)
from captcha_async.emulator import Emulator, Latency

pytestmark = pytest.mark.real_time

KEY = "order-17"


def made(**options: Any) -> Emulator:
    """Make a service that solves at once."""
    return Emulator(latency=Latency.fixed(0), **options)


def created(emulator: Emulator) -> int:
    """Return how many tasks were paid for."""
    return emulator.statistics().created


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal is."""
    return tmp_path / "captchas.db"


async def test_the_same_key_is_the_same_task(path: Path) -> None:
    """Also at the same time, and after its answer was taken; another key is another one."""
    emulator = made()
    async with joined(emulator, journal=path) as client:
        handles: list[PendingTask[Any]] = []

        async def submit() -> None:
            handles.append(await client.submit(TOKEN_TASK, key=KEY))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(submit)
        assert len(set(map(id, handles))) == 1
        solved = await handles[0]
        assert solved.key == KEY
        again = await client.submit(TOKEN_TASK, key=KEY)
        assert (await again).solution.token == solved.solution.token
        found = await client.lookup(KEY)
        assert found is not None
        assert (await found).solution.token == solved.solution.token
        assert await client.lookup("order-18") is None
        await client.submit(TOKEN_TASK, key="order-18")
    assert created(emulator) == 2


async def test_an_id_outlives_the_process(path: Path) -> None:
    """Submitted here, answered there; and once more where answers are kept."""
    emulator = made()
    journal = Journal(path, keep_solutions=True)
    async with joined(emulator, journal=journal) as client:
        await client.submit(TOKEN_TASK, key=KEY)
    async with joined(emulator, journal=journal) as client:
        pending = await client.lookup(KEY)
        assert pending is not None
        solved = await pending
        assert solved.key == KEY
    async with joined(emulator, journal=journal) as client:
        pending = await client.submit(TOKEN_TASK, key=KEY)
        assert (await pending).solution.token == solved.solution.token
        assert (await pending).replayed
        found = await client.lookup(KEY)
        assert found is pending
    assert created(emulator) == 1


async def test_an_answer_that_was_taken_and_not_kept_is_told(path: Path) -> None:
    """It is not paid for again under the same key."""
    emulator = made()
    async with joined(emulator, journal=path) as client:
        await (await client.submit(TOKEN_TASK, key=KEY))
    async with joined(emulator, journal=path) as client:
        for call in (client.lookup(KEY), client.submit(TOKEN_TASK, key=KEY)):
            with pytest.raises(TaskExpired, match="keep_solutions"):
                await call
    assert created(emulator) == 1


async def test_a_failed_task_may_be_submitted_again(path: Path) -> None:
    """`lookup` tells why it failed, in this process and in the next; then a new one is made."""
    emulator = made()
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    async with joined(emulator, journal=path) as client:
        pending = await client.submit(TOKEN_TASK, key=KEY)
        with pytest.raises(Unsolvable):
            await pending
        found = await client.lookup(KEY)
        assert found is pending
        with pytest.raises(Unsolvable):
            await pending
    async with joined(emulator, journal=path) as client:
        with pytest.raises(Unsolvable, match="submit it again"):
            await client.lookup(KEY)
        assert (await (await client.submit(TOKEN_TASK, key=KEY))).solution.token
    assert created(emulator) == 2


async def test_what_may_have_been_paid_for_is_not_sent_again(path: Path) -> None:
    """Not by the same key, here or after a restart, until it is forgotten."""
    emulator = made()
    emulator.break_http("createTask", status=502, effect=True)
    async with joined(emulator, journal=path) as client:
        for _ in range(2):
            with pytest.raises(SubmitUncertain):
                await client.submit(TOKEN_TASK, key=KEY)
    async with joined(emulator, journal=path) as client:
        with pytest.raises(SubmitUncertain):
            await client.lookup(KEY)
        (uncertain,) = await client.uncertain()
        assert (uncertain.key, uncertain.batch) == (KEY, None)
        await client.forget(uncertain)
        await client.submit(TOKEN_TASK, key=KEY)
    assert created(emulator) == 2


async def test_a_refused_task_leaves_no_key_behind(path: Path) -> None:
    """The next one with the key is sent."""
    emulator = made()
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=1)
    async with joined(emulator, journal=path, retries=Retries(attempts=1)) as client:
        with pytest.raises(NoSlotAvailable):
            await client.submit(TOKEN_TASK, key=KEY)
        assert await client.lookup(KEY) is None
        await client.submit(TOKEN_TASK, key=KEY)
    assert created(emulator) == 1


async def test_a_key_of_another_task_is_refused(path: Path) -> None:
    """In this process and in the next, before anything is sent."""
    emulator = made()
    async with joined(emulator, journal=path) as client:
        await client.submit(TOKEN_TASK, key=KEY)
        with pytest.raises(
            InvalidArgument, match=f"^key must be that of no other task .* not {KEY!r}$"
        ):
            await client.submit(IMAGE_TASK, key=KEY)
    async with joined(emulator, journal=path) as client:
        with pytest.raises(
            InvalidArgument, match=f"^key must be that of no other task .* not {KEY!r}$"
        ):
            await client.submit(IMAGE_TASK, key=KEY)
    assert created(emulator) == 1


async def test_a_cancelled_submission_keeps_its_key(path: Path) -> None:
    """The task that it has created is the one of the key."""
    emulator = made()
    emulator.delay(0.2, "createTask")
    async with joined(emulator, journal=path) as client:
        with anyio.move_on_after(0.1):
            await client.submit(TOKEN_TASK, key=KEY)
        pending = await client.submit(TOKEN_TASK, key=KEY)
        assert (await pending).solution.token
    assert created(emulator) == 1


async def test_cancellations_at_any_moment_pay_once(path: Path) -> None:
    """Of a submission that is tried again until it is through."""
    emulator = made()
    emulator.delay(0.05, "createTask")
    async with joined(emulator, journal=path) as client:
        for number in range(12):
            for step in range(6):
                with anyio.move_on_after(step * 0.02):
                    await client.submit(TOKEN_TASK, key=number)
            await client.submit(TOKEN_TASK, key=number)
        assert client.statistics().uncertain == 0
    assert created(emulator) == 12


async def test_the_timeout_is_for_the_acceptance(path: Path) -> None:
    """Later waits have their own."""
    emulator = made()
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=2)
    async with joined(emulator, journal=path) as client:
        with pytest.raises(SolveTimeout):
            await client.submit(TOKEN_TASK, key=KEY, timeout=0.3)
        pending = await client.submit(TOKEN_TASK, key=KEY, timeout=20)
        assert (await pending).solution.token
    assert created(emulator) == 1


async def test_keys_follow_the_account(path: Path) -> None:
    """What the second account was paid for is found there after a restart."""
    emulators = [Emulator(api_keys="first-key"), made(api_keys="second-key")]
    emulators[0].refuse("ERROR_ZERO_BALANCE")
    async with several(*emulators, journal=path) as client:
        await client.submit(TOKEN_TASK, key=KEY)
    async with several(*emulators, journal=path) as client:
        pending = await client.lookup(KEY)
        assert pending is not None
        assert (await pending).account == "capmonster-2"
        again = await client.submit(TOKEN_TASK, key=KEY)
        assert again is pending
    assert [created(emulator) for emulator in emulators] == [0, 1]


async def test_a_key_needs_a_journal_that_can_record_it(path: Path) -> None:
    """Before anything is sent."""
    emulator = made()
    async with joined(emulator) as client:
        with pytest.raises(InvalidArgument, match="journal"):
            await client.submit(TOKEN_TASK, key=KEY)
        with pytest.raises(InvalidArgument, match="journal"):
            await client.lookup(KEY)
    async with joined(emulator, journal=path) as client:
        with pytest.raises(InvalidArgument, match="key"):
            await client.submit(TOKEN_TASK, key=object())
        with pytest.raises(InvalidArgument, match="timeout"):
            await client.submit(TOKEN_TASK, key=KEY, timeout=-1)
    assert emulator.requests == []


async def test_keys_and_batches_do_not_meet(path: Path) -> None:
    """A key of a batch is none of `submit`."""
    emulator = made()
    async with joined(emulator, journal=path) as client:
        await client.solve_all({KEY: TOKEN_TASK})
        assert await client.lookup(KEY) is None
        await client.submit(TOKEN_TASK, key=KEY)
        await client.solve_all({KEY: TOKEN_TASK}, name="shop")
    assert created(emulator) == 3
