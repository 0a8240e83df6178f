"""`captcha-async bench`: throughput and latency over a sweep of concurrency levels."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import anyio
import attrs
import typer

from ...errors import CaptchaError
from ...services import Service
from ...tasks import RecaptchaV2Task
from .._exits import FAILED, INTERRUPTED, exit_code, fail, reporting_errors
from .._messages import messages, output
from .._options import PlainBaseUrl, PlainService, SeedOption, profile_of, read_key, read_money
from ._options import (
    JsonFile,
    LatencyOption,
    LevelsOption,
    MaxSpendOption,
    PlotFile,
    PriceOption,
    ReportFile,
    SecondsOption,
    TargetOption,
    TaskFile,
    TasksOption,
    YesOption,
    agree,
    choose_target,
    read_levels,
    read_task,
)
from ._plot import check_files, draw
from ._report import write_report
from ._run import Plan, Run
from ._target import Kind, RealService, Target, open_emulator
from ._view import describe_run, notes, print_table, progress

__all__ = ["bench"]

SECONDS = 20.0
MOST_IDS = 20
MEANT = {
    "emulator": "an emulator in a process of its own",
    "in-process": "an emulator in this process: it shares the core, and CPU counts both",
    "service": "the real service",
}
SAMPLE = RecaptchaV2Task(website_url="https://shop.example/login", website_key="6Lexample-site-key")


@attrs.frozen
class Given:
    """Where a bench goes, and where its results go."""

    kind: Kind
    service: Service
    latency: float
    seed: int
    json_path: str | None
    plot: Path | None
    report: Path | None


def bench(
    context: typer.Context,
    levels: LevelsOption = "1,10,100,500",
    seconds: SecondsOption = None,
    tasks: TasksOption = None,
    target: TargetOption = None,
    service: PlainService = "capmonster",
    base_url: PlainBaseUrl = None,
    latency: LatencyOption = 3.0,
    seed: SeedOption = 0,
    task: TaskFile = None,
    yes: YesOption = False,
    max_spend: MaxSpendOption = None,
    price: PriceOption = None,
    json_output: JsonFile = None,
    plot: PlotFile = None,
    report: ReportFile = None,
) -> None:
    """Measure throughput and latency of solves over levels of concurrency.

    A level of N keeps N solves going. A real service is paid for: it needs --target service (or
    --base-url), --task, --tasks, --max-spend and --yes. Ctrl-C gives the levels done so far.

    Examples:

        captcha-async bench
        captcha-async bench --levels 1,50,2000 --seconds 60 --plot bench.svg
        captcha-async bench --base-url http://127.0.0.1:8069 --task task.json
          --levels 1,5 --tasks 20 --price 0.001 --max-spend 0.05 --yes

    Exit codes: 0 measured, 1 something failed or broke a rule, 2 wrong usage, 3 trouble with the
    account, 130 interrupted.
    """
    with reporting_errors():
        profile = profile_of(service, base_url)
        kind = choose_target(target, base_url)
        plan = _plan(SimpleNamespace(**context.params), profile)
        if kind == "service":
            agree(plan, profile, task, yes)
        check_files(plot, report, json_output)
        given = Given(kind, profile, latency, seed, json_output, plot, report)
        run = Run(plan, profile)
        key = read_key() if kind == "service" else ""
    with reporting_errors():
        try:
            anyio.run(_run, run, given, key)
        except KeyboardInterrupt:
            run.interrupted = True
    _tell(run, given)


def _plan(given: Any, profile: Service) -> Plan:
    """Return what is to be done, from the values of the options."""
    plan = Plan(
        levels=read_levels(given.levels, given.tasks),
        seconds=SECONDS if given.seconds is None and given.tasks is None else given.seconds,
        tasks=given.tasks,
        task=SAMPLE if given.task is None else read_task(given.task, profile),
        max_spend=read_money("--max-spend", given.max_spend),
        price=read_money("--price", given.price),
    )
    profile.check(plan.task)
    return plan


async def _run(run: Run, given: Given, key: str) -> None:
    console = messages()
    console.print(f"measuring against {MEANT[given.kind]}", highlight=False)
    opened = (
        nullcontext(cast("Target", RealService(run.service.base_url, key)))
        if given.kind == "service"
        else open_emulator(given.kind, run.service.name, given.latency, given.seed)
    )
    try:
        async with opened as target, progress(run, console) as show:
            await run.run(target, show)
    except CaptchaError as error:
        run.error = error


def _tell(run: Run, given: Given) -> None:
    """Print and write the results, and end with the fitting exit code."""
    about: dict[str, Any] = {"target": given.kind}
    if given.kind != "service":
        about |= {"latency": given.latency, "seed": given.seed}
    text = json.dumps(describe_run(run, about), indent=2)
    if given.json_path == "-":
        typer.echo(text)
    else:
        print_table(run, output())
    try:
        if given.json_path not in (None, "-"):
            Path(given.json_path or "").write_text(text + "\n", encoding="utf-8")
        if given.plot is not None and run.done:
            draw(given.plot, run.done, f"captcha_async against {_short(run, given)}")
        if given.report is not None:
            write_report(given.report, run, _short(run, given), notes(run))
    except OSError as error:
        fail(f"{error.filename}: {error.strerror}", FAILED)
    if run.interrupted:
        told = f"interrupted after {len(run.done)} of {len(run.plan.levels)} levels"
        if given.kind == "service" and run.current is not None:
            told += f"; {run.current.in_flight} tasks in flight may have been paid for"
            told += f" (ids {', '.join(map(str, run.left[:MOST_IDS]))})" if run.left else ""
        fail(told, INTERRUPTED)
    if run.error is not None:
        fail(str(run.error), exit_code(run.error))
    if any(level.failed or level.violations for level in run.done):
        raise typer.Exit(FAILED)


def _short(run: Run, given: Given) -> str:
    if given.kind == "service":
        return run.service.name
    return f"the emulator of {run.service.name} (median {given.latency:g} s)"
