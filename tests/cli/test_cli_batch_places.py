"""`captcha-async batch`: where its files may be, what is closed or full, the cap on the money."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from command_line import KEY, run, served

from captcha_async import CAPMONSTER, CaptchaClient
from captcha_async.cli._batch._files import Files
from captcha_async.cli._batch._lines import TaskLines
from captcha_async.cli._batch._run import BatchRun, Settings
from captcha_async.cli._batch._tasks import Reading
from captcha_async.cli._health import Health
from captcha_async.emulator import Emulator, Latency

ROOT = Path(__file__).parents[2]
sends_to_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="has no /dev/full")
in_a_shell = pytest.mark.skipif(sys.platform == "win32", reason="closes streams by a shell")


@pytest.fixture
def emulator() -> Emulator:
    """Return a service that answers at once."""
    emulator = Emulator(api_keys=KEY, latency=Latency.fixed(0.0))
    emulator.answer_at_once()
    return emulator


@pytest.fixture
def base_url(emulator: Emulator) -> Generator[str]:
    """Serve the emulator from a thread with an event loop of its own."""
    with served(emulator) as url:
        yield url


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with some tasks and another folder."""
    monkeypatch.chdir(tmp_path)
    write(10)
    Path("folder").mkdir()
    return tmp_path


def write(count: int, name: str = "tasks") -> None:
    """Write so many tasks."""
    task = {"type": "TurnstileTask", "websiteKey": "0x4"}
    pages = [{**task, "websiteURL": f"https://example.com/{number}"} for number in range(count)]
    Path(name).write_text("".join(json.dumps(page) + "\n" for page in pages), encoding="utf-8")


