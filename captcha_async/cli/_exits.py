"""Exit codes, and how an error of the library ends a command."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

import typer

from ..errors import AccountError, CaptchaError, InvalidArgument, PollLimitReached, SolveTimeout
from ._messages import messages

__all__ = [
    "ACCOUNT",
    "FAILED",
    "INTERRUPTED",
    "TIMED_OUT",
    "USAGE",
    "exit_code",
    "fail",
    "reporting_errors",
]

FAILED = 1
USAGE = 2
ACCOUNT = 3
TIMED_OUT = 4
INTERRUPTED = 130

# The first class that fits decides.
_CODES: list[tuple[type[CaptchaError], int]] = [
    (InvalidArgument, USAGE),
    (AccountError, ACCOUNT),
    (SolveTimeout, TIMED_OUT),
    (PollLimitReached, TIMED_OUT),
    (CaptchaError, FAILED),
]


def exit_code(error: CaptchaError) -> int:
    """Return the exit code that stands for *error*."""
    return next(code for kind, code in _CODES if isinstance(error, kind))


def fail(message: str, code: int) -> NoReturn:
    """Say on standard error what is wrong, and end."""
    # No markup and no wrapping: the message may hold brackets, and goes through pipes whole.
    messages(soft_wrap=True).print(f"captcha-async: {message}", markup=False)
    raise typer.Exit(code)


@contextmanager
def reporting_errors() -> Generator[None]:
    """End the command with a message and an exit code, never with a traceback."""
    try:
        yield
    except CaptchaError as error:
        fail(str(error), exit_code(error))
    except (KeyboardInterrupt, typer.Abort):
        fail("interrupted", INTERRUPTED)
