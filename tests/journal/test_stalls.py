"""The journal's disk stalls, or its thread fails: whoever waits is told, and nothing hangs."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from journal_files import journal_threads, journalled, quick_emulator, rows
from local import KEY, TOKEN_TASK

from captcha_async import (
    CaptchaClient,
    CaptchaError,
    Journal,
    JournalError,
    RecaptchaV2Task,
    SolveTimeout,
    TaskRef,
)
from captcha_async._journal import _entry, _watchdog, _writer
from captcha_async._journal._jobs import Job, Waiter
from captcha_async._journal._store import Store
from captcha_async._journal._thread import JournalThread

pytestmark = pytest.mark.real_time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal is to be."""
    return tmp_path / "captchas.db"


class Disk:
    """A disk that stalls when the test says so, and goes on when it says so.

    While it stalls clients have little patience; else they have their own, for the machine may be
    busy.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patience = monkeypatch
        self._going = threading.Event()
        self._going.set()
        write = Store.write

        def stalling(store: Store, changes: Any) -> None:
            self._going.wait()
            write(store, changes)

        monkeypatch.setattr(Store, "write", stalling)
        monkeypatch.setattr(_watchdog, "TICK", 0.01)

    def stall(self) -> None:
        """Let every write wait."""
        self._going.clear()
        self._have(patience=0.05, longest=0.1)

    def go_on(self) -> None:
        """Let the writes go on."""
        self._going.set()
        self._have(patience=2.0, longest=30.0)

    def _have(self, *, patience: float, longest: float) -> None:
        for module in (_entry, _writer):
            self._patience.setattr(module, "PATIENCE", patience)
            self._patience.setattr(module, "LONGEST", longest)
        self._patience.setattr(_writer, "EXIT_TIMEOUT", longest)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    """Return the disk of the journal."""
    made = Disk(monkeypatch)
    yield made
    made.go_on()
    for thread in journal_threads():
        thread.join()


def warnings(caplog: pytest.LogCaptureFixture, word: str) -> int:
    """Count the warnings with a word."""
    levels = (logging.WARNING, logging.ERROR)
    return sum(word in entry.getMessage() for entry in caplog.records if entry.levelno in levels)


# -- a stalled disk -------------------------------------------------------------------------------


async def test_a_stall_before_createtask_is_an_error_and_nothing_is_sent(
    path: Path, disk: Disk
) -> None:
    """After a time that is bounded, also for a solve without a time-out of its own."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        disk.stall()
        for _ in range(2):
            with pytest.raises(JournalError, match="does not answer"):
                await client.solve(TOKEN_TASK)
        assert emulator.requests == []
        disk.go_on()
        await client.solve(TOKEN_TASK)
    assert rows(path) == ["solved"]


