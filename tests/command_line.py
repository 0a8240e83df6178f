"""How tests run the command line: in this process, or as one of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from anyio.from_thread import start_blocking_portal
from typer.testing import CliRunner

from captcha_async.cli._app import app
from captcha_async.emulator import Emulator, serve

ROOT = Path(__file__).parent.parent
KEY = "emulator-key"
PATIENCE = 30
"""Seconds after which a process is held to hang."""

Start = Callable[..., "subprocess.Popen[str]"]


@contextmanager
def served(emulator: Emulator) -> Generator[str]:
    """Serve an emulator from a thread with an event loop of its own; give its base URL."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(emulator)) as url,
    ):
        yield url


@contextmanager
def processes(*command: str) -> Generator[Start]:
    """Give a function that starts the command line; what still runs at the end is killed."""
    started: list[subprocess.Popen[str]] = []

    def start(*arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "captcha_async", *command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        )
        started.append(process)
        return process

    try:
        yield start
    finally:
        for process in started:
            process.kill()
            process.communicate()


def run(
    *arguments: str, key: str | None = KEY, stdin: str | None = None, columns: int = 300
) -> Any:
    """Run the command line; that many *columns* keep messages on one line."""
    environment = {
        "CAPTCHA_API_KEY": key,
        "COLUMNS": str(columns),
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    return CliRunner().invoke(app, list(arguments), env=environment, input=stdin)
