"""captcha_async, through `solve`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from captcha_async import CaptchaClient, Limits, RecaptchaV2Task

if TYPE_CHECKING:
    from run import Solve

PACKAGES = ("captcha-async", "httpx", "anyio", "h11")


@asynccontextmanager
async def open_solver(url: str, *, in_flight: int) -> AsyncIterator[Solve]:
    """Open the client; without *in_flight* it keeps to 1,000 tasks at once."""
    limits = Limits(in_flight=in_flight)
    async with CaptchaClient("0" * 32, base_url=url, limits=limits) as client:

        async def solve(number: int) -> str:
            page = f"https://example.com/{number}"
            solved = await client.solve(RecaptchaV2Task(website_url=page, website_key="6Lc_bench"))
            return solved.solution.token

        yield solve
