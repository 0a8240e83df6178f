"""Going on after a crash: tasks that were paid for, batches, orphans."""

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import pytest
from journal_files import GAP, change, journal_threads, journalled, quick_emulator, rows
from local import TOKEN_TASK, joined

from captcha_async import (
    CaptchaClient,
    Event,
    Failed,
    InsufficientBalance,
    InvalidArgument,
    Journal,
    PendingTask,
    Proxy,
    RecaptchaV2Task,
    Solved,
    SolveTimeout,
    SubmitUncertain,
    TaskExpired,
    TaskRef,
    TaskSubmitted,
    TurnstileTask,
    Unsolvable,
)
from captcha_async.emulator import Emulator

pytestmark = pytest.mark.real_time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal is to be."""
    return tmp_path / "captchas.db"


def tasks(number: int = 5) -> dict[str, RecaptchaV2Task]:
    """Make tasks with keys."""
    return {
        f"page {index}": TOKEN_TASK.evolve(website_url=f"https://example.com/{index}")
        for index in range(number)
    }


async def left_open(client: CaptchaClient) -> list[PendingTask[Any]]:
    """Return everything that `resume` yields."""
    return [pending async for pending in client.resume()]


# -- single tasks ---------------------------------------------------------------------------------


async def test_what_was_paid_for_is_taken_up_by_the_next_client(path: Path) -> None:
    """Once; making them up makes no request, and their answers come as ever."""
    emulator = quick_emulator(0.05)
    async with journalled(emulator, path) as client:
        await client.solve(TOKEN_TASK)
        first = await client.submit(TOKEN_TASK)
        await first.peek()
    requests = len(emulator.requests)
    async with journalled(emulator, path) as client:
        (pending,) = await left_open(client)
        assert len(emulator.requests) == requests
        assert pending.task_id == first.task_id
        # One poll more than is recorded: the last may have left just before the end.
        assert pending.polls == first.polls + 1
        assert (await left_open(client)) == [pending]
        assert (await pending).task is None
        assert await left_open(client) == []
    async with journalled(emulator, path) as client:
        assert await left_open(client) == []
    assert emulator.violations == []


async def test_what_this_client_has_in_flight_is_not_taken_up(path: Path) -> None:
    """`resume` is about earlier ones."""
    async with journalled(quick_emulator(), path) as client:
        await client.submit(TOKEN_TASK)
        assert await left_open(client) == []


async def test_a_result_that_is_certainly_gone_is_not_asked_for(path: Path) -> None:
    """Unknown ids lead to a ban; the task is told to have expired."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        await client.submit(TOKEN_TASK)
    change(path, "UPDATE submission SET made = made - 3600")
    async with journalled(emulator, path) as client:
        (pending,) = await left_open(client)
        with pytest.raises(TaskExpired, match="not asked for"):
            await pending
        assert pending.done
    assert emulator.requests_to("getTaskResult") == []
    assert rows(path, "state, error") == [("failed", "TaskExpired")]


async def test_a_stored_answer_needs_no_request(path: Path) -> None:
    """It came before the end, and nobody had taken it."""
    emulator = quick_emulator()
    journal = Journal(path, keep_solutions=True)
    async with journalled(emulator, journal) as client:
        emulator.answer_at_once()
        first = await client.submit(TOKEN_TASK)
        assert first.done
    async with journalled(emulator, journal) as client:
        (pending,) = await left_open(client)
        solved = await pending
        assert solved.solution.token
    assert rows(path, "state, cost") == [("solved", str(solved.cost))]
    assert len(emulator.requests) == 1


