"""`captcha-async emulate`: the local service, until it is interrupted."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import anyio
import typer
from rich.console import Console

from ..emulator import Emulator, Latency, serve
from ._exits import FAILED, USAGE, fail, reporting_errors
from ._messages import messages
from ._options import PlainService, SeedOption
from ._request_log import log_requests, sum_up

__all__ = ["emulate"]


def emulate(
    port: Annotated[
        int,
        typer.Option("--port", metavar="PORT", min=0, max=65535, help="0 takes a free one."),
    ] = 8069,
    latency: Annotated[
        float,
        typer.Option("--latency", metavar="SECONDS", min=0.0, help="Median time of a solve."),
    ] = 6.0,
    balance: Annotated[
        float, typer.Option("--balance", metavar="MONEY", help="The account's money.")
    ] = 10.0,
    script: Annotated[
        Path | None,
        typer.Option(
            "--script", metavar="FILE", help="TOML or JSON of answers and faults (see the docs)."
        ),
    ] = None,
    seed: SeedOption = 0,
    quiet: Annotated[bool, typer.Option("--quiet", help="Log no requests.")] = False,
    service: PlainService = "capmonster",
) -> None:
    """Run a local captcha service, to develop and test against.

    Prints its base URL and a key; a browser sees there what comes in. Logs requests on standard
    error: time, method, type or id of the task, HTTP status, outcome. Ctrl-C ends it.

    Examples:

        captcha-async emulate --port 8069
        captcha-async emulate --service captcha69 --latency 0.5 --quiet
        captcha-async emulate --script faults.toml

    Exit codes: 0 ended by Ctrl-C, 1 the port cannot be used, 2 wrong usage or script.
    """
    with reporting_errors():
        emulator = Emulator(
            service, seed=seed, balance=balance, latency=Latency(median=latency), max_record=10_000
        )
        if script is not None:
            _load(emulator, script)
    log = messages(soft_wrap=True, highlight=False)
    with reporting_errors():
        try:
            anyio.run(_serve, emulator, port, None if quiet else log)
        except KeyboardInterrupt:
            pass
        except OSError as error:
            fail(f"port {port}: {error.strerror}", FAILED)
    if not quiet:
        # A terminal has shown `^C` on this line.
        log.print("\n" if log.is_terminal else "", sum_up(emulator), sep="")


def _load(emulator: Emulator, script: Path) -> None:
    try:
        emulator.load_script(script)
    except OSError as error:
        fail(f"--script {script}: {error.strerror}", USAGE)


async def _serve(emulator: Emulator, port: int, log: Console | None) -> None:
    async with serve(emulator, port=port) as url:
        typer.echo(f"base URL  {url}")
        typer.echo(f"API key   {emulator.api_key}")
        if log is not None:
            log.print(f"watch it  {url}/", markup=False)
        if log is None:
            await anyio.sleep_forever()
        else:
            await log_requests(emulator, log)
