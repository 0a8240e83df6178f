"""The options of `batch`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import typer

Tasks = Annotated[
    Path,
    typer.Argument(
        metavar="TASKS", allow_dash=True, help="File with a task on each line; - for stdin."
    ),
]
Output = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", allow_dash=True, help="File for the results; standard output without."
    ),
]
Resume = Annotated[bool, typer.Option("--resume", help="Go on where an earlier run has stopped.")]
ResendUncertain = Annotated[
    bool,
    typer.Option(
        "--resend-uncertain",
        help="With --resume: send tasks again of which nobody knows whether they were accepted.",
    ),
]
JournalFile = Annotated[
    Path | None, typer.Option("--journal", help="Its record of what is paid for. [OUTPUT.journal]")
]
NoJournal = Annotated[
    bool, typer.Option("--no-journal", help="Keep none: what was in flight is lost in a crash.")
]
BadLines = Annotated[
    Literal["skip", "stop"],
    typer.Option("--bad-lines", help="What to do at a line that is no task."),
]
SendUnknown = Annotated[
    bool,
    typer.Option("--send-unknown", help="Send task types that the library does not know as well."),
]
MaxInFlight = Annotated[int, typer.Option(min=1, help="Tasks under way at once.")]
Rate = Annotated[float | None, typer.Option(help="Most tasks to be submitted in any second.")]
Timeout = Annotated[
    float | None,
    typer.Option(min=0.0, help="Seconds for a task; by default what its type needs at most."),
]
MaxSpend = Annotated[
    str | None,
    typer.Option(
        metavar="MONEY",
        help="Send nothing more when so much is spent, in the service's currency.",
    ),
]
Drain = Annotated[
    float,
    typer.Option(min=0.0, help="Seconds in which an interrupted run collects what is paid for."),
]
CallbacksUrl = Annotated[
    str | None,
    typer.Option(help="Have answers posted: the public URL of the receiver that is started."),
]
CallbacksHost = Annotated[str, typer.Option(help="Address on which the receiver listens.")]
CallbacksPort = Annotated[int, typer.Option(min=0, max=65535, help="Its port.")]
JsonSummary = Annotated[
    bool, typer.Option("--json", help="Print the summary as one JSON object; needs -o.")
]