async def test_an_attached_task_goes_on_in_its_row(path: Path) -> None:
    """A reference kept elsewhere and the journal do not get in each other's way."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        ref = (await client.submit(TOKEN_TASK)).ref
    async with journalled(emulator, path) as client:
        await client.attach(ref)
        assert await left_open(client) == []
    assert rows(path) == ["solved"]
    async with journalled(emulator, path) as client:
        with pytest.raises(TaskExpired):
            await client.attach(TaskRef("capmonster", 4711, "RecaptchaV2Task"))
    assert rows(path) == ["solved", "failed"]


async def test_without_a_journal_nothing_can_be_resumed() -> None:
    """The error tells what to give."""
    async with joined(Emulator()) as client:
        with pytest.raises(InvalidArgument, match="journal must be given"):
            await left_open(client)
        with pytest.raises(InvalidArgument, match="journal"):
            await client.uncertain()
        with pytest.raises(InvalidArgument, match="resume"):
            client.batch([TOKEN_TASK], resume=True)
        with pytest.raises(InvalidArgument, match="name"):
            client.batch([TOKEN_TASK], name=7)  # type: ignore[arg-type]


# -- batches --------------------------------------------------------------------------------------


class PowerCut(Exception):
    """Ends a batch in the middle."""


async def interrupted(client: CaptchaClient, taken: int, **options: Any) -> list[Any]:
    """Take some outcomes of a batch; the last one while the process is still busy with it."""
    found: list[Any] = []
    with suppress(PowerCut):
        async with client.batch(tasks(), **options) as outcomes:
            async for outcome in outcomes:
                found.append(outcome)
                if len(found) == taken:
                    raise PowerCut
    return found


async def test_an_interrupted_batch_goes_on_where_it_stopped(path: Path) -> None:
    """What was taken is skipped, and nothing is created twice."""
    emulator = quick_emulator(0.1)
    async with journalled(emulator, path) as client:
        first = await interrupted(client, 3)
    async with (
        journalled(emulator, path) as client,
        client.batch(tasks(), resume=True) as outcomes,
    ):
        second: list[Any] = [outcome async for outcome in outcomes]
        progress = outcomes.progress()
    # The third was handed out, but not done with.
    assert {outcome.key for outcome in second} == set(tasks()) - {first[0].key, first[1].key}
    again = next(outcome for outcome in second if outcome.key == first[2].key)
    assert again.solution == first[2].solution
    assert (progress.read, progress.solved, progress.skipped, progress.in_flight) == (5, 3, 2, 0)
    assert len(emulator.tasks) == 5
    assert all(outcome.task is tasks()[outcome.key] or outcome.task for outcome in second)
    assert rows(path) == ["solved"] * 5
    assert emulator.violations == []


async def test_without_money_what_is_paid_for_is_collected(path: Path) -> None:
    """No task can be created, and the answers of those that there are come all the same."""
    emulator = quick_emulator(0.3)
    async with journalled(emulator, path) as client:
        with anyio.move_on_after(0.15):
            await client.solve_all(tasks(3), name="pages")
    emulator.balance = 0
    async with journalled(emulator, path) as client:
        with pytest.raises(InsufficientBalance):
            await client.solve(TOKEN_TASK)
        async with client.batch(tasks(4), name="pages", resume=True) as outcomes:
            found = {outcome.key: outcome async for outcome in outcomes}
    failed = found.pop("page 3")
    assert isinstance(failed, Failed)
    assert isinstance(failed.error, InsufficientBalance)
    assert [type(outcome) for outcome in found.values()] == [Solved] * 3
    assert len(emulator.tasks) == 3


async def test_stored_answers_are_handed_out_again(path: Path) -> None:
    """So the whole result is there, whatever was taken before."""
    emulator = quick_emulator()
    journal = Journal(path, keep_solutions=True)
    async with journalled(emulator, journal) as client:
        first = {outcome.key: outcome for outcome in await interrupted(client, 3)}
    async with journalled(emulator, journal) as client:
        outcomes = await client.solve_all(tasks(), resume=True)
    assert [outcome.key for outcome in outcomes] == list(tasks())
    for outcome in outcomes:
        assert isinstance(outcome, Solved)
        assert outcome.task == tasks()[outcome.key]
        if outcome.key in first:
            before = first[outcome.key]
            assert (outcome.solution, outcome.cost) == (before.solution, before.cost)
    assert len(emulator.tasks) == 5


async def test_a_list_needs_stored_answers(path: Path) -> None:
    """Else it would have holes."""
    async with journalled(quick_emulator(), path) as client:
        with pytest.raises(InvalidArgument, match="keep_solutions"):
            await client.solve_all(tasks(), resume=True)
        assert len(await client.solve_all(tasks())) == 5
        assert rows(path) == ["solved"] * 5


async def test_a_list_that_nobody_got_is_not_taken(path: Path) -> None:
    """Its answers count as taken all together."""
    emulator = quick_emulator()
    emulator.answer_with({"gRecaptchaResponse": "T"}, times=4)
    async with journalled(emulator, path) as client:
        emulator.answer_with({"gRecaptchaResponse": "late"}, after=5)
        with anyio.move_on_after(0.5):
            await client.solve_all(tasks())
    assert rows(path) == ["open"] * 5


async def test_an_uncertain_key_is_sent_again_only_if_asked(path: Path) -> None:
    """Else it is told as a failure."""
    emulator = quick_emulator()
    emulator.break_http("createTask", status=502, effect=True)
    async with journalled(emulator, path) as client:
        outcomes = await client.solve_all(tasks(3), name="job")
        (lost,) = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
    async with journalled(emulator, path) as client:
        (submission,) = await client.uncertain()
        assert (submission.batch, submission.key) == ("job", lost.key)
        async with client.batch(tasks(3), name="job", resume=True) as batch:
            (outcome,) = [outcome async for outcome in batch]
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, SubmitUncertain)
        assert len(emulator.tasks) == 3
        again = client.batch(tasks(3), name="job", resume=True, resend_uncertain=True)
        async with again as batch:
            (outcome,) = [outcome async for outcome in batch]
        assert isinstance(outcome, Solved)
        assert await client.uncertain() == ()
    assert len(emulator.tasks) == 4


async def test_a_key_that_failed_is_solved_anew(path: Path) -> None:
    """A failure costs nothing, and a new task may work."""
    emulator = quick_emulator()
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    async with journalled(emulator, path) as client:
        outcomes = await client.solve_all(tasks(2))
        (failed,) = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
        assert isinstance(failed.error, Unsolvable)
        async with client.batch(tasks(2), resume=True) as batch:
            assert [outcome.key async for outcome in batch] == [failed.key]


async def test_a_key_whose_result_is_gone_is_solved_anew(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """And a warning tells that it was paid for."""
    emulator = quick_emulator()
    emulator.answer_with({"gRecaptchaResponse": "T"}, after=60, times=2)
    async with journalled(emulator, path) as client:
        for outcome in await client.solve_all(tasks(2), timeout=0.1):
            assert isinstance(outcome, Failed)
            assert isinstance(outcome.error, SolveTimeout)
    change(path, "UPDATE submission SET made = made - 3600")
    async with (
        journalled(emulator, path) as client,
        client.batch(tasks(2), resume=True) as batch,
    ):
        assert len([outcome async for outcome in batch]) == 2
    assert len(emulator.tasks) == 4
    assert rows(path) == ["expired", "expired", "solved", "solved"]
    warnings = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert len(warnings) == 2


async def test_the_same_index_with_another_task_is_refused(path: Path) -> None:
    """A list in another order must not be taken for solved; the proxy may differ."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        await client.solve_all([TOKEN_TASK, TOKEN_TASK], name="pair")
        proxied = TOKEN_TASK.evolve(proxy=Proxy.from_url("http://user:pass@203.0.113.7:8080"))
        other = TurnstileTask(website_url="https://example.com", website_key="k")
        async with client.batch([proxied, other], resume=True, name="pair") as batch:
            (outcome,) = [outcome async for outcome in batch]
        assert isinstance(outcome, Failed)
        assert outcome.key == 1
        assert isinstance(outcome.error, InvalidArgument)
        assert "a name of its own" in str(outcome.error)
        async with client.batch([other], resume=True, name="another") as batch:
            assert len([outcome async for outcome in batch]) == 1


