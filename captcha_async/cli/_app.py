"""The commands put together."""

from __future__ import annotations

from typing import Annotated

import typer

from .. import __version__
from ._account import account
from ._balance import balance
from ._batch._command import batch
from ._bench._command import bench
from ._demo import demo
from ._emulate import emulate
from ._report import report
from ._solve import solve
from ._types._command import types

__all__ = ["app"]

app = typer.Typer(
    name="captcha-async",
    no_args_is_help=True,
    rich_markup_mode="markdown",
    # A traceback with local variables would show the API key.
    pretty_exceptions_show_locals=False,
)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"captcha-async {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    _: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
) -> None:
    """Solve captchas with the services that speak the createTask protocol."""


app.command()(demo)
app.command()(solve)
app.command()(batch)
app.command()(balance)
app.command()(account)
app.command()(report)
app.command()(types)
app.command()(bench)
app.command()(emulate)
