"""Exit codes, and how an error of the library ends a command."""

from __future__ import annotations

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import NoReturn

import typer

from ..errors import (
    AccountError,
    CaptchaError,
    InvalidArgument,
    PollLimitReached,
    ServiceUnavailable,
    SolveTimeout,
    TransportError,
)
from ._messages import say, sentence

__all__ = [
    "ACCOUNT",
    "FAILED",
    "INTERRUPTED",
    "TIMED_OUT",
    "UNREACHABLE",
    "USAGE",
    "exit_code",
    "fail",
    "reporting_errors",
    "told",
]

FAILED = 1
USAGE = 2
ACCOUNT = 3
TIMED_OUT = 4
UNREACHABLE = 5
INTERRUPTED = 130

# The first class that fits decides.
_CODES: list[tuple[type[CaptchaError], int]] = [
    (InvalidArgument, USAGE),
    (AccountError, ACCOUNT),
    (SolveTimeout, TIMED_OUT),
    (PollLimitReached, TIMED_OUT),
    (TransportError, UNREACHABLE),
    (ServiceUnavailable, UNREACHABLE),
    (CaptchaError, FAILED),
]

# What a field of the library is called on the command line.
_OPTIONS = {
    "api_key": "CAPTCHA_API_KEY",
    "base_url": "--base-url",
    "service": "--service",
    "timeout": "--timeout",
    "website_url": "--url",
    "website_key": "--key",
    "page_action": "--action",
    "min_score": "--min-score",
    "is_invisible": "--invisible",
}


def exit_code(error: CaptchaError) -> int:
    """Return the exit code that stands for *error*."""
    return next(code for kind, code in _CODES if isinstance(error, kind))


def fail(message: str, code: int) -> NoReturn:
    """Say on standard error what is wrong, and end."""
    say(f"captcha-async: {message}")
    raise typer.Exit(code)


def told(error: CaptchaError, options: Mapping[str, str] | None = None) -> str:
    """Return an error's message; a wrong argument is called by its option, not by Python's name."""
    message = sentence(error)
    if isinstance(error, SolveTimeout):
        # What follows speaks of Python; the command that collects it is told besides.
        return message.partition("; it is paid")[0]
    field = error.field if isinstance(error, InvalidArgument) else ""
    if field == "service":
        message = message.replace("a Service or one of", "one of")
    option = {**_OPTIONS, **(options or {})}.get(field)
    return message if option is None else f"{option}{message.removeprefix(field)}"


@contextmanager
def reporting_errors(options: Mapping[str, str] | None = None) -> Generator[None]:
    """End the command with a message and an exit code, never with a traceback.

    Args:
        options: what fields of the library are called here, besides the common ones.
    """
    try:
        yield
    except CaptchaError as error:
        fail(told(error, options), exit_code(error))
    except (KeyboardInterrupt, typer.Abort):
        fail("interrupted", INTERRUPTED)
    except RuntimeError as error:
        # Of an extra that is missing; the message says which.
        if "pip install" not in str(error):
            raise
        fail(str(error), FAILED)
