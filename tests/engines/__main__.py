"""Runs the examples for engines with real workers, kills one of them, and counts what was paid for.

python tests/engines [--python PATH] [--engine ray|taskiq] [--tasks N] [--workers N] [--slots N]

They run against an emulated service with a hard limit of slots, on a redis-server of their own.
Without `--python` the engines are installed into an environment of their own, `build/engines`.
Fails if a task was paid for twice or has no answer, or if the limit was exceeded once.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import venv
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import attrs

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGES = (f"{ROOT}[redis]", "ray[data]", "taskiq", "taskiq-redis")
PATIENCE = 1800
"""Seconds after which a run is held to hang."""


@attrs.frozen
class Engine:
    """One of the examples."""

    command: tuple[str, ...]
    """Its module and its options."""
    worker: str
    """What the command line of a worker has in it."""
    parent: str
    """What that of a worker's parent has."""


ENGINES = {
    "ray": Engine(("examples.ray_data", "--actors"), "ray::MapWorker", "raylet"),
    "taskiq": Engine(("examples.taskiq_queue", "--workers"), "taskiq worker", "taskiq worker"),
}


# -- what runs beside it --------------------------------------------------------------------------


@contextmanager
def started(command: list[Any], **options: Any) -> Generator[subprocess.Popen[str]]:
    """Run a program meanwhile, and end it with all that it has started."""
    process = subprocess.Popen(command, text=True, start_new_session=True, **options)
    try:
        yield process
    finally:
        for sent in (signal.SIGTERM, signal.SIGKILL):
            with suppress(ProcessLookupError):
                os.killpg(process.pid, sent)
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)


@contextmanager
def redis_server(folder: str) -> Generator[str]:
    """Run a redis-server meanwhile, and give its address."""
    program = shutil.which("redis-server")
    if program is None:
        sys.exit("redis-server is not installed")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", folder]
    with started(command, stdout=subprocess.DEVNULL):
        for _ in range(500):
            try:
                socket.create_connection(("127.0.0.1", port), timeout=1).close()
                break
            except OSError:
                time.sleep(0.01)
        yield f"redis://127.0.0.1:{port}/0"


