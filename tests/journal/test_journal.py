"""The journal's file: what is in it when, and who may have it."""

from __future__ import annotations

import hashlib
import os
import random
import stat
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from journal_files import (
    all_bytes,
    change,
    journal_threads,
    journalled,
    quick_emulator,
    rows,
)
from local import KEY, TOKEN_TASK, joined

from captcha_async import (
    CaptchaClient,
    FixedPolling,
    InvalidArgument,
    Journal,
    JournalError,
    Limits,
    Proxy,
    Retries,
    SubmitUncertain,
    TaskRejected,
)
from captcha_async._account._slow_start import FIRST
from captcha_async._journal._store import Store
from captcha_async.emulator import Emulator

pytestmark = pytest.mark.real_time

ROOT = Path(__file__).parents[2]
PROXY = Proxy.from_url("http://user:the-password@203.0.113.7:8080")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal is to be."""
    return tmp_path / "captchas.db"


# -- what is recorded, and when -------------------------------------------------------------------


async def test_the_intent_is_safe_before_createtask_leaves(path: Path) -> None:
    """And the id before `submit` returns, and the answer after it was taken."""
    seen: list[Any] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append((request.url.path, rows(path)))
        if request.url.path == "/createTask":
            return httpx.Response(200, json={"errorId": 0, "taskId": 7})
        return httpx.Response(200, json={"status": "ready", "solution": {"token": "T"}})

    transport = httpx.MockTransport(handler)
    async with (
        httpx.AsyncClient(transport=transport) as http_client,
        CaptchaClient(KEY, http_client=http_client, journal=path) as client,
    ):
        pending = await client.submit(TOKEN_TASK)
        assert rows(path, "state, task_id, type") == [("open", "7", "RecaptchaV2Task")]
        await pending
    assert seen[0] == ("/createTask", ["sending"])
    assert rows(path, "state, polls") == [("solved", 1)]


async def test_what_was_refused_leaves_nothing(path: Path) -> None:
    """A task that the service has certainly not accepted is not recorded, however often sent."""
    emulator = quick_emulator()
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=2)
    async with journalled(emulator, path, retries=Retries(backoff=0)) as client:
        await client.solve(TOKEN_TASK)
        emulator.refuse("ERROR_RECAPTCHA_INVALID_SITEKEY", times=1)
        with pytest.raises(TaskRejected):
            await client.solve(TOKEN_TASK)
    assert rows(path) == ["solved"]


async def test_an_uncertain_submission_is_listed_until_it_is_forgotten(path: Path) -> None:
    """Also by a later client."""
    emulator = quick_emulator()
    emulator.break_http("createTask", status=502, effect=True)
    async with journalled(emulator, path) as client:
        with pytest.raises(SubmitUncertain):
            await client.solve(TOKEN_TASK)
        assert len(await client.uncertain()) == 1
    async with journalled(emulator, path) as client:
        (submission,) = await client.uncertain()
        assert (submission.task_type, submission.batch, submission.key) == (
            "RecaptchaV2Task",
            None,
            None,
        )
        assert submission.age < 3600
        await client.forget(submission)
        assert await client.uncertain() == ()
        with pytest.raises(InvalidArgument, match="submission"):
            await client.forget(submission.number)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(3))
async def test_cancelled_submissions_leave_no_half_record(path: Path, seed: int) -> None:
    """Whenever solves are cancelled: what the service has is recorded, and nothing else."""
    chance = random.Random(seed)
    emulator = quick_emulator(0.02)
    emulator.delay(0.01, "createTask")
    async with journalled(emulator, path, limits=Limits(in_flight=10)) as client:

        async def solve(patience: float) -> None:
            with anyio.move_on_after(patience):
                await client.solve(TOKEN_TASK)

        async with anyio.create_task_group() as group:
            for _ in range(60):
                group.start_soon(solve, chance.uniform(0, 0.3))
        orphans = {str(pending.task_id) for pending in client.orphans}
    recorded = dict(rows(path, "task_id, state"))
    assert set(recorded) == {str(task_id) for task_id in emulator.tasks}
    assert {task_id for task_id, state in recorded.items() if state == "open"} == orphans
    assert set(recorded.values()) <= {"open", "solved"}


async def test_solutions_are_stored_only_if_asked(path: Path) -> None:
    """They are worth something to whoever can read the file."""
    emulator = quick_emulator()
    emulator.answer_with({"gRecaptchaResponse": "the-token"})
    async with journalled(emulator, path) as client:
        await client.solve(TOKEN_TASK)
        assert b"the-token" not in all_bytes(path)
    async with journalled(emulator, Journal(path, keep_solutions=True)) as client:
        await client.solve(TOKEN_TASK)
    assert b"the-token" in all_bytes(path)


async def test_the_file_tells_neither_key_nor_task(path: Path) -> None:
    """Not even a digest of the key that could be looked for in another file."""
    emulator = quick_emulator()
    other = path.with_name("other.db")
    for file in (path, other):
        async with journalled(emulator, Journal(file, keep_solutions=True)) as client:
            await client.solve_all([TOKEN_TASK.evolve(proxy=PROXY), TOKEN_TASK])
    digests = {account for file in (path, other) for account in rows(file, "account")}
    assert len(digests) == 2
    plain = hashlib.blake2b(KEY.encode(), digest_size=32).digest()
    fields = [TOKEN_TASK.website_url, TOKEN_TASK.website_key, PROXY.address, "the-password"]
    for hidden in (KEY.encode(), plain, plain[:16], *(field.encode() for field in fields)):
        assert hidden not in all_bytes(path) + all_bytes(other)


async def test_odd_solutions_are_stored_too(path: Path) -> None:
    """What is no strict JSON does not stand in the way of an answer."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/createTask":
            return httpx.Response(200, json={"errorId": 0, "taskId": "x-1"})
        body = b'{"status": "ready", "solution": {"token": "T\\ud800", "n": 1e999}}'
        return httpx.Response(200, content=body)

    journal = Journal(path, keep_solutions=True)
    transport = httpx.MockTransport(handler)
    async with (
        httpx.AsyncClient(transport=transport) as http_client,
        CaptchaClient(
            KEY, http_client=http_client, journal=journal, polling=FixedPolling(0, 1)
        ) as client,
    ):
        assert (await client.solve(TOKEN_TASK)).solution.token.startswith("T")
    assert rows(path, "state, task_id") == [("solved", '"x-1"')]


