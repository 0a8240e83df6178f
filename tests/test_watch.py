"""A batch's watch: deadlines, a blown fuse, and tasks that others poll as well."""

from __future__ import annotations

import anyio
from local import TOKEN_TASK, joined

from captcha_async import (
    CaptchaClient,
    Failed,
    FixedPolling,
    KeyRejected,
    Limits,
    PendingTask,
    Solved,
    TaskRef,
)
from captcha_async.emulator import Emulator, Latency


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
            pending: PendingTask = client.attach(TaskRef("capmonster", task_id, "RecaptchaV2Task"))
            answers.append((await pending).task_id)

        group.start_soon(join, client)
        answers.extend(outcome.task_id or 0 for outcome in await client.solve_all([TOKEN_TASK]))
    assert len(answers) == 2
    assert len(set(answers)) == 1
    assert emulator.violations == []
