"""Completion: what the shell is offered, and help that can be read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run

from captcha_async.cli._app import app
from captcha_async.cli._options import complete_type
from captcha_async.tasks._families import all_models

ROOT = Path(__file__).parents[2]
COMMANDS = [
    str(command.callback.__name__) for command in app.registered_commands if command.callback
]


def speak(instruction: str, **environment: str) -> str:
    """Run the command as the shell does for completion."""
    result = subprocess.run(
        [sys.executable, "-m", "captcha_async"],
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "_CAPTCHA_ASYNC_COMPLETE": instruction,
            **environment,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert result.stderr == ""
    return result.stdout


def complete(*words: str) -> list[str]:
    """Return what bash is offered for the last of *words*."""
    line = " ".join(("captcha-async", *words))
    return speak("complete_bash", COMP_WORDS=line, COMP_CWORD=str(len(words))).split()


def test_commands_are_completed() -> None:
    """The first word."""
    assert complete("emu") == ["emulate"]
    assert complete("b") == [name for name in COMMANDS if name.startswith("b")]


@pytest.mark.parametrize("command", ["solve", "balance", "report", "types", "bench", "emulate"])
def test_services_are_completed(command: str) -> None:
    """Values of --service, wherever it is an option."""
    assert complete(command, "--service", "cap") == ["capmonster", "captcha69", "capsolver"]


def test_types_are_completed() -> None:
    """The class names, for `types` and for `report --type`."""
    assert complete("types", "Imp") == ["ImpervaTask"]
    assert complete("report", "1", "--type", "ImageToTextT") == ["ImageToTextTask"]
    assert complete("bench", "--target", "in") == ["in-process"]


def test_every_type_can_be_completed() -> None:
    """The names are told without the models being imported."""
    assert sorted(complete_type("")) == sorted(model.__name__ for model in all_models())


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish", "powershell"])
def test_the_script_for_a_shell(shell: str) -> None:
    """It is printed without asking which shell is running, and calls the command by its name."""
    script = speak(f"source_{shell}")
    assert "captcha-async" in script
    assert "_CAPTCHA_ASYNC_COMPLETE" in script


def test_bash_takes_the_script() -> None:
    """The printed script is valid, and registers the command."""
    script = speak("source_bash")
    try:
        told = subprocess.run(
            ["bash", "--norc", "-c", f"{script}\ncomplete -p captcha-async"],
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    except FileNotFoundError:
        pytest.skip("bash is not installed")
    assert told.stderr == ""
    assert told.stdout.rstrip().endswith("captcha-async")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_examples_and_fits(command: str) -> None:
    """Every command shows how it is used, and no line is wider than 80 columns."""
    lines = run(command, "--help", columns=80).stdout.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert any(line.startswith(f"  captcha-async {command}") for line in lines)


def test_the_list_of_commands_fits() -> None:
    """`--help` names all commands at 80 columns, and how to get completion."""
    shown = run("--help", columns=80).stdout
    assert all(f"│ {command}" in shown for command in COMMANDS)
    assert "--install-completion" in shown
    assert max(len(line) for line in shown.splitlines()) <= 80


def test_the_command_goes_by_one_name() -> None:
    """Also as a module, so that what help shows can be typed."""
    shown = subprocess.run(
        [sys.executable, "-m", "captcha_async", "--help"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout
    assert "Usage: captcha-async [OPTIONS] COMMAND" in shown
