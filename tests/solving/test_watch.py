"""A batch's watch: deadlines, a blown fuse, and tasks that others poll as well."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from itertools import pairwise
from typing import Any

import anyio
import pytest
from local import IMAGE_TASK, TOKEN_TASK, joined

from captcha_async import (
    AccountBlocked,
    CallbackReceiver,
    CaptchaClient,
    Failed,
    FixedPolling,
    KeyRejected,
    Limits,
    PendingTask,
    RecaptchaV2Task,
    Solved,
    SolveTimeout,
    TaskRef,
    Unsolvable,
)
from captcha_async.emulator import Emulator, Latency

MIXED = [TOKEN_TASK, TOKEN_TASK, IMAGE_TASK, IMAGE_TASK]
"""The ones that may wait long go first."""


async def test_a_blown_fuse_ends_what_is_watched_at_once() -> None:
    """One poll that is refused for the key ends the batch; each failure carries its reference."""
    emulator = Emulator(latency=Latency.fixed(100))
    polling = FixedPolling(20, 3)
    async with joined(emulator, polling=polling, limits=Limits(connections=2)) as client:
        start = anyio.current_time()
        emulator.refuse("ERROR_KEY_DOES_NOT_EXIST", "getTaskResult")
        outcomes = await client.solve_all([TOKEN_TASK] * 50)
        assert anyio.current_time() - start < 22
        assert len(client.orphans) == 50
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert len(failed) == 50
    assert all(isinstance(outcome.error, KeyRejected) for outcome in failed)
    assert {outcome.task_id for outcome in failed} == set(emulator.tasks)
    assert len(emulator.requests_to("getTaskResult")) <= 2


async def test_a_batch_goes_on_after_the_fuse_was_reset() -> None:
    """Tasks that come later are solved by the same batch."""
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.refuse("ERROR_KEY_DOES_NOT_EXIST", "getTaskResult", times=1)
    async with joined(emulator) as client:
        kinds = []
        async with client.batch([TOKEN_TASK] * 4, max_in_flight=1) as outcomes:
            async for outcome in outcomes:
                kinds.append(type(outcome))
                client.reset_fuse()
    assert kinds[-1] is Solved
    assert Failed in kinds


async def test_a_closed_client_ends_the_batch() -> None:
    """What is watched fails, and its references can be attached elsewhere."""
    emulator = Emulator(latency=Latency.fixed(100))
    async with joined(emulator) as client, client.batch([TOKEN_TASK] * 3) as outcomes:
        await anyio.sleep(5)
        await client.aclose()
        ended = [outcome async for outcome in outcomes]
    assert all(isinstance(outcome, Failed) and outcome.task_id for outcome in ended)
    assert len(ended) == 3


async def test_somebody_else_may_await_a_task_of_the_batch() -> None:
    """Both get the answer, and the service sees the gap."""
    emulator = Emulator(latency=Latency.fixed(12))
    emulator.delay(1.5, "getTaskResult")
    answers: list[int | str] = []
    async with joined(emulator) as client, anyio.create_task_group() as group:

        async def join(client: CaptchaClient) -> None:
            await anyio.sleep(1)
            (task_id,) = emulator.tasks
            ref = TaskRef("capmonster", task_id, "RecaptchaV2Task")
            answers.append((await client.attach(ref)).task_id)

        group.start_soon(join, client)
        answers.extend(outcome.task_id or 0 for outcome in await client.solve_all([TOKEN_TASK]))
    assert len(answers) == 2
    assert len(set(answers)) == 1
    assert emulator.violations == []


async def ban(client: CaptchaClient, emulator: Emulator) -> None:
    """Let the client learn that its address is banned, without a poll."""
    emulator.refuse("ERROR_IP_BANNED", "getBalance", times=1)
    with pytest.raises(AccountBlocked):
        await client.balance()


async def beside_the_batch(
    client: CaptchaClient,
    emulator: Emulator,
    meanwhile: Callable[[PendingTask[Any]], Awaitable[None]],
    **options: Any,
) -> tuple[Failed, float]:
    """Run a batch of one task, and something with that task; return the failure and its moment."""
    async with anyio.create_task_group() as group:

        async def take_it_up() -> None:
            await anyio.sleep(1)
            (task_id,) = emulator.tasks
            await meanwhile(client.attach(TaskRef("capmonster", task_id, "RecaptchaV2Task")))

        group.start_soon(take_it_up)
        (outcome,) = await client.solve_all([TOKEN_TASK], **options)
        ended = anyio.current_time()
    assert isinstance(outcome, Failed)
    return outcome, ended


async def test_a_ban_does_not_hide_an_answer_that_is_there() -> None:
    """Of a batch only what has to be polled for fails with the account."""
    emulator = Emulator()
    emulator.answer_at_once(times=1)
    emulator.delay(1.005, "createTask")
    async with joined(emulator, limits=Limits(in_flight=2)) as client:

        async def ban_at_the_reply() -> None:
            # When the answer is there, and the batch has not looked at it yet.
            await anyio.sleep(1.01)
            await ban(client, emulator)

        async with anyio.create_task_group() as group:
            group.start_soon(ban_at_the_reply)
            outcomes = await client.solve_all([TOKEN_TASK] * 2)
    assert {type(outcome) for outcome in outcomes} == {Solved, Failed}


async def test_a_ban_does_not_hide_that_a_task_has_failed() -> None:
    """Another reader was told so; the batch says the same, whatever the account is like then."""
    emulator = Emulator(latency=Latency.fixed(12))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)

    async def fail_and_be_banned(pending: PendingTask[Any]) -> None:
        with pytest.raises(Unsolvable):
            await pending
        await ban(client, emulator)

    async with joined(emulator) as client:
        outcome, _ = await beside_the_batch(client, emulator, fail_and_be_banned)
    assert type(outcome.error) is Unsolvable


async def test_a_ban_ends_the_wait_for_a_task_that_somebody_else_polls() -> None:
    """At the latest when the other one would poll again."""
    emulator = Emulator(latency=Latency.fixed(100))
    emulator.delay(2, "getTaskResult")

    async def await_and_be_banned(pending: PendingTask[Any]) -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(ban_later)
            with pytest.raises(AccountBlocked):
                await pending

    async def ban_later() -> None:
        # In the middle of the poll.
        await anyio.sleep(5)
        await ban(client, emulator)

    async with joined(emulator, polling=FixedPolling(5, 3)) as client:
        outcome, ended = await beside_the_batch(client, emulator, await_and_be_banned)
        assert [orphan.task_id for orphan in client.orphans] == [outcome.task_id]
    assert type(outcome.error) is AccountBlocked
    assert ended < 11


async def test_the_deadline_holds_for_a_task_that_somebody_else_polls() -> None:
    """However long the other one is ready to wait."""
    emulator = Emulator(latency=Latency.fixed(60))

    async def wait_longer(pending: PendingTask[Any]) -> None:
        assert (await pending.result(timeout=100)).solution.token

    async with joined(emulator) as client:
        start = anyio.current_time()
        outcome, ended = await beside_the_batch(client, emulator, wait_longer, timeout=10)
    assert type(outcome.error) is SolveTimeout
    assert ended - start < 10.1


@pytest.mark.parametrize("count", [1, 40])
async def test_the_deadline_holds_while_a_poll_brings_no_reply(count: int) -> None:
    """Also for the tasks that lie there because all hands are full."""
    emulator = Emulator(latency=Latency.fixed(3))
    emulator.hang("getTaskResult", times=None)
    async with joined(emulator, limits=Limits(connections=4)) as client:
        start = anyio.current_time()
        outcomes = await client.solve_all([TOKEN_TASK] * count, timeout=10)
        assert anyio.current_time() - start < 10.5
        assert len(client.orphans) == count
    assert {type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)} == {
        SolveTimeout
    }


async def test_the_deadline_holds_for_whoever_waits_for_a_hand() -> None:
    """However much longer the tasks may wait that keep all hands full."""
    emulator = Emulator(latency=Latency.fixed(3))
    emulator.hang("getTaskResult", times=None)
    limits = Limits(connections=2, request_timeout=1000)
    async with joined(emulator, limits=limits, polling=FixedPolling(1, 3)) as client:
        allowed = [client.service.poll_times(type(task).__name__).timeout for task in MIXED]
        assert allowed[0] > 2 * allowed[-1]
        start = anyio.current_time()
        async with client.batch(MIXED) as outcomes:
            ends = [anyio.current_time() - start async for _ in outcomes]
    assert ends == pytest.approx(sorted(allowed), abs=1)


class Reading:
    """A source that gives a task each *step* seconds, and notes when it is asked for one."""

    def __init__(self, step: float, count: int) -> None:
        self.moments: list[float] = []
        self._step, self._count = step, count

    async def tasks(self) -> AsyncIterator[RecaptchaV2Task]:
        """Yield the tasks."""
        for _ in range(self._count):
            self.moments.append(anyio.current_time())
            await anyio.sleep(self._step)
            yield TOKEN_TASK

    @property
    def pauses(self) -> list[float]:
        """Seconds for which nothing was read between two tasks, where that was noticed."""
        waits = [after - before - self._step for before, after in pairwise(self.moments)]
        return [round(wait, 2) for wait in waits if wait > 0.005]


@pytest.mark.parametrize(
    ("step", "callbacks", "pauses"),
    [(0.001, False, [0.1, 0.2]), (0.01, False, []), (0.001, True, [])],
)
async def test_submissions_leave_time_to_the_polls(
    step: float, callbacks: bool, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many at once pause the longer the more are in flight; a slow source and callbacks do not."""
    monkeypatch.setattr("captcha_async._batch._pace.FOLLOWED", 100)
    emulator = Emulator(latency=Latency.fixed(60))
    reading = Reading(step, 300)
    options: dict[str, Any] = (
        {"callbacks": CallbackReceiver("https://example.com/hook")} if callbacks else {}
    )
    async with (
        joined(emulator, limits=Limits(in_flight=1000), **options) as client,
        client.batch(reading.tasks()),
    ):
        await anyio.sleep(20)
    assert reading.pauses == pauses
