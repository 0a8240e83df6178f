"""The journal's file when it cannot be used: what is told, and that nothing paid for is lost."""

from __future__ import annotations

import logging
import os
import random
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import anyio
import pytest
from journal_files import change, journal_threads, journalled, quick_emulator, rows
from local import TOKEN_TASK

from captcha_async import Journal, JournalError, TaskId
from captcha_async._journal import Entry
from captcha_async._journal._store import Store

pytestmark = pytest.mark.real_time


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal is to be."""
    return tmp_path / "captchas.db"


def no_folder(path: Path) -> Path:
    """Return a path in a folder that does not exist."""
    return path / "missing" / "captchas.db"


def folder(path: Path) -> Path:
    """Return the path of a folder."""
    path.mkdir()
    return path


def text(path: Path) -> Path:
    """Return a file that is no database."""
    path.write_text("To whom it may concern: this is no database. " * 20)
    return path


def foreign(path: Path) -> Path:
    """Return a database of another program."""
    change(path, "CREATE TABLE meta (salt)")
    return path


def damaged(path: Path) -> Path:
    """Return a journal with a page of noise."""
    Store(str(path), 7200).close()
    content = bytearray(path.read_bytes())
    content[4096:] = random.Random(0).randbytes(len(content) - 4096)
    path.write_bytes(content)
    return path


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (no_folder, "No such file"),
        (folder, "unable to open"),
        (text, "is no journal"),
        (foreign, "of another program"),
        (damaged, "is damaged"),
    ],
)
async def test_a_file_that_cannot_be_used_is_told_at_once(
    path: Path, make: Any, message: str
) -> None:
    """Before anything is sent; and the file is left as it is."""
    emulator = quick_emulator()
    wrong = make(path)
    before = wrong.read_bytes() if wrong.is_file() else None
    with pytest.raises(JournalError, match=message):
        async with journalled(emulator, wrong):
            raise AssertionError("unreachable")
    assert emulator.requests == []
    assert journal_threads() == []
    assert before is None or wrong.read_bytes() == before


@pytest.mark.parametrize("make", [no_folder, text])
async def test_without_a_usable_file_solving_goes_on_if_the_user_says_so(
    path: Path, make: Any, caplog: pytest.LogCaptureFixture
) -> None:
    """A warning is logged, once; what is asked of the journal still fails."""
    journal = Journal(make(path), on_error="warn")
    async with journalled(quick_emulator(), journal) as client:
        for _ in range(3):
            await client.solve(TOKEN_TASK)
        with pytest.raises(JournalError):
            await client.uncertain()
        with pytest.raises(JournalError):
            [pending async for pending in client.resume()]
        with pytest.raises(JournalError):
            async with client.batch([TOKEN_TASK], resume=True) as outcomes:
                [outcome async for outcome in outcomes]
    (warning,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert "solving goes on" in warning.getMessage()


async def test_a_file_that_may_only_be_read_is_told_at_once(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And not called a bad disk."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        await client.solve(TOKEN_TASK)
    os.chmod(path, 0o400)
    if os.geteuid() == 0:
        # Root may write everything.
        monkeypatch.setattr(os, "access", lambda _, mode: mode != os.W_OK)
    requests = len(emulator.requests)
    with pytest.raises(JournalError, match=r"Permission denied; check .* who may write"):
        async with journalled(emulator, path):
            raise AssertionError("unreachable")
    assert len(emulator.requests) == requests
    assert rows(path) == ["solved"]


@pytest.mark.parametrize("on_error", ["raise", "warn"])
async def test_a_file_that_can_no_longer_be_written_is_told(
    path: Path, on_error: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also in the middle of the work; what is paid for is collected in any case."""
    write = Store.write

    def refused(store: Store, changes: Any) -> None:
        store._database.execute("PRAGMA query_only = 1")
        write(store, changes)

    async with journalled(quick_emulator(), Journal(path, on_error=on_error)) as client:
        pending = await client.submit(TOKEN_TASK)
        monkeypatch.setattr(Store, "write", refused)
        assert (await pending).solution.token
        if on_error == "warn":
            assert (await client.solve(TOKEN_TASK)).solution.token
        else:
            with pytest.raises(JournalError, match="check who may write"):
                await client.solve(TOKEN_TASK)
    assert rows(path) == ["open"]


