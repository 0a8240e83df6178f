"""A web service's store: it hands out ids, may be restarted, and answers later."""

from __future__ import annotations

from typing import Any

from captcha_async import CaptchaClient, Task


async def accept(captcha: CaptchaClient, order: str, task: Task[Any]) -> None:
    """Take an order; the same order again costs nothing. The client has a journal."""
    await captcha.submit(task, key=order, timeout=30)


async def answer(captcha: CaptchaClient, order: str) -> str | None:
    """Return the answer to an order; None while it is being solved. KeyError if unknown."""
    pending = await captcha.lookup(order)
    if pending is None:
        raise KeyError(order)
    solved = await pending.peek()
    return None if solved is None else solved.solution.token
