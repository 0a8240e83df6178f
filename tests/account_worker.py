"""A process that solves as fast as it may, with an account that others share.

python account_worker.py SHARE BASE_URL LIMITS_AS_JSON
"""

from __future__ import annotations

import json
import sys
from typing import Any

import anyio

from captcha_async import (
    Account,
    CaptchaClient,
    FixedPolling,
    Limits,
    RecaptchaV2Task,
    SpendLimitReached,
)

WORKERS = 8
TASK = RecaptchaV2Task(website_url="https://example.com/login", website_key="6Lc-key")


async def main(share: str, base_url: str, limits: dict[str, Any]) -> None:
    """Work until the process ends."""
    account = Account(
        "emulator-key",
        base_url=base_url,
        limits=Limits(**limits),
        polling=FixedPolling(first=0.5, interval=2),
        share=share,
    )
    async with CaptchaClient(account=account) as client, anyio.create_task_group() as group:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        for _ in range(WORKERS):
            group.start_soon(work, client)


async def work(client: CaptchaClient) -> None:
    """Solve one task after the other."""
    while True:
        try:
            await client.solve(TASK, timeout=120)
        except SpendLimitReached:
            await anyio.sleep(0.2)


if __name__ == "__main__":
    _, where, url, given = sys.argv
    anyio.run(main, where, url, json.loads(given))