class Disk:
    """A disk whose room the test decides; SQLite itself finds it full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        write = Store.write

        def limited(store: Store, changes: Any) -> None:
            # Asked once, since the test may change it meanwhile, from its own thread.
            full = self.full
            (pages,) = store._one("PRAGMA page_count")
            store._one(f"PRAGMA max_page_count = {pages if full else 1_000_000}")
            if full:
                # Large enough for no free place in the file.
                changes = [
                    (record, None if row is None else (*row[:-1], bytes(10_000)))
                    for record, row in changes
                ]
            write(store, changes)

        monkeypatch.setattr(Store, "write", limited)


async def test_a_full_disk_stops_submissions_and_not_answers(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What was paid for is collected, and recorded when there is room again."""
    disk = Disk(monkeypatch)
    emulator = quick_emulator(0.05)
    async with journalled(emulator, path) as client:
        first, second = await client.submit(TOKEN_TASK), await client.submit(TOKEN_TASK)
        disk.full = True
        for _ in range(2):
            with pytest.raises(JournalError, match="disk is full"):
                await client.submit(TOKEN_TASK)
        await first
        assert len(emulator.tasks) == 2
        disk.full = False
        await second
        await client.solve(TOKEN_TASK)
    assert rows(path) == ["solved", "solved", "solved"]
    # Of this journal alone: the writer of another test may still have something to say.
    messages = [text for record in caplog.records if str(path) in (text := record.getMessage())]
    assert sum("no task is created" in message for message in messages) == 1
    assert sum("can be written again" in message for message in messages) == 1


async def test_an_id_that_could_not_be_written_is_written_later(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The task works meanwhile."""
    disk = Disk(monkeypatch)
    emulator = quick_emulator(0.05)
    emulator.delay(0.1, "createTask")

    async def fill() -> None:
        while not emulator.requests:  # noqa: ASYNC110 (it has no event)
            await anyio.sleep(0.001)
        disk.full = True

    pending: Any = None
    async with journalled(emulator, path) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(fill)
            pending = await client.submit(TOKEN_TASK)
        assert rows(path) == ["sending"]
        disk.full = False
        await client.submit(TOKEN_TASK)
        assert rows(path, "state, task_id")[0] == ("open", str(pending.task_id))
        await pending


@pytest.mark.parametrize("at_once", [False, True], ids=["processing", "answered at once"])
async def test_a_task_whose_record_fails_is_an_orphan(
    path: Path, monkeypatch: pytest.MonkeyPatch, at_once: bool
) -> None:
    """It is paid for: the error tells its reference, and its answer can be had."""

    accepted = Entry.accepted

    async def fail(entry: Entry, task_id: TaskId, token: str) -> None:
        await accepted(entry, task_id, token)
        raise JournalError("The journal is out of order.", path=str(path))

    emulator = quick_emulator()
    if at_once:
        emulator.answer_at_once()
    async with journalled(emulator, path) as client:
        with monkeypatch.context() as patch:
            patch.setattr(Entry, "accepted", fail)
            with pytest.raises(JournalError) as caught:
                await client.submit(TOKEN_TASK)
        (orphan,) = client.orphans
        assert caught.value.ref is not None
        assert caught.value.ref.task_id == orphan.task_id
        assert {orphan.task_id} == set(emulator.tasks)
        assert (await orphan).solution.token
        await client.solve(TOKEN_TASK)
        assert client.orphans == ()
    assert len(emulator.tasks) == 2


async def test_rows_of_a_journal_with_warnings_survive_a_full_disk(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Solving goes on, and a paid task that is open is recorded when it can be."""
    disk = Disk(monkeypatch)
    emulator = quick_emulator()
    async with journalled(emulator, Journal(path, on_error="warn")) as client:
        disk.full = True
        await client.solve(TOKEN_TASK)
        pending = await client.submit(TOKEN_TASK)
        disk.full = False
        await client.submit(TOKEN_TASK)
    assert rows(path, "state, task_id")[0] == ("open", str(pending.task_id))
    assert len(rows(path)) == 2


def test_a_journal_of_a_later_version_is_refused(path: Path) -> None:
    """Nothing of it is touched."""
    Store(str(path), 7200).close()
    change(path, "PRAGMA user_version = 99")
    with pytest.raises(JournalError, match="of version 99"):
        Store(str(path), 7200)
    with closing(sqlite3.connect(path)) as database:
        assert database.execute("PRAGMA user_version").fetchone() == (99,)
