"""The `captcha-async` command; needs the `cli` extra."""

from __future__ import annotations

import os
import sys

__all__ = ["main"]

EXTRA = "captcha-async: the command line needs {}: pip install 'captcha-async[cli]'"


def main() -> None:
    """Run the command line."""
    if sys.stderr is None:
        # Closed by the caller, who wants no messages.
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    # By this name also as `python -m captcha_async`: the shell's completion knows no other.
    try:
        if _answered_at_once(sys.argv[1:]):
            return
        from ._app import app

        app(prog_name="captcha-async")
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in ("rich", "typer"):
            raise
        sys.exit(EXTRA.format(package))
    except KeyboardInterrupt:
        sys.exit(130)
    except OSError as error:
        # The commands tell of their own files; what is left is the disk that an answer goes to.
        sys.stdout = None
        sys.exit(f"captcha-async: {error.filename or 'standard output'}: {error.strerror}")


def _answered_at_once(arguments: list[str]) -> bool:
    """Answer what needs none of the commands, before any of them is imported."""
    if "_CAPTCHA_ASYNC_COMPLETE" in os.environ or len(arguments) != 1:
        return False
    if arguments[0] == "--version":
        from .. import __version__

        sys.stdout.write(f"captcha-async {__version__}\n")
    elif arguments[0] in ("-h", "--help"):
        from ._help import main_help

        sys.stdout.write(main_help())
    else:
        return False
    sys.stdout.flush()
    return True
