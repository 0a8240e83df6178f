"""Whose answer is whose when a batch goes on: keys, names, other tasks, and answers of before."""

from __future__ import annotations

import datetime
import enum
import os
import sys
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from anyio.streams.buffered import BufferedByteReceiveStream
from journal_files import change, journalled, quick_emulator, rows
from local import TOKEN_TASK

from captcha_async import (
    CaptchaClient,
    Failed,
    InvalidArgument,
    Journal,
    RecaptchaV2Task,
    Solved,
    SubmitUncertain,
    TurnstileTask,
)
from captcha_async.emulator import Emulator

pytestmark = pytest.mark.real_time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal is to be."""
    return tmp_path / "captchas.db"


def page(number: Any) -> RecaptchaV2Task:
    """Make a task of its own."""
    return TOKEN_TASK.evolve(website_url=f"https://example.com/{number}")


async def run(client: CaptchaClient, tasks: Any, **options: Any) -> list[Any]:
    """Take all outcomes of a batch."""
    async with client.batch(tasks, **options) as batch:
        return [outcome async for outcome in batch]


# -- keys -----------------------------------------------------------------------------------------


class Colour(enum.Enum):
    """A key that looks like its value."""

    RED = 1


ID = uuid.UUID(int=1)

PAIRS = {
    "not a number, None": (float("nan"), None),
    "path, string": (Path("a"), "a"),
    "member, number": (Colour.RED, 1),
    "UUID, string": (ID, str(ID)),
    "date, string": (datetime.date(2020, 1, 1), "2020-01-01"),
    "number, string": (1, "1"),
    "whole, float": (2, 2.5),
    "tuple, string": (("a",), '["a"]'),
    "bytes, string": (b"a", "a"),
    "half a character, its escape": ("\udce9", "\\udce9"),
}


@pytest.mark.parametrize("keys", PAIRS.values(), ids=PAIRS)
async def test_no_key_gets_the_answer_of_another(path: Path, keys: tuple[Any, Any]) -> None:
    """Each is told from every other one, or refused."""
    emulator = quick_emulator()
    emulator.answer_with({"gRecaptchaResponse": "first"})
    journal = Journal(path, keep_solutions=True)
    tokens: dict[int, set[str]] = {0: set(), 1: set()}
    for _ in range(2):
        async with journalled(emulator, journal) as client:
            for number, key in enumerate(keys):
                emulator.answer_with({"gRecaptchaResponse": f"of {number}"})
                (outcome,) = await run(client, {key: page(number)}, name="b", resume=True)
                if isinstance(outcome, Solved):
                    tokens[number].add(outcome.solution.token)
                else:
                    assert isinstance(outcome.error, InvalidArgument)
    assert tokens[0] <= {"of 0"}
    assert tokens[1] == {"of 1"}


@pytest.mark.parametrize("resume", [False, True])
async def test_a_key_that_comes_twice_is_refused(path: Path, resume: bool) -> None:
    """The second task is not sent: its answer could not be told from the first one's."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        jobs = [("a", page(1)), ("b", page(2)), ("a", page(3)), (7, page(4)), (7, page(5))]
        outcomes = await run(client, jobs, name="b", resume=resume)
        failed = [outcome for outcome in outcomes if isinstance(outcome, Failed)]
        assert sorted(str(outcome.key) for outcome in failed) == ["7", "a"]
        for outcome in failed:
            assert isinstance(outcome.error, InvalidArgument)
            assert "was there before" in str(outcome.error)
    assert len(emulator.tasks) == 3


