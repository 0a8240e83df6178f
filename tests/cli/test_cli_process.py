"""The commands as processes of their own: signals and pipes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Generator
from pathlib import Path

import pytest
from command_line import PATIENCE, Start, processes, run

ROOT = Path(__file__).parents[2]


@pytest.fixture
def start() -> Generator[Start]:
    """Return a function that starts the command line; what still runs at the end is killed."""
    with processes() as start:
        yield start


def end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Press Ctrl-C and return what the process still writes."""
    process.send_signal(signal.SIGINT)
    return process.communicate(timeout=PATIENCE)


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_an_interrupted_demo_ends_cleanly(start: Start) -> None:
    """Ctrl-C gives the partial table and 130, and nothing of a traceback."""
    process = start("demo", "--tasks", "12", "--latency", "1000")
    assert process.stderr is not None
    assert any("in flight 12" in line for line in process.stderr)
    out, errors = end(process)
    assert process.returncode == 130
    assert "12 of 12 tasks had not ended" in out
    assert "Traceback" not in errors


@pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")
def test_emulate_serves_until_interrupted(start: Start) -> None:
    """Address and key are printed at once; requests are logged; Ctrl-C is its normal end."""
    process = start("emulate", "--port", "0", "--balance", "7.5")
    assert process.stdout is not None
    assert process.stderr is not None
    base_url, key = (process.stdout.readline().split()[-1] for _ in range(2))
    assert run("balance", "--base-url", base_url, key=key).stdout == "7.5\n"
    assert process.stderr.readline() == f"watch it  {base_url}/\n"
    assert process.stderr.readline().split()[1:] == ["getBalance", "-", "200", "balance", "7.5"]
    out, errors = end(process)
    assert (process.returncode, out) == (0, "")
    assert errors.startswith("requests 1, tasks 0, solved 0")


def test_the_module_is_the_command(start: Start) -> None:
    """`python -m captcha_async` works too, and a pipe gets plain text."""
    out, _ = start("--help").communicate(timeout=PATIENCE)
    assert "demo" in out
    assert "\x1b" not in out


def test_a_terminal_of_ascii_gets_ascii(start: Start) -> None:
    """Where the locale is C nothing else is written, in tables neither."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LC_ALL": "C"}
    command = [sys.executable, "-m", "captcha_async", "types", "--historic"]
    told = subprocess.run(
        command, env=environment, capture_output=True, timeout=PATIENCE, check=True
    ).stdout
    assert told.isascii()
    assert b"TurnstileTask" in told