def shell(base_url: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run `batch` by a shell, with redirections."""
    program = f"{shlex.quote(sys.executable)} -m captcha_async batch --base-url {base_url} "
    return subprocess.run(
        ["sh", "-c", program + command],
        capture_output=True,
        text=True,
        timeout=40,
        check=False,
        stdin=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(ROOT), "CAPTCHA_API_KEY": KEY},
    )


def solved(name: str = "results") -> int:
    """Return how many lines of the results are answers."""
    return Path(name).read_text(encoding="utf-8").count('"status":"solved"')


# -- places ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("tasks -o tasks", "tasks cannot be both the tasks and the results"),
        ("tasks -o folder/../tasks --resume", "cannot be both the tasks and the results"),
        ("tasks -o new --journal new", "new cannot be both the results and the journal"),
        ("tasks -o new --journal tasks", "tasks cannot be both the tasks and the journal"),
        ("tasks -o .", ". cannot be the results: it is a folder"),
        ("tasks -o new --journal folder", "folder cannot be the journal: it is a folder"),
        ("folder -o new", "folder cannot be the tasks: it is a folder"),
        ("tasks -o none/new", "none/new cannot be the results: there is no folder none"),
        ("tasks -o new --journal none/new", "cannot be the journal: there is no folder none"),
    ],
)
def test_a_file_in_the_wrong_place(arguments: str, says: str, folder: Path) -> None:
    """It is told before anything is sent or written, and no file serves for two things."""
    before = Path("tasks").read_bytes()
    result = run("batch", *arguments.split())
    assert result.exit_code == 2
    assert says in result.stderr.replace("\\", "/")
    assert Path("tasks").read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["folder", "tasks"]


# -- streams that are closed or full --------------------------------------------------------------


@in_a_shell
@pytest.mark.parametrize(
    ("command", "says"),
    [
        ("- -o results <&-", "the tasks cannot be read: standard input is closed"),
        ("tasks >&-", "the results cannot be written: standard output is closed"),
    ],
)
def test_a_closed_stream_that_is_needed(
    command: str, says: str, emulator: Emulator, base_url: str
) -> None:
    """One sentence, and nothing is sent."""
    result = shell(base_url, command)
    assert (result.returncode, result.stderr) == (2, f"captcha-async: {says}\n")
    assert emulator.statistics().created == 0


@in_a_shell
@pytest.mark.parametrize("place", ["2>&-", "2>/dev/full", "2>&1 >summary | true"])
def test_nobody_takes_the_messages(place: str, base_url: str) -> None:
    """The run goes on without them: it would leave behind what is paid for."""
    if "full" in place and not Path("/dev/full").exists():
        pytest.skip("has no /dev/full")
    assert shell(base_url, f"tasks -o results {place}").returncode == 0
    assert solved() == 10


@sends_to_full
def test_the_summary_goes_to_a_full_disk(base_url: str) -> None:
    """A sentence tells so; the results are complete."""
    result = shell(base_url, "tasks -o results >/dev/full")
    assert result.returncode == 1
    assert result.stderr.endswith("captcha-async: standard output: No space left on device\n")
    assert "Traceback" not in result.stderr
    assert solved() == 10


@sends_to_full
def test_an_answer_that_cannot_be_written_is_not_forgotten(base_url: str) -> None:
    """Its id is told, or the journal keeps it for the next run."""
    write(1)
    result = shell(base_url, "tasks >/dev/full")
    assert result.returncode == 1
    assert "paid for and not collected: 1 (ids " in result.stderr
    result = run("batch", "tasks", "-o", "/dev/full", "--journal", "j", "--base-url", base_url)
    assert "paid for and not collected: 1 (ids " in result.stderr
    assert "; --resume collects them" in result.stderr


# -- the cap on the money -------------------------------------------------------------------------


def test_the_cap_holds_from_the_first_task_on(emulator: Emulator, base_url: str) -> None:
    """The price is unknown until a task has told it, so the first one goes alone."""
    write(200)
    result = run("batch", "tasks", "-o", "results", "--max-spend", "0.02", "--base-url", base_url)
    assert result.exit_code == 3
    assert solved() == emulator.statistics().created == 20
    again = ("--max-spend", "0.02", "--resume", "--base-url", base_url)
    assert run("batch", "tasks", "-o", "results", *again).exit_code == 3
    assert emulator.statistics().created <= 40


@pytest.mark.parametrize("known", [True, False])
def test_the_cap_is_used_up(emulator: Emulator, base_url: str, known: bool) -> None:
    """20 tasks of 0.001 under 0.015 solve exactly 15, in one run that is fast all the same."""
    write(20)
    price = ("--price", "0.001") if known else ()
    command = ("batch", "tasks", "-o", "results", "--max-spend", "0.015", *price)
    result = run(*command, "--base-url", base_url)
    assert result.exit_code == 3
    assert "--max-spend is reached: 0.015 of 0.015 spent" in result.stderr
    assert solved() == emulator.statistics().created == 15
    assert "5 lines left" in result.stdout
    assert "go on with:" in result.stderr


def test_what_fails_makes_room_under_the_cap(emulator: Emulator, base_url: str) -> None:
    """A task that costs nothing is no reason to stop before the money is spent."""
    emulator.refuse("ERROR_CAPTCHA_UNSOLVABLE", "createTask", times=3)
    write(20)
    command = ("batch", "tasks", "-o", "results", "--max-spend", "0.015", "--price", "0.001")
    assert run(*command, "--base-url", base_url).exit_code == 3
    assert solved() == 15


def test_a_first_task_that_fails_does_not_hold_up_the_others(
    emulator: Emulator, base_url: str
) -> None:
    """The next one is tried alone then."""
    emulator.refuse("ERROR_WRONG_USER_AGENT", times=1)
    result = run("batch", "tasks", "-o", "results", "--max-spend", "5", "--base-url", base_url)
    assert result.exit_code == 1
    assert solved() == 9


def test_tasks_that_were_taken_before_do_not_hold_up_the_others(base_url: str) -> None:
    """They end without an outcome, and tell no price."""
    assert run("batch", "tasks", "-o", "results", "--base-url", base_url).exit_code == 0
    Path("results").unlink()
    command = ("batch", "tasks", "-o", "results", "--resume", "--max-spend", "5")
    result = run(*command, "--base-url", base_url)
    assert "left out: 10" in result.stderr


@pytest.mark.parametrize(
    ("option", "says"),
    [
        (("--max-spend", "nan"), "--max-spend must be a positive amount such as 0.05, not 'nan'"),
        (("--max-spend", "inf"), "--max-spend must be"),
        (("--max-spend", "lots"), "--max-spend must be"),
        (("--rate", "0"), "--rate must be a positive number, not 0"),
        (("--rate", "nan"), "--rate must be a positive number, not nan"),
    ],
)
def test_limits_that_limit_nothing(option: tuple[str, str], says: str, base_url: str) -> None:
    """They are refused by the name of the option."""
    result = run("batch", "tasks", "-o", "results", *option, "--base-url", base_url)
    assert result.exit_code == 2
    assert says in result.stderr


# -- interruption ---------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_an_interruption_before_the_batch_is_open(folder: Path) -> None:
    """It ends the run as soon as the batch can be stopped."""
    client = CaptchaClient(KEY, base_url="http://127.0.0.1:1")
    lines = TaskLines(Reading(client.service))
    files = Files([Path("tasks")], Path("results"), False, None, True)
    settings = Settings(5, None, False, 60.0, ("127.0.0.1", 0))
    run = BatchRun(client, lines, files, settings, Health())
    batch = client.batch

    def interrupt_and_batch(*arguments: Any, **more: Any) -> Any:
        opened = batch(*arguments, **more)
        run.interrupt()
        return opened

    client.batch = interrupt_and_batch  # type: ignore[method-assign]
    await run.run()
    assert run.interrupted
    assert run.error is None
    assert not run.solved + run.failed
    assert run.frame(0.0).note == "interrupted: nothing is in flight"


@pytest.mark.anyio
@pytest.mark.parametrize("anyio_backend", [("asyncio", {})], ids=["asyncio-real"])
async def test_an_interrupted_run_says_what_it_is_still_doing(anyio_backend: object) -> None:
    """First replies are on their way, then tasks are in flight, and in the end nothing is."""
    service = CAPMONSTER.evolve(min_poll_gap=0.05)
    emulator = Emulator(service, api_keys=KEY, latency=Latency.fixed(0.8))
    emulator.delay(0.4, "createTask")
    transport = httpx.ASGITransport(app=emulator)
    async with emulator.running(), httpx.AsyncClient(transport=transport) as http_client:
        client = CaptchaClient(KEY, service=service, http_client=http_client)
        lines = TaskLines(Reading(client.service))
        files = Files([Path("tasks")], Path("results"), False, None, True)
        settings = Settings(5, None, False, 60.0, ("127.0.0.1", 0))
        run = BatchRun(client, lines, files, settings, Health())
        notes: list[str] = []
        async with anyio.create_task_group() as group:
            group.start_soon(run.run)
            while not emulator.requests:  # noqa: ASYNC110 (it has no event)
                await anyio.sleep(0.01)
            assert run.frame(0.0).note == ""
            run.interrupt()
            notes.append(run.frame(0.0).note)
            while not client.statistics().in_flight:  # noqa: ASYNC110
                await anyio.sleep(0.01)
            notes.append(run.frame(0.0).note)
    notes.append(run.frame(0.0).note)
    assert notes == [
        "interrupted: waiting for replies to what was sent (60 s); Ctrl-C again: end now",
        "interrupted: collecting what is paid for (60 s); Ctrl-C again: end now",
        "interrupted: nothing is in flight",
    ]
    assert run.solved == len(emulator.tasks) > 0
