"""A process that works through tasks by key, with an account that others share.

python keyed_worker.py BACKEND SHARE BASE_URL RESULTS [single] [resend]

They are a batch, or single solves at the same time. Each outcome is a line in the file of results,
written in one go.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from functools import partial

import anyio

from captcha_async import (
    CAPMONSTER,
    Account,
    CaptchaClient,
    CaptchaError,
    FixedPolling,
    Limits,
    RecaptchaV2Task,
    Solved,
)
from captcha_async._sharing import _open

GAP = 0.1
KEYS = [f"page-{number}" for number in range(24)]
LEASE = 2.0


def task_of(key: str) -> RecaptchaV2Task:
    """Make the task of a key, which tells its key to the service."""
    return RecaptchaV2Task(website_url=f"https://example.com/{key}", website_key="6Lc-key")


async def batch(client: CaptchaClient, tell: Callable[[str, str], None], resend: bool) -> None:
    """Go on with all of them at once."""
    tasks = {key: task_of(key) for key in KEYS}
    async with client.batch(tasks, resume=True, resend_uncertain=resend) as outcomes:
        async for outcome in outcomes:
            if isinstance(outcome, Solved):
                tell(outcome.key, outcome.solution.token)
            else:
                tell(outcome.key, type(outcome.error).__name__)


async def single(client: CaptchaClient, tell: Callable[[str, str], None], resend: bool) -> None:
    """Go on with each of them by itself."""

    async def solve(key: str) -> None:
        try:
            solved = await client.solve(task_of(key), key=key)
        except CaptchaError as error:
            tell(key, type(error).__name__)
        else:
            tell(key, solved.solution.token)

    if resend:
        for submission in await client.uncertain():
            await client.forget(submission)
    async with anyio.create_task_group() as group:
        for key in KEYS:
            group.start_soon(solve, key)


async def main(share: str, url: str, results: str, options: list[str]) -> None:
    """Go on with the keys, and write every outcome down."""
    _open.make_terms = partial(_open.make_terms, lease=LEASE)  # type: ignore[assignment]
    account = Account(
        "emulator-key",
        service=CAPMONSTER.evolve(base_url=url, min_poll_gap=GAP),
        limits=Limits(in_flight=8),
        polling=FixedPolling(first=GAP, interval=GAP),
        share=share,
    )
    sheet = os.open(results, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def tell(key: str, said: str) -> None:
        os.write(sheet, f"{key} {said}\n".encode())

    work = single if "single" in options else batch
    async with CaptchaClient(account=account) as client:
        await work(client, tell, "resend" in options)


if __name__ == "__main__":
    _, backend, where, address, sheet, *more = sys.argv
    anyio.run(main, where, address, sheet, more, backend=backend)
