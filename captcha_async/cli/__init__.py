"""The `captcha-async` command; needs the `cli` extra."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    if sys.stderr is None:
        # Closed by the caller, who wants no messages.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    try:
        from ._app import app
    except ModuleNotFoundError as error:
        if error.name not in ("rich", "typer"):
            raise
        sys.exit("The captcha-async command needs typer and rich: pip install 'captcha-async[cli]'")
    except KeyboardInterrupt:
        sys.exit(130)
    # By this name also as `python -m captcha_async`: the shell's completion knows no other.
    try:
        app(prog_name="captcha-async")
    except OSError as error:
        # The commands tell of their own files; what is left is the disk that an answer goes to.
        sys.stdout = None
        sys.exit(f"captcha-async: {error.filename or 'standard output'}: {error.strerror}")
