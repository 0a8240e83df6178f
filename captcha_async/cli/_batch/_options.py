"""The options of `batch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

from .._options import complete_type

FILES, PACE, MONEY, SERVICE = "Files", "Pace", "Money", "Service"

Tasks = Annotated[
    list[Path],
    typer.Argument(
        metavar="TASKS",
        allow_dash=True,
        help="JSON lines, JSON array, CSV or images; - is stdin.",
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        allow_dash=True,
        help="The results; packed if it ends in .gz. [stdout]",
        rich_help_panel=FILES,
    ),
]
Check = Annotated[
    bool,
    typer.Option("--check", help="Only read the tasks and count; sends no request."),
]
Resume = Annotated[
    bool,
    typer.Option("--resume", help="Go on where an earlier run has stopped.", rich_help_panel=FILES),
]
ResendUncertain = Annotated[
    bool,
    typer.Option(
        "--resend-uncertain",
        help="With it: send again what may have been accepted.",
        rich_help_panel=FILES,
    ),
]
JournalFile = Annotated[
    Path | None,
    typer.Option(
        "--journal",
        metavar="FILE",
        help="Its record of what is paid for. [OUTPUT.journal]",
        rich_help_panel=FILES,
    ),
]
NoJournal = Annotated[
    bool,
    typer.Option(
        "--no-journal", help="Keep none: a crash loses what is in flight.", rich_help_panel=FILES
    ),
]
Report = Annotated[
    Path | None,
    typer.Option(
        "--report", metavar="FILE", help="Write an HTML page about the run.", rich_help_panel=FILES
    ),
]
JsonSummary = Annotated[
    bool,
    typer.Option("--json", help="The summary as JSON; needs -o.", rich_help_panel=FILES),
]
BadLines = Annotated[
    Literal["skip", "stop"],
    typer.Option("--bad-lines", metavar="skip|stop", help="What to do at a line that is no task."),
]
TypeOption = Annotated[
    str | None,
    typer.Option(
        "--type",
        metavar="TYPE",
        help="Type of tasks that name none.",
        autocompletion=complete_type,
    ),
]
SendUnknown = Annotated[
    bool,
    typer.Option("--send-unknown", help="Send types that the library does not know."),
]
MaxInFlight = Annotated[
    int,
    typer.Option(
        "--max-in-flight", metavar="N", min=1, help="Tasks under way at once.", rich_help_panel=PACE
    ),
]
Rate = Annotated[
    float | None,
    typer.Option(
        "--rate", metavar="N", help="Most tasks to be sent in any second.", rich_help_panel=PACE
    ),
]
Timeout = Annotated[
    float | None,
    typer.Option(
        "--timeout",
        metavar="SECONDS",
        min=0.0,
        help="For a task. [what its type needs]",
        rich_help_panel=PACE,
    ),
]
Drain = Annotated[
    float,
    typer.Option(
        "--drain",
        metavar="SECONDS",
        min=0.0,
        help="To collect what is paid for after Ctrl-C.",
        rich_help_panel=PACE,
    ),
]
Patience = Annotated[
    float,
    typer.Option(
        "--patience",
        metavar="SECONDS",
        min=1.0,
        help="Stop when nothing answers for so long.",
        rich_help_panel=PACE,
    ),
]
MaxSpend = Annotated[
    str | None,
    typer.Option(
        "--max-spend",
        metavar="MONEY",
        help="Most to spend, in the service's currency.",
        rich_help_panel=MONEY,
    ),
]
PriceOption = Annotated[
    list[str] | None,
    typer.Option(
        "--price",
        metavar="[TYPE=]MONEY",
        help="Of a task, where the service tells none.",
        rich_help_panel=MONEY,
    ),
]
CallbacksUrl = Annotated[
    str | None,
    typer.Option(
        "--callbacks-url",
        metavar="URL",
        help="Have answers posted to a receiver, at this address.",
        rich_help_panel=SERVICE,
    ),
]
CallbacksHost = Annotated[
    str,
    typer.Option("--callbacks-host", metavar="HOST", help="Where it listens.", hidden=True),
]
CallbacksPort = Annotated[
    int,
    typer.Option(
        "--callbacks-port",
        metavar="PORT",
        min=0,
        max=65535,
        help="Its port.",
        hidden=True,
    ),
]
