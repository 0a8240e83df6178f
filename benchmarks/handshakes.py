"""What a connection of its own costs a request: CPU of the client, kept and fresh, plain and TLS.

    python -m benchmarks.handshakes [--quick]

By it `FRESH` was chosen: how long after its last reply a lane may carry a createTask, which cannot
be sent again. A user's httpx client, whose pool nobody can look into, gets a fresh connection for
each. Loopback: on a real way each fresh connection also costs two round trips with TLS.
"""

from __future__ import annotations

import argparse
import asyncio
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import orjson

from benchmarks._reference import Reference, reference
from benchmarks._report import print_table
from captcha_async._transport import HttpTransport, _lanes

BODY = orjson.dumps({"clientKey": "0" * 32, "taskId": 0})
# As many at once as a batch of some size has under way.
WIDTHS = (1, 50)

Post = Callable[[], Awaitable[Any]]


@asynccontextmanager
async def lanes(info: Reference, *, once: bool) -> AsyncIterator[Post]:
    """Use our own lanes; with *once* none is fresh enough to be used again."""
    context = info.ssl_context() if info.authority else None
    transport = HttpTransport(ssl_context=context)
    kept, _lanes.FRESH = _lanes.FRESH, -1.0
    try:
        yield lambda: transport.post(info.url + "/getBalance", BODY, timeout=30, once=once)
    finally:
        _lanes.FRESH = kept
        await transport.aclose()


@asynccontextmanager
async def users_client(info: Reference, *, once: bool) -> AsyncIterator[Post]:
    """Use a client of the user's."""
    verify = info.ssl_context() if info.authority else True
    async with httpx.AsyncClient(verify=verify, trust_env=False) as client:
        transport = HttpTransport(http_client=client)
        yield lambda: transport.post(info.url + "/getBalance", BODY, timeout=30, once=once)


@asynccontextmanager
async def stock(info: Reference, *, once: bool) -> AsyncIterator[Post]:
    """Use httpx as it comes, with or without `Connection: close`."""
    verify = info.ssl_context() if info.authority else True
    headers = {"content-type": "application/json"} | ({"connection": "close"} if once else {})
    async with httpx.AsyncClient(verify=verify, trust_env=False) as client:
        yield lambda: client.post(info.url + "/getBalance", content=BODY, headers=headers)


async def mixed(info: Reference, width: int, count: int) -> float:
    """Milliseconds of CPU for a request of a user's client, one createTask to three polls."""
    verify = info.ssl_context() if info.authority else True
    async with httpx.AsyncClient(verify=verify, trust_env=False) as client:
        transport = HttpTransport(http_client=client)
        numbers = iter(range(10**9))

        async def post() -> Any:
            once = next(numbers) % 4 == 0
            return await transport.post(info.url + "/getBalance", BODY, timeout=30, once=once)

        return await measure(post, width, count)


async def measure(post: Post, width: int, count: int) -> float:
    """Milliseconds of CPU for a request, *width* of them at once."""

    async def work(number: int) -> None:
        for _ in range(number):
            await post()

    await work(3)
    started = time.process_time()
    async with asyncio.TaskGroup() as group:
        for _ in range(width):
            group.create_task(work(count // width))
    return (time.process_time() - started) / (count // width * width) * 1000


async def run(count: int, rounds: int) -> None:
    """Measure all, in turns, and print the medians."""
    ways = {"lanes": lanes, "http_client=": users_client, "stock httpx": stock}
    for tls in (False, True):
        found: dict[tuple[str, str], list[float]] = {}
        async with reference(tls=tls) as info:
            for _ in range(rounds):
                for width in WIDTHS:
                    column = f"{width} at once"
                    for name, way in ways.items():
                        for once in (False, True):
                            row = f"{name}, {'fresh' if once else 'kept'}"
                            async with way(info, once=once) as post:
                                cost = await measure(post, width, count)
                            found.setdefault((row, column), []).append(cost)
                    cost = await mixed(info, width, count)
                    found.setdefault(("http_client=, 1 of 4 fresh", column), []).append(cost)
        rows = dict.fromkeys(row for row, _ in found)
        columns = [f"{width} at once" for width in WIDTHS]
        print("TLS" if tls else "plain", "(ms of CPU per request)")
        print_table(
            ["", *columns],
            [
                [row, *(f"{statistics.median(found[row, column]):.2f}" for column in columns)]
                for row in rows
            ],
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    asyncio.run(run(100 if quick else 400, 1 if quick else 5))
