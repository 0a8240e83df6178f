"""The commands put together: each is imported when it is called, and all fail in one style."""

from __future__ import annotations

import difflib
import importlib
import sys
from collections.abc import Sequence
from typing import Annotated, Any, NoReturn

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from .. import __version__
from ._help import COMMANDS, command_help, main_help

__all__ = ["app", "load"]

HELP = {"help_option_names": ["-h", "--help"]}
USAGE = 2
INTERRUPTED = 130


class _Command(TyperCommand):
    """A command whose help is ours."""

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write(command_help(self, ctx))


class _Commands(TyperGroup):
    """The commands; a module is imported when its command is asked for."""

    def list_commands(self, ctx: Any) -> list[str]:
        """Return the names."""
        return [*COMMANDS]

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """Return a command, or None."""
        return load(cmd_name) if cmd_name in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the command that is called, or end with what may have been meant."""
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            near = difflib.get_close_matches(args[0], COMMANDS, 1, cutoff=0.5)
            meant = f"; did you mean {near[0]}?" if near else ""
            _fail(f"there is no command {args[0]!r}{meant}", "captcha-async")
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Write the help."""
        formatter.write(main_help())

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, and end the process with the exit code."""
        try:
            code = super().main(args, prog_name, complete_var, False, windows_expand_args, **extra)
        except typer.Abort:
            _say("captcha-async: interrupted")
            code = INTERRUPTED
        except Exception as error:
            # Of a wrong usage; their class has another module in each version of typer.
            if not hasattr(error, "format_message"):
                raise
            context = getattr(error, "ctx", None)
            _fail(_message(error), context.command_path if context else "captcha-async")
        sys.exit(code if isinstance(code, int) else 0)


def _message(error: Any) -> str:
    text = " ".join(str(error.format_message()).split()).rstrip(".")
    return text[:1].lower() + text[1:]


def _fail(message: str, command: str) -> NoReturn:
    _say(f"captcha-async: {message}; `{command} -h` shows how it is used")
    sys.exit(USAGE)


def _say(text: str) -> None:
    sys.stderr.write(f"{text}\n")
    sys.stderr.flush()


def load(name: str) -> Any:
    """Import a command and return it."""
    _, module, _ = COMMANDS[name]
    function = getattr(importlib.import_module(f".{module}", __package__), name)
    alone = typer.Typer(add_completion=False, rich_markup_mode=None)
    alone.command(name, cls=_Command, context_settings=HELP)(function)
    return get_command(alone)


app = typer.Typer(
    name="captcha-async",
    cls=_Commands,
    no_args_is_help=True,
    context_settings=HELP,
    rich_markup_mode=None,
    # One of typer's would show the values of local variables, such as the API key.
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"captcha-async {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Solve captchas with the services that speak the createTask protocol."""
