"""The options of `captcha-async bench`, and what they mean together."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any, cast, get_args

import typer

from ...services import Service
from ...tasks import Task
from ...wire import load_task
from .._exits import USAGE, fail
from .._messages import messages
from ._run import Plan
from ._target import Kind

__all__ = [
    "JsonFile",
    "LatencyOption",
    "LevelsOption",
    "MaxSpendOption",
    "PlotFile",
    "PriceOption",
    "ReportFile",
    "SecondsOption",
    "TargetOption",
    "TaskFile",
    "TasksOption",
    "YesOption",
    "agree",
    "choose_target",
    "read_levels",
    "read_task",
]

KINDS: tuple[str, ...] = get_args(Kind)

MEASURING, PAYING, RESULTS = "Measuring", "A real service", "Results"

LevelsOption = Annotated[
    str,
    typer.Option(
        "--levels", metavar="N,N", help="Solves at once, in turn.", rich_help_panel=MEASURING
    ),
]
SecondsOption = Annotated[
    float | None,
    typer.Option(
        "--seconds",
        metavar="SECONDS",
        min=0.1,
        help="How long a level begins tasks. [20 without --tasks]",
        rich_help_panel=MEASURING,
    ),
]
TasksOption = Annotated[
    int | None,
    typer.Option(
        "--tasks",
        metavar="N",
        min=1,
        help="Most tasks that a level begins.",
        rich_help_panel=MEASURING,
    ),
]
TargetOption = Annotated[
    str | None,
    typer.Option(
        "--target",
        metavar="WHERE",
        help="emulator (its own process), in-process or service.",
        autocompletion=lambda: [*KINDS],
        rich_help_panel=MEASURING,
    ),
]
LatencyOption = Annotated[
    float,
    typer.Option(
        "--latency",
        metavar="SECONDS",
        min=0.0,
        help="Median time that the emulator takes.",
        rich_help_panel=MEASURING,
    ),
]
TaskFile = Annotated[
    Path | None,
    typer.Option(
        "--task",
        metavar="FILE",
        help="The task object to solve again and again.",
        rich_help_panel=PAYING,
    ),
]
YesOption = Annotated[
    bool,
    typer.Option("--yes", help="Yes, pay for so many tasks.", rich_help_panel=PAYING),
]
MaxSpendOption = Annotated[
    str | None,
    typer.Option(
        "--max-spend", metavar="MONEY", help="Most money to spend.", rich_help_panel=PAYING
    ),
]
PriceOption = Annotated[
    str | None,
    typer.Option(
        "--price",
        metavar="MONEY",
        help="Of a task; makes --max-spend exact.",
        rich_help_panel=PAYING,
    ),
]
JsonFile = Annotated[
    str | None,
    typer.Option(
        "--json",
        metavar="FILE",
        help="Write the numbers there; - is stdout.",
        rich_help_panel=RESULTS,
    ),
]
PlotFile = Annotated[
    Path | None,
    typer.Option(
        "--plot",
        metavar="FILE",
        help="Draw them, as .svg or .png (needs the bench extra).",
        rich_help_panel=RESULTS,
    ),
]
ReportFile = Annotated[
    Path | None,
    typer.Option(
        "--report",
        metavar="FILE",
        help="Write them as an HTML page with plots.",
        rich_help_panel=RESULTS,
    ),
]


def choose_target(target: str | None, base_url: str | None) -> Kind:
    """Return what is measured against."""
    if target is None:
        return "emulator" if base_url is None else "service"
    if target not in KINDS:
        fail(f"--target must be one of {', '.join(KINDS)}, not {target!r}", USAGE)
    if base_url is not None and target != "service":
        fail(f"--base-url goes with --target service, not with {target}", USAGE)
    return cast("Kind", target)


def read_levels(text: str, tasks: int | None) -> tuple[int, ...]:
    """Return the levels of concurrency."""
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) > 0 for part in parts):
        fail(f"--levels must be whole numbers such as 1,10,100, not {text!r}", USAGE)
    levels = tuple(int(part) for part in parts)
    if tasks is not None and tasks < max(levels):
        fail(f"--tasks must be at least the highest level, {max(levels)}, not {tasks}", USAGE)
    return levels


def read_task(path: Path, service: Service) -> Task[Any]:
    """Return the task of a file, in any spelling that `load_task` knows."""
    try:
        body = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        fail(f"--task {path}: {error.strerror}", USAGE)
    except (ValueError, RecursionError) as error:
        fail(f"--task {path} must be JSON: {error}", USAGE)
    return load_task(body, service)


def agree(plan: Plan, service: Service, task: Path | None, yes: bool) -> None:
    """Say what it may cost at most, and go on only if that is wanted."""
    needed = {"--task": task, "--tasks": plan.tasks, "--max-spend": plan.max_spend}
    missing = [name for name, value in needed.items() if value is None]
    if missing:
        fail(f"a real service is paid for: give {', '.join(missing)} too", USAGE)
    most = len(plan.levels) * (plan.tasks or 0)
    costs = "" if plan.price is None else f", {most * plan.price} in money"
    told = f"at most {most} paid tasks{costs} at {service.name}, {service.base_url}"
    if plan.price is None:
        told += (
            f"; without --price the cap of {plan.max_spend} can be passed by up to "
            f"{max(plan.levels)} tasks, and by all if the service tells no costs"
        )
    if not yes:
        fail(f"{told}; add --yes if you want that", USAGE)
    messages(soft_wrap=True).print(told, markup=False, highlight=False)