async def test_old_rows_go(path: Path) -> None:
    """After the time that the journal keeps them."""
    emulator = quick_emulator()
    async with journalled(emulator, path) as client:
        await client.solve(TOKEN_TASK)
        await client.solve(TOKEN_TASK)
    change(path, "UPDATE submission SET made = made - 8000 WHERE number = 1")
    async with journalled(emulator, Journal(path, keep=7200)) as client:
        pass
    assert rows(path, "number") == [2]


async def test_records_that_pile_up_are_written_with_one_commit(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Many at once cost little more than one."""
    commits: list[int] = []
    write, piled_up = Store.write, threading.Event()

    def counted(self: Store, changes: Any) -> None:
        piled_up.wait()
        commits.append(len(changes))
        write(self, changes)

    monkeypatch.setattr(Store, "write", counted)
    async with journalled(quick_emulator(), path) as client, anyio.create_task_group() as group:
        for _ in range(60):
            group.start_soon(client.submit, TOKEN_TASK)
        await anyio.wait_all_tasks_blocked()
        piled_up.set()
    assert sum(commits) >= 120
    # So many createTask calls go at once in the beginning: the thread had some of them in hand
    # when it was held up, or all; and the others made the next commit.
    assert FIRST in (commits[0], commits[0] + commits[1])


# -- the file and its thread ----------------------------------------------------------------------


async def test_the_file_is_the_users_alone_from_the_start(path: Path) -> None:
    """Whatever the umask says, also of the file beside it."""
    before = os.umask(0)
    try:
        async with journalled(quick_emulator(), path) as client:
            await client.solve(TOKEN_TASK)
            files = list(path.parent.iterdir())
            assert len(files) == 2
            assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}
    finally:
        os.umask(before)


async def test_the_thread_starts_with_the_first_record_and_ends_with_the_client(
    path: Path,
) -> None:
    """Plain construction works, and closing may happen in another task."""
    emulator = quick_emulator()
    http_client = httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator))
    client = CaptchaClient(
        KEY, service=emulator.service, http_client=http_client, journal=str(path)
    )
    assert journal_threads() == []
    assert list(path.parent.iterdir()) == []
    async with http_client:
        async with anyio.create_task_group() as group:
            group.start_soon(client.submit, TOKEN_TASK)
        assert len(journal_threads()) == 1
        async with anyio.create_task_group() as group:
            group.start_soon(client.aclose)
    assert journal_threads() == []
    assert rows(path) == ["open"]
    assert [file.name for file in path.parent.iterdir()] == ["captchas.db"]


async def test_a_reply_after_closing_is_recorded(path: Path) -> None:
    """The thread ends when the last createTask on its way has been answered."""
    emulator = quick_emulator()
    emulator.delay(0.2, "createTask")
    http_client = httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator))
    client = CaptchaClient(KEY, service=emulator.service, http_client=http_client, journal=path)
    async with http_client, anyio.create_task_group() as group:
        group.start_soon(client.submit, TOKEN_TASK)
        while not emulator.requests:  # noqa: ASYNC110 (it has no event)
            await anyio.sleep(0.001)
        await client.aclose()
        assert len(journal_threads()) == 1
    for thread in journal_threads():
        await anyio.to_thread.run_sync(thread.join)
    assert rows(path) == ["open"]


UNCLOSED = """
import anyio, httpx, sys
from captcha_async import CaptchaClient, RecaptchaV2Task
from captcha_async.emulator import Emulator, Latency

async def main():
    emulator = Emulator(latency=Latency.fixed(0))
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator))
    client = CaptchaClient("emulator-key", http_client=http, journal=sys.argv[1])
    emulator.answer_at_once()
    await client.solve(RecaptchaV2Task(website_url="https://example.com", website_key="k"))

