"""What `batch` says in the end: a table by task type or one JSON object, and how to go on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import attrs
from rich.console import Console
from rich.table import Table

from ...errors import CaptchaError, SpendLimitReached
from .._messages import sentence
from .._tables import ruled_table
from .._tally import Row
from ._bad import BadLines
from ._formats import WrongFormat
from ._frame import duration
from ._run import BatchRun

__all__ = [
    "Hints",
    "counted",
    "end_of",
    "grouped",
    "print_summary",
    "summary_json",
    "summary_table",
]

# What a terminal of fewer columns is shown.
NARROW = 64
MAIN = ("task type", "solved", "failed", "spent")
MOST_IDS = 20


def print_summary(run: BatchRun, console: Console) -> None:
    """Print the table by task type, and what is to say beside it."""
    if run.tally.rows():
        console.print(summary_table(run, narrow=console.is_terminal and console.width < NARROW))
    errors = [f"last {name}: {sentence(error)}" for name, error in run.tally.errors.items()]
    for text in (*errors, *grouped(run.lines.bad), _counts(run)):
        # In a pipe a line stays whole.
        console.print(text, markup=False, highlight=False, soft_wrap=not console.is_terminal)


def grouped(bad: BadLines, *, unit: str = "line") -> list[str]:
    """Return the bad lines by what is wrong with them: rule, count and the first numbers."""
    groups = list(bad)
    width = max((len(f"{group.count:,}") for group in groups), default=0)
    texts = [
        f"  {group.count:>{width},}  {group.rule} ({unit}{'s' * (group.count > 1)} {group.numbers})"
        for group in groups
    ]
    return [f"bad {unit}s:", *texts] if texts else []


def summary_table(run: BatchRun, *, narrow: bool = False) -> Table:
    """Return the outcomes by task type; *narrow* leaves the times out."""
    table = ruled_table(footer=True)
    footers = _cells(run.tally.total())
    shown = [title for title in footers if not narrow or title in MAIN]
    for title in shown:
        first = title == "task type"
        table.add_column(
            title,
            footer=footers[title],
            justify="left" if first else "right",
            overflow="ellipsis",
            no_wrap=True,
        )
    for row in run.tally.rows():
        cells = _cells(row)
        table.add_row(*(cells[title] for title in shown))
    return table


def _cells(row: Row) -> dict[str, str]:
    def number(value: float | None, digits: int) -> str:
        return "-" if value is None else f"{value:.{digits}f}"

    return {
        "task type": row.task_type,
        "solved": f"{row.solved:,}",
        "failed": f"{row.failed:,}",
        "p50 s": number(row.p50, 2),
        "p95 s": number(row.p95, 2),
        "polls/task": number(row.polls_per_task, 1),
        "spent": f"{float(row.spent):.4f}",
    }


def _counts(run: BatchRun) -> str:
    parts = [
        f"{run.solved:,} solved, {run.failed:,} failed",
        f"{run.lines.skipped:,} solved earlier" if run.lines.skipped else "",
        counted(len(run.lines.bad), "bad line") if run.lines.bad else "",
        "" if run.complete else _left(run),
    ]
    rate = run.solved / run.seconds if run.seconds else 0.0
    told = ", ".join(part for part in parts if part)
    return f"{told} in {duration(run.seconds)} ({rate:.1f}/s)"


def _left(run: BatchRun) -> str:
    """Return how much is left of a run that ended early."""
    if run.total is None:
        return f"{run.unsent:,} read and not sent" if run.unsent else "not all read"
    return f"{counted(run.total - run.done, 'line')} left"


def counted(count: int, what: str) -> str:
    """Return a number of things."""
    return f"{count:,} {what}{'s' * (count != 1)}"


def summary_json(run: BatchRun, resume: str | None) -> dict[str, Any]:
    """Return the outcome as JSON values; *resume* is the command that goes on."""
    total = run.tally.total()
    return {
        "lines": run.lines.read,
        "solved": run.solved,
        "failed": run.failed,
        "skipped": run.lines.skipped,
        "bad_lines": len(run.lines.bad),
        "bad": [
            {"rule": group.rule, "count": group.count, "lines": group.first}
            for group in run.lines.bad
        ],
        "not_sent": run.unsent,
        "not_collected": len(run.uncollected),
        "left_out": run.taken_before,
        "seconds": round(run.seconds, 3),
        "solved_per_second": round(run.solved / run.seconds, 2) if run.seconds else 0.0,
        "p50": total.p50,
        "p95": total.p95,
        "spent": str(run.spent),
        "complete": run.complete,
        "interrupted": run.interrupted,
        "stopped_by": None if run.fatal is None else type(run.fatal).__name__,
        "resume": resume,
        "types": [attrs.asdict(row) for row in run.tally.rows()],
    }


@attrs.frozen
class Hints:
    """The commands that go on; each is None if nothing would know where."""

    resume: str | None
    resend: str | None
    """The same, which sends uncertain tasks again."""


def end_of(run: BatchRun, hints: Hints) -> None:
    """Say why the run ended early, what is left, and how to go on."""
    results = run.files.results

    def say(text: str) -> None:
        run.files.console.print(text, markup=False, highlight=False, soft_wrap=True)

    if run.fatal is not None:
        say(f"captcha-async: stopped: {_reason(run, run.fatal)}")
    if run.error is not None:
        say(f"captcha-async: stopped: {describe_error(run.error, results)}")
    if run.interrupted and not run.complete:
        say("captcha-async: interrupted")
    if run.uncollected:
        say(f"paid for and not collected: {len(run.uncollected)}{_where(run)}")
    if run.taken_before:
        say(
            f"left out: {run.taken_before} whose answers an earlier run has written, and "
            f"{results} does not have; with --resume --no-journal they are solved again"
        )
    for text in _how_to_go_on(run, hints):
        say(text)


def _how_to_go_on(run: BatchRun, hints: Hints) -> Iterator[str]:
    if hints.resume is None:
        return
    if not run.complete:
        yield f"go on with:\n  {hints.resume}"
    elif run.again:
        yield f"try the failed ones again with:\n  {hints.resume}"
    if run.uncertain:
        yield (
            f"{run.uncertain} may have been accepted, and would be paid for twice: look at the "
            f"account first; they are sent again with:\n  {hints.resend}"
        )


def _reason(run: BatchRun, error: CaptchaError) -> str:
    if isinstance(error, SpendLimitReached):
        # What was in flight has ended meanwhile; with a journal earlier runs may count as well.
        spent = max(run.spent, error.spent)
        return f"--max-spend is reached: {spent} of {run.settings.max_spend} spent"
    return sentence(error)


def _where(run: BatchRun) -> str:
    """Return what knows the tasks that were not collected: the journal, and their ids."""
    more = ", ..." if len(run.uncollected) > MOST_IDS else ""
    ids = f" (ids {', '.join(map(str, run.uncollected[:MOST_IDS]))}{more})"
    if run.files.journal is not None:
        return f"{ids}; --resume collects them if it comes within minutes"
    return f"{ids}; `captcha-async collect ID` does it within minutes"


def describe_error(error: Exception, results: str) -> str:
    """Return what broke the run, in words about its files."""
    if isinstance(error, WrongFormat):
        return f"the tasks: {error}"
    if isinstance(error, BrokenPipeError):
        return f"whoever reads {results} has gone"
    if isinstance(error, OSError):
        name = error.filename or results
        return f"{name}: {error.strerror or type(error).__name__}"
    return sentence(error) or type(error).__name__
