"""`captcha-async types`: the catalogue of task types in the terminal."""

from __future__ import annotations

import difflib
import json
from typing import Annotated

import attrs
import typer

from ...services import find_service
from ...tasks._families import all_models
from .._exits import USAGE, fail, reporting_errors
from .._messages import output
from .._options import JsonOutput, complete_service, complete_type
from ._catalogue import TaskType, describe, find_types
from ._search import search
from ._view import print_list, print_type

__all__ = ["types"]


def types(
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="NAME",
            help="A type: shows its fields. Or a word such as cloudflare.",
            autocompletion=complete_type,
        ),
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            "--service",
            metavar="NAME",
            help="Only what it takes, under its own names.",
            autocompletion=complete_service,
        ),
    ] = None,
    historic: Annotated[
        bool, typer.Option("--historic", help="Also those gone from the documentation.")
    ] = False,
    json_output: JsonOutput = False,
) -> None:
    """List the task types, or show the fields of one and of its solution.

    NAME is a class, a service's own name of it, or a word for what is meant. In a pipe the list has
    one line for each type, with nothing left out.

    Examples:

        captcha-async types cloudflare
        captcha-async types TurnstileTask
        captcha-async types --service capsolver
        captcha-async types RecaptchaV2Task --service 2captcha --json

    Exit codes: 0 done, 2 no such type or service.
    """
    with reporting_errors():
        profile = None if service is None else find_service(service)
        models = all_models() if name is None else find_types(name) or search(name)
    taken = [model for model in models if profile is None or profile.takes(model)]
    if name is not None and not taken:
        fail(_unknown(name, service if models else None), USAGE)
    known = [describe(model, profile) for model in taken]
    if name is None and not historic:
        known = [each for each in known if not each.historic]
    if json_output:
        told = [attrs.asdict(each) for each in known]
        typer.echo(json.dumps(told[0] if name and len(told) == 1 else told, indent=2))
    else:
        hidden = name is None and not historic
        _show(known, found=name is not None, everywhere=profile is None, hidden=hidden)


def _show(known: list[TaskType], *, found: bool, everywhere: bool, hidden: bool) -> None:
    console = output(highlight=False)
    if found and len(known) == 1:
        print_type(known[0], console)
        return
    print_list(known, console, everywhere=everywhere, hidden=hidden)
    if found and console.is_terminal:
        more = f"`captcha-async types {known[0].name}` shows the fields of one of them"
        console.print(more, markup=False)


def _unknown(name: str, service: str | None) -> str:
    if service is not None:
        return f"{service} takes no {name}"
    names = {model.__name__.lower(): model.__name__ for model in all_models()}
    close = difflib.get_close_matches(name.lower(), names, n=3, cutoff=0.6)
    hint = f"; did you mean {' or '.join(names[each] for each in close)}?" if close else ""
    return f"there is no task type {name!r}{hint} (`captcha-async types` lists them)"