async def test_the_solves_own_deadline_holds_while_the_disk_stalls(
    path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends the wait for the record, and nothing was paid."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        disk.stall()
        monkeypatch.setattr(_entry, "LONGEST", 3600)
        with pytest.raises(SolveTimeout) as caught:
            await client.solve(TOKEN_TASK, timeout=0.05)
        assert caught.value.ref is None
        disk.go_on()
    assert emulator.requests == []
    assert rows(path) == []


async def test_a_stall_after_createtask_keeps_nobody_from_the_answer(
    path: Path, disk: Disk, caplog: pytest.LogCaptureFixture
) -> None:
    """The id is recorded when the disk goes on."""
    emulator = quick_emulator()
    emulator.delay(0.05, "createTask")
    async with journalled(emulator, path) as client, anyio.create_task_group() as group:

        async def stall() -> None:
            while not emulator.requests:  # noqa: ASYNC110 (it has no event)
                await anyio.sleep(0.001)
            disk.stall()

        group.start_soon(stall)
        assert (await client.solve(TOKEN_TASK)).solution.token
        disk.go_on()
        await client.solve(TOKEN_TASK)
    assert rows(path) == ["solved", "solved"]
    assert warnings(caplog, "does not answer") == 1
    assert warnings(caplog, "answers again") == 1


async def test_with_warnings_solving_goes_on_while_the_disk_stalls(path: Path, disk: Disk) -> None:
    """Each step waits once, and then no more until the disk goes on."""
    emulator = quick_emulator()
    async with journalled(emulator, Journal(path, on_error="warn")) as client:
        await client.solve(TOKEN_TASK)
        disk.stall()
        for _ in range(20):
            await client.solve(TOKEN_TASK)
        disk.go_on()
    assert rows(path) == ["solved"] * 21


async def test_a_batch_ends_while_the_disk_stalls(path: Path, disk: Disk) -> None:
    """What it has paid for is handed out, and its end waits for no disk."""
    emulator = quick_emulator()
    keys: list[Any] = []
    async with journalled(emulator, Journal(path, on_error="warn")) as client:
        async with client.batch([TOKEN_TASK] * 20, name="b") as batch:
            async for outcome in batch:
                disk.stall()
                keys.append(outcome.key)
        assert sorted(keys) == list(range(20))
        disk.go_on()
    assert rows(path) == ["solved"] * 20


async def test_closing_is_bounded(path: Path, disk: Disk, caplog: pytest.LogCaptureFixture) -> None:
    """The thread is left to itself, and a warning tells it."""
    async with journalled(quick_emulator(), path) as client:
        await client.submit(TOKEN_TASK)
        disk.stall()
        await client.attach(TaskRef("capmonster", 7654321, "RecaptchaV2Task")).peek()
    assert len(journal_threads()) == 1
    disk.go_on()
    for thread in journal_threads():
        await anyio.to_thread.run_sync(thread.join)
    assert rows(path)[0] == "solved"


async def ask_uncertain(client: CaptchaClient) -> None:
    """Ask for what is uncertain."""
    await client.uncertain()


async def ask_left_open(client: CaptchaClient) -> None:
    """Ask for what was left open."""
    [left async for left in client.resume()]


async def ask_batch(client: CaptchaClient) -> None:
    """Ask for a batch."""
    async with client.batch({"a": TOKEN_TASK}, name="b", resume=True) as batch:
        [outcome async for outcome in batch]


async def forget(client: CaptchaClient) -> None:
    """Have a batch forgotten."""
    await client.forget_batch()


@pytest.mark.parametrize("ask", [ask_uncertain, ask_left_open, ask_batch, forget])
async def test_questions_are_bounded(path: Path, disk: Disk, ask: Any) -> None:
    """They need the file, so they fail."""
    async with journalled(quick_emulator(), path) as client:
        pending = await client.submit(TOKEN_TASK)
        disk.stall()
        await pending
        with pytest.raises(JournalError, match="does not answer"):
            await ask(client)
        disk.go_on()


# -- a thread that fails --------------------------------------------------------------------------


class Odd(BaseException):
    """What nobody has thought of."""


@pytest.mark.parametrize("error", [OverflowError("odd"), MemoryError(), SystemExit(1), Odd("odd")])
async def test_whatever_is_raised_in_the_thread_reaches_those_who_wait(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """All of them, each with an error of its own; then the thread goes on."""
    emulator = quick_emulator()
    errors: list[JournalError] = []
    async with journalled(emulator, path) as client:

        async def solve() -> None:
            with pytest.raises(JournalError) as caught:
                await client.solve(TOKEN_TASK)
            errors.append(caught.value)

        def fail(*_: Any) -> None:
            raise error

        with monkeypatch.context() as patch:
            patch.setattr(Store, "write", fail)
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(solve)
        assert len({id(told) for told in errors}) == 5
        assert all(type(error).__name__ in str(told) for told in errors)
        assert emulator.requests == []
        await client.solve(TOKEN_TASK)
    assert rows(path) == ["solved"]


async def test_a_question_that_fails_is_told(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an error of the journal, whatever it is."""
    async with journalled(quick_emulator(), path) as client:
        monkeypatch.setattr(Store, "uncertain", lambda *_: 1 / 0)
        with pytest.raises(JournalError, match="ZeroDivisionError"):
            await client.uncertain()
        await client.solve(TOKEN_TASK)


@pytest.mark.parametrize("error", [SystemExit(1), Odd("odd")])
async def test_a_thread_that_ends_fails_everybody_and_another_takes_over(
    path: Path, monkeypatch: pytest.MonkeyPatch, error: BaseException
) -> None:
    """Also those whose records it had taken already."""
    emulator = quick_emulator()

    def die(*_: Any) -> None:
        raise error

    async with journalled(emulator, path) as client:
        pending = await client.submit(TOKEN_TASK)
        (thread,) = journal_threads()
        with monkeypatch.context() as patch:
            patch.setattr(JournalThread, "_serve", die)
            with pytest.raises(JournalError, match="error of its own"):
                await client.solve(TOKEN_TASK)
            await anyio.to_thread.run_sync(thread.join)
        await client.solve(TOKEN_TASK)
        await pending
    assert rows(path) == ["solved", "solved"]
    assert journal_threads() == []


async def test_records_of_a_thread_that_ends_are_written_by_the_next(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is paid for is not lost with it."""
    emulator = quick_emulator()
    emulator.delay(0.05, "createTask")

    def die(*_: Any) -> None:
        raise Odd

    async with journalled(emulator, path) as client:
        with monkeypatch.context() as patch:

            async def break_it() -> None:
                while not emulator.requests:  # noqa: ASYNC110 (it has no event)
                    await anyio.sleep(0.001)
                patch.setattr(JournalThread, "_serve", die)

            async with anyio.create_task_group() as group:
                group.start_soon(break_it)
                pending = await client.submit(TOKEN_TASK)
        await client.solve(TOKEN_TASK)
        assert sorted(rows(path, "state, task_id"))[0] == ("open", str(pending.task_id))


async def test_without_another_thread_nothing_is_sent(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And the next submission tries again."""
    emulator = quick_emulator()

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    transport = httpx.ASGITransport(app=emulator)
    async with httpx.AsyncClient(transport=transport) as http_client:
        client = CaptchaClient(KEY, service=emulator.service, http_client=http_client, journal=path)
        with monkeypatch.context() as patch:
            patch.setattr(threading.Thread, "start", refuse)
            with pytest.raises(JournalError, match="can't start new thread"):
                await client.solve(TOKEN_TASK)
            assert emulator.requests == []
        await client.solve(TOKEN_TASK)
        await client.aclose()
    assert rows(path) == ["solved"]


async def test_what_could_not_be_written_is_named_at_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """By the ids of the tasks that are paid for: the next client will not know them."""
    emulator = quick_emulator(60)
    emulator.delay(0.05, "createTask")

    def full(*_: Any) -> None:
        raise JournalError("The disk is full.", path=str(path))

    async with journalled(emulator, path) as client, anyio.create_task_group() as group:

        async def fill() -> None:
            while not emulator.requests:  # noqa: ASYNC110 (it has no event)
                await anyio.sleep(0.001)
            monkeypatch.setattr(Store, "write", full)

        group.start_soon(fill)
        pending = await client.submit(TOKEN_TASK)
    assert warnings(caplog, f"without the tasks {pending.task_id}, which are paid for") == 1


# -- other ways to be left alone ------------------------------------------------------------------


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
async def test_a_forked_child_does_not_wait_for_its_parents_thread(path: Path) -> None:
    """It has none: a job is not taken, and gets a thread of its own."""
    async with journalled(quick_emulator(), path):
        (thread,) = journal_threads()
        assert isinstance(thread, JournalThread)
        child = os.fork()
        if not child:
            os._exit(17 if not thread.put(Job()) else 1)
        _, status = await anyio.to_thread.run_sync(os.waitpid, child, 0)
        assert os.waitstatus_to_exitcode(status) == 17


async def test_a_loop_that_is_gone_stops_nobody(path: Path) -> None:
    """Those who wait in another one are served."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        waiter = Waiter(1.0)

        def gone(*_: Any) -> None:
            raise RuntimeError("Event loop is closed")

        waiter._soon = gone
        await client.submit(TOKEN_TASK)
        (thread,) = journal_threads()
        assert isinstance(thread, JournalThread)
        thread.put(Job(question=lambda _: None, waiter=waiter))
        await client.solve(RecaptchaV2Task(website_url="https://example.com", website_key="k"))


async def test_the_watchdog_ends_with_its_thread(path: Path) -> None:
    """No thread is left when the client is closed."""
    before = set(threading.enumerate())
    async with journalled(quick_emulator(), path) as client:
        with suppress(CaptchaError):
            await client.solve(TOKEN_TASK)
        assert len(set(threading.enumerate()) - before) >= 2
    left = {thread.name for thread in set(threading.enumerate()) - before}
    assert not any("captcha_async" in name for name in left)
