"""Solving by key: the same key is the same answer, over calls, cancellations and restarts."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import anyio
import pytest
from journal_files import GAP, journalled, quick_emulator
from local import IMAGE_TASK, TOKEN_TASK, joined, several

from captcha_async import (
    CaptchaClient,
    FixedPolling,
    InvalidArgument,
    Journal,
    Limits,
    QueueTimeout,
    Solved,
    SolveTimeout,
    SubmitUncertain,
    TaskExpired,
    Unsolvable,
)
from captcha_async.emulator import Emulator

pytestmark = pytest.mark.real_time

KEY = "order-17"
SLOT = Limits(in_flight=1)


def paid(emulator: Emulator) -> int:
    """Return how many tasks were created."""
    return emulator.statistics().created


def slots(client: CaptchaClient) -> int:
    """Return how many slots are taken."""
    return client.account.gates.slots.semaphore.statistics().borrowed


async def until(reached: Callable[[], bool]) -> None:
    """Wait for something that has no event."""
    while not reached():  # noqa: ASYNC110
        await anyio.sleep(0.001)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal is."""
    return tmp_path / "captchas.db"


@pytest.fixture
def kept(path: Path) -> Journal:
    """Return a journal that keeps answers."""
    return Journal(path, keep_solutions=True)


async def test_the_same_key_is_the_same_answer(path: Path) -> None:
    """At the same time and again afterwards: one task, one slot, and that is free in the end."""
    emulator = quick_emulator(0.1)
    async with journalled(emulator, path, limits=SLOT) as client:
        got: list[Solved[Any]] = []

        async def solve() -> None:
            got.append(await client.solve(TOKEN_TASK, key=KEY))

        async with anyio.create_task_group() as group:
            for _ in range(5):
                group.start_soon(solve)
        await solve()
        assert len({solved.solution.token for solved in got}) == 1
        assert {solved.key for solved in got} == {KEY}
        assert slots(client) == 0
        assert (await client.solve(TOKEN_TASK, key="order-18")).key == "order-18"
    assert paid(emulator) == 2


async def test_it_is_the_key_of_submit_and_lookup(path: Path) -> None:
    """What was submitted is collected, and what was solved is found."""
    emulator = quick_emulator(0.1)
    async with journalled(emulator, path) as client:
        pending = await client.submit(TOKEN_TASK, key=KEY)
        solved = await client.solve(TOKEN_TASK, key=KEY)
        assert solved.task_id == pending.task_id
        await client.solve(TOKEN_TASK, key="order-18")
        found = await client.lookup("order-18")
        assert found is not None
        assert found.has_answer
        assert (await client.submit(TOKEN_TASK, key="order-18")) is found
    assert paid(emulator) == 2


async def test_a_task_that_waits_for_its_slot_is_not_sent(path: Path) -> None:
    """In contrast with `submit`; `lookup` says at once that there is nothing yet, and who wants the
    same key waits no longer than it may."""
    emulator = quick_emulator(0.5, slots=1)
    async with (
        journalled(emulator, path, limits=SLOT) as client,
        anyio.create_task_group() as group,
    ):
        got: list[Solved[Any]] = []

        async def solve(key: str) -> None:
            got.append(await client.solve(TOKEN_TASK, key=key))

        group.start_soon(solve, KEY)
        await until(lambda: paid(emulator) == 1)
        group.start_soon(solve, "order-18")
        await until(lambda: client.statistics().queued == 1)
        with anyio.fail_after(0.3):
            assert await client.lookup("order-18") is None
            assert await client.lookup(KEY) is not None
        with pytest.raises(QueueTimeout, match="Another call"):
            await client.solve(TOKEN_TASK, key="order-18", timeout=0.05)
        with pytest.raises(QueueTimeout, match="Another call"):
            await client.submit(TOKEN_TASK, key="order-18", timeout=0.05)
    assert [solved.key for solved in got] == [KEY, "order-18"]
    assert emulator.requests_to("createTask")
    assert paid(emulator) == len(emulator.requests_to("createTask")) == 2


