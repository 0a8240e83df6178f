"""A process that works through a batch by key, with an account that others share.

python keyed_worker.py BACKEND SHARE BASE_URL RESULTS [resend]

Each outcome is a line in the file of results, written in one go.
"""

from __future__ import annotations

import os
import sys
from functools import partial

import anyio

from captcha_async import (
    CAPMONSTER,
    Account,
    CaptchaClient,
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


async def main(share: str, url: str, results: str, resend: bool) -> None:
    """Go on with the batch, and write every outcome down."""
    _open.make_terms = partial(_open.make_terms, lease=LEASE)  # type: ignore[assignment]
    account = Account(
        "emulator-key",
        service=CAPMONSTER.evolve(base_url=url, min_poll_gap=GAP),
        limits=Limits(in_flight=8),
        polling=FixedPolling(first=GAP, interval=GAP),
        share=share,
    )
    sheet = os.open(results, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    tasks = {key: task_of(key) for key in KEYS}
    async with (
        CaptchaClient(account=account) as client,
        client.batch(tasks, resume=True, resend_uncertain=resend) as outcomes,
    ):
        async for outcome in outcomes:
            if isinstance(outcome, Solved):
                said = outcome.solution.token
            else:
                said = type(outcome.error).__name__
            os.write(sheet, f"{outcome.key} {said}\n".encode())


if __name__ == "__main__":
    _, backend, where, address, sheet, *more = sys.argv
    anyio.run(main, where, address, sheet, bool(more), backend=backend)