@pytest.mark.parametrize("key", ["page", 7, None, ("a", 1), Path("/srv/page"), True])
async def test_keys_are_recognised(path: Path, key: Any) -> None:
    """Strings, numbers, tuples and paths are the same in another process."""
    emulator = quick_emulator()
    for _ in range(2):
        async with (
            journalled(emulator, path) as client,
            client.batch({key: TOKEN_TASK}, resume=True) as batch,
        ):
            async for outcome in batch:
                assert outcome.key == key
    assert len(emulator.tasks) == 1


async def test_a_key_that_cannot_be_recognised_is_refused(path: Path) -> None:
    """Nothing is sent for it; without a journal any key will do."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        (outcome,) = await client.solve_all({object(): TOKEN_TASK})
        assert isinstance(outcome, Failed)
        assert isinstance(outcome.error, InvalidArgument)
    assert emulator.requests == []
    async with joined(emulator) as client:
        assert isinstance((await client.solve_all({object(): TOKEN_TASK}))[0], Solved)


async def test_tasks_of_a_batch_can_be_resumed_alone(path: Path) -> None:
    """Their answers tell the key, and the batch skips them then."""
    # So long that all are accepted before the first answer, also on a busy machine.
    emulator = quick_emulator(1.0)
    async with journalled(emulator, path) as client:
        await interrupted(client, 1)
    async with journalled(emulator, path) as client:
        solved = [await pending async for pending in client.resume()]
        assert {answer.key for answer in solved} == set(tasks())
        async with client.batch(tasks(), resume=True) as batch:
            assert [outcome async for outcome in batch] == []


async def test_several_readers_are_each_done_with_their_own(path: Path) -> None:
    """An outcome that one reader still works on is not taken because another asks for the next."""
    emulator = quick_emulator()
    held: list[Any] = []
    async with journalled(emulator, path) as client:
        with suppress(PowerCut):
            async with client.batch(tasks()) as batch:
                held.append(await anext(batch))

                async def read() -> None:
                    for _ in range(3):
                        await anext(batch)

                async with anyio.create_task_group() as group:
                    group.start_soon(read)
                raise PowerCut
    open_keys = [key for key, state in rows(path, "key, state") if state == "open"]
    assert f'"{held[0].key}"' in open_keys
    assert len(open_keys) == 3


# -- orphans --------------------------------------------------------------------------------------


async def test_orphans_are_drained_on_closing_if_asked(path: Path) -> None:
    """Their answers are there to be looked at, and the journal has them for the next client."""
    emulator = quick_emulator(0.1)
    scope = anyio.CancelScope()

    def leave(event: Event) -> None:
        if isinstance(event, TaskSubmitted):
            scope.cancel()

    journal = Journal(path, keep_solutions=True)
    async with journalled(emulator, journal, on_event=leave) as client:
        for _ in range(3):
            with anyio.CancelScope() as scope:
                await client.solve(TOKEN_TASK)
        assert len(client.orphans) == 3
        await client.aclose(drain=5)
        assert [orphan.done for orphan in client.orphans] == [True] * 3
    requests = len(emulator.requests)
    async with journalled(emulator, path) as client:
        assert [pending.done for pending in await left_open(client)] == [True] * 3
    assert len(emulator.requests) == requests


async def test_what_nobody_has_begun_to_await_is_drained_as_well(path: Path) -> None:
    """It is paid for; afterwards it is an orphan, until its answer is taken, awaited or peeked."""
    emulator = quick_emulator(0.1)
    async with journalled(emulator, path) as client:
        first, second = [await client.submit(TOKEN_TASK) for _ in range(2)]
        await client.aclose(drain=5)
        assert set(client.orphans) == {first, second}
        assert first.done
        assert second.done
        await first
        assert client.orphans == (second,)
        assert await second.peek()
        assert len(client.orphans) == 0


async def test_an_answer_that_is_taken_after_closing_is_recorded(path: Path) -> None:
    """In a moment of its own, for the file was closed."""
    emulator = quick_emulator()
    emulator.answer_at_once()
    async with journalled(emulator, path) as client:
        pendings = [await client.submit(TOKEN_TASK) for _ in range(3)]
    for pending in pendings:
        await pending
    for thread in journal_threads():
        await anyio.to_thread.run_sync(thread.join)
    assert rows(path) == ["solved"] * 3


async def test_draining_is_bounded(path: Path) -> None:
    """What is not answered in time stays in the journal."""
    emulator = quick_emulator(60)
    async with journalled(emulator, path) as client:
        with anyio.move_on_after(5 * GAP):
            await client.solve(TOKEN_TASK)
        start = anyio.current_time()
        await client.aclose(drain=0.1)
        assert anyio.current_time() - start >= 0.1
        assert not client.orphans[0].done
        with pytest.raises(InvalidArgument, match="timeout"):
            await client.aclose(drain=-1)
    assert rows(path) == ["open"]
