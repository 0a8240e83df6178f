"""`captcha-async collect`: the answer of a task that was paid for and not waited for."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from ... import CaptchaClient, Solved, TaskRef
from .._exits import USAGE, fail, reporting_errors
from .._options import (
    BaseUrlOption,
    JsonOutput,
    ServiceOption,
    complete_type,
    open_client,
    profile_of,
    read_id,
)
from .._types._catalogue import find_types
from ._command import print_answer, run_one, where
from ._waiting import Waiting

__all__ = ["collect"]

UNKNOWN = "UnknownTask"
"""The type of a task of which only the id is known: its answer is read as it is."""


def collect(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="As the service gave it.")],
    task_type: Annotated[
        str | None,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Its type; the answer is read by it.",
            autocompletion=complete_type,
        ),
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option("--timeout", metavar="SECONDS", min=0.0, help="How long to wait for it."),
    ] = None,
    json_output: JsonOutput = False,
    service: ServiceOption = "capmonster",
    base_url: BaseUrlOption = None,
) -> None:
    """Get the answer of a task that a time-out or Ctrl-C has left; costs nothing more.

    Services keep answers for some minutes only.

    Examples:

        captcha-async collect 7654321 --type TurnstileTask
        captcha-async collect 7654321 --service captcha69 --json

    Exit codes: 0 solved, 1 failed or gone, 2 wrong usage, 3 trouble with the account, 4 timeout,
    5 no answer of the service, 130 interrupted.
    """
    with reporting_errors():
        profile = profile_of(service, base_url)
        ref = TaskRef(profile.name, read_id(task_id), _name(task_type))
        waiting = Waiting(profile.ban_window, where(service, base_url))
        waiting.task_id, waiting.task_type = ref.task_id, ref.task_type
        client = open_client(service, base_url, on_event=waiting)
        solved = run_one(_collect(client, ref, timeout, waiting), waiting, json_output)
    print_answer(solved, json_output=json_output)


def _name(given: str | None) -> str:
    if given is None or given == UNKNOWN:
        return UNKNOWN
    found = find_types(given)
    if not found:
        fail(
            f"--type must be the name of a task type (`captcha-async types` lists them), not "
            f"{given!r}",
            USAGE,
        )
    return found[0].__name__


async def _collect(
    client: CaptchaClient, ref: TaskRef, timeout: float | None, waiting: Waiting
) -> Solved[Any]:
    async with client, waiting.shown(client):
        return await client.attach(ref).result(timeout=timeout)
