"""A process that has a part of a shared account, and works as fast as it may.

python sharing_worker.py SHARE ON_OUTAGE REFEREE_PORT LIMITS_AS_JSON

Each task is a line to the referee, which plays the service: it counts what is in flight, and
answers when the task is over, whatever has become of the process.
"""

from __future__ import annotations

import json
import os
import sys
from decimal import Decimal
from typing import Any

import anyio
from anyio.abc import SocketStream
from anyio.streams.buffered import BufferedByteReceiveStream

from captcha_async import CaptchaError
from captcha_async._sharing._member import Member
from captcha_async._sharing._open import account_name, make_store, make_terms

WORKERS = 12


async def main(share: str, on_outage: Any, port: int, limits: dict[str, Any]) -> None:
    """Work until the referee goes away, or the process ends."""
    price = Decimal(limits.pop("price", 0))
    if "max_spend" in limits:
        limits["max_spend"] = Decimal(limits["max_spend"])
    store = make_store(share, account_name("capmonster", "key"))
    member = Member(store, make_terms(**limits), "key", on_outage=on_outage)
    await member.open()
    stream = await anyio.connect_tcp("127.0.0.1", port)
    await stream.send(f"hello {os.getpid()}\n".encode())
    waiting: dict[str, anyio.Event] = {}
    sending = anyio.Lock()
    try:
        async with anyio.create_task_group() as group:
            for number in range(WORKERS):
                group.start_soon(work, member, stream, sending, waiting, number, price)
            lines = BufferedByteReceiveStream(stream)
            while True:
                line = await lines.receive_until(b"\n", 1000)
                waiting.pop(line.decode()).set()
    except* (anyio.EndOfStream, anyio.IncompleteRead, anyio.BrokenResourceError, OSError):
        pass
    finally:
        await member.aclose()


async def work(
    member: Member,
    stream: SocketStream,
    sending: anyio.Lock,
    waiting: dict[str, anyio.Event],
    number: int,
    cost: Decimal,
) -> None:
    """Submit one task after the other."""
    count = 0
    while True:
        async with member.slots:
            await member.submits.acquire()
            # The clock of all processes of the machine.
            moment = anyio.current_time()
            try:
                await member.reserve(cost)
            except CaptchaError:
                await anyio.sleep(0.2)
                continue
            name = f"{number}.{count}.{moment:.6f}"
            count += 1
            event = waiting[name] = anyio.Event()
            async with sending:
                await stream.send(f"{name}\n".encode())
            await event.wait()
            member.spend(cost, cost)


if __name__ == "__main__":
    _, where, outage, referee, given = sys.argv
    anyio.run(main, where, outage, int(referee), json.loads(given))
