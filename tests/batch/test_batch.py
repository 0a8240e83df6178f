"""Batches: bounded, as completed, failures as values, clean when left early."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from typing import Any

import anyio
import anyio.lowlevel
import pytest
from local import IMAGE_TASK, TOKEN_TASK, joined

from captcha_async import (
    CaptchaClient,
    Failed,
    ImageToTextTask,
    InsufficientBalance,
    InvalidArgument,
    Limits,
    QueueTimeout,
    RecaptchaV2Task,
    Solved,
    SolveTimeout,
    SubmitUncertain,
    TaskDropped,
    TaskQueued,
    TaskSolved,
    Unsolvable,
)
from captcha_async._account._slow_start import FIRST
from captcha_async.emulator import Emulator, Latency


async def collect(client: CaptchaClient, tasks: Any, **options: Any) -> list[Any]:
    """Run a batch to its end."""
    async with client.batch(tasks, **options) as outcomes:
        return [outcome async for outcome in outcomes]


async def take(batch: Any, got: list[Any]) -> None:
    """Put the outcomes of a batch into a list, for as long as they come."""
    async with batch as outcomes:
        async for outcome in outcomes:
            got.append(outcome)  # noqa: PERF401 (what came before an error counts)


def pages(count: int) -> list[RecaptchaV2Task]:
    """Make tasks that differ in their page."""
    return [
        RecaptchaV2Task(website_url=f"https://example.com/{number}", website_key="k")
        for number in range(count)
    ]


async def endless(read: list[int]) -> AsyncIterator[RecaptchaV2Task]:
    """Yield tasks for ever, and note each."""
    while True:
        read.append(1)
        yield TOKEN_TASK


async def once_each(items: list[Any]) -> AsyncIterator[Any]:
    """Yield each item."""
    for item in items:
        yield item


@pytest.mark.parametrize("kind", ["list", "generator", "async generator"])
async def test_every_task_has_its_outcome(kind: str) -> None:
    """Each outcome has the index of its task, whatever the tasks come from."""
    tasks = pages(50)

    async def generate() -> AsyncIterator[RecaptchaV2Task]:
        for task in tasks:
            yield task

    source = {"list": tasks, "generator": iter(tasks), "async generator": generate()}[kind]
    emulator = Emulator(latency=Latency(5, 0.5))
    async with joined(emulator) as client:
        outcomes = await collect(client, source)
    assert sorted(outcome.key for outcome in outcomes) == list(range(50))
    assert all(outcome.task is tasks[outcome.key] for outcome in outcomes)
    assert all(isinstance(outcome, Solved) for outcome in outcomes)
    assert len(emulator.tasks) == 50
    assert emulator.violations == []


async def test_outcomes_come_in_the_order_of_completion() -> None:
    """What is ready first is handed out first."""
    emulator = Emulator()
    emulator.answer_with({"text": "fast"}, "ImageToTextTask", after=1)
    emulator.answer_with({"gRecaptchaResponse": "slow"}, "RecaptchaV2Task", after=20)
    async with joined(emulator) as client:
        outcomes = await collect(client, {"token": TOKEN_TASK, "image": IMAGE_TASK})
    assert [outcome.key for outcome in outcomes] == ["image", "token"]


async def test_solve_all_returns_the_order_of_the_input() -> None:
    """A list in, a list out; a mapping's order is that of its keys."""
    emulator = Emulator(latency=Latency(5, 1.0))
    tasks = pages(30)
    async with joined(emulator) as client:
        outcomes = await client.solve_all(tasks)
        assert [outcome.task for outcome in outcomes] == tasks
        named = await client.solve_all({"b": tasks[1], "a": tasks[0]})
        assert [outcome.key for outcome in named] == ["b", "a"]
        assert await client.solve_all([]) == []


async def test_the_very_same_task_may_come_twice() -> None:
    """Duplicates are tasks of their own."""
    emulator = Emulator(latency=Latency.fixed(1))
    async with joined(emulator) as client:
        outcomes = await client.solve_all([TOKEN_TASK] * 5)
    assert len({outcome.task_id for outcome in outcomes}) == 5