async def test_a_task_that_was_only_submitted_gets_a_slot_when_it_is_solved(path: Path) -> None:
    """And keeps it until the last who solves it has left."""
    emulator = quick_emulator(0.3)
    async with (
        journalled(emulator, path, limits=SLOT) as client,
        anyio.create_task_group() as group,
    ):
        await client.submit(TOKEN_TASK, key=KEY)
        assert slots(client) == 0

        async def leave() -> None:
            with anyio.move_on_after(0.1):
                await client.solve(TOKEN_TASK, key=KEY)

        group.start_soon(leave)
        await until(lambda: slots(client) == 1)
        await client.solve(TOKEN_TASK, key=KEY)
        assert slots(client) == 0


async def test_what_is_paid_for_waits_for_no_slot(path: Path) -> None:
    """It is in flight already, and its answer is not kept for ever."""
    emulator = quick_emulator(0.1)
    async with (
        journalled(emulator, path, limits=SLOT) as client,
        anyio.create_task_group() as group,
    ):
        await client.submit(TOKEN_TASK, key=KEY)
        emulator.answer_with({"gRecaptchaResponse": "late"}, after=1)
        group.start_soon(lambda: client.solve(TOKEN_TASK, key="order-18"))
        await until(lambda: slots(client) == 1)
        await client.solve(TOKEN_TASK, key=KEY)
        assert client.statistics().in_flight == 1
        assert slots(client) == 1


async def test_a_slot_stays_with_those_who_go_on(path: Path) -> None:
    """Whoever has created the task may leave before them."""
    emulator = quick_emulator(0.4)
    async with (
        journalled(emulator, path, limits=SLOT) as client,
        anyio.create_task_group() as group,
    ):
        with anyio.move_on_after(0.1):
            await client.solve(TOKEN_TASK, key="order-18")
        assert slots(client) == 0

        async def leave() -> None:
            with pytest.raises(SolveTimeout):
                await client.solve(TOKEN_TASK, key=KEY, timeout=0.15)
            assert slots(client) == 1

        group.start_soon(leave)
        await until(lambda: paid(emulator) == 2)
        await client.solve(TOKEN_TASK, key=KEY)
        assert slots(client) == 0
    assert paid(emulator) == 2


@pytest.mark.parametrize("timeout", [None, 20.0])
async def test_a_restart_collects_what_was_paid_for(path: Path, timeout: float | None) -> None:
    """Of a solve that was cut off; it has a slot again, and the answer is of the key's task."""
    emulator = quick_emulator(0.3)
    async with journalled(emulator, path) as client:
        with anyio.move_on_after(0.15):
            await client.solve(TOKEN_TASK, key=KEY)
    assert paid(emulator) == 1
    async with (
        journalled(emulator, path, limits=SLOT) as client,
        anyio.create_task_group() as group,
    ):
        got: list[Solved[Any]] = []

        async def solve() -> None:
            got.append(await client.solve(TOKEN_TASK, key=KEY, timeout=timeout))

        group.start_soon(solve)
        group.start_soon(solve)
        await until(lambda: client.statistics().polls > 0)
        assert slots(client) == 1
    assert len({solved.solution.token for solved in got}) == 1
    assert (got[0].key, got[0].task) == (KEY, TOKEN_TASK)
    assert paid(emulator) == 1


async def test_a_killed_process_leaves_its_task_to_the_next(path: Path, tmp_path: Path) -> None:
    """The file as it is at the kill: with the id the task is collected, before it nobody knows."""
    emulator = quick_emulator(0.3)
    emulator.delay(0.2, "createTask")
    files = [tmp_path / "sending" / path.name, tmp_path / "open" / path.name]

    def kill(file: Path) -> None:
        file.parent.mkdir()
        for part in (path, Path(f"{path}-wal")):
            shutil.copy(part, file.parent)

    async with journalled(emulator, path) as client, anyio.create_task_group() as group:
        group.start_soon(lambda: client.solve(TOKEN_TASK, key=KEY))
        await anyio.sleep(0.1)
        kill(files[0])
        await until(lambda: client.statistics().submitted == 1)
        kill(files[1])
    async with journalled(emulator, files[0]) as client:
        with pytest.raises(SubmitUncertain, match="uncertain"):
            await client.solve(TOKEN_TASK, key=KEY)
    async with journalled(emulator, files[1]) as client:
        assert (await client.solve(TOKEN_TASK, key=KEY)).key == KEY
    assert paid(emulator) == 1


