"""`captcha-async emulate`: scripts, the request log, and its end."""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable, Generator
from pathlib import Path

import anyio
import pytest
from command_line import KEY, PATIENCE, Start, processes, run
from emulator_calls import IMAGE, Caller
from rich.console import Console

from captcha_async.cli._request_log import log_requests, sum_up
from captcha_async.emulator import Emulator, Latency

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start() -> Generator[Start]:
    """Return a function that starts `emulate` on a free port."""
    with processes("emulate", "--port", "0") as start:
        yield start


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_a_script_is_followed(start: Start, tmp_path: Path) -> None:
    """Answers come from the file, and with --quiet nothing is logged."""
    script = tmp_path / "script.toml"
    script.write_text('[[order]]\nanswer = { token = "from-the-file" }\nafter = 0\n')
    process = start("--script", str(script), "--quiet")
    assert process.stdout is not None
    url, key = (process.stdout.readline().split()[-1] for _ in range(2))
    widget = ("--url", "https://example.com", "--key", "k")
    solved = run("solve", "turnstile", *widget, "--base-url", url, key=key)
    assert solved.stdout == "from-the-file\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == 0


def test_a_bad_script(tmp_path: Path) -> None:
    """Exit code 2; entry, field, value and rule are named, and nothing is served."""
    script = tmp_path / "script.toml"
    script.write_text('[[order]]\nfail = "X"\ntimes = 0\n')
    result = run("emulate", "--script", str(script))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr == (
        "captcha-async: script.toml, order 1 (fail): times must be a whole number of at least 1, "
        "or 'always', not 0\n"
    )


@pytest.mark.parametrize(
    ("order", "says"),
    [
        ("answer = { day = 1979-05-27 }", "answer must be made of values that JSON has"),
        ('break = 502\nheaders = { "a\\nb" = "x" }', "names are letters, digits and hyphens"),
        ('break = 502\nheaders = { a = "x\\r\\nb: y" }', "texts are one line of ASCII"),
        (f"answer = {'[' * 5000}", "a script must be TOML"),
    ],
)
def test_a_script_that_no_reply_could_follow(tmp_path: Path, order: str, says: str) -> None:
    """What would break a reply later is told before anything is served."""
    script = tmp_path / "script.toml"
    script.write_text(f"[[order]]\n{order}\n")
    result = run("emulate", "--script", str(script))
    assert (result.exit_code, result.stdout) == (2, "")
    assert says in result.stderr


def test_a_missing_script(tmp_path: Path) -> None:
    """Exit code 2, and the file is named."""
    result = run("emulate", "--script", str(tmp_path / "none.toml"))
    assert result.exit_code == 2
    assert "none.toml: No such file or directory" in result.stderr


async def logged(emulator: Emulator, use: Callable[[], object], width: int = 200) -> list[str]:
    """Return the log of what *use* does, without its times."""
    shown = io.StringIO()
    console = Console(file=shown, width=width, soft_wrap=True)
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(log_requests, emulator, console)
        await use()  # type: ignore[misc]
        await anyio.sleep(1)
        tasks.cancel_scope.cancel()
    return [line[13:] for line in shown.getvalue().splitlines()]


async def test_the_log_says_what_matters() -> None:
    """Errors, broken rules, replies that are no JSON and no replies at all."""
    emulator = Emulator(api_keys=KEY, latency=Latency.fixed(0))
    caller = Caller(emulator)

    async def use() -> None:
        task_id = await caller.create(IMAGE)
        await caller.poll(task_id)
        await caller.poll(task_id)
        emulator.break_http("getBalance", status=502, body=b"<html>")
        await caller.call("getBalance")
        await caller.call("reportIncorrectImageCaptcha", taskId=task_id)
        emulator.hang("getBalance")
        with anyio.move_on_after(1):
            await caller.call("getBalance")

    assert [" ".join(line.split()) for line in await logged(emulator, use)] == [
        "createTask ImageToTextTask 200 task 7654321",
        "getTaskResult 7654321 200 ready",
        "getTaskResult 7654321 429 ERROR_TOO_MUCH_REQUESTS",
        "breaks poll-gap: 0.000 s after the poll before, at least 2 s",
        "getBalance - 502 6 bytes",
        "reportIncorrectImageCaptcha 7654321 200 success",
        "getBalance - - no reply",
    ]
    assert sum_up(emulator) == (
        "requests 6, tasks 1, solved 1, failed 0, in flight 0, rules broken 1"
    )


async def test_the_log_fits_a_terminal() -> None:
    """The usual lines are no wider than 80 columns, and show no key."""
    emulator = Emulator(api_keys=KEY, latency=Latency.fixed(0))
    caller = Caller(emulator)

    async def use() -> None:
        emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE")
        await caller.poll(await caller.create(IMAGE))
        await caller.call("getBalance", clientKey="s3cret")

    lines = await logged(emulator, use, width=80)
    assert len(lines) == 4
    assert max(len(line) for line in lines) <= 67
    assert "s3cret" not in "".join(lines)
    assert KEY not in "".join(lines)