async def test_one_tasks_trouble_never_stops_the_others() -> None:
    """Failures are values: a failed, a timed-out, a wrong task beside solved ones."""
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", "ImageToTextTask")
    wrong: Any = "not a task"
    too_big = ImageToTextTask(b"GIF89a".ljust(60_000))
    async with joined(emulator) as client:
        outcomes = await client.solve_all([TOKEN_TASK, IMAGE_TASK, wrong, too_big, TOKEN_TASK])
    kinds = [type(outcome) for outcome in outcomes]
    assert kinds == [Solved, Failed, Failed, Failed, Solved]
    failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    assert isinstance(failed[0].error, Unsolvable)
    assert failed[0].task_id == failed[0].error.task_id is not None
    assert isinstance(failed[1].error, InvalidArgument)
    assert failed[1].task == wrong
    assert failed[2].task_id is None


async def test_a_timeout_holds_for_each_task() -> None:
    """The deadline counts from the start of each solve, not of the batch."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator) as client:
        outcomes = await collect(client, pages(6), max_in_flight=2, timeout=12)
        assert all(isinstance(outcome, Solved) for outcome in outcomes)
        late = await collect(client, pages(2), timeout=2)
    assert all(isinstance(outcome.error, SolveTimeout) for outcome in late)


async def test_no_more_than_max_in_flight_are_under_way() -> None:
    """The service never sees more open tasks than allowed."""
    emulator = Emulator(latency=Latency.fixed(5), slots=7)
    async with joined(emulator) as client:
        outcomes = await collect(client, pages(40), max_in_flight=7)
        assert client.statistics().retries == 0
    assert len(outcomes) == 40


@pytest.mark.parametrize("pause", [0.0, 3.0])
async def test_the_source_is_never_read_far_ahead(pause: float) -> None:
    """An endless source is read only as there is room, however slow the reader is."""
    read: list[int] = []
    taken = 0
    emulator = Emulator(latency=Latency.fixed(2))
    async with joined(emulator) as client:
        async with client.batch(endless(read), max_in_flight=5) as outcomes:
            async for _ in outcomes:
                taken += 1
                assert len(read) <= taken + 2 * 5 + 1
                await anyio.sleep(pause)
                if taken == 30:
                    break
        assert client.statistics().in_flight == 0 or client.orphans


async def test_leaving_early_files_what_was_paid_for() -> None:
    """Every task that the service accepted was handed out or is an orphan; none is lost."""
    read: list[int] = []
    emulator = Emulator(latency=Latency(5, 0.8), seed=3)
    emulator.delay(0.3, "createTask")
    taken: set[Any] = set()
    async with joined(emulator) as client:
        async with client.batch(endless(read), max_in_flight=20) as outcomes:
            async for outcome in outcomes:
                taken.add(outcome.task_id)
                await anyio.sleep(0.7)
                if len(taken) == 10:
                    break
        orphans = {pending.task_id for pending in client.orphans}
        assert taken | orphans == set(emulator.tasks)
        assert taken & orphans == set()
        solved = [await pending for pending in client.orphans]
        assert {answer.task_id for answer in solved} == orphans
        assert client.orphans == ()
        assert client.statistics().in_flight == 0
    assert emulator.violations == []


async def test_an_error_in_the_block_comes_out_as_it_is() -> None:
    """No exception group: `except ValueError` around the block works."""
    async with joined(Emulator()) as client:
        with pytest.raises(ValueError, match="the user's own"):
            async with client.batch([TOKEN_TASK]):
                raise ValueError("the user's own")


async def test_a_source_that_breaks_is_told_after_what_it_gave() -> None:
    """Tasks that were read are solved and handed out before the source's error is raised."""

    def source() -> Iterator[RecaptchaV2Task]:
        yield TOKEN_TASK
        yield TOKEN_TASK
        raise LookupError("the file ended")

    got: list[Any] = []
    async with joined(Emulator(latency=Latency.fixed(1))) as client:
        batch = client.batch(source())
        with pytest.raises(LookupError, match="the file ended"):
            await take(batch, got)
    assert sorted(outcome.key for outcome in got) == [0, 1]


