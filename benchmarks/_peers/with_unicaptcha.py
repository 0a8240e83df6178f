"""unicaptcha, by its async client of one provider, as its README shows it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from unicaptcha import TimeConfig
from unicaptcha.provider.capmonster import AsyncCapMonsterClient

if TYPE_CHECKING:
    from run import Solve

PACKAGES = ("unicaptcha", "httpx")


@asynccontextmanager
async def open_solver(url: str, **settings: float) -> AsyncIterator[Solve]:
    """Open the client; *settings* are those of its `TimeConfig`."""
    time = TimeConfig(**settings) if settings else None
    async with AsyncCapMonsterClient("0" * 32, base_url=url, time=time) as client:

        async def solve(number: int) -> str:
            page = f"https://example.com/{number}"
            result = await client.solve_recaptcha_v2(sitekey="6Lc_bench", pageurl=page)
            return result.solution.token

        yield solve
