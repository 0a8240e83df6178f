"""Solving by key at a shared account: one task for all who want it, in whatever process.

In virtual time, with a store in memory, as in `test_shared_keys`.
"""

from __future__ import annotations

from typing import Any

import anyio
import pytest
from local import TOKEN_TASK
from sharing_fleet import Fleet, fleet

from captcha_async import (
    AccountUnavailable,
    CaptchaClient,
    InvalidArgument,
    Limits,
    QueueTimeout,
    Solved,
    SolveTimeout,
    SubmitUncertain,
    Unsolvable,
)
from captcha_async.emulator import Emulator, Latency

KEY = ("order", 17)
TIMES = Latency.fixed(10)
LEASE = 12.0
"""Seconds after which a process that is gone is known to be."""


def taken(client: CaptchaClient) -> int:
    """Return how many slots a process has in use."""
    return client.account.gates.slots.semaphore.statistics().borrowed


async def together(*clients: CaptchaClient, wait: float = 0.0, **options: Any) -> list[Solved[Any]]:
    """Have several processes solve one key, each *wait* seconds after the one before."""
    got: list[Solved[Any]] = []

    async def solve(client: CaptchaClient, delay: float) -> None:
        await anyio.sleep(delay)
        got.append(await client.solve(TOKEN_TASK, key=KEY, **options))

    async with anyio.create_task_group() as group:
        for number, client in enumerate(clients):
            group.start_soon(solve, client, number * wait)
    return got


def check_one(got: list[Solved[Any]], processes: Fleet) -> None:
    """Check that all have the same answer, and that one task was paid for."""
    assert len({solved.solution.token for solved in got}) == 1
    assert {(solved.key, solved.task) for solved in got} == {(KEY, TOKEN_TASK)}
    assert processes.paid == 1


@pytest.mark.parametrize("wait", [0.0, 3.0, 11.0])
async def test_two_processes_at_once_pay_once(wait: float) -> None:
    """While it is sent, while it is solved, and afterwards; and a client twice, too."""
    emulator = Emulator(latency=TIMES)
    emulator.delay(1, "createTask")
    async with fleet(emulator) as processes:
        first, second = await processes.start(), await processes.start()
        check_one(await together(first, second, first, second, wait=wait), processes)
        assert taken(first) == taken(second) == 0
        assert first.orphans == second.orphans == ()


