"""`captcha-async report`: the right method, and what is refused before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Generator
from typing import Any

import pytest
from command_line import KEY, run, served

from captcha_async.cli._types._catalogue import find_types
from captcha_async.emulator import Emulator, Latency
from captcha_async.services import SERVICES
from captcha_async.tasks import Task
from captcha_async.tasks._families import all_models

WIDGET = ("--url", "https://example.com/login", "--key", "site-key")


@pytest.fixture
def emulator() -> Emulator:
    """Return a service that answers within the first poll."""
    return Emulator(api_keys=KEY, latency=Latency.fixed(0.0))


@pytest.fixture
def base_url(emulator: Emulator) -> Generator[str]:
    """Serve the emulator from a thread with an event loop of its own."""
    with served(emulator) as url:
        yield url


@pytest.fixture
def task_id(base_url: str) -> str:
    """Return the id of a solved task."""
    told = json.loads(run("solve", "turnstile", *WIDGET, "--base-url", base_url, "--json").stdout)
    return str(told["task_id"])


@pytest.mark.parametrize(
    ("task_type", "method"),
    [
        ("TurnstileTask", "reportIncorrectTokenCaptcha"),
        ("recaptchav2task", "reportIncorrectTokenCaptcha"),
        ("ImageToTextTask", "reportIncorrectImageCaptcha"),
    ],
)
def test_the_type_chooses_the_method(
    emulator: Emulator, base_url: str, task_id: str, task_type: str, method: str
) -> None:
    """Images and tokens are reported apart; letter case does not matter."""
    result = run("report", task_id, "--type", task_type, "--base-url", base_url)
    assert result.exit_code == 0
    assert result.stdout == f"capmonster has taken the report of task {task_id}\n"
    (request,) = emulator.requests_to(method)
    assert request.body["taskId"] == int(task_id)
    assert emulator.tasks[int(task_id)].reported


def test_json(base_url: str, task_id: str) -> None:
    """`--json` names the type by its class."""
    result = run("report", task_id, "--type", "turnstiletask", "--base-url", base_url, "--json")
    assert json.loads(result.stdout) == {
        "service": "capmonster",
        "task_id": int(task_id),
        "task_type": "TurnstileTask",
        "reported": True,
    }


@pytest.mark.parametrize("task_id", ["9" * 30, "9" * 5000, "\N{ARABIC-INDIC DIGIT ONE}"])
def test_an_id_that_is_no_usual_number(base_url: str, task_id: str) -> None:
    """It goes to the service as it stands."""
    result = run("report", task_id, "--type", "TurnstileTask", "--base-url", base_url)
    assert result.exit_code == 1
    assert "ERROR_NO_SUCH_CAPCHA_ID" in result.stderr


def test_an_unknown_id_is_refused(base_url: str) -> None:
    """What the service says is an ordinary failure."""
    result = run("report", "1", "--type", "TurnstileTask", "--base-url", base_url)
    assert result.exit_code == 1
    assert "ERROR_NO_SUCH_CAPCHA_ID" in result.stderr


def test_a_wrong_key(base_url: str, task_id: str) -> None:
    """Trouble with the account has its own exit code."""
    result = run("report", task_id, "--type", "TurnstileTask", "--base-url", base_url, key="wrong")
    assert result.exit_code == 3


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--type", "NoSuchTask"], "`captcha-async types` lists them"),
        (["--type", "CustomTask"], "capmonster takes no reports"),
        (["--type", "TurnstileTask", "--service", "capsolver"], "capsolver takes no reports"),
        (["--type", "TurnstileTask", "--service", "nobody"], "capmonster, captcha69"),
        ([], "--type"),
    ],
)
def test_wrong_usage(arguments: list[str], says: str) -> None:
    """Exit code 2, nothing sent, and not even a key asked for."""
    result = run("report", "1", *arguments, key=None)
    assert result.exit_code == 2
    assert says in result.stderr


def test_one_name_is_one_way_to_report() -> None:
    """The types that share a wire name, at any service, are reported to the same method."""
    for model in all_models():
        for name in (model.spec.type, *wire_names(model)):
            assert {each.spec.report for each in find_types(name)} == {model.spec.report}


def wire_names(model: type[Task[Any]]) -> set[str]:
    """Return what the services call a type."""
    named = (service.dialects.get(model.__name__) for service in SERVICES.values())
    return {name for names in named if names for name in names.names}
