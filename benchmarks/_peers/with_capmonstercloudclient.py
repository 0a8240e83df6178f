"""capmonstercloudclient, the service's own package, as its README shows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from capmonstercloudclient import CapMonsterClient, ClientOptions
from capmonstercloudclient.requests import RecaptchaV2Request

if TYPE_CHECKING:
    from run import Solve

PACKAGES = ("capmonstercloudclient", "aiohttp")


@asynccontextmanager
async def open_solver(url: str) -> AsyncIterator[Solve]:
    """Open the client; the service's address is one of its options."""
    client = CapMonsterClient(ClientOptions(api_key="0" * 32, service_url=url))

    async def solve(number: int) -> str:
        page = f"https://example.com/{number}"
        request = RecaptchaV2Request(websiteUrl=page, websiteKey="6Lc_bench")
        return str((await client.solve_captcha(request))["gRecaptchaResponse"])

    yield solve
