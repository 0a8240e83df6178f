"""`captcha-async batch`: many captchas, from files or a pipe into another one."""

from __future__ import annotations

import json
import shlex
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import anyio
import typer

from ... import CallbackReceiver, CaptchaClient, Limits, Retries
from ...errors import AccountError, CaptchaError, SpendLimitReached
from .._exits import (
    ACCOUNT,
    FAILED,
    INTERRUPTED,
    UNREACHABLE,
    USAGE,
    exit_code,
    fail,
    reporting_errors,
)
from .._health import Health
from .._messages import output
from .._options import BaseUrlOption, ServiceOption, profile_of, read_key, read_money
from .._screen import Screen
from .._types._catalogue import find_types
from . import _options as options
from ._bad import BadLines
from ._check import check_tasks
from ._files import Files
from ._formats import WrongFormat
from ._lines import TaskLines
from ._report import check_place, write_report
from ._results import NotResults
from ._run import BatchRun, Outage, Settings
from ._summary import Hints, end_of, print_summary, summary_json
from ._tasks import Reading

__all__ = ["batch"]

# The cap counts within a window; this one outlasts every run.
FOR_EVER = 1e9
# A task waits for a service that does not answer; the run ends before the task does.
PATIENT = Retries(attempts=40, backoff=0.5, max_backoff=8.0)


def batch(
    context: typer.Context,
    tasks: options.Tasks,
    check: options.Check = False,
    task_type: options.TypeOption = None,
    bad_lines: options.BadLines = "skip",
    send_unknown: options.SendUnknown = False,
    output: options.Output = None,
    resume: options.Resume = False,
    resend_uncertain: options.ResendUncertain = False,
    journal: options.JournalFile = None,
    no_journal: options.NoJournal = False,
    report: options.Report = None,
    json_output: options.JsonSummary = False,
    max_in_flight: options.MaxInFlight = 500,
    rate: options.Rate = None,
    timeout: options.Timeout = None,
    drain: options.Drain = 60.0,
    patience: options.Patience = 60.0,
    max_spend: options.MaxSpend = None,
    price: options.PriceOption = None,
    callbacks_url: options.CallbacksUrl = None,
    callbacks_host: options.CallbacksHost = "127.0.0.1",
    callbacks_port: options.CallbacksPort = 8080,
    service: ServiceOption = "capmonster",
    base_url: BaseUrlOption = None,
) -> None:
    """Solve the tasks of a file or pipe, and write a result line for each as it comes.

    Examples:

        captcha-async batch tasks.jsonl -o results.jsonl --resume
        captcha-async batch *.png -o texts.jsonl.gz --report run.html
        make-tasks | captcha-async batch - --rate 10 | use-results

    Exit codes: 0 all solved, 1 some failed, 2 wrong usage, 3 account or --max-spend, 5 no answer,
    130 interrupted; what goes on is then printed.
    """
    given = SimpleNamespace(**context.params)
    with reporting_errors({"public_url": "--callbacks-url"}):
        files = Files(tasks, output, resume, journal, no_journal)
        run = _make(given, files)
        _start(run)
    _end(run, _commands(context), report, json_output=json_output)


def _make(given: Any, files: Files) -> BatchRun:
    """Check the options, and put the run together; with --check, count and end."""
    profile = profile_of(given.service, given.base_url)
    reading = Reading(profile, given.send_unknown, given.task_type)
    prices = read_prices(given.price)
    cap = read_money("--max-spend", given.max_spend)
    if given.check:
        code = check_tasks(files, reading, prices, cap, json_output=given.json_output)
        raise typer.Exit(code)
    files.check(json_output=given.json_output)
    check_place(given.report)
    limits = _limits(given.max_in_flight, given.rate, cap, prices)
    url = given.callbacks_url
    receiver = None if url is None else CallbackReceiver(url)
    health = Health(profile.ban_window)
    client = CaptchaClient(
        read_key(),
        service=profile,
        limits=limits,
        retries=PATIENT,
        callbacks=receiver,
        journal=files.journal,
        on_event=health,
    )
    settings = Settings(
        max_in_flight=given.max_in_flight,
        timeout=given.timeout,
        resend_uncertain=given.resend_uncertain,
        drain=given.drain,
        callbacks_at=(given.callbacks_host, given.callbacks_port),
        max_spend=cap,
        prices=prices,
        patience=given.patience,
    )
    lines = TaskLines(reading.within(files.folder), stop_at_bad=given.bad_lines == "stop")
    screen = Screen(files.console) if files.live else None
    run = BatchRun(client, lines, files, settings, health, receiver, screen)
    lines.bad = BadLines(lambda number, reason: run.say(f"line {number}: {reason}"))
    return run


