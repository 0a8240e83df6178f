"""Celery: a client in each worker process, opened and closed with it.

CAPTCHA_API_KEY=… celery -A examples.celery_tasks worker
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from celery import Celery  # pyright: ignore[reportMissingTypeStubs]
from celery.signals import (  # pyright: ignore[reportMissingTypeStubs]
    worker_process_init,
    worker_process_shutdown,
)

from captcha_async import NoSlotAvailable, RecaptchaV2Task, Solved, TransportError, Unsolvable
from examples.threads import blocking_client

app = Celery("captchas")
left = ExitStack()
solve_blocking: Callable[..., Solved[Any]]


@worker_process_init.connect
def open_client(**_: Any) -> None:
    """After the fork, never before: a client belongs to the process of its first use."""
    global solve_blocking
    solve_blocking = left.enter_context(blocking_client())


@worker_process_shutdown.connect
def close_client(**_: Any) -> None:
    """Close the connections."""
    left.close()


# Only what has certainly cost nothing, or has failed, is tried again.
AGAIN = (Unsolvable, NoSlotAvailable, TransportError)


@app.task(autoretry_for=AGAIN, max_retries=3)  # pyright: ignore[reportUntypedFunctionDecorator]
def solve(website_url: str, website_key: str) -> str:
    """Return a token; JSON carries it to whoever asked for it."""
    task = RecaptchaV2Task(website_url=website_url, website_key=website_key)
    token: str = solve_blocking(task, timeout=120).solution.token
    return token