class Service:
    """The emulated service, in a process of its own."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._in, self._out = process.stdin, process.stdout
        self._asking = threading.Lock()
        self.url = self._out.readline().strip()

    def ask(self, what: str) -> dict[str, Any]:
        """Return what happened so far: `count` for the number of tasks only."""
        with self._asking:
            self._in.write(f"{what}\n")
            self._in.flush()
            found: dict[str, Any] = json.loads(self._out.readline())
            return found


# -- the kill -------------------------------------------------------------------------------------


def processes_of(mark: str) -> Iterator[Path]:
    """Find the processes of this run; *mark* is in their environment."""
    for folder in Path("/proc").glob("[0-9]*"):
        # It may have ended meanwhile, or be none of ours.
        with suppress(OSError):
            if mark in (folder / "environ").read_bytes().decode(errors="replace"):
                yield folder


def workers_of(engine: Engine, mark: str) -> list[int]:
    """Return those that solve."""
    found: list[int] = []
    for folder in processes_of(mark):
        with suppress(OSError):
            # The name, which may have spaces and brackets, is the second field.
            parent = (folder / "stat").read_text(errors="replace").rpartition(")")[2].split()[1]
            if engine.worker in _words(folder) and engine.parent in _words(folder.parent / parent):
                found.append(int(folder.name))
    return sorted(found)


def kill_all(mark: str) -> None:
    """Kill what a run has left, whatever group or session it made for itself."""
    for folder in processes_of(mark):
        with suppress(ProcessLookupError):
            os.kill(int(folder.name), signal.SIGKILL)


def _words(folder: Path) -> str:
    return (folder / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")


def kill_one(engine: Engine, mark: str, service: Service, after: int, killed: list[str]) -> None:
    """Kill one worker when so many tasks were paid for."""
    while (count := service.ask("count")["created"]) < after:
        time.sleep(0.1)
    pids = workers_of(engine, mark)
    if pids:
        os.kill(pids[len(pids) // 2], signal.SIGKILL)
        killed.append(f"one of {len(pids)} workers was killed after {count} tasks")


# -- a run ----------------------------------------------------------------------------------------


def answers_in(output: IO[str]) -> Iterator[dict[str, str]]:
    """Read the answers that an example prints."""
    for line in output:
        if line.startswith("{"):
            yield json.loads(line)


def run(name: str, python: Path, given: argparse.Namespace) -> list[str]:
    """Run one engine; return what is wrong."""
    engine = ENGINES[name]
    module, workers = engine.command
    command: list[Any] = [python, "-m", module, "--demo", str(given.tasks)]
    command += [workers, str(given.workers)]
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        redis = stack.enter_context(redis_server(folder))
        service = Service(
            stack.enter_context(
                started(
                    [python, HERE / "service.py", str(given.slots), str(given.latency)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    env={**os.environ, "PYTHONPATH": str(ROOT)},
                )
            )
        )
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "NO_PROXY": "127.0.0.1",
            "CAPTCHA_API_KEY": "emulator-key",
            "CAPTCHA_BASE_URL": service.url,
            "CAPTCHA_SHARE": redis,
            "CAPTCHA_SLOTS": str(given.slots),
            "REDIS_URL": redis,
            "QUEUE_IDLE": str(given.idle),
            "RAY_USAGE_STATS_ENABLED": "0",
        }
        stack.callback(kill_all, redis)
        killed: list[str] = []
        arguments = (engine, redis, service, int(given.tasks * given.kill_at), killed)
        killer = threading.Thread(target=kill_one, args=arguments, daemon=True)
        begun = time.monotonic()
        example = stack.enter_context(
            started(command, stdout=subprocess.PIPE, env=environment, cwd=folder)
        )
        stack.callback(
            lambda timer: timer.cancel(), timer := threading.Timer(PATIENCE, example.kill)
        )
        timer.start()
        killer.start()
        assert example.stdout is not None
        answers = list(answers_in(example.stdout))
        took = time.monotonic() - begun
        example.wait()
        found = service.ask("all")
        wrong = verdict(given, answers, found)
        if not killed:
            wrong.append("no worker was killed")
        if example.returncode:
            wrong.append(f"the example ended with {example.returncode}")
    tell(name, given, answers, found, killed, took)
    return [f"{name}: {each}" for each in wrong]


def verdict(
    given: argparse.Namespace, answers: list[dict[str, str]], found: dict[str, Any]
) -> list[str]:
    """Return what is wrong with a run."""
    wrong: list[str] = []
    keys = {f"row-{number}" for number in range(given.tasks)}
    answered = {each["key"]: each for each in answers}
    if len(answers) != len(answered) or set(answered) != keys:
        wrong.append(f"{len(answers)} answers to {len(set(answered) & keys)} of {len(keys)} keys")
    # createTask was on its way when the worker was killed: nobody can know, and it is told.
    unknown = [each for each in answers if each["error"] == "SubmitUncertain"]
    failed = [each for each in answers if each["error"] and each not in unknown]
    if failed:
        wrong.append(f"{len(failed)} failed, such as {failed[0]}")
    if len(unknown) > given.slots:
        wrong.append(f"{len(unknown)} are uncertain")
    if found["created"] > given.tasks:
        wrong.append(f"{found['created'] - given.tasks} tasks were paid for twice")
    issued = set(found["tokens"])
    tokens = [each["token"] for each in answers if each["token"]]
    if len(set(tokens)) != len(tokens) or not set(tokens) <= issued:
        wrong.append("a token was handed out twice, or is none of the service's")
    if found["refused"]:
        wrong.append(f"the service has refused: {found['refused']}")
    if found["violations"]:
        wrong.append(f"rules were broken: {found['violations'][:3]}")
    return wrong


def tell(
    name: str,
    given: argparse.Namespace,
    answers: list[dict[str, str]],
    found: dict[str, Any],
    killed: list[str],
    took: float,
) -> None:
    """Print the numbers of a run."""
    unknown = sum(each["error"] == "SubmitUncertain" for each in answers)
    sys.stdout.write(
        f"{name}: {len(answers)} answers to {given.tasks} tasks in {took:.0f} s; "
        f"{found['created']} tasks paid for, {unknown} uncertain; at most {found['most']} of "
        f"{given.slots} slots, {sum(found['refused'].values())} refusals; "
        f"{found['polls'] / max(1, found['created']):.2f} polls each; {''.join(killed)}\n"
    )
    sys.stdout.flush()


def environment() -> Path:
    """Return the Python that has the engines, installed if they are not there yet."""
    folder = ROOT / "build" / "engines"
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "-q", *PACKAGES], check=True)
    return python


def main() -> int:
    """Run what was asked for, and print what is wrong."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--python", type=Path, help="a Python that has the engines")
    parser.add_argument("--engine", choices=sorted(ENGINES), action="append")
    parser.add_argument("--tasks", type=int, default=1500)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--slots", type=int, default=200)
    parser.add_argument("--latency", type=float, default=2.0, help="median, in seconds")
    parser.add_argument("--idle", type=float, default=20.0, help="of a message, in seconds")
    parser.add_argument("--kill-at", type=float, default=0.4, help="the part that is done then")
    given = parser.parse_args()
    # So that what was started is ended, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    python = given.python or environment()
    wrong = [each for name in given.engine or sorted(ENGINES) for each in run(name, python, given)]
    sys.stdout.writelines(f"{each}\n" for each in wrong)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
