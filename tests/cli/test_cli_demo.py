"""The demo and the emulator's log: what they count and show."""

from __future__ import annotations

import io
import json
import random
import re

import anyio
import pytest
from command_line import KEY, run
from local import TOKEN_TASK, joined
from rich.console import Console

from captcha_async import CaptchaClient, KeyRejected, wire
from captcha_async.cli._demo import DemoRun
from captcha_async.cli._progress import watch
from captcha_async.cli._request_log import log_requests
from captcha_async.cli._samples import sample_models, sample_task, sample_tasks
from captcha_async.cli._tally import quantile
from captcha_async.emulator import Emulator, Latency
from captcha_async.emulator._bodies import refusal
from captcha_async.services import SERVICES


@pytest.mark.parametrize("service", SERVICES)
def test_demo_json(service: str) -> None:
    """All types are solved at every service by its rules; standard output is one JSON object."""
    result = run("demo", "--tasks", "12", "--latency", "0", "--service", service, "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (told["solved"], told["failed"], told["unfinished"]) == (12, 0, 0)
    assert (told["violations"], told["interrupted"]) == (0, False)
    taken = {type(task).__name__ for task in sample_tasks(12, 0, SERVICES[service])}
    assert [row["task_type"] for row in told["types"]] == sorted(taken)
    assert sum(row["requests"] for row in told["types"]) == told["requests"]


def test_demo_table() -> None:
    """The table has a line for each type, the progress goes to standard error."""
    result = run("demo", "--tasks", "6", "--latency", "0")
    assert result.exit_code == 0
    assert "TurnstileTask" in result.stdout
    assert "all types" in result.stdout
    assert "rules of capmonster broken: 0" in result.stdout
    assert "in flight" in result.stderr


def test_demo_with_callbacks() -> None:
    """The answers come by themselves: there are no polls."""
    result = run("demo", "--tasks", "12", "--latency", "0.1", "--callbacks", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 0
    assert (told["solved"], told["by_callback"], told["requests"]) == (12, 12, 12)
    shown = run("demo", "--tasks", "6", "--latency", "0.1", "--callbacks").stdout
    assert "with 6 requests, 6 by callback" in shown


def test_a_failed_demo_says_why() -> None:
    """Failures, broken rules and unfinished tasks are counted and shown."""
    emulator = Emulator(api_keys=KEY, latency=Latency.fixed(0.0))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", "ImageToTextTask")
    demo = DemoRun(emulator, sample_tasks(2, 0, emulator.service))
    anyio.run(demo.run, Console(file=io.StringIO()))
    anyio.run(ask_with_a_wrong_key, emulator)
    demo.tasks *= 2
    shown = io.StringIO()
    demo.print(Console(file=shown, width=200))
    assert not demo.passed
    assert "last Unsolvable: capmonster answered ERROR_CAPTCHA_UNSOLVABLE" in shown.getvalue()
    assert "2 of 4 tasks had not ended" in shown.getvalue()
    assert "rules of capmonster broken: 1\n  wrong-key:" in shown.getvalue()
    assert demo.summary()["unfinished"] == 2


async def ask_with_a_wrong_key(emulator: Emulator) -> None:
    """Break a rule."""
    async with joined(emulator, api_key="wrong") as client:
        with pytest.raises(KeyRejected):
            await client.balance()


def test_a_demo_that_fails_has_an_exit_code(monkeypatch: pytest.MonkeyPatch) -> None:
    """1 tells a script that not all was well."""
    monkeypatch.setattr(DemoRun, "passed", False)
    assert run("demo", "--tasks", "1", "--latency", "0").exit_code == 1


def test_an_interrupted_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C leads to the table of what there is, and to 130."""

    async def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(DemoRun, "run", interrupt)
    result = run("demo", "--tasks", "5")
    assert result.exit_code == 130
    assert "5 of 5 tasks had not ended" in result.stdout


@pytest.mark.parametrize("terminal", [True, False])
async def test_progress(terminal: bool) -> None:
    """A terminal gets a picture of at most 100 columns, everything else a line every 2 s."""
    shown = io.StringIO()
    console = Console(file=shown, force_terminal=terminal, width=200)
    async with CaptchaClient(KEY) as client:
        with anyio.move_on_after(5):
            await watch(client.statistics, 10, console)
    if terminal:
        plain = re.sub(r"\x1b\[[?0-9;]*[a-zA-Z]", "", shown.getvalue())
        assert "solved 0   failed 0   in flight 0   waiting 0   elapsed 0:05" in plain
        assert max(map(len, plain.splitlines())) <= 100
    else:
        assert "waiting 0  in flight 0  solved 0  failed 0" in shown.getvalue()
        moments = [line.split()[0] for line in shown.getvalue().splitlines()]
        assert moments == ["0.0", "2.0", "4.0", "5.0"]


def test_samples_are_fit_for_every_service() -> None:
    """The demo's tasks are ones that no service refuses, unseen or seen."""
    for service in SERVICES.values():
        for task in sample_tasks(len(sample_models()), 0, service):
            service.check(task)
            assert refusal(wire.dump_task(task, service), service) is None


def test_every_documented_type_has_a_sample() -> None:
    """A new type that the demo cannot make fails here."""
    models = sample_models()
    assert len(models) > 45
    assert {type(sample_task(model, random.Random(0))) for model in models} == set(models)


def test_quantile() -> None:
    """The smallest value that at least the share of all do not exceed."""
    values = [float(number) for number in range(1, 101)]
    assert (quantile(values, 0.5), quantile(values, 0.95), quantile([7.0], 0.95)) == (50, 95, 7)
    assert quantile([], 0.5) is None


async def test_the_request_log() -> None:
    """The emulator's log has a line for each request: method, what about, and the reply."""
    emulator = Emulator(api_keys=KEY, latency=Latency.fixed(0.0))
    shown = io.StringIO()
    async with joined(emulator) as client, anyio.create_task_group() as tasks:
        tasks.start_soon(log_requests, emulator, Console(file=shown, width=200))
        await client.balance()
        solved = await client.solve(TOKEN_TASK)
        await anyio.sleep(1)
        tasks.cancel_scope.cancel()
    moments, lines = zip(
        *(line.split("  ", 1) for line in shown.getvalue().splitlines()), strict=True
    )
    assert all(re.fullmatch(r"\d\d:\d\d:\d\d\.\d\d", moment) for moment in moments)
    assert [line.split() for line in lines] == [
        ["getBalance", "-", "200", "balance", "10.0"],
        ["createTask", "RecaptchaV2Task", "200", "task", str(solved.task_id)],
        ["getTaskResult", str(solved.task_id), "200", "ready"],
    ]
