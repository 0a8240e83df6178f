"""`captcha-async batch`: many captchas, from a file or a pipe into another one."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from typing import Any

import anyio
import typer
from rich.console import Console

from ..._account._limits import Limits
from ..._callbacks import CallbackReceiver
from ..._client import CaptchaClient
from ...errors import AccountError, CaptchaError, SpendLimitReached
from .._exits import ACCOUNT, FAILED, INTERRUPTED, USAGE, exit_code, fail, reporting_errors
from .._options import BaseUrlOption, ServiceOption, read_key, read_money
from . import _options as options
from ._files import Files
from ._lines import TaskLines
from ._results import NotResults
from ._run import BatchRun, Settings
from ._summary import end_of, print_summary, summary_json

__all__ = ["batch"]

MOST_BAD_LINES = 1_000
"""Bad lines that are told one by one."""
# The cap counts within a window; this one outlasts every run.
FOR_EVER = 1e9


def batch(
    context: typer.Context,
    tasks: options.Tasks,
    output: options.Output = None,
    resume: options.Resume = False,
    resend_uncertain: options.ResendUncertain = False,
    journal: options.JournalFile = None,
    no_journal: options.NoJournal = False,
    bad_lines: options.BadLines = "skip",
    send_unknown: options.SendUnknown = False,
    max_in_flight: options.MaxInFlight = 500,
    rate: options.Rate = None,
    timeout: options.Timeout = None,
    max_spend: options.MaxSpend = None,
    drain: options.Drain = 60.0,
    callbacks_url: options.CallbacksUrl = None,
    callbacks_host: options.CallbacksHost = "127.0.0.1",
    callbacks_port: options.CallbacksPort = 8080,
    service: ServiceOption = "capmonster",
    base_url: BaseUrlOption = None,
    json_output: options.JsonSummary = False,
) -> None:
    """Solve many captchas: a task in JSON on each line in, a result in JSON on each line out.

    Tasks are read as there is room, and results are written as they come. A task has the names
    of the wire or of the library, and may have a `key` of its own:

        {"type": "RecaptchaV2Task", "websiteURL": "https://…", "websiteKey": "6Lc…"}
        {"type": "TurnstileTask", "website_url": "https://…", "website_key": "0x…", "key": 7}

    Examples:

        captcha-async batch tasks.jsonl -o results.jsonl
        captcha-async batch tasks.jsonl -o results.jsonl --resume
        make-tasks | captcha-async batch - --rate 10 | use-results

    Ctrl-C ends it: nothing more is sent, what is paid for is collected, and the command that goes
    on is printed. A second Ctrl-C does not wait. The API key is read from CAPTCHA_API_KEY, or
    asked for.

    Exit codes: 0 all solved, 1 some failed or bad lines, 2 wrong usage, 3 stopped by the account
    or by --max-spend, 130 interrupted.
    """
    with reporting_errors():
        files = Files(tasks, output, resume, journal, no_journal)
        files.check(json_output=json_output)
        limits = _limits(max_in_flight, rate, max_spend)
        receiver = CallbackReceiver(callbacks_url) if callbacks_url is not None else None
        keeping: dict[str, Any] = {
            "limits": limits,
            "callbacks": receiver,
            "journal": files.journal,
        }
        client = CaptchaClient(read_key(), service=service, base_url=base_url, **keeping)
        lines = TaskLines(client.service, _bad_lines(files.console))
        lines.stop_at_bad, lines.send_unknown = bad_lines == "stop", send_unknown
        listen = (callbacks_host, callbacks_port)
        settings = Settings(max_in_flight, timeout, resend_uncertain, drain, listen, max_spend)
        run = BatchRun(client, lines, files, settings, receiver)
        _start(run)
    _end(run, _command(context), json_output=json_output)


def _limits(max_in_flight: int, rate: float | None, max_spend: str | None) -> Limits:
    if rate is not None and not rate > 0:
        fail(f"--rate must be a positive number, not {rate:g}", USAGE)
    return Limits(
        in_flight=max_in_flight,
        submits_per_second=rate,
        max_spend=read_money("--max-spend", max_spend),
        per=FOR_EVER,
    )


def _bad_lines(console: Console) -> Callable[[int, str], None]:
    """Return what tells a bad line."""
    told = 0

    def tell(number: int, reason: str) -> None:
        nonlocal told
        told += 1
        if told <= MOST_BAD_LINES:
            console.print(f"line {number}: {reason}", markup=False, highlight=False, soft_wrap=True)
        elif told == MOST_BAD_LINES + 1:
            console.print("further bad lines are only counted")

    return tell


def _start(run: BatchRun) -> None:
    """Run until the end, or end the command if that cannot even begin."""
    try:
        anyio.run(run.run)
    except NotResults as error:
        fail(str(error), USAGE)
    except OSError as error:
        fail(f"{error.filename or 'callbacks'}: {error.strerror}", FAILED)


def _end(run: BatchRun, resume: str, *, json_output: bool) -> None:
    """Print what came of it, and end with the code that stands for that."""
    files = run.files
    goes_on = resume if files.output is not None or files.journal is not None else None
    if json_output:
        typer.echo(json.dumps(summary_json(run, None if run.complete else goes_on), indent=2))
    else:
        print_summary(run, files.console if files.output is None else Console())
    end_of(run, goes_on)
    code = _exit_code(run)
    if code:
        raise typer.Exit(code)


def _exit_code(run: BatchRun) -> int:
    if isinstance(run.error, CaptchaError):
        return exit_code(run.error)
    if run.error is not None:
        return FAILED
    if isinstance(run.fatal, AccountError | SpendLimitReached):
        return ACCOUNT
    if run.interrupted and not run.complete:
        return INTERRUPTED
    well = run.complete and not run.failed and not run.lines.bad and not run.taken_before
    return 0 if well else FAILED


def _command(context: typer.Context) -> str:
    """Return the command line that goes on, from what was given on this one."""
    words: list[str] = []
    arguments: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        source = context.get_parameter_source(name)
        value: Any = context.params.get(name)
        if source is None or source.name != "COMMANDLINE" or name == "resume":
            continue
        if parameter.param_type_name == "argument":
            arguments.append(str(value))
        else:
            words += [parameter.opts[-1]] if value is True else [parameter.opts[-1], str(value)]
    return shlex.join([*context.command_path.split(), *arguments, *words, "--resume"])
