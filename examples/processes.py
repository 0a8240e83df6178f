"""Processes: a client in each, opened once; what a process has solved, it hands back.

CAPTCHA_API_KEY=… python -m examples.processes 20
"""

from __future__ import annotations

import atexit
import multiprocessing
import sys
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from captcha_async import RecaptchaV2Task, Solved
from examples.threads import blocking_client

PROCESSES = 2
LEFT = ExitStack()
# In each process the client's; set by `open_client`, when the process begins.
solve: Callable[..., Solved[Any]]


def open_client() -> None:
    """Open this process's client, and close it with the process."""
    global solve
    solve = LEFT.enter_context(blocking_client())
    atexit.register(LEFT.close)


def work(number: int) -> str:
    """Solve one task in whichever process is free."""
    task = RecaptchaV2Task(website_url=f"https://example.com/{number}", website_key="key")
    token: str = solve(task, timeout=120).solution.token
    return token


def main() -> None:
    """Solve as many tasks as were asked for; print how many answers there are."""
    # A forked client would share its connections with its parent; a fresh process has its own.
    fresh = multiprocessing.get_context("spawn")
    with fresh.Pool(PROCESSES, initializer=open_client) as pool:
        print(len(set(pool.map(work, range(int(sys.argv[1]))))))
        pool.close()
        pool.join()


if __name__ == "__main__":
    main()
