"""`captcha-async solve`: one captcha, its answer alone on standard output."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import anyio
import typer

from .. import CaptchaClient, Solved
from ..errors import CaptchaError
from ..tasks import (
    ImageToTextTask,
    RecaptchaV2EnterpriseTask,
    RecaptchaV2Task,
    RecaptchaV3TaskProxyless,
    Task,
    TurnstileTask,
)
from ._exits import USAGE, exit_code, fail, reporting_errors
from ._options import BaseUrlOption, JsonOutput, ServiceOption, open_client

__all__ = ["solve"]

KINDS: dict[str, Callable[..., Task[Any]]] = {
    "recaptcha-v2": RecaptchaV2Task,
    "recaptcha-v2-enterprise": RecaptchaV2EnterpriseTask,
    "recaptcha-v3": RecaptchaV3TaskProxyless,
    "turnstile": TurnstileTask,
}
# {option: (field of the task, kinds that have it)}
EXTRAS = {
    "action": ("page_action", {"recaptcha-v2-enterprise", "recaptcha-v3", "turnstile"}),
    "invisible": ("is_invisible", {"recaptcha-v2"}),
    "min-score": ("min_score", {"recaptcha-v3"}),
}


def solve(
    what: Annotated[
        str, typer.Argument(metavar="IMAGE|KIND", help=f"An image file, or {', '.join(KINDS)}.")
    ],
    url: Annotated[str | None, typer.Option(help="The page that shows the captcha.")] = None,
    key: Annotated[str | None, typer.Option(help="The site key of the captcha.")] = None,
    action: Annotated[str | None, typer.Option(help="The page's action.")] = None,
    invisible: Annotated[bool, typer.Option("--invisible", help="An invisible widget.")] = False,
    min_score: Annotated[float | None, typer.Option(help="Least score, 0.1 to 0.9.")] = None,
    service: ServiceOption = "capmonster",
    base_url: BaseUrlOption = None,
    timeout: Annotated[
        float | None, typer.Option(min=0.0, help="Seconds for everything together.")
    ] = None,
    json_output: JsonOutput = False,
) -> None:
    """Solve one captcha; the text or token is all that goes to standard output.

    The API key is read from CAPTCHA_API_KEY, or asked for: never from an argument, which every
    user of the machine could see.

    Examples:

        captcha-async solve captcha.png
        captcha-async solve turnstile --url https://example.com --key 0x4AAA
        captcha-async solve recaptcha-v3 --url https://example.com --key 6Lc
          --action login --min-score 0.7 --json

    Exit codes: 0 solved, 1 failed, 2 wrong usage, 3 trouble with the account, 4 timeout,
    130 interrupted.
    """
    extras = {"action": action, "invisible": invisible or None, "min-score": min_score}
    with reporting_errors():
        task = _build_task(what, url, key, extras)
        client = open_client(service, base_url)
        try:
            solved = anyio.run(_solve, client, task, timeout)
        except CaptchaError as error:
            if not json_output:
                raise
            typer.echo(json.dumps(_describe_error(error)))
            raise typer.Exit(exit_code(error)) from None
    typer.echo(json.dumps(_describe(solved), default=str) if json_output else _answer(solved))


async def _solve(client: CaptchaClient, task: Task[Any], timeout: float | None) -> Solved[Any]:
    async with client:
        return await client.solve(task, timeout=timeout)


def _build_task(what: str, url: str | None, key: str | None, extras: dict[str, Any]) -> Task[Any]:
    if what not in KINDS:
        return _read_image(what, {"url": url, "key": key, **extras})
    if url is None or key is None:
        fail(f"{what} needs --url (the page) and --key (its site key)", USAGE)
    fields: dict[str, Any] = {}
    for option, value in extras.items():
        field, kinds = EXTRAS[option]
        if value is not None and what not in kinds:
            fail(f"--{option} is not for {what}, only for {', '.join(sorted(kinds))}", USAGE)
        if value is not None:
            fields[field] = value
    return KINDS[what](website_url=url, website_key=key, **fields)


def _read_image(path: str, options: dict[str, Any]) -> Task[Any]:
    given = [name for name, value in options.items() if value is not None]
    try:
        content = Path(path).read_bytes()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        fail(f"{path}: {reason}; give an image file, or one of {', '.join(KINDS)}", USAGE)
    if given:
        fail(f"--{given[0]} is not for images", USAGE)
    return ImageToTextTask(content)


def _answer(solved: Solved[Any]) -> str:
    solution = solved.solution
    answer: str = solution.text if hasattr(solution, "text") else solution.token
    return answer


def _describe(solved: Solved[Any]) -> dict[str, Any]:
    return {
        "answer": _answer(solved),
        "solution": dict(solved.solution.raw),
        "service": solved.ref.service,
        "task_id": solved.task_id,
        "task_type": solved.ref.task_type,
        "cost": solved.cost,
        "elapsed": round(solved.elapsed, 3),
        "polls": solved.polls,
    }


def _describe_error(error: CaptchaError) -> dict[str, Any]:
    return {
        "error": type(error).__name__,
        "code": getattr(error, "code", None),
        "message": str(error),
        "task_id": error.task_id,
        "retryable": error.retryable,
    }