async def test_a_taken_key_that_comes_twice_is_refused_too(path: Path) -> None:
    """Whether or not its answer is known from an earlier run."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        await run(client, [("a", page(1)), (0, page(0))], name="b")
    async with journalled(emulator, path) as client:
        jobs = [("a", page(1)), ("a", page(2)), (0, page(0)), (0, page(3))]
        outcomes = await run(client, jobs, name="b", resume=True)
        assert sorted(str(outcome.key) for outcome in outcomes) == ["0", "a"]
        assert all("was there before" in str(outcome.error) for outcome in outcomes)
    assert len(emulator.tasks) == 2


async def test_many_taken_keys_are_passed_over_without_a_question(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are read in pages before the first key comes."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        await run(client, {"a": page(1)}, name="b")
    spread = ", ".join(f"('k{number}')" for number in range(5_000))
    change(
        path,
        "INSERT INTO submission (made, service, account, type, batch, key, state, task_id, polls) "
        "SELECT made, service, account, type, batch, '\"' || column1 || '\"', state, task_id, 1 "
        f"FROM submission, (VALUES {spread}) WHERE number = 1",
    )
    async with journalled(emulator, path) as client:
        asked: list[Any] = []
        find = client._journal._find

        async def counted(place: Any) -> Any:
            asked.append(place)
            return await find(place)

        monkeypatch.setattr(client._journal, "_find", counted)
        jobs = ((f"k{number}", page(number)) for number in range(5_001))
        async with client.batch(jobs, name="b", resume=True) as batch:
            (outcome,) = [outcome async for outcome in batch]
            progress = batch.progress()
    assert outcome.key == "k5000"
    assert (progress.read, progress.skipped, progress.solved) == (5_001, 5_000, 1)
    assert len(asked) == 1


# -- names ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("options", [{"name": "b"}, {"resume": True}])
async def test_two_batches_of_one_name_do_not_run_together(
    path: Path, options: dict[str, Any]
) -> None:
    """Neither would know what the other pays for; afterwards the name is free again."""
    emulator = quick_emulator(0.05)
    jobs = {number: page(number) for number in range(5)}
    async with journalled(emulator, path) as client:
        async with client.batch(jobs, **options) as first:
            await anext(first)
            with pytest.raises(InvalidArgument, match="no other batch that is running"):
                await run(client, jobs, **options)
            await run(client, [page(9)], name="another")
            assert len([outcome async for outcome in first]) == 4
        assert len(await run(client, jobs, **{**options, "resume": False})) == 5
    assert len(emulator.tasks) == 11


@pytest.mark.parametrize("first", [False, True], ids=["the plain one first", "it first"])
async def test_a_batch_that_resumes_is_alone_with_its_name(path: Path, first: bool) -> None:
    """Batches without a name that resume nothing may run together; beside one that does, not."""
    emulator = quick_emulator(0.05)
    jobs = {number: page(number) for number in range(3)}
    async with (
        journalled(emulator, path) as client,
        client.batch(jobs, resume=first) as batch,
    ):
        await anext(batch)
        with pytest.raises(InvalidArgument, match="name must be"):
            await run(client, jobs, resume=not first)
        if not first:
            assert len(await run(client, jobs)) == 3


async def test_a_name_is_free_however_a_batch_ends(path: Path) -> None:
    """Cancelled, left early, or with a source that raises."""

    async def broken() -> AsyncIterator[RecaptchaV2Task]:
        yield page(1)
        raise LookupError("the source")

    async with journalled(quick_emulator(60), path) as client:
        with anyio.move_on_after(0.05):
            await run(client, [page(1)], name="b")
        async with client.batch([page(1)], name="b", resume=True):
            pass
        async with client.batch(broken(), name="b", resume=True, timeout=0.05) as batch:
            with pytest.raises(LookupError):
                [outcome async for outcome in batch]
        async with client.batch([page(1)], name="b", resume=True):
            pass


HOLDER = """
import sys, anyio
from captcha_async import CaptchaClient, RecaptchaV2Task

async def main():
    task = RecaptchaV2Task(website_url="https://example.com", website_key="k")
    async with CaptchaClient("key", base_url="http://127.0.0.1:1", journal=sys.argv[1]) as client:
        async with client.batch([task], name="b", resume=True):
            print("running", flush=True)
            await anyio.sleep_forever()

anyio.run(main)
"""


@pytest.mark.parametrize("anyio_backend", ["asyncio-real"], indirect=True)
async def test_a_batch_of_another_process_is_refused_until_that_ends(path: Path) -> None:
    """However it ends: a process that is killed holds nothing."""
    root = Path(__file__).parents[2]
    environment = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-c", HOLDER, str(path)]
    async with await anyio.open_process(command, env=environment) as process:
        assert process.stdout is not None
        await BufferedByteReceiveStream(process.stdout).receive_until(b"running", 100)
        with pytest.raises(Exception, match="in use"):
            async with journalled(quick_emulator(), path):
                raise AssertionError("unreachable")
        process.kill()
    async with journalled(quick_emulator(), path) as client:
        assert len(await run(client, [page(1)], name="b", resume=True)) == 1


# -- other tasks ----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [list, dict], ids=["by index", "by key"])
async def test_an_unnamed_batch_of_other_tasks_is_refused_as_a_whole(path: Path, kind: Any) -> None:
    """Before anything of it is sent, in words about how to name it."""
    emulator = quick_emulator()
    first = [page(number) for number in range(5)]
    other: list[Any] = [
        TurnstileTask(website_url=f"https://example.com/{number}", website_key="k")
        for number in range(50)
    ]
    jobs = [dict(enumerate(tasks)) if kind is dict else tasks for tasks in (first, other)]
    async with journalled(emulator, path) as client:
        await run(client, jobs[0])
        async with client.batch(jobs[1], resume=True) as batch:
            with pytest.raises(InvalidArgument, match=r"name='shop'.*forget_batch") as caught:
                [outcome async for outcome in batch]
            progress = batch.progress()
        assert caught.value.field == "name"
        assert (progress.solved, progress.failed) == (0, 0)
        assert progress.dropped == progress.read - progress.skipped
        assert len(emulator.tasks) == 5
        assert len(await run(client, jobs[1], resume=True, name="shop")) == 50


async def test_a_named_batch_knows_its_tasks_by_their_keys(path: Path) -> None:
    """There a task under a key may be another in each run, such as a picture that is new."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        await run(client, {"a": page(1)}, name="b")
        assert await run(client, {"a": page(2)}, name="b", resume=True) == []


