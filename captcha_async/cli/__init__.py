"""The `captcha-async` command; needs the `cli` extra."""

from __future__ import annotations

import sys

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    try:
        from ._app import app
    except ModuleNotFoundError as error:
        if error.name not in ("rich", "typer"):
            raise
        sys.exit("The captcha-async command needs typer and rich: pip install 'captcha-async[cli]'")
    # By this name also as `python -m captcha_async`: the shell's completion knows no other.
    app(prog_name="captcha-async")
