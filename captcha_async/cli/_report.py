"""`captcha-async report`: an answer was wrong."""

from __future__ import annotations

import json
from typing import Annotated, Any

import anyio
import typer

from .. import CaptchaClient, TaskRef
from ..services import Service, find_service
from ..tasks import Task
from ._exits import USAGE, fail, reporting_errors
from ._options import BaseUrlOption, JsonOutput, ServiceOption, complete_type, open_client, read_id
from ._types._catalogue import find_types

__all__ = ["report"]


def report(
    task_id: Annotated[str, typer.Argument(metavar="ID", help="As the service gave it.")],
    task_type: Annotated[
        str,
        typer.Option(
            "--type",
            metavar="TYPE",
            help="Its type, such as TurnstileTask.",
            autocompletion=complete_type,
        ),
    ],
    json_output: JsonOutput = False,
    service: ServiceOption = "capmonster",
    base_url: BaseUrlOption = None,
) -> None:
    """Tell the service that an answer was wrong; some give the money back.

    The type decides to which method the report goes: services take those of images and those of
    tokens apart. The key is read from CAPTCHA_API_KEY, or asked for.

    Examples:

        captcha-async report 7654321 --type ImageToTextTask
        captcha-async report 7654321 --type RecaptchaV2Task --service captcha69

    Exit codes: 0 taken, 1 refused, 2 wrong usage, 3 trouble with the account, 130 interrupted.
    """
    with reporting_errors():
        model = _find(task_type, find_service(service))
        client = open_client(service, base_url)
        number = read_id(task_id)
        anyio.run(_send, client, TaskRef(service, number, model.__name__))
    if json_output:
        told = {
            "service": service,
            "task_id": number,
            "task_type": model.__name__,
            "reported": True,
        }
        typer.echo(json.dumps(told))
    else:
        typer.echo(f"{service} has taken the report of task {number}")


def _find(name: str, service: Service) -> type[Task[Any]]:
    """Return a model by its name or the service's, if its wrong answers can be reported."""
    models = find_types(name)
    if not models:
        rule = "the name of a task type (`captcha-async types` lists them)"
        fail(f"--type must be {rule}, not {name!r}", USAGE)
    # What has one name on the wire is reported in one way.
    if models[0].spec.report not in service.report_methods:
        fail(f"{service.name} takes no reports of wrong answers to a {name}", USAGE)
    return models[0]


async def _send(client: CaptchaClient, ref: TaskRef) -> None:
    async with client:
        reported = await client.report_incorrect(ref)
    if reported.error is not None:
        raise reported.error
