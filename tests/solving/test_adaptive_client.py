"""Adaptive polling within the client: what the service sees of it, and what the user gets."""

from __future__ import annotations

import random

import anyio
import pytest
from local import TOKEN_TASK, joined

from captcha_async import CaptchaClient, Limits, Solved, SolveTimeout, TaskRef
from captcha_async._polling._adaptive import AdaptivePolling
from captcha_async._polling._schedule import FixedPolling, PollState
from captcha_async.emulator import Emulator, Latency


async def solve_many(client: CaptchaClient, count: int) -> list[Solved]:
    """Solve as many tasks at once."""
    solved: list[Solved] = []

    async def solve() -> None:
        solved.append(await client.solve(TOKEN_TASK))

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(solve)
    return solved


def took(emulator: Emulator, solved: Solved) -> float:
    """Return how long the service took for a task."""
    task = emulator.tasks[solved.task_id]
    return task.ready_at - task.created


@pytest.fixture
def fixed_order(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let trio wake tasks in the same order in each run, as its own test suite does."""
    monkeypatch.setattr("trio._core._run._ALLOW_DETERMINISTIC_SCHEDULING", True)
    monkeypatch.setattr("trio._core._run._r", random.Random(1))


@pytest.mark.usefixtures("fixed_order")
async def test_a_burst_is_solved_with_few_polls() -> None:
    """300 tasks at once: from a cold start 3 polls each at most, and no rule is broken."""
    emulator = Emulator(seed=1)
    schedule = AdaptivePolling(emulator.service, seed=1)
    async with joined(emulator, polling=schedule, limits=Limits(in_flight=300)) as client:
        solved = await solve_many(client, 300)
    delays = [one.elapsed - took(emulator, one) for one in solved]
    assert sum(one.polls for one in solved) / 300 <= 3.0
    assert sum(delays) / 300 <= 1.3
    assert emulator.violations == []
    learned = schedule.statistics()["RecaptchaV2Task"]
    assert learned.p50 == pytest.approx(6.0, abs=0.8)


async def test_a_client_learns_by_default() -> None:
    """Without a schedule of the user's, later solves need fewer polls than the first ones."""
    emulator = Emulator(latency=Latency.fixed(20))
    async with joined(emulator) as client:
        before = await client.solve(TOKEN_TASK)
        await solve_many(client, 50)
        after = await solve_many(client, 10)
    assert sum(one.polls for one in after) / 10 < before.polls / 2


async def test_a_poll_is_made_shortly_before_the_deadline() -> None:
    """An answer that came late is still fetched, although the next poll was planned for later."""
    emulator = Emulator(latency=Latency.fixed(8.5))
    async with joined(emulator) as client:
        solved = await client.solve(TOKEN_TASK, timeout=10)
    assert solved.elapsed < 10


async def test_the_cap_lasts_for_a_long_wait() -> None:
    """A task that never ends is polled until its deadline, with all polls that are allowed."""
    emulator = Emulator(latency=Latency.fixed(100_000))
    async with joined(emulator) as client:
        with pytest.raises(SolveTimeout):
            await client.solve(TOKEN_TASK, timeout=1800)
    moments = [request.at for request in emulator.requests_to("getTaskResult")]
    assert len(moments) <= 120
    assert moments[-1] - moments[0] > 1790
    assert emulator.violations == []


async def test_a_task_of_unknown_age_is_asked_for_soon() -> None:
    """What is known of new tasks does not delay the first poll of an attached one."""
    emulator = Emulator(latency=Latency.fixed(60))
    async with joined(emulator) as client:
        await solve_many(client, 30)
        ref = (await client.submit(TOKEN_TASK)).ref
    await anyio.sleep(70)
    async with joined(emulator) as other:
        start = anyio.current_time()
        await other.attach(TaskRef.from_json(ref.to_json()))
        assert anyio.current_time() - start <= emulator.service.min_poll_gap


async def test_a_poll_that_is_put_off_is_not_made() -> None:
    """A schedule may change its mind while a task sleeps; then the task sleeps on."""
    asked: list[float] = []

    class Hesitant(FixedPolling):
        def next_poll(self, task: PollState) -> float:
            asked.append(anyio.current_time())
            return 1.0 if len(asked) == 1 else 6.0

    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator, polling=Hesitant(1, 1)) as client:
        start = anyio.current_time()
        solved = await client.solve(TOKEN_TASK)
    assert solved.polls == 1
    assert [round(moment - start, 2) for moment in asked[:3]] == [0.0, 1.0, 6.0]


async def test_the_schedule_hears_of_queueing() -> None:
    """With one lane and slow replies, the polls' wait for the lane reaches the schedule."""
    waits: list[float] = []

    class Listening(AdaptivePolling):
        def observe_queueing(self, seconds: float, now: float) -> None:
            waits.append(seconds)
            super().observe_queueing(seconds, now)

    emulator = Emulator(latency=Latency.fixed(3))
    emulator.delay(0.5)
    schedule = Listening(emulator.service, seed=1)
    async with joined(emulator, polling=schedule, limits=Limits(connections=1)) as client:
        await solve_many(client, 10)
    assert max(waits) > 1
    assert min(waits) >= 0
    assert emulator.violations == []
