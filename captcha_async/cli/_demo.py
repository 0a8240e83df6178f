"""`captcha-async demo`: the real client against the local service, over real HTTP."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import Annotated, Any

import anyio
import attrs
import typer
from rich.console import Console
from rich.table import Table

from .. import CallbackReceiver, CaptchaClient
from ..emulator import Emulator, Latency, serve
from ..errors import CaptchaError
from ..tasks import Task
from ._exits import FAILED, INTERRUPTED, reporting_errors
from ._messages import messages, output, sentence
from ._options import JsonOutput, PlainService, SeedOption
from ._progress import watch
from ._samples import sample_tasks
from ._tables import ruled_table
from ._tally import Row, Tally

__all__ = ["demo"]


def demo(
    tasks: Annotated[
        int, typer.Option("--tasks", metavar="N", min=1, max=100_000, help="How many to solve.")
    ] = 300,
    latency: Annotated[
        float,
        typer.Option("--latency", metavar="SECONDS", min=0.0, help="Median time of a solve there."),
    ] = 4.0,
    callbacks: Annotated[
        bool, typer.Option("--callbacks", help="Have the answers posted instead of polling.")
    ] = False,
    seed: SeedOption = 0,
    json_output: JsonOutput = False,
    service: PlainService = "capmonster",
) -> None:
    """Solve tasks of all types at a local service: needs no account and no network.

    Examples:

        captcha-async demo
        captcha-async demo --tasks 5000 --callbacks
        captcha-async demo --service capsolver --latency 1 --json

    Exit codes: 0 all solved by the rules, 1 not so, 2 wrong usage, 130 interrupted.
    """
    with reporting_errors():
        emulator = Emulator(service, seed=seed, latency=Latency(median=latency), balance=1000)
        receiver = CallbackReceiver() if callbacks else None
        run = DemoRun(emulator, sample_tasks(tasks, seed, emulator.service), receiver)
    with reporting_errors():
        try:
            anyio.run(run.run, messages())
        except KeyboardInterrupt:
            run.interrupted = True
    console = output()
    if json_output:
        print(json.dumps(run.summary(), indent=2))  # noqa: T201 (nothing else on stdout)
    else:
        run.print(console)
    if run.interrupted:
        raise typer.Exit(INTERRUPTED)
    if not run.passed:
        raise typer.Exit(FAILED)


@attrs.define
class DemoRun:
    """One demo: what it is to do, and what came of it."""

    emulator: Emulator
    tasks: list[Task[Any]]
    receiver: CallbackReceiver | None = None
    """Takes the answers, if they are to be posted."""
    tally: Tally = attrs.field(factory=Tally)
    seconds: float = 0.0
    interrupted: bool = False

    @property
    def passed(self) -> bool:
        """Whether every task was solved and no rule of the service was broken."""
        solved = self.tally.total().solved
        return solved == len(self.tasks) and not self.emulator.violations

    async def run(self, console: Console) -> None:
        """Solve all tasks at once and show the progress on *console*."""
        async with AsyncExitStack() as stack:
            url = await stack.enter_async_context(serve(self.emulator))
            if self.receiver is not None:
                await stack.enter_async_context(self.receiver.serve())
            client = await stack.enter_async_context(self._client(url))
            watching = await stack.enter_async_context(anyio.create_task_group())
            watching.start_soon(watch, client.statistics, len(self.tasks), console)
            started = anyio.current_time()
            try:
                async with anyio.create_task_group() as solving:
                    for task in self.tasks:
                        solving.start_soon(self._solve, client, task)
            finally:
                self.seconds = anyio.current_time() - started
                watching.cancel_scope.cancel()

    def _client(self, url: str) -> CaptchaClient:
        service, key = self.emulator.service, self.emulator.api_key
        return CaptchaClient(key, service=service, base_url=url, callbacks=self.receiver)

    async def _solve(self, client: CaptchaClient, task: Task[Any]) -> None:
        try:
            self.tally.add_solved(task, await client.solve(task))
        except CaptchaError as error:
            self.tally.add_failed(task, error)

    # -- the end ----------------------------------------------------------------------------------

    def summary(self) -> dict[str, Any]:
        """Return the outcome as JSON values."""
        total = self.tally.total()
        numbers = self.emulator.statistics()
        return {
            "service": self.emulator.service.name,
            "tasks": len(self.tasks),
            "solved": total.solved,
            "failed": total.failed,
            "unfinished": len(self.tasks) - total.solved - total.failed,
            "seconds": round(self.seconds, 3),
            "solved_per_second": round(self._rate(total), 2),
            "requests": numbers.requests,
            "by_callback": self._by_callback(),
            "violations": numbers.violations,
            "interrupted": self.interrupted,
            "types": [attrs.asdict(row) for row in self.tally.rows()],
        }

    def print(self, console: Console) -> None:
        """Print the table and what is to say beside it."""
        total = self.tally.total()
        unfinished = len(self.tasks) - total.solved - total.failed
        numbers = self.emulator.statistics()
        console.print(self._table(total))
        for name, error in self.tally.errors.items():
            console.print(f"last {name}: {sentence(error)}", markup=False, soft_wrap=True)
        if unfinished:
            console.print(f"{unfinished} of {len(self.tasks)} tasks had not ended")
        console.print(
            f"{total.solved} solved in {self.seconds:.1f} s ({self._rate(total):.1f} per second) "
            f"with {numbers.requests} requests{self._told()}\n"
            f"rules of {self.emulator.service.name} broken: {numbers.violations}",
            highlight=False,
        )
        for violation in self.emulator.violations[:10]:
            console.print(f"  {violation.rule}: {violation.detail}", markup=False, soft_wrap=True)

    def _table(self, total: Row) -> Table:
        table = ruled_table(footer=True)
        shown = _cells(total)
        table.add_column("task type", footer=shown[0], overflow="ellipsis", no_wrap=True)
        for title, footer in zip(_TITLES, shown[1:], strict=True):
            table.add_column(title, footer=footer, justify="right", no_wrap=True)
        for row in self.tally.rows():
            table.add_row(*_cells(row))
        return table

    def _by_callback(self) -> int | None:
        return None if self.receiver is None else self.receiver.statistics().by_callback

    def _told(self) -> str:
        return "" if self.receiver is None else f", {self._by_callback()} by callback"

    def _rate(self, total: Row) -> float:
        return total.solved / self.seconds if self.seconds else 0.0


_TITLES = ("solved", "failed", "p50 s", "p95 s", "polls/task", "sent")


def _cells(row: Row) -> list[str]:
    def seconds(value: float | None) -> str:
        return "-" if value is None else f"{value:.2f}"

    return [
        row.task_type,
        str(row.solved),
        str(row.failed),
        seconds(row.p50),
        seconds(row.p95),
        "-" if row.polls_per_task is None else f"{row.polls_per_task:.1f}",
        str(row.requests),
    ]
