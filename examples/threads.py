"""Threads: one client for all of them, in an event loop of its own.

with blocking_client() as solve, ThreadPoolExecutor(8) as pool:
    answers = list(pool.map(solve, tasks))
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from functools import partial
from typing import Any

from anyio.from_thread import start_blocking_portal

from captcha_async import CaptchaClient, Solved, Task


@contextmanager
def blocking_client(**options: Any) -> Generator[Callable[..., Solved[Any]]]:
    """Open a client in a thread of its own; give a `solve` that any thread may call."""
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(CaptchaClient(**options)) as captcha,
    ):

        def solve(task: Task[Any], **settings: Any) -> Solved[Any]:
            return portal.call(partial(captcha.solve, task, **settings))

        yield solve
