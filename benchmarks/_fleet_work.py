"""The processes of `fleet.py`: the service, a worker, a member that listens, and a crowd.

    python -m benchmarks._fleet_work ROLE ARGUMENTS…

Each prints a line when it is ready, and what it has found when its input ends.
"""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import Any

import anyio
import anyio.to_thread

from captcha_async import (
    Account,
    CaptchaClient,
    FixedPolling,
    KeyRejected,
    Limits,
    RecaptchaV2Task,
)
from captcha_async._sharing._member import Member
from captcha_async._sharing._open import account_name, make_store, make_terms
from captcha_async.emulator import Emulator, Latency, serve

LASTS = 1.0
"""Seconds that a task takes."""
SETTLE = 10.0
"""Seconds in which the members find their shares, before anything is counted."""
TASK = RecaptchaV2Task(website_url="https://example.com/login", website_key="key")


def tell(found: Any) -> None:
    """Print a line at once."""
    sys.stdout.write(f"{json.dumps(found)}\n")
    sys.stdout.flush()


async def end() -> None:
    """Wait until the input ends."""
    await anyio.to_thread.run_sync(sys.stdin.readline, abandon_on_cancel=True)


async def service(slots: str) -> None:
    """Play the service; it refuses what exceeds its slots."""
    emulator = Emulator(latency=Latency.fixed(LASTS), slots=int(slots), balance=10**6)
    async with serve(emulator) as url:
        tell(url)
        await end()
    replies = [request.reply for request in emulator.requests_to("createTask")]
    refused = sum(isinstance(reply, dict) and bool(reply.get("errorId")) for reply in replies)
    tell({"refused": refused, "created": len(replies) - refused})


async def worker(share: str, url: str, slots: str, workers: str, seconds: str) -> None:
    """Solve as fast as it may; nothing is counted before the shares are found."""
    account = Account(
        "emulator-key",
        base_url=url,
        # With rates and a cap, which also have to be shared, and do not hold anybody up.
        limits=Limits(in_flight=int(slots), submits_per_second=10_000, max_spend=10**6),
        polling=FixedPolling(first=LASTS + 0.05, interval=2),
        share=share or None,
    )
    solved = 0

    async def work(client: CaptchaClient) -> None:
        nonlocal solved
        while True:
            await client.solve(TASK, timeout=120)
            solved += 1

    async with CaptchaClient(account=account) as client, anyio.create_task_group() as group:
        for _ in range(int(workers)):
            group.start_soon(work, client)
        tell("ready")
        await end()
        before = solved, time.process_time(), exchanges(client)
        await anyio.sleep(float(seconds))
        after = solved, time.process_time(), exchanges(client)
        names = ("solved", "cpu", "exchanges")
        tell({name: b - a for name, a, b in zip(names, before, after, strict=True)})
        # All go on until all have counted.
        await end()
        group.cancel_scope.cancel()


def exchanges(client: CaptchaClient) -> int:
    """How often it has talked to the store."""
    share = client.statistics().share
    return 0 if share is None else share.exchanges


def bench_member(share: str) -> Member:
    """Make a member of the account whose fuse is blown."""
    store = make_store(share, account_name("bench", "fuse"))
    return Member(store, make_terms(in_flight=10, max_spend=Decimal(100)), "key")


async def listener(share: str) -> None:
    """Be a member, and note when it hears that the fuse was blown."""
    heard: list[float] = []

    def hear(error: Any, _: float) -> None:
        if error is not None:
            heard.append(time.monotonic())

    member = bench_member(share)
    await member.open()
    member.listener.fuse = hear
    tell("ready")
    await end()
    tell(heard)
    await member.aclose()


async def blower(share: str, times: str) -> None:
    """Be a member, and blow the fuse now and then."""
    member = bench_member(share)
    await member.open()
    tell("ready")
    await end()
    blown: list[float] = []
    for _ in range(int(times)):
        await anyio.sleep(1.5)
        blown.append(time.monotonic())
        member.blow(KeyRejected("No."), 1.0)
        await anyio.sleep(0.5)
        member.mend(by_hand=True)
    tell(blown)
    await member.aclose()


async def crowd(share: str, port: str, count: str) -> None:
    """Be so many further connections that wait for news, as members do; Redis has to serve each."""
    # Elsewhere they would have machines of their own: here they wait for who is measured.
    os.nice(19)
    store: Any = make_store(share, account_name("bench", "fuse"))
    news = f"{store._prefix}news"

    async def listen(number: int) -> None:
        last = b"$"
        async with await anyio.connect_tcp("127.0.0.1", int(port)) as stream:
            while True:
                own = f"{news}:{number}".encode()
                words = (b"XREAD", b"BLOCK", b"0", b"STREAMS", news.encode(), own, last, b"$")
                sent = b"".join(b"$%d\r\n%s\r\n" % (len(word), word) for word in words)
                await stream.send(b"*%d\r\n%s" % (len(words), sent))
                got = await stream.receive()
                last = (re.findall(rb"\d{13}-\d+", got) or [last])[-1]

    async with anyio.create_task_group() as group:
        for number in range(int(count)):
            group.start_soon(listen, number)
        await anyio.sleep(1)
        tell("ready")
        await end()
        group.cancel_scope.cancel()
    tell("done")


ROLES: dict[str, Callable[..., Awaitable[None]]] = {
    each.__name__: each for each in (service, worker, listener, blower, crowd)
}

if __name__ == "__main__":
    anyio.run(ROLES[sys.argv[1]], *sys.argv[2:])