async def test_an_answer_outlives_the_process(path: Path, kept: Journal) -> None:
    """Where answers are kept; elsewhere it is told, and not paid for again."""
    emulator = quick_emulator()
    async with journalled(emulator, kept) as client:
        solved = await client.solve(TOKEN_TASK, key=KEY)
    async with journalled(emulator, kept) as client:
        again = await client.solve(TOKEN_TASK, key=KEY)
        assert again.solution.token == solved.solution.token
        assert again.replayed
    async with journalled(emulator, path) as client:
        await client.solve(TOKEN_TASK, key="order-18")
    async with journalled(emulator, path) as client:
        with pytest.raises(TaskExpired, match="keep_solutions"):
            await client.solve(TOKEN_TASK, key="order-18")
    assert paid(emulator) == 2


async def test_a_task_that_was_looked_up_first_has_its_task(path: Path) -> None:
    """`lookup` knows the key alone, and the answer to `solve` is one to its task."""
    emulator = quick_emulator(0.1)
    async with journalled(emulator, path) as client:
        await client.submit(TOKEN_TASK, key=KEY)
    async with journalled(emulator, path) as client:
        pending = await client.lookup(KEY)
        assert pending is not None
        solved = await client.solve(TOKEN_TASK, key=KEY)
        assert solved.task == TOKEN_TASK
        assert solved.task_id == pending.task_id


async def test_clients_of_one_journal_one_after_the_other(kept: Journal) -> None:
    """What the first has submitted the second waits for, and the third has its answer at once."""
    emulator = quick_emulator(0.1)
    async with journalled(emulator, kept) as client:
        pending = await client.submit(TOKEN_TASK, key=KEY)
    async with journalled(emulator, kept) as client:
        solved = await client.solve(TOKEN_TASK, key=KEY)
        assert solved.task_id == pending.task_id
    async with journalled(emulator, kept) as client:
        again = await client.solve(TOKEN_TASK, key=KEY)
        assert (again.solution.token, again.replayed) == (solved.solution.token, True)
        assert client.statistics().polls == 0
    assert paid(emulator) == 1


async def test_what_has_failed_is_solved_anew(path: Path) -> None:
    """In this process and in the next; at each call once, unless more attempts are allowed."""
    emulator = quick_emulator()
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=3)
    async with journalled(emulator, path) as client:
        for count in (1, 2):
            with pytest.raises(Unsolvable):
                await client.solve(TOKEN_TASK, key=KEY)
            assert paid(emulator) == count
    async with journalled(emulator, path) as client:
        solved = await client.solve(TOKEN_TASK, key=KEY, attempts=2)
        assert paid(emulator) == 4
        assert (await client.solve(TOKEN_TASK, key=KEY)).task_id == solved.task_id
    assert paid(emulator) == 4


async def test_attempts_are_counted_once_for_all_who_wait(path: Path) -> None:
    """Three calls that allow two attempts each pay for two tasks, and not for six."""
    emulator = quick_emulator(0.1)
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE")
    failed: list[Unsolvable] = []
    async with journalled(emulator, path, limits=SLOT) as client:

        async def solve() -> None:
            with pytest.raises(Unsolvable) as caught:
                await client.solve(TOKEN_TASK, key=KEY, attempts=2)
            failed.append(caught.value)

        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(solve)
        assert slots(client) == 0
    assert len(failed) == 3
    assert paid(emulator) == 2


async def test_what_may_have_been_paid_for_is_not_sent_again(path: Path) -> None:
    """Not by the same key, here or after a restart, until it is forgotten."""
    emulator = quick_emulator()
    emulator.break_http("createTask", status=502, effect=True)
    async with journalled(emulator, path, limits=SLOT) as client:
        for _ in range(2):
            with pytest.raises(SubmitUncertain):
                await client.solve(TOKEN_TASK, key=KEY, attempts=3)
        assert slots(client) == 0
    async with journalled(emulator, path) as client:
        with pytest.raises(SubmitUncertain, match=r"client\.uncertain"):
            await client.solve(TOKEN_TASK, key=KEY)
        assert paid(emulator) == 1
        (uncertain,) = await client.uncertain()
        await client.forget(uncertain)
        assert (await client.solve(TOKEN_TASK, key=KEY)).solution.token
    assert paid(emulator) == 2


