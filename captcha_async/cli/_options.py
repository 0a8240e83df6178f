"""Options that several commands share, and the client that they lead to."""

from __future__ import annotations

import os
import sys
from decimal import Decimal, InvalidOperation
from typing import Annotated

import typer

from .. import tasks
from .._account._retry import Retries
from .._arguments import KEY_VARIABLE
from .._client import CaptchaClient
from ..services import SERVICES, find_service
from ._exits import USAGE, fail

__all__ = [
    "BaseUrlOption",
    "JsonOutput",
    "SeedOption",
    "ServiceOption",
    "complete_service",
    "complete_type",
    "open_client",
    "read_key",
    "read_money",
]


def complete_service(incomplete: str) -> list[str]:
    """Return the services that a word on the command line may become."""
    return [name for name in SERVICES if name.startswith(incomplete)]


def complete_type(incomplete: str) -> list[str]:
    """Return the task types that a word on the command line may become."""
    return [name for name in tasks.__all__ if _is_type(name) and name.startswith(incomplete)]


def _is_type(name: str) -> bool:
    # By name, because a model is imported when it is first used.
    return name.endswith(("Task", "TaskProxyless")) and name not in ("RawTask", "Task")


ServiceOption = Annotated[
    str,
    typer.Option(help=f"One of {', '.join(SERVICES)}.", autocompletion=complete_service),
]
BaseUrlOption = Annotated[
    str | None, typer.Option(help="Another address of the service, such as a mirror's.")
]
SeedOption = Annotated[int, typer.Option(help="The same seed gives the same answers.")]
JsonOutput = Annotated[bool, typer.Option("--json", help="Print one JSON object, nothing else.")]


# Somebody sits there and waits.
IMPATIENT = Retries(attempts=3, backoff=0.5)


def open_client(service: str, base_url: str | None) -> CaptchaClient:
    """Return a client; its key is from the environment, or asked for without showing it.

    Call it outside of the event loop: Ctrl-C could not end the question otherwise.
    """
    profile = find_service(service)
    if base_url is not None:
        profile = profile.evolve(base_url=base_url)
    return CaptchaClient(read_key(), service=profile, retries=IMPATIENT)


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
