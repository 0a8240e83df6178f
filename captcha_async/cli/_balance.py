"""`captcha-async balance`."""

from __future__ import annotations

import json
from decimal import Decimal

import anyio
import typer

from .. import CaptchaClient
from ._exits import reporting_errors
from ._options import BaseUrlOption, JsonOutput, ServiceOption, open_client

__all__ = ["balance"]


def balance(
    json_output: JsonOutput = False,
    service: ServiceOption = "capmonster",
    base_url: BaseUrlOption = None,
) -> None:
    """Print the account's balance, in the service's own currency.

    Examples:

        captcha-async balance
        captcha-async balance --service captcha69 --json

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 trouble with the account, 5 no
    answer of the service, 130 interrupted.
    """
    with reporting_errors():
        amount = anyio.run(_ask, open_client(service, base_url))
    text = json.dumps({"service": service, "balance": str(amount)}) if json_output else str(amount)
    typer.echo(text)


async def _ask(client: CaptchaClient) -> Decimal:
    async with client:
        return await client.balance()
