"""`captcha-async solve`: one captcha, its answer alone on standard output."""

from __future__ import annotations

import json
import os
import shlex
from types import SimpleNamespace
from typing import Any

import anyio
import typer

from ... import CaptchaClient, Solved
from ...errors import CaptchaError
from ...tasks import Task
from .._exits import FAILED, INTERRUPTED, USAGE, exit_code, fail, reporting_errors, told
from .._messages import say
from .._options import (
    BASE_URL_VARIABLE,
    BaseUrlOption,
    JsonOutput,
    ServiceOption,
    open_client,
    profile_of,
)
from . import _options as options
from ._answer import answer_of, describe, describe_error
from ._waiting import Waiting
from ._what import build_task

__all__ = ["solve"]

# {name of the option: the field of the task}
FIELDS = {
    "url": "website_url",
    "key": "website_key",
    "action": "page_action",
    "min_score": "min_score",
    "proxy": "proxy",
}


def solve(
    context: typer.Context,
    what: options.What,
    url: options.Url = None,
    key: options.Key = None,
    action: options.Action = None,
    invisible: options.Invisible = False,
    min_score: options.MinScore = None,
    proxy: options.ProxyOption = None,
    field: options.FieldOption = None,
    timeout: options.Timeout = None,
    json_output: JsonOutput = False,
    service: ServiceOption = "capmonster",
    base_url: BaseUrlOption = None,
) -> None:
    """Solve one captcha; the text or token is all that goes to standard output.

    Examples:

        captcha-async solve captcha.png
        curl -s https://example.com/captcha | captcha-async solve -
        captcha-async solve turnstile --url https://example.com --key 0x4AAA
        captcha-async solve GeeTestTask --url https://example.com
          -f gt=81388ea1fc187e0c335c0a8907ff2625 -f challenge=9d80817d --json

    Exit codes: 0 solved, 1 failed, 2 wrong usage, 3 trouble with the account, 4 timeout, 5 no
    answer of the service, 130 interrupted.
    """
    given = SimpleNamespace(**context.params)
    with reporting_errors():
        profile = profile_of(service, base_url)
        task = build_task(what, _fields(given), profile)
        waiting = Waiting(profile.ban_window, where(service, base_url))
        client = open_client(service, base_url, on_event=waiting)
        solved = run_one(_solve(client, task, timeout, waiting), waiting, json_output)
    print_answer(solved, json_output=json_output)


def _fields(given: Any) -> dict[str, tuple[str, Any]]:
    """Return the fields that were given, each with its option."""
    fields: dict[str, tuple[str, Any]] = {}
    for name, field in FIELDS.items():
        value = getattr(given, name)
        if value is not None:
            fields[field] = (f"--{name.replace('_', '-')}", value)
    if given.invisible:
        fields["is_invisible"] = ("--invisible", True)
    for text in given.field or ():
        name, equals, value = text.partition("=")
        if not equals or not name:
            fail(f"--field must be NAME=VALUE, not {text!r}", USAGE)
        fields[name] = (f"--field {name}", value)
    return fields


async def _solve(
    client: CaptchaClient, task: Task[Any], timeout: float | None, waiting: Waiting
) -> Solved[Any]:
    async with client, waiting.shown(client):
        return await client.solve(task, timeout=timeout)


def where(service: str, base_url: str | None) -> str:
    """Return the options that name the service, for a command that goes on."""
    told = f"--service {service}"
    known = base_url is None or base_url == os.environ.get(BASE_URL_VARIABLE)
    return told if known else f"{told} --base-url {shlex.quote(base_url or '')}"


def run_one(work: Any, waiting: Waiting, json_output: bool) -> Solved[Any]:
    """Wait for one answer; whatever ends that names the task that is paid for."""

    async def run() -> Solved[Any]:
        solved: Solved[Any] = await work
        return solved

    try:
        return anyio.run(run)
    except KeyboardInterrupt:
        _left(waiting)
        fail("interrupted", INTERRUPTED)
    except CaptchaError as error:
        if json_output:
            typer.echo(json.dumps(describe_error(error)))
            raise typer.Exit(exit_code(error)) from None
        say(f"captcha-async: {told(error)}")
        if error.task_id is not None and exit_code(error) != FAILED:
            _left(waiting)
        raise typer.Exit(exit_code(error)) from None


def _left(waiting: Waiting) -> None:
    if waiting.task_id is not None:
        say(f"task {waiting.task_id} is paid for; collect it within minutes:\n  {waiting.hint()}")


def print_answer(solved: Solved[Any], *, json_output: bool) -> None:
    """Print the answer alone, or everything known of the solve."""
    text = json.dumps(describe(solved), default=str) if json_output else answer_of(solved)
    typer.echo(text)