async def test_a_cancelled_batch_ends_cleanly() -> None:
    """A deadline around the block cancels everything in it."""
    emulator = Emulator(latency=Latency.fixed(50))
    async with joined(emulator) as client:
        with anyio.move_on_after(5) as scope:
            await client.solve_all(pages(10))
        assert scope.cancelled_caught
        assert len(client.orphans) == 10
        assert client.statistics().queued == 0


@pytest.mark.parametrize("rounds", range(14))
async def test_a_list_that_is_cancelled_at_its_very_end_is_not_lost(rounds: int) -> None:
    """Whoever is cancelled while the last things are put away has no list: its answers are kept."""
    emulator = Emulator(latency=Latency.fixed(5))
    outcomes: list[Any] = []
    solved: list[TaskSolved] = []
    last = anyio.Event()

    def note(event: Any) -> None:
        if isinstance(event, TaskSolved):
            solved.append(event)
            if len(solved) == 3:
                last.set()

    async def cut_off(scope: anyio.CancelScope) -> None:
        await last.wait()
        for _ in range(rounds):
            await anyio.lowlevel.checkpoint()
        scope.cancel()

    async with joined(emulator, on_event=note) as client:
        async with anyio.create_task_group() as group:
            with anyio.CancelScope() as scope:
                group.start_soon(cut_off, scope)
                outcomes = await client.solve_all(pages(3))
        taken = {outcome.task_id for outcome in outcomes}
        orphans = {pending.task_id for pending in client.orphans}
        assert taken | orphans == set(emulator.tasks)
        assert taken & orphans == set()


async def test_zero_balance_fails_the_rest_at_once() -> None:
    """Of 5,000 tasks no more are sent than go before anything is known of the account."""
    emulator = Emulator(balance=Decimal("0"))
    emulator.delay(1, "createTask")
    async with joined(emulator, limits=Limits(connections=64)) as client:
        start = anyio.current_time()
        outcomes = await client.solve_all([TOKEN_TASK] * 5000)
        assert anyio.current_time() - start == pytest.approx(1, abs=0.2)
    assert len(outcomes) == 5000
    assert all(
        isinstance(outcome, Failed) and isinstance(outcome.error, InsufficientBalance)
        for outcome in outcomes
    )
    assert len(emulator.requests_to("createTask")) == FIRST


async def test_the_batch_finds_the_accounts_capacity() -> None:
    """With room for 12 tasks only, a batch of any size is solved, with few refusals."""
    emulator = Emulator(latency=Latency.fixed(10), slots=12)
    async with joined(emulator) as client:
        outcomes = await client.solve_all(pages(300), max_in_flight=200)
        numbers = client.statistics()
    assert all(isinstance(outcome, Solved) for outcome in outcomes)
    assert 10 <= numbers.slots <= 24
    refused = len(emulator.requests_to("createTask")) - 300
    assert refused < 300
    assert emulator.violations == []


async def test_progress_tells_how_far_it_is() -> None:
    """A snapshot of what was read, solved and failed."""
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", "ImageToTextTask")
    async with joined(emulator) as client:
        batch = client.batch([TOKEN_TASK, TOKEN_TASK, IMAGE_TASK], max_in_flight=3)
        assert (batch.progress().read, batch.progress().elapsed) == (0, 0.0)
        async with batch as outcomes:
            await anyio.sleep(1)
            assert (outcomes.progress().read, outcomes.progress().in_flight) == (3, 3)
            async for _ in outcomes:
                pass
            progress = outcomes.progress()
        assert (progress.solved, progress.failed, progress.in_flight) == (2, 1, 0)
        assert progress.exhausted
        assert progress.elapsed > 5
        assert repr(batch) == "<Batch: 3 read, 2 solved, 1 failed>"


@pytest.mark.parametrize("wrong", [(TOKEN_TASK,), ("key", TOKEN_TASK, 3), ()])
@pytest.mark.parametrize("kind", [list, once_each])
async def test_an_item_that_is_no_pair_fails_for_itself(wrong: Any, kind: Any) -> None:
    """What comes after it in the source is read, and solved."""
    async with joined(Emulator(latency=Latency.fixed(4))) as client:
        outcomes = await collect(client, kind([TOKEN_TASK, wrong, ("key", TOKEN_TASK)]))
        failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
        assert {outcome.key for outcome in outcomes} == {0, 1, "key"}
        assert [(outcome.key, outcome.task) for outcome in failed] == [(1, wrong)]
        assert isinstance(failed[0].error, InvalidArgument)