def _limits(
    max_in_flight: int, rate: float | None, cap: Decimal | None, prices: dict[str, Decimal]
) -> Limits:
    if rate is not None and not rate > 0:
        fail(f"--rate must be a positive number, not {rate:g}", USAGE)
    return Limits(
        in_flight=max_in_flight,
        submits_per_second=rate,
        max_spend=cap,
        per=FOR_EVER,
        prices=prices,
    )


def read_prices(given: list[str] | None) -> dict[str, Decimal]:
    """Return prices by type on the wire; one without a type is that of all types."""
    from ...tasks._families import all_models

    prices: dict[str, Decimal] = {}
    for text in given or ():
        name, _, amount = text.rpartition("=")
        money = read_money("--price", amount)
        models = find_types(name) if name else list(all_models())
        if not models:
            rule = "[TYPE=]MONEY with the name of a task type (`captcha-async types` lists them)"
            fail(f"--price must be {rule}, not {text!r}", USAGE)
        for model in models:
            if money is not None and model.spec.type:
                prices[model.spec.type] = money
    return prices


def _start(run: BatchRun) -> None:
    """Run until the end, or end the command if that cannot even begin."""
    try:
        anyio.run(run.run)
    except NotResults as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename or 'callbacks'}: {error.strerror}", FAILED)


def _end(run: BatchRun, hints: Hints, report: Any, *, json_output: bool) -> None:
    """Print what came of it, and end with the code that stands for that."""
    files = run.files
    known = files.output is not None or files.journal is not None
    hints = hints if known else Hints(None, None)
    if json_output:
        told = summary_json(run, None if run.complete else hints.resume)
        typer.echo(json.dumps(told, indent=2))
    else:
        print_summary(run, files.console if files.output is None else output())
    end_of(run, hints)
    if report is not None:
        try:
            write_report(report, run)
        except OSError as error:
            fail(f"--report {report}: {error.strerror}", FAILED)
    code = _exit_code(run)
    if code:
        raise typer.Exit(code)


def _exit_code(run: BatchRun) -> int:
    if isinstance(run.error, WrongFormat):
        return USAGE
    if isinstance(run.error, CaptchaError):
        return exit_code(run.error)
    if run.error is not None:
        return FAILED
    if isinstance(run.fatal, Outage):
        return UNREACHABLE
    if isinstance(run.fatal, AccountError | SpendLimitReached):
        return ACCOUNT
    if run.interrupted and not run.complete:
        return INTERRUPTED
    well = run.complete and not run.failed and not run.lines.bad and not run.taken_before
    return 0 if well else FAILED


def _commands(context: typer.Context) -> Hints:
    """Return the command lines that go on, from what was given on this one."""
    words: list[str] = []
    arguments: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        value: Any = context.params.get(name)
        if source is None or source.name != "COMMANDLINE" or name in ("resume", "resend_uncertain"):
            continue
        values = list(value) if isinstance(value, list | tuple) else [value]
        if parameter.param_type_name == "argument":
            arguments += map(str, values)
            continue
        for each in values:
            told = f"{each:g}" if isinstance(each, float) else str(each)
            words += [parameter.opts[-1]] if each is True else [parameter.opts[-1], told]
    command = shlex.join([*context.command_path.split(), *arguments, *words, "--resume"])
    return Hints(command, f"{command} --resend-uncertain")