async def test_one_process_polls_and_one_has_the_slot() -> None:
    """Who has created it keeps it: the others take no slot, and look at the store only."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        first, second = await processes.start(), await processes.start()
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: first.solve(TOKEN_TASK, key=KEY))
            await anyio.sleep(2)
            group.start_soon(lambda: second.solve(TOKEN_TASK, key=KEY))
            await anyio.sleep(3)
            assert (taken(first), taken(second)) == (1, 0)
        assert second.statistics().polls == 0
        assert processes.paid == 1


async def test_more_keys_than_slots() -> None:
    """As many as the account has are at the service, whoever asks; `submit` does not count."""
    async with fleet(Emulator(latency=TIMES, slots=4)) as processes:
        clients = [await processes.start(limits=Limits(in_flight=4)) for _ in range(2)]
        got: dict[int, set[str]] = {number: set() for number in range(20)}

        async def solve(client: CaptchaClient, number: int) -> None:
            solved = await client.solve(TOKEN_TASK, key=number)
            got[number].add(solved.solution.token)

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(solve, clients[0], number)
                group.start_soon(solve, clients[1], 19 - number)
        assert [len(one) for one in got.values()] == [1] * 20
        assert processes.paid == 20


async def test_what_a_dead_process_had_in_flight_is_collected() -> None:
    """Once its lease is over; nothing is paid again."""
    async with fleet(Emulator(latency=Latency.fixed(30))) as processes:
        first, second = await processes.start(), await processes.start()
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: first.solve(TOKEN_TASK, key=KEY))
            await anyio.sleep(5)
            processes.kill(first)
            group.cancel_scope.cancel()
        check_one(await together(second, second), processes)


async def test_what_was_left_in_a_living_process_goes_on_elsewhere() -> None:
    """Its call was cancelled: the next one need not wait for a lease."""
    async with fleet(Emulator(latency=Latency.fixed(30))) as processes:
        first, second = await processes.start(), await processes.start()
        with anyio.move_on_after(5):
            await first.solve(TOKEN_TASK, key=KEY)
        begun = anyio.current_time()
        got = await together(second)
        assert anyio.current_time() - begun <= 30
        polls = first.statistics().polls
        got += await together(first)
        assert first.statistics().polls == polls
        check_one(got, processes)
        assert first.orphans == ()


async def test_a_createtask_that_a_dead_process_had_on_its_way_is_uncertain() -> None:
    """It is told with what to do, and not sent again before that."""
    emulator = Emulator(latency=TIMES)
    emulator.hang("createTask", times=1)
    async with fleet(emulator) as processes:
        first, second = await processes.start(), await processes.start()
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: first.solve(TOKEN_TASK, key=KEY))
            await anyio.sleep(1)
            processes.kill(first)
            group.cancel_scope.cancel()
        with pytest.raises(SubmitUncertain, match=r"client\.uncertain"):
            await second.solve(TOKEN_TASK, key=KEY)
        paid = processes.paid
        (left,) = await second.uncertain()
        await second.forget(left)
        assert (await second.solve(TOKEN_TASK, key=KEY)).key == KEY
        assert processes.paid == paid + 1


async def test_a_deadline_holds_while_another_process_is_at_it() -> None:
    """While its createTask is on its way nothing was paid here; then the task may be had later."""
    emulator = Emulator(latency=Latency.fixed(30))
    emulator.delay(8, "createTask")
    async with fleet(emulator) as processes:
        first, second = await processes.start(), await processes.start()
        async with anyio.create_task_group() as group:
            group.start_soon(lambda: first.solve(TOKEN_TASK, key=KEY))
            await anyio.sleep(1)
            for error, wait in ((QueueTimeout, 2.0), (SolveTimeout, 8.0)):
                begun = anyio.current_time()
                with pytest.raises(error):
                    await second.solve(TOKEN_TASK, key=KEY, timeout=wait)
                assert anyio.current_time() - begun <= wait + 0.1
        check_one(await together(first, second), processes)


async def test_attempts_are_counted_for_whoever_waits() -> None:
    """A task that another process has created is one of them; then a new one is made."""
    emulator = Emulator(latency=TIMES)
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    async with fleet(emulator) as processes:
        first, second = await processes.start(), await processes.start()
        async with anyio.create_task_group() as group:

            async def fail() -> None:
                with pytest.raises(Unsolvable):
                    await first.solve(TOKEN_TASK, key=KEY)

            group.start_soon(fail)
            await anyio.sleep(2)
            solved = await second.solve(TOKEN_TASK, key=KEY, attempts=2)
        assert (await first.solve(TOKEN_TASK, key=KEY)).solution == solved.solution
        assert processes.paid == 2
        assert taken(first) == taken(second) == 0


async def test_submitted_here_and_solved_there() -> None:
    """And looked up where it was submitted."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        first, second = await processes.start(), await processes.start()
        pending = await first.submit(TOKEN_TASK, key=KEY)
        solved = await second.solve(TOKEN_TASK, key=KEY)
        assert solved.task_id == pending.task_id
        assert (await pending).solution == solved.solution
        assert processes.paid == 1


async def test_in_an_outage_no_key_is_paid_for() -> None:
    """Nobody can tell whether it was; it may be tried again."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        client = await processes.start()
        processes.views[client].away = True
        await anyio.sleep(2)
        begun = anyio.current_time()
        with pytest.raises(AccountUnavailable, match="paid for before") as caught:
            await client.solve(TOKEN_TASK, key=KEY, timeout=3)
        assert caught.value.retryable
        assert anyio.current_time() - begun <= 3
        assert processes.paid == 0
        processes.views[client].away = False
        await anyio.sleep(2)
        check_one(await together(client), processes)


async def test_a_key_is_another_task_s_nowhere() -> None:
    """The other process is told."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        first, second = await processes.start(), await processes.start()
        await first.solve(TOKEN_TASK, key=KEY)
        other = TOKEN_TASK.evolve(website_url="https://example.com/other")
        with pytest.raises(InvalidArgument, match="key"):
            await second.solve(other, key=KEY)
        assert processes.paid == 1


async def test_a_solve_costs_the_store_no_more_than_a_task_of_a_batch() -> None:
    """One look, and three records: it is begun, it has an id, it has an answer."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        client = await processes.start()
        await client.solve(TOKEN_TASK, key=KEY)
        await anyio.sleep(1)
        calls = processes.views[client].calls
        assert (calls["look"], calls["change"]) == (1, 3)
