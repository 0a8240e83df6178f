"""The run of the engines (`engines/`): what it finds wrong, for it takes minutes and real workers.

The run itself is `python tests/engines`, in an environment that has Ray and Taskiq.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent / "engines"
GIVEN = argparse.Namespace(tasks=3, slots=2)


@pytest.fixture
def engines() -> Any:
    """Return its main module."""
    spec = importlib.util.spec_from_file_location("engines_main", FOLDER / "__main__.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def good() -> tuple[list[dict[str, str]], dict[str, Any]]:
    """Return the answers of a run in which all was well, and what the service saw."""
    answers = [{"key": f"row-{n}", "token": f"t{n}", "error": ""} for n in range(3)]
    found: dict[str, Any] = {
        "created": 3,
        "refused": {},
        "violations": [],
        "tokens": ["t0", "t1", "t2"],
    }
    return answers, found


def test_a_good_run_passes(engines: Any) -> None:
    """Also if a createTask was on its way when the worker was killed, and is told as uncertain."""
    answers, found = good()
    assert engines.verdict(GIVEN, answers, found) == []
    answers[1] |= {"token": "", "error": "SubmitUncertain"}
    assert engines.verdict(GIVEN, answers, found) == []


def lost(answers: list[dict[str, str]], _: dict[str, Any]) -> None:
    del answers[0]


def twice(answers: list[dict[str, str]], _: dict[str, Any]) -> None:
    answers.append(answers[0])


def failed(answers: list[dict[str, str]], _: dict[str, Any]) -> None:
    answers[0] |= {"token": "", "error": "SolveTimeout"}


def uncertain(answers: list[dict[str, str]], _: dict[str, Any]) -> None:
    for answer in answers:
        answer |= {"token": "", "error": "SubmitUncertain"}


def paid_twice(_: list[dict[str, str]], found: dict[str, Any]) -> None:
    found["created"] = 4


def made_up(answers: list[dict[str, str]], _: dict[str, Any]) -> None:
    answers[0]["token"] = "t9"


def refused(_: list[dict[str, str]], found: dict[str, Any]) -> None:
    found["refused"] = {"ERROR_NO_SLOT_AVAILABLE": 1}


def impolite(_: list[dict[str, str]], found: dict[str, Any]) -> None:
    found["violations"] = ["poll-gap: 0.1 s"]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lost, "2 answers to 2 of 3 keys"),
        (twice, "4 answers to 3 of 3 keys"),
        (failed, "1 failed"),
        (uncertain, "3 are uncertain"),
        (paid_twice, "1 tasks were paid for twice"),
        (made_up, "none of the service's"),
        (refused, "ERROR_NO_SLOT_AVAILABLE"),
        (impolite, "poll-gap"),
    ],
)
def test_what_is_wrong_is_told(engines: Any, spoil: Callable[..., None], told: str) -> None:
    """Each of the promises can be found broken."""
    answers, found = good()
    spoil(answers, found)
    assert any(told in each for each in engines.verdict(GIVEN, answers, found))


@pytest.mark.skipif(sys.platform != "linux", reason="looks at /proc")
def test_a_worker_is_found_by_its_words_its_parent_and_its_environment(engines: Any) -> None:
    """And no other process of the machine is, for it is going to be killed."""
    child = "import sys; print('up', flush=True); sys.stdin.read()"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}, 'worker'])"
    command = [sys.executable, "-c", parent, "manager"]
    environment = {**os.environ, "SHARE": "here-and-now"}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"up\n"

        def found(worker: str, of: str, mark: str) -> list[int]:
            return engines.workers_of(engines.Engine((), worker, of), mark)

        assert len(found(" worker", " manager", "here-and-now")) == 1
        assert process.pid not in found(" worker", " manager", "here-and-now")
        assert found(" worker", " nobody", "here-and-now") == []
        assert found(" worker", " manager", "elsewhere-and-never") == []
