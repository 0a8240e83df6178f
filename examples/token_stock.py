"""Tokens in advance: visitors of a form get one at once, and few expire unused."""

from __future__ import annotations

from collections.abc import AsyncIterable, Awaitable, Callable
from typing import Any

from captcha_async import CaptchaClient, Task

Visitor = Callable[[str], Awaitable[Any]]


async def serve_tokens(
    captcha: CaptchaClient, task: Task[Any], visitors: AsyncIterable[Visitor]
) -> int:
    """Give each visitor a fresh token; return how many were wasted."""
    async with captcha.stock(task, ready="auto", most=20) as tokens:
        async for visitor in visitors:
            await visitor((await tokens.get()).solution.token)
        return tokens.statistics().wasted
