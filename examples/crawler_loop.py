"""A crawler's loop: solve, submit, and solve anew while the site refuses the answer."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from captcha_async import CaptchaClient, Task


async def pass_form(
    captcha: CaptchaClient, task: Task[Any], submit: Callable[[str], Awaitable[bool]]
) -> bool:
    """Submit a form with up to three answers; each is reported as right or as wrong."""
    async with captcha.attempts(task, 3, timeout=180) as attempts:
        async for solved in attempts:
            if await submit(solved.solution.token):
                return True
    return False
