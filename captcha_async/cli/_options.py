"""Options that several commands share, and the client that they lead to."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .. import tasks
from ..services import SERVICES, Service, find_service
from ._exits import USAGE, fail

if TYPE_CHECKING:
    from .. import CaptchaClient

__all__ = [
    "BASE_URL_VARIABLE",
    "KEY_VARIABLE",
    "SERVICE_VARIABLE",
    "BaseUrlOption",
    "JsonOutput",
    "PlainBaseUrl",
    "PlainService",
    "SeedOption",
    "ServiceOption",
    "complete_service",
    "complete_type",
    "open_client",
    "profile_of",
    "read_id",
    "read_key",
    "read_money",
    "type_names",
]

KEY_VARIABLE = "CAPTCHA_API_KEY"
SERVICE_VARIABLE = "CAPTCHA_SERVICE"
BASE_URL_VARIABLE = "CAPTCHA_BASE_URL"

MOST_DIGITS = 18
ACCOUNT = "Service"
"""Heading of these options in the help."""


def complete_service(incomplete: str) -> list[str]:
    """Return the services that a word on the command line may become."""
    return [name for name in SERVICES if name.startswith(incomplete)]


def type_names() -> list[str]:
    """Return the names of all task types, without importing their models."""
    return [
        name
        for name in tasks.__all__
        if name.endswith(("Task", "TaskProxyless")) and name not in ("RawTask", "Task")
    ]


def complete_type(incomplete: str) -> list[str]:
    """Return the task types that a word on the command line may become."""
    return [name for name in type_names() if name.startswith(incomplete)]


def _service(**more: Any) -> Any:
    return typer.Option(
        "--service",
        metavar="NAME",
        help=" ".join(SERVICES),
        autocompletion=complete_service,
        rich_help_panel=ACCOUNT,
        **more,
    )


ServiceOption = Annotated[str, _service(envvar=SERVICE_VARIABLE)]
BaseUrlOption = Annotated[
    str | None,
    typer.Option(
        "--base-url",
        metavar="URL",
        help="Another address of it, such as a mirror's.",
        envvar=BASE_URL_VARIABLE,
        rich_help_panel=ACCOUNT,
    ),
]
# Of commands that play a service, or pay only when that was said on the command line itself.
PlainService = Annotated[str, _service()]
PlainBaseUrl = Annotated[
    str | None,
    typer.Option(
        "--base-url", metavar="URL", help="Measure the service there.", rich_help_panel=ACCOUNT
    ),
]
SeedOption = Annotated[
    int, typer.Option("--seed", metavar="N", help="The same seed gives the same answers.")
]
JsonOutput = Annotated[
    bool, typer.Option("--json", help="Print one JSON object, and nothing else.")
]


def profile_of(service: str, base_url: str | None) -> Service:
    """Return the service's profile, at another address if one is given."""
    profile = find_service(service)
    return profile if base_url is None else profile.evolve(base_url=base_url)


def open_client(
    service: str, base_url: str | None, *, on_event: Callable[[Any], None] | None = None
) -> CaptchaClient:
    """Return a client; its key is from the environment, or asked for without showing it.

    Call it outside of the event loop: Ctrl-C could not end the question otherwise.
    """
    from .. import CaptchaClient, Retries

    profile = profile_of(service, base_url)
    # Somebody sits there and waits.
    retries = Retries(attempts=3, backoff=0.5)
    return CaptchaClient(read_key(), service=profile, retries=retries, on_event=on_event)


def read_id(text: str) -> int | str:
    """Return a task's id: most services count their tasks, the others have UUIDs."""
    counted = text.isascii() and text.isdecimal() and len(text) <= MOST_DIGITS
    return int(text) if counted else text


def read_money(name: str, text: str | None) -> Decimal | None:
    """Return an amount of money."""
    if text is None:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(0)
    if not (amount.is_finite() and amount > 0):
        fail(f"{name} must be a positive amount such as 0.05, not {text!r}", USAGE)
    return amount


def on_terminal() -> bool:
    """Tell whether there is somebody to ask."""
    # A closed one is None.
    return sys.stdin is not None and sys.stdin.isatty()


def read_key() -> str:
    """Return the API key: from the environment, or asked for."""
    key = os.environ.get(KEY_VARIABLE)
    if key:
        return key
    if not on_terminal():
        fail(f"no API key: set {KEY_VARIABLE}, or run on a terminal to be asked for it", USAGE)
    answer: str = typer.prompt("API key", hide_input=True, err=True)
    return answer