async def test_several_readers_share_the_outcomes() -> None:
    """Each outcome reaches one of them, and none waits on when one of them is cancelled."""
    async with joined(Emulator(latency=Latency.fixed(5))) as client:
        async with client.batch([TOKEN_TASK] * 20) as outcomes, anyio.create_task_group() as group:
            got: list[list[Any]] = [[], []]

            async def read(into: list[Any]) -> None:
                async for outcome in outcomes:
                    into.append(outcome)  # noqa: PERF401 (what came before the end counts)

            for into in got:
                group.start_soon(read, into)
            for _ in range(3):
                with anyio.move_on_after(1) as impatient:
                    await anext(outcomes)
                assert impatient.cancelled_caught
        assert sorted(outcome.key for into in got for outcome in into) == list(range(20))
        assert all(got)


async def test_wrong_use_is_explained() -> None:
    """Iterating without opening, opening twice, and wrong arguments get a clear error."""
    async with joined(Emulator()) as client:
        batch = client.batch([])
        with pytest.raises(RuntimeError, match=r"async with client\.batch"):
            await anext(aiter(batch))
        async with batch:
            pass
        with pytest.raises(RuntimeError, match="entered once"):
            async with batch:
                pass  # pragma: no cover
        wrong: list[tuple[dict[str, Any], str]] = [
            ({"tasks": 5}, "tasks"),
            ({"tasks": "abc"}, "tasks"),
            ({"tasks": [], "max_in_flight": 0}, "max_in_flight"),
            ({"tasks": [], "timeout": "1"}, "timeout"),
        ]
        for arguments, field in wrong:
            with pytest.raises(InvalidArgument, match=field):
                client.batch(**arguments)


@pytest.mark.parametrize("anyio_backend", [("asyncio", {})], ids=["asyncio"])
async def test_leaving_does_not_describe_the_callers_task() -> None:
    """A task queue's task has all its other tasks in its repr, which then takes as long as them."""
    described: list[Callback] = []

    class Callback:
        def __call__(self, _: Any) -> None:
            pass

        def __repr__(self) -> str:
            described.append(self)
            return "<Callback>"

    task = asyncio.current_task()
    assert task is not None
    task.add_done_callback(Callback())
    async with (
        joined(Emulator(latency=Latency.fixed(0))) as client,
        client.batch([TOKEN_TASK] * 3) as outcomes,
    ):
        async for outcome in outcomes:
            assert isinstance(outcome, Solved)
    assert described == []
    # The callback is one that would tell.
    assert "<Callback>" in repr(task)


async def test_no_task_waits_for_a_hand_beyond_its_deadline() -> None:
    """All of them wait for replies that do not come, and what is read ends in time all the same."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.hang("createTask", times=2)
    seen: list[Any] = []
    limits = Limits(connections=2)
    async with joined(emulator, limits=limits, on_event=seen.append) as client:
        begun = anyio.current_time()
        ends: dict[Any, tuple[type[Any], float]] = {}
        tasks: list[Any] = [*pages(6), None, *pages(2)]
        async with client.batch(tasks, timeout=5) as outcomes:
            async for outcome in outcomes:
                kind = type(outcome.error) if isinstance(outcome, Failed) else Solved
                ends[outcome.key] = kind, anyio.current_time() - begun
        kinds = [ends[key][0] for key in range(9)]
        assert kinds[:2] == [SubmitUncertain] * 2
        assert {*kinds[2:6], *kinds[7:]} == {QueueTimeout}
        assert kinds[6] is InvalidArgument
        late = [key for key, (kind, when) in ends.items() if kind is QueueTimeout and when > 5.1]
        assert late == []
        # A task that comes later has its time, and is solved.
        assert isinstance((await collect(client, pages(1), timeout=5))[0], Solved)
        numbers = client.statistics()
        assert (numbers.queued, numbers.timed_out, numbers.uncertain) == (0, 8, 2)
    assert len(emulator.tasks) == 1
    counts = [sum(isinstance(event, kind) for event in seen) for kind in (TaskQueued, TaskDropped)]
    assert counts == [9, 8]
