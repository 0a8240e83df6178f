"""What is logged, at which level, under which name; silence until a program asks for it."""

from __future__ import annotations

import logging
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import anyio
import pytest
from callback_calls import called_back
from local import TOKEN_TASK, joined

from captcha_async import CallbackReceiver, Limits
from captcha_async.emulator import Emulator, Latency

ROOT = Path(__file__).parents[2]


def said(caplog: pytest.LogCaptureFixture, level: int, name: str = "captcha_async") -> list[str]:
    """Return what one logger said at one level."""
    return [
        record.getMessage()
        for record in caplog.records
        if (record.levelno, record.name) == (level, name)
    ]


@pytest.fixture(autouse=True)
def everything(caplog: pytest.LogCaptureFixture) -> None:
    """Listen to all levels."""
    caplog.set_level(logging.DEBUG, "captcha_async")


async def test_a_solve_that_goes_well_says_nothing_above_debug(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Each request is a line under a name of its own, with the task's id and what came of it."""
    async with joined(Emulator(latency=Latency.fixed(5))) as client:
        solved = await client.solve(TOKEN_TASK)
        await client.solve_all([TOKEN_TASK] * 3)
    ours = [record for record in caplog.records if record.name.startswith("captcha_async")]
    assert {(record.levelno, record.name) for record in ours} == {
        (logging.DEBUG, "captcha_async.requests")
    }
    lines = said(caplog, logging.DEBUG, "captcha_async.requests")
    assert lines[0] == f"createTask of RecaptchaV2Task: task {solved.task_id}"
    assert lines[solved.polls] == f"getTaskResult of task {solved.task_id}: ready"


async def test_attempts_and_failed_requests_are_debugged(caplog: pytest.LogCaptureFixture) -> None:
    """With the kind of error, and how long the next attempt has to wait."""
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=1)
    emulator.break_http("getTaskResult", status=502, times=1)
    async with joined(emulator) as client:
        await client.submit(TOKEN_TASK)
        await client.solve(TOKEN_TASK)
    text = "\n".join(said(caplog, logging.DEBUG, "captcha_async.requests"))
    assert "createTask of RecaptchaV2Task: NoSlotAvailable" in text
    (warning,) = said(caplog, logging.WARNING, "captcha_async.requests")
    told = r"capmonster: attempt 1 failed, the next one is in \d\.\d s: .*ERROR_NO_SLOT_AVAILABLE"
    assert re.search(told, warning)
    assert re.search(r"getTaskResult of task \d+: (Transport|Capacity|ServiceUna|Protocol)", text)


async def test_a_blown_fuse_warns_once_and_its_end_is_news(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The reason is told, not the number of those that it stopped."""
    emulator = Emulator()
    emulator.refuse("ERROR_ZERO_BALANCE")
    async with joined(emulator) as client:
        await client.solve_all([TOKEN_TASK] * 5)
        client.reset_fuse()
        client.reset_fuse()
    (warning,) = said(caplog, logging.WARNING)
    assert warning.startswith("The fuse has blown")
    assert "ERROR_ZERO_BALANCE" in warning
    assert said(caplog, logging.INFO) == ["The fuse is closed again."]


async def test_fewer_slots_are_news(caplog: pytest.LogCaptureFixture) -> None:
    """The client deals with it; who wonders why it is slow finds the reason."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with (
        joined(emulator, limits=Limits(in_flight=8)) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(3):
            group.start_soon(client.solve, TOKEN_TASK)
        await anyio.sleep(1)
        emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=1)
        group.start_soon(client.solve, TOKEN_TASK)
    assert said(caplog, logging.INFO) == ["No slot beside 3 tasks of ours: now 3 at once."]
    assert said(caplog, logging.WARNING) == []


async def test_a_submission_of_which_nobody_hears_warns(caplog: pytest.LogCaptureFixture) -> None:
    """It was cancelled, so that no error tells that money may be gone."""
    emulator = Emulator()
    emulator.hang("createTask")
    async with joined(emulator) as client:
        with anyio.move_on_after(1):
            await client.solve(TOKEN_TASK)
    (warning,) = said(caplog, logging.WARNING)
    assert "a task may exist" in warning


async def test_refused_callbacks_warn(caplog: pytest.LogCaptureFixture) -> None:
    """The client goes on by polling, which the user should know."""
    async with called_back(lambda e: e.refuse_callbacks()) as (client, _, _):
        await client.solve_all([TOKEN_TASK] * 3)
    assert len(said(caplog, logging.WARNING)) == 1


async def test_strangers_at_the_receiver_are_debugged(caplog: pytest.LogCaptureFixture) -> None:
    """Anybody may knock at a public address; that must not fill a log."""
    messages: list[Any] = []

    async def send(message: Any) -> None:
        messages.append(message)

    scope = {"type": "http", "method": "POST", "path": "/x", "query_string": b"", "headers": []}
    await CallbackReceiver("https://crawler.example/captcha")(scope, send, send)  # type: ignore[arg-type]
    assert messages[0]["status"] == 404
    assert said(caplog, logging.DEBUG) == ["a callback was refused with HTTP 404"]


async def test_a_handler_s_bug_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    """With its traceback: it is the program's own."""

    def handler(event: Any) -> None:
        raise RuntimeError("a bug of the user's")

    async with joined(Emulator(latency=Latency.fixed(1)), on_event=handler) as client:
        await client.submit(TOKEN_TASK)
    assert "on_event raised for a TaskQueued" in said(caplog, logging.ERROR)
    assert all(record.exc_info for record in caplog.records if record.levelno == logging.ERROR)


# -- names ----------------------------------------------------------------------------------------


def test_every_logger_is_below_the_package_s_and_documented() -> None:
    """One name turns all of them up or down; the page lists each."""
    names: set[str] = set()
    for path in (ROOT / "captcha_async").rglob("*.py"):
        names |= set(re.findall(r"getLogger\(\"?([^\")]*)", path.read_text(encoding="utf-8")))
    page = (ROOT / "docs" / "reference" / "telemetry.md").read_text(encoding="utf-8")
    assert {name.partition(".")[0] for name in names} == {"captcha_async"}
    assert {name for name in names if f"`{name}`" not in page} == set()


def test_the_library_is_silent_until_logging_is_set_up() -> None:
    """As libraries are: even a warning goes nowhere, and not to standard error."""
    program = "import logging, captcha_async._account._gates as e; e.logger.warning('the fuse')"
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert (result.stdout, result.stderr) == ("", "")
