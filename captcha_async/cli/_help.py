"""The help: plain text in groups, made without the commands where that is possible."""

from __future__ import annotations

import inspect
import os
import sys
import textwrap
from typing import Any

__all__ = ["COMMANDS", "command_help", "main_help"]

# {command: (group, module that has it, what it does)}
COMMANDS: dict[str, tuple[str, str, str]] = {
    "demo": ("Try it", "_demo", "solve a few hundred tasks at a local service, without an account"),
    "emulate": ("Try it", "_emulate", "run a local captcha service to develop and test against"),
    "solve": ("Solve", "_solve._command", "solve one captcha: an image, or any type by its name"),
    "batch": ("Solve", "_batch._command", "solve many, from files or a pipe"),
    "collect": ("Solve", "_solve._collect", "get the answer of a task that is paid for"),
    "types": ("Look up", "_types._command", "what can be solved, and with which fields"),
    "balance": ("Look up", "_balance", "the account's money"),
    "account": ("Look up", "_account", "an account that processes share: members, limits, fuse"),
    "report": ("Look up", "_report", "tell the service that an answer was wrong"),
    "bench": ("Measure", "_bench._command", "throughput and latency over levels of concurrency"),
}
OPTIONS = (
    ("--version", "print the version"),
    ("-h, --help", "print this; `captcha-async COMMAND -h` tells more"),
    ("--install-completion", "make the shell complete commands, services and types"),
    ("--show-completion", "print what that would install"),
)
VARIABLES = (
    ("CAPTCHA_API_KEY", "the account's key; asked for without it, and never an argument"),
    ("CAPTCHA_SERVICE", "the service, in place of --service"),
    ("CAPTCHA_BASE_URL", "its address, in place of --base-url"),
)
WIDTH = 80
MOST_LINES = 40
COLUMN = 27
"""Where the second column begins."""


def main_help() -> str:
    """Return the help of the command without a subcommand."""
    lines = [
        f"{_bold('Usage:')} captcha-async COMMAND [OPTIONS]",
        "",
        "Solve captchas with the services that speak the createTask protocol.",
    ]
    for group in dict.fromkeys(group for group, _, _ in COMMANDS.values()):
        lines += ["", _bold(f"{group}:")]
        found = ((name, told) for name, (where, _, told) in COMMANDS.items() if where == group)
        lines += [f"  {name:<10} {told}" for name, told in found]
    lines += ["", _bold("Options:"), *_rows(OPTIONS), "", _bold("Environment:"), *_rows(VARIABLES)]
    return "\n".join(lines) + "\n"


def command_help(command: Any, context: Any) -> str:
    """Return the help of a command: what it does, examples, options in groups, exit codes."""
    text = inspect.cleandoc(command.callback.__doc__ or "")
    about, _, rest = text.partition("Examples:")
    examples, _, codes = rest.partition("Exit codes:")
    parameters = [each for each in command.get_params(context) if not getattr(each, "hidden", 0)]
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    words = " ".join(_argument(each) for each in arguments)
    lines = [f"{_bold('Usage:')} {context.command_path} [OPTIONS] {words}".rstrip(), ""]
    for paragraph in about.strip().split("\n\n"):
        lines += textwrap.wrap(" ".join(paragraph.split()), WIDTH)
    parts = [[*lines], [_bold("Examples:"), *_examples(examples)]]
    groups: dict[str, list[tuple[str, str]]] = {}
    for each in arguments:
        groups.setdefault("Arguments", []).append((_argument(each), each.help or ""))
    for each in parameters:
        if each.param_type_name != "argument" and each.name != "help":
            heading = getattr(each, "rich_help_panel", None) or "Options"
            groups.setdefault(heading, []).append((_option(each), _about(each)))
    parts += ([_bold(f"{heading}:"), *_rows(rows)] for heading, rows in groups.items())
    told = " ".join(f"Exit codes: {codes.strip()}".split())
    parts.append(textwrap.wrap(told, WIDTH, break_on_hyphens=False))
    return _joined(parts)


def _joined(parts: list[list[str]]) -> str:
    """Put parts below each other, with a line between them if there is room."""
    for between in (list(range(1, len(parts))), [1]):
        lines: list[str] = []
        for place, part in enumerate(parts):
            lines += ["", *part] if place in between else part
        if len(lines) <= MOST_LINES:
            break
    return "\n".join(lines) + "\n"


def _examples(text: str) -> list[str]:
    """Return the examples, each on a line of its own; a continued one is indented."""
    lines = [line.rstrip() for line in text.strip("\n").splitlines() if line.strip()]
    return [("    " if line.startswith(" " * 6) else "  ") + line.strip() for line in lines]


def _rows(rows: Any) -> list[str]:
    lines: list[str] = []
    for name, told in rows:
        room = WIDTH - COLUMN
        first, *more = textwrap.wrap(told, room, break_on_hyphens=False) or [""]
        if len(name) > COLUMN - 4:
            lines.append(f"  {name}")
            lines.append(" " * COLUMN + first)
        else:
            lines.append(f"  {name:<{COLUMN - 2}}{first}".rstrip())
        lines += [" " * COLUMN + line for line in more]
    return lines


def _argument(parameter: Any) -> str:
    name = parameter.metavar or str(parameter.name).upper()
    name = f"{name}..." if parameter.nargs != 1 else name
    return name if parameter.required else f"[{name}]"


def _option(parameter: Any) -> str:
    names = ", ".join(sorted(parameter.opts, key=len))
    flag = getattr(parameter, "is_flag", False)
    return names if flag else f"{names} {parameter.metavar or 'TEXT'}"


def _about(parameter: Any) -> str:
    told = str(parameter.help or "")
    default = parameter.default
    plain = isinstance(default, int | float | str) and not isinstance(default, bool)
    if plain and default not in ("", None) and str(default) not in told:
        shown = f"{default:g}" if isinstance(default, float) else f"{default}"
        return f"{told.rstrip('.')} [{shown}]"
    return told


def _bold(text: str) -> str:
    plain = os.environ.get("NO_COLOR") or os.environ.get("TERM", "dumb") == "dumb"
    able = sys.stdout is not None and sys.stdout.isatty() and not plain
    return f"\x1b[1m{text}\x1b[0m" if able else text
