"""captcha_async, through `batch`, as its README shows it for many tasks at once."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from captcha_async import CaptchaClient, Limits, RecaptchaV2Task, Solved

if TYPE_CHECKING:
    from run import Batch

PACKAGES = ("captcha-async", "httpx", "anyio", "h11")
BATCH = True


@asynccontextmanager
async def open_solver(url: str, *, in_flight: int) -> AsyncIterator[Batch]:
    """Open the client; without *in_flight* it keeps to 1,000 tasks at once."""
    limits = Limits(in_flight=in_flight)
    async with CaptchaClient("0" * 32, base_url=url, limits=limits) as client:

        async def solve(tasks: int) -> AsyncGenerator[str | Exception, None]:
            pages = (f"https://example.com/{number}" for number in range(tasks))
            source = (RecaptchaV2Task(website_url=page, website_key="6Lc_bench") for page in pages)
            async with client.batch(source) as outcomes:
                async for outcome in outcomes:
                    solved = isinstance(outcome, Solved)
                    yield outcome.solution.token if solved else outcome.error

        yield solve