async def test_a_deadline_holds_for_all_of_it(path: Path) -> None:
    """What it leaves is collected by the key, within the time of the next call."""
    emulator = quick_emulator(0.5)
    async with journalled(emulator, path) as client:
        for timeout in (0.1, 0.05):
            with pytest.raises(SolveTimeout) as caught:
                await client.solve(TOKEN_TASK, key=KEY, timeout=timeout)
            assert caught.value.ref is not None
        solved = await client.solve(TOKEN_TASK, key=KEY, timeout=20)
        assert solved.task_id == caught.value.ref.task_id
        assert client.orphans == ()
    assert paid(emulator) == 1


async def test_cancellations_at_any_moment_pay_once(path: Path) -> None:
    """Of a solve that is tried again until it is through: nothing is lost, and no slot."""
    emulator = quick_emulator(0.05)
    emulator.delay(0.03, "createTask")
    async with journalled(emulator, path, limits=Limits(in_flight=2)) as client:
        for number in range(10):
            for step in range(8):
                with anyio.move_on_after(step * 0.013):
                    await client.solve(TOKEN_TASK, key=number)
            await client.solve(TOKEN_TASK, key=number)
        assert client.statistics().uncertain == 0
        assert slots(client) == 0
        assert client.orphans == ()
        assert client._keyed._turns == client._keyed._solving == {}
    assert paid(emulator) == 10


async def test_without_money_what_is_paid_for_is_collected(path: Path) -> None:
    """The fuse keeps new tasks from being created, and none from being waited for."""
    emulator = quick_emulator(0.3)
    async with journalled(emulator, path) as client:
        await client.submit(TOKEN_TASK, key=KEY)
        emulator.balance = 0
        with pytest.raises(Exception, match="ZERO_BALANCE"):
            await client.solve(TOKEN_TASK)
        assert (await client.solve(TOKEN_TASK, key=KEY)).solution.token


async def test_a_key_of_another_task_is_refused(path: Path) -> None:
    """Before anything is sent."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        await client.solve(TOKEN_TASK, key=KEY)
        with pytest.raises(InvalidArgument, match="key"):
            await client.solve(IMAGE_TASK, key=KEY)
    assert paid(emulator) == 1


async def test_a_key_needs_a_journal_that_can_record_it(path: Path) -> None:
    """Before anything is sent, as with `submit`."""
    emulator = quick_emulator()
    async with joined(emulator) as client:
        with pytest.raises(InvalidArgument, match="journal"):
            await client.solve(TOKEN_TASK, key=KEY)
    async with journalled(emulator, path) as client:
        with pytest.raises(InvalidArgument, match="key"):
            await client.solve(TOKEN_TASK, key=object())
    assert emulator.requests == []


async def test_a_failed_task_is_solved_anew_at_another_account(path: Path) -> None:
    """Also if it was found: the next attempt begins where it was not."""
    emulators = [quick_emulator(api_keys=name) for name in ("one", "two")]
    emulators[0].refuse("ERROR_ZERO_BALANCE", times=1)
    emulators[1].fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    async with several(*emulators, journal=path) as client:
        await client.submit(TOKEN_TASK, key=KEY)
        client.reset_fuse()
        solved = await client.solve(TOKEN_TASK, key=KEY, attempts=2)
        assert solved.account == "capmonster"
    assert [paid(emulator) for emulator in emulators] == [1, 1]


async def test_a_task_with_a_key_is_not_hedged(path: Path) -> None:
    """A key has one task: its answer would else be another one the next time."""
    first, second = quick_emulator(api_keys="one"), quick_emulator(0.1, api_keys="two")
    own = [{"polling": FixedPolling(first=0, interval=GAP)} for _ in range(2)]
    async with several(first, second, accounts=own, hedge=0.99, journal=path) as client:
        for _ in range(20):
            await client.solve(TOKEN_TASK)
        # However slow the machine has made the others, so late they were never.
        for key, after, hedged in ((KEY, 0.5, 0), (None, 60.0, 1)):
            first.answer_with({"gRecaptchaResponse": "late"}, times=1, after=after)
            await client.solve(TOKEN_TASK, key=key)
            assert client.statistics().hedged == hedged