# -- once more ------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["", "pages"])
@pytest.mark.parametrize("keep", [False, True])
async def test_a_batch_that_was_forgotten_is_solved_anew(path: Path, name: str, keep: bool) -> None:
    """The same file can be run again next week."""
    emulator = quick_emulator()
    jobs = {number: page(number) for number in range(3)}
    async with journalled(emulator, Journal(path, keep_solutions=keep)) as client:
        await run(client, jobs, name=name)
        assert await client.forget_batch(name) == 3
        assert await client.forget_batch(name) == 0
        outcomes = await run(client, jobs, name=name, resume=True)
        assert [outcome.replayed for outcome in outcomes] == [False] * 3
    assert len(emulator.tasks) == 6
    assert rows(path) == ["solved"] * 6


async def test_a_batch_that_has_something_left_is_not_forgotten(path: Path) -> None:
    """What is paid for and not collected, or uncertain, is told; one that runs is left alone."""
    emulator = quick_emulator(60)
    emulator.break_http("createTask", status=502, effect=True)
    jobs = {number: page(number) for number in range(3)}
    async with journalled(emulator, path) as client:
        async with client.batch(jobs, name="b", timeout=2) as batch:
            errors = [getattr(await anext(batch), "error", None)]
            with pytest.raises(InvalidArgument, match="that has ended"):
                await client.forget_batch("b")
            errors += [getattr(outcome, "error", None) async for outcome in batch]
        assert sum(isinstance(error, SubmitUncertain) for error in errors) == 1
        with pytest.raises(InvalidArgument, match=r"2 tasks are paid for .* 1 are uncertain"):
            await client.forget_batch("b")
        with pytest.raises(InvalidArgument, match="name"):
            await client.forget_batch(7)  # type: ignore[arg-type]
    assert rows(path, "batch") == ["b"] * 3


async def test_without_a_journal_there_is_nothing_to_forget() -> None:
    """The error tells what to give."""
    async with CaptchaClient("key-0123456789", base_url="http://127.0.0.1:1") as client:
        with pytest.raises(InvalidArgument, match="journal must be given"):
            await client.forget_batch()


# -- answers of before ----------------------------------------------------------------------------


async def replay(emulator: Emulator, path: Path, *, by_batch: bool) -> Solved[Any]:
    """Return a stored answer, out of a batch or by itself."""
    async with journalled(emulator, Journal(path, keep_solutions=True)) as client:
        if by_batch:
            (outcome,) = await run(client, {"a": TOKEN_TASK}, name="b", resume=True)
        else:
            (outcome,) = [await pending async for pending in client.resume()]
        return outcome


@pytest.mark.parametrize("by_batch", [True, False])
async def test_an_answer_that_is_handed_out_again_says_how_old_it_is(
    path: Path, by_batch: bool
) -> None:
    """Its time, cost and polls are those of then; its token lives from its submission on."""
    emulator = quick_emulator()
    async with journalled(emulator, Journal(path, keep_solutions=True)) as client:
        (first,) = await run(client, {"a": TOKEN_TASK}, name="b")
        assert not first.replayed
    state = "solved" if by_batch else "open"
    change(path, f"UPDATE submission SET made = made - 100, elapsed = 7.5, state = '{state}'")
    change(path, "UPDATE submission SET since = 3.0")
    requests = len(emulator.requests)
    again = await replay(emulator, path, by_batch=by_batch)
    assert len(emulator.requests) == requests
    assert (again.replayed, again.elapsed) == (True, 7.5)
    assert (again.solution, again.cost, again.polls) == (first.solution, first.cost, first.polls)
    assert (again.key, again.task_id) == ("a", first.task_id)
    life = TOKEN_TASK.spec.token_life
    assert life is not None
    assert again.expires_at is not None
    # On this process's clock: a hundred seconds ago and later by nothing but the test itself.
    assert again.expires_at <= anyio.current_time() - 100 + 3 + life
    assert again.expires_at > anyio.current_time() - 100 + 3 + life - 60


async def test_what_is_collected_after_all_is_no_answer_of_before(path: Path) -> None:
    """A task that was open is asked for: its answer is new."""
    emulator = quick_emulator(0.05)
    async with journalled(emulator, path) as client:
        await client.submit(TOKEN_TASK)
    async with journalled(emulator, path) as client:
        (solved,) = [await pending async for pending in client.resume()]
        assert not solved.replayed
