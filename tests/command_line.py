"""How tests run the command line."""

from __future__ import annotations

from typing import Any

from typer.testing import CliRunner

from captcha_async.cli._app import app

KEY = "emulator-key"


def run(
    *arguments: str, key: str | None = KEY, stdin: str | None = None, columns: int = 300
) -> Any:
    """Run the command line; that many *columns* keep messages on one line."""
    environment = {
        "CAPTCHA_API_KEY": key,
        "COLUMNS": str(columns),
        "NO_COLOR": "1",
        "TERM": "dumb",
    }
    return CliRunner().invoke(app, list(arguments), env=environment, input=stdin)
