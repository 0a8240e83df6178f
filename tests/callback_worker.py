"""A process with a receiver and an account that others share; it solves some tasks.

python callback_worker.py BACKEND SHARE BASE_URL PUBLIC_URL TASKS

It prints the port of its receiver, waits for a line, solves, prints what came as JSON, and
receives for the others until its input ends.
"""

from __future__ import annotations

import json
import sys

import anyio
from anyio import to_thread

from captcha_async import Account, CallbackReceiver, CaptchaClient, RecaptchaV2Task

TASK = RecaptchaV2Task(website_url="https://example.com/login", website_key="6Lc-key")


async def main(share: str, base_url: str, public_url: str, count: int) -> None:
    """Solve, once all are there."""
    receiver = CallbackReceiver(public_url)
    account = Account("emulator-key", base_url=base_url, share=share)
    async with (
        receiver.serve() as url,
        CaptchaClient(account=account, callbacks=receiver) as client,
    ):
        sys.stdout.write(url.rpartition(":")[2] + "\n")
        sys.stdout.flush()
        await to_thread.run_sync(sys.stdin.readline)
        await client.solve_all([TASK] * count)
        numbers = receiver.statistics()
        done = {"solved": client.statistics().solved, "polls": client.statistics().polls}
        done |= {"by_callback": numbers.by_callback}
        sys.stdout.write(json.dumps(done) + "\n")
        sys.stdout.flush()
        await to_thread.run_sync(sys.stdin.readline)
        sys.stdout.write(json.dumps({"handed_over": receiver.statistics().handed_over}) + "\n")


if __name__ == "__main__":
    _, backend, where, service, public, number = sys.argv
    anyio.run(main, where, service, public, int(number), backend=backend)