anyio.run(main)
"""


def test_a_client_that_nobody_closes_does_not_hold_up_the_process(path: Path) -> None:
    """And what it has recorded is written at the end."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, "-c", UNCLOSED, path], check=True, timeout=30, env=environment)
    assert rows(path) == ["solved"]


async def test_a_second_client_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In this process or another one, until the first is closed."""
    # For it would be patient with a process that is about to end.
    monkeypatch.setattr("captcha_async._journal._store.TRIES", 2)
    async with journalled(quick_emulator(), path) as client:
        await client.solve(TOKEN_TASK)
        with pytest.raises(JournalError, match="in use") as caught:
            async with journalled(quick_emulator(), path):
                raise AssertionError("unreachable")
        assert caught.value.path == str(path)
        other = (
            "import sys; from captcha_async._journal import _store; _store.TRIES = 2; "
            "_store.Store(sys.argv[1], 1)"
        )
        run = await anyio.run_process(
            [sys.executable, "-c", other, str(path)],
            check=False,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        assert b"in use" in run.stderr
        await client.solve(TOKEN_TASK)
    async with journalled(quick_emulator(), path):
        pass


async def test_another_accounts_rows_are_left_alone(path: Path) -> None:
    """Its ids would be unknown to this account's service, and asking for them leads to a ban."""
    emulator = Emulator(api_keys=["first-key", "second-key"])
    async with joined(emulator, api_key="first-key", journal=path) as client:
        await client.submit(TOKEN_TASK)
    async with joined(emulator, api_key="second-key", journal=path) as client:
        assert [pending async for pending in client.resume()] == []
    async with joined(emulator, api_key="first-key__nocache", journal=path) as client:
        assert len([pending async for pending in client.resume()]) == 1


@pytest.mark.parametrize(
    "options",
    [
        {"path": ""},
        {"path": 7},
        {"on_error": "ignore"},
        {"keep": 0},
        {"keep": True},
        {"keep": "week"},
    ],
)
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    """With the argument's name."""
    with pytest.raises(InvalidArgument):
        Journal(**{"path": "captchas.db", **options})  # pyright: ignore[reportArgumentType]
