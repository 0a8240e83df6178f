"""`captcha-async emulate`: the local service, until it is interrupted."""

from __future__ import annotations

from typing import Annotated

import anyio
import typer
from rich.console import Console

from ..emulator import Emulator, Latency, RecordedRequest, serve
from ._exits import FAILED, fail, reporting_errors
from ._options import SeedOption, ServiceOption

__all__ = ["emulate"]

LOG_EVERY = 0.1


def emulate(
    service: ServiceOption = "capmonster",
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8069,
    seed: SeedOption = 0,
    balance: Annotated[float, typer.Option(help="The account's money.")] = 10.0,
    latency: Annotated[float, typer.Option(min=0.0, help="Median seconds of a solve.")] = 6.0,
) -> None:
    """Run a local captcha service, to develop and test against.

    Prints its base URL and a key on standard output; logs requests on standard error. Ctrl-C ends
    it.
    """
    with reporting_errors():
        emulator = Emulator(
            service, seed=seed, balance=balance, latency=Latency(median=latency), max_record=10_000
        )
    try:
        anyio.run(_serve, emulator, port)
    except KeyboardInterrupt:
        pass
    except OSError as error:
        fail(f"port {port}: {error.strerror}", FAILED)


async def _serve(emulator: Emulator, port: int) -> None:
    log = Console(stderr=True, soft_wrap=True, highlight=False)
    async with serve(emulator, port=port) as url:
        typer.echo(f"base URL  {url}")
        typer.echo(f"API key   {emulator.api_key}")
        await log_requests(emulator, log)


async def log_requests(emulator: Emulator, log: Console) -> None:
    """Print a line for each request, until cancelled."""
    shown = 0
    while True:
        # Only the last ones are kept, so new ones are told by their number.
        new = emulator.statistics().requests - shown
        for request in emulator.requests[-new:] if new else []:
            log.print(_describe(request), markup=False)
        shown += new
        await anyio.sleep(LOG_EVERY)


def _describe(request: RecordedRequest) -> str:
    body = request.body if isinstance(request.body, dict) else {}
    reply = request.reply if isinstance(request.reply, dict) else {}
    task = body.get("task")
    about = task.get("type") if isinstance(task, dict) else body.get("taskId")
    told = reply.get("errorCode") or reply.get("status") or reply.get("taskId")
    parts = (request.method, about, "->", request.status, told)
    return " ".join(str(part) for part in parts if part is not None)
