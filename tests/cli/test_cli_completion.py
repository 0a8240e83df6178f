"""Completion: what the shell is offered, and help that can be read."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import run

from captcha_async.cli._help import COMMANDS
from captcha_async.cli._options import complete_type
from captcha_async.tasks._families import all_models

ROOT = Path(__file__).parents[2]


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
    """Every command shows how it is used in 40 lines of 80 columns, also by `-h`."""
    lines = run(command, "--help", columns=80).stdout.splitlines()
    assert max(len(line) for line in lines) <= 80
    assert len(lines) <= 40
    assert any(line.startswith(f"  captcha-async {command}") for line in lines)
    assert run(command, "-h").stdout.splitlines() == lines
    assert "TEXT" not in "".join(lines)


def test_the_list_of_commands_fits() -> None:
    """`--help` names all commands at 80 columns, and how to get completion."""
    shown = run("--help", columns=80).stdout
    assert all(f"\n  {command} " in shown for command in COMMANDS)
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
    assert "Usage: captcha-async COMMAND [OPTIONS]" in shown


@pytest.mark.parametrize("option", ["--version", "-h", "--help"])
def test_what_needs_no_command_imports_none(option: str) -> None:
    """The start is as quick as that of the parser alone: neither it nor a command is imported."""
    heavy = "typer", "rich", "httpx", "anyio", "captcha_async._client"
    code = (
        "import sys; from captcha_async.cli import main; sys.argv[1:] = [sys.argv[1]]; main(); "
        f"assert not set({heavy}) & set(sys.modules), sorted(sys.modules)"
    )
    told = subprocess.run(
        [sys.executable, "-c", code, option],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout == run(option).stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_imports_what_it_needs(command: str) -> None:
    """The help of one does not import the others."""
    code = (
        "import sys; from captcha_async.cli._app import load; "
        f"load({command!r}); print(*sys.modules, sep='\\n')"
    )
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
    ).stdout.split()
    others = {f"captcha_async.cli.{COMMANDS[name][1]}" for name in ("bench", "demo", "emulate")}
    own = f"captcha_async.cli.{COMMANDS[command][1]}"
    assert not (others - {own}) & set(told)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["btch"], "there is no command 'btch'; did you mean batch?"),
        (["batch", "--outpt", "x"], "no such option: --outpt"),
        (["solve"], "missing argument 'WHAT'"),
        (["demo", "--tasks", "many"], "invalid value for '--tasks'"),
    ],
)
def test_one_error_style(arguments: list[str], says: str) -> None:
    """Whoever finds it wrong, it is one line that begins with the name of the program."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr.startswith(f"captcha-async: {says}")
    assert result.stderr.endswith("shows how it is used\n")
    assert len(result.stderr.splitlines()) == 1


def test_types_of_solve_are_completed() -> None:
    """Short names and classes."""
    assert complete("solve", "recaptcha-v2") == ["recaptcha-v2", "recaptcha-v2-enterprise"]
    assert complete("solve", "DataD") == ["DataDomeTask"]
