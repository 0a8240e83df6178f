"""`captcha-async batch` as a process of its own: signals, kills, pipes, and what they leave."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from pathlib import Path
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal
from command_line import KEY

from captcha_async import CAPMONSTER
from captcha_async.emulator import Emulator, Latency, serve
from captcha_async.services import PollTimes

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="sends signals")

ROOT = Path(__file__).parents[2]
PATIENCE = 40
"""Seconds after which a process is held to hang."""

Process = subprocess.Popen[bytes]
Start = Callable[..., Process]


@pytest.fixture
def emulator() -> Emulator:
    """Return a service whose tasks end when the test says so."""
    service = CAPMONSTER.evolve(min_poll_gap=0.0, polling={"token": PollTimes(0.1, 0.1, 60.0)})
    emulator = Emulator(service, api_keys=KEY, latency=Latency.fixed(0.5), balance=1000)
    emulator.delay(0.01)
    return emulator


@pytest.fixture
def portal() -> Generator[BlockingPortal]:
    """Return a thread with an event loop."""
    with start_blocking_portal() as portal:
        yield portal


@pytest.fixture
def base_url(emulator: Emulator, portal: BlockingPortal) -> Generator[str]:
    """Serve the emulator."""
    with portal.wrap_async_context_manager(serve(emulator)) as url:
        yield url


@pytest.fixture
def start(base_url: str, tmp_path: Path) -> Generator[Start]:
    """Return a function that starts the command; what still runs at the end is killed."""
    started: list[Process] = []

    def start(*arguments: str) -> Process:
        process = subprocess.Popen(
            [sys.executable, "-m", "captcha_async", "batch", *arguments, "--base-url", base_url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "CAPTCHA_API_KEY": KEY, "NO_COLOR": "1"},
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                pipe.close()


def tasks(count: int, *, keyed: bool = False) -> str:
    """Return lines of tasks."""
    return "".join(
        json.dumps(
            {
                "type": "TurnstileTask",
                "websiteURL": f"https://example.com/{number}",
                "websiteKey": "0x4",
                **({"key": f"job {number}"} if keyed else {}),
            }
        )
        + "\n"
        for number in range(count)
    )


def end(process: Process) -> tuple[int, str, str]:
    """Wait for the end, and return exit code, standard output and standard error."""
    out, errors = process.communicate(timeout=PATIENCE)
    return process.returncode, out.decode(), errors.decode()


def solved_keys(path: Path) -> list[Any]:
    """Return the keys that have an answer."""
    lines = [json.loads(line) for line in path.read_bytes().splitlines()]
    return [line["key"] for line in lines if line["status"] == "solved"]


def when(path: Path, lines: int) -> None:
    """Wait until a file has so many lines."""
    ticks = threading.Event()
    while not path.exists() or path.read_bytes().count(b"\n") < lines:
        ticks.wait(0.02)


def created(emulator: Emulator) -> int:
    """Return how many tasks the service has accepted."""
    return emulator.statistics().created


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_collects_and_goes_on(
    start: Start, emulator: Emulator, tmp_path: Path, number: int
) -> None:
    """Nothing is sent any more, all that is paid for is written, and `--resume` does the rest."""
    (tmp_path / "tasks").write_text(tasks(60), encoding="utf-8")
    command = ("tasks", "-o", "results", "--max-in-flight", "30", "--rate", "15")
    process = start(*command)
    when(tmp_path / "results", 5)
    process.send_signal(number)
    code, out, errors = end(process)
    assert code == 130, errors
    assert "Traceback" not in errors
    assert "captcha-async: interrupted" in errors
    paid = created(emulator)
    assert len(solved_keys(tmp_path / "results")) == paid < 60
    assert f"{60 - paid} lines left" in out
    expected = "captcha-async batch tasks -o results --max-in-flight 30 --rate 15 --base-url"
    assert expected in errors
    assert errors.rstrip().endswith("--resume")
    code, _, errors = end(start("tasks", "-o", "results", "--resume"))
    assert code == 0, errors
    assert sorted(solved_keys(tmp_path / "results")) == list(range(1, 61))
    assert created(emulator) == 60
    assert emulator.violations == []


def test_a_second_signal_does_not_wait(start: Start, emulator: Emulator, tmp_path: Path) -> None:
    """What is left in flight is told, and collected by the next run without a new task."""
    emulator.answer_with({"token": "late"}, after=5)
    (tmp_path / "tasks").write_text(tasks(5, keyed=True), encoding="utf-8")
    process = start("tasks", "-o", "results")
    while created(emulator) < 5:
        threading.Event().wait(0.02)
    process.send_signal(signal.SIGINT)
    threading.Event().wait(0.3)
    process.send_signal(signal.SIGINT)
    code, _, errors = end(process)
    assert code == 130
    ids = sorted(map(str, emulator.tasks))
    assert f"paid for and not collected: 5 (ids {ids[0]}" in errors
    assert "; --resume collects them" in errors
    assert "interrupted: 5 paid for and not collected" in errors
    code, _, errors = end(start("tasks", "-o", "results", "--resume"))
    assert code == 0, errors
    assert sorted(solved_keys(tmp_path / "results")) == [f"job {n}" for n in range(5)]
    assert created(emulator) == 5


def test_collecting_has_an_end(start: Start, emulator: Emulator, tmp_path: Path) -> None:
    """A service that never answers does not keep an interrupted run for ever."""
    emulator.answer_with({"token": "never"}, after=float("inf"))
    process = start("-", "--drain", "0.2", "--bad-lines", "stop")
    assert process.stdin is not None
    process.stdin.write(tasks(2).encode())
    process.stdin.flush()
    while created(emulator) < 2:
        threading.Event().wait(0.02)
    # The pipe stays open: nobody reads from it any more.
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 130
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    ids = ", ".join(map(str, emulator.tasks))
    assert f"paid for and not collected: 2 (ids {ids})" in errors
    assert "go on with" not in errors


def test_killed_again_and_again(start: Start, emulator: Emulator, tmp_path: Path) -> None:
    """After kills at any moment each key has one answer; createTask is sent again for none."""
    (tmp_path / "tasks").write_text(tasks(60, keyed=True), encoding="utf-8")
    results = tmp_path / "results"
    for lines in (5, 30):
        process = start("tasks", "-o", "results", "--resume", "--max-in-flight", "10")
        when(results, lines)
        process.kill()
        process.wait()
    with results.open("ab") as file:
        file.write(b'{"key":"job 59","li')
    code, _, errors = end(start("tasks", "-o", "results", "--resume"))
    solved = solved_keys(results)
    assert len(solved) == len(set(solved))
    told = [json.loads(line) for line in results.read_bytes().splitlines()]
    uncertain = {line["key"] for line in told if line["status"] == "failed"}
    assert set(solved) | uncertain == {f"job {number}" for number in range(60)}
    assert all(line["error"] == "SubmitUncertain" for line in told if line["status"] == "failed")
    assert created(emulator) <= 60
    assert code == (1 if uncertain else 0), errors
    code, _, errors = end(start("tasks", "-o", "results", "--resume", "--resend-uncertain"))
    assert (code, len(solved_keys(results))) == (0, 60), errors


def test_a_result_comes_as_soon_as_it_is_there(start: Start, emulator: Emulator) -> None:
    """In a pipe the first answer is not kept back until more lines come."""
    process = start("-")
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(tasks(1).encode())
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["status"] == "solved"
    assert process.poll() is None
    process.stdin.close()
    assert process.wait(PATIENCE) == 0


def test_a_slow_reader_holds_everything_back(
    start: Start, emulator: Emulator, tmp_path: Path
) -> None:
    """While nobody takes the results, no more tasks are read, and memory does not fill."""
    emulator.answer_with({"token": "x" * 20_000})
    emulator.answer_at_once()
    (tmp_path / "tasks").write_text(tasks(100), encoding="utf-8")
    process = start("tasks", "--max-in-flight", "5")
    assert process.stdout is not None
    pause, before = threading.Event(), -1
    while before != created(emulator) or not before:
        before = created(emulator)
        pause.wait(1.0)
    # A pipe holds a few of the results; five more wait.
    assert before < 40
    code, out, errors = end(process)
    assert (code, len(out.splitlines())) == (0, 100), errors


def test_a_reader_that_goes_away(start: Start, emulator: Emulator, tmp_path: Path) -> None:
    """The run ends without a traceback, and tells what was paid for."""
    (tmp_path / "tasks").write_text(tasks(50), encoding="utf-8")
    process = start("tasks", "--max-in-flight", "10", "--journal", "journal")
    assert process.stdout is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(PATIENCE) == 1
    assert process.stderr is not None
    errors = process.stderr.read().decode()
    assert "stopped: whoever reads standard output has gone" in errors
    assert "Traceback" not in errors
    assert "go on with" in errors


def memory(process: Process) -> Iterator[int]:
    """Yield the most memory that a process had, in KiB."""
    for line in Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8").splitlines():
        if line.startswith("VmHWM"):
            yield int(line.split()[1])


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
def test_a_huge_file_is_started_at_once(start: Start, emulator: Emulator, tmp_path: Path) -> None:
    """A file is never held in memory: results come while most of it is still to be read."""
    emulator.answer_at_once()
    with (tmp_path / "tasks").open("w", encoding="utf-8") as file:
        for _ in range(150):
            file.write(tasks(1000))
    process = start("tasks", "-o", "results", "--max-in-flight", "20")
    when(tmp_path / "results", 20)
    first = next(memory(process))
    when(tmp_path / "results", 200)
    # The file has 13 MB.
    assert next(memory(process)) - first < 5_000
    process.send_signal(signal.SIGINT)
    code, out, _ = end(process)
    assert code == 130
    assert "lines left" in out
