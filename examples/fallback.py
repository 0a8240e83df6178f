"""A fallback between services: the first that can solve a task does, and none is paid twice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from captcha_async import Account, CaptchaClient, Solution, Solved, Task

S = TypeVar("S", bound=Solution)


async def solve_anywhere(accounts: Sequence[Account], task: Task[S]) -> Solved[S]:
    """Solve a task at the first account that can, with a second try where that failed."""
    async with CaptchaClient(accounts=accounts) as captcha:
        return await captcha.solve(task, attempts=2, timeout=180)
