"""What a request costs: small JSON posts over keep-alive connections, client CPU and throughput.

    python -m benchmarks.transport [--quick] [--loop uvloop] [--variants]

Stock httpx, this library's lanes, aiohttp and a hand-written floor (asyncio streams and nothing
else) take turns within one process, against a reference service in another. CPU counts the client's
process only. It says nothing of real services, whose latency hides most of this.
"""

from __future__ import annotations

import argparse
import asyncio
import ssl
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import httpx
import orjson

from benchmarks import _variants
from benchmarks._reference import Reference, reference
from benchmarks._report import Bars, draw_bars, machine, print_table, write_json
from captcha_async._transport import HttpTransport

BODY = orjson.dumps({"clientKey": "0" * 32, "taskId": 0})
PATH = "/getBalance"
CONNECTIONS = (1, 50, 500)
# At most this share of stock httpx's CPU at so many connections.
GOALS = {50: 1 / 6, 500: 1 / 20}

Post = Callable[[], Awaitable[Any]]
Client = Callable[[Reference, int], AbstractAsyncContextManager[Post]]


# -- the clients ----------------------------------------------------------------------------------


def _context(info: Reference) -> ssl.SSLContext | None:
    return info.ssl_context() if info.authority else None


@asynccontextmanager
async def stock_httpx(info: Reference, connections: int) -> AsyncIterator[Post]:
    """Use httpx as it comes."""
    limits = httpx.Limits(max_connections=connections, max_keepalive_connections=connections)
    headers = {"content-type": "application/json"}
    verify = _context(info) or True
    async with httpx.AsyncClient(limits=limits, verify=verify, trust_env=False) as client:

        async def post() -> Any:
            reply = await client.post(info.url + PATH, content=BODY, headers=headers)
            return orjson.loads(reply.content)

        yield post


@asynccontextmanager
async def ours(info: Reference, connections: int) -> AsyncIterator[Post]:
    """Use this library's transport, as `CaptchaClient` does."""
    transport = HttpTransport(connections=connections, ssl_context=_context(info))

    async def post() -> Any:
        reply = await transport.post(info.url + PATH, BODY, timeout=30)
        return orjson.loads(reply.body)

    try:
        yield post
    finally:
        await transport.aclose()


@asynccontextmanager
async def with_aiohttp(info: Reference, connections: int) -> AsyncIterator[Post]:
    """Use aiohttp as it comes."""
    connector = aiohttp.TCPConnector(limit=connections, ssl=_context(info) or True)
    headers = {"content-type": "application/json"}
    async with aiohttp.ClientSession(connector=connector) as session:

        async def post() -> Any:
            async with session.post(info.url + PATH, data=BODY, headers=headers) as reply:
                return orjson.loads(await reply.read())

        yield post


@asynccontextmanager
async def floor(info: Reference, connections: int) -> AsyncIterator[Post]:
    """Use asyncio's streams, a fixed request, and as little as can be read of the reply."""
    address = urlsplit(info.url)
    context = _context(info)
    streams = [
        await asyncio.open_connection(address.hostname, address.port, ssl=context)
        for _ in range(connections)
    ]
    idle = list(streams)
    request = (
        b"POST %b HTTP/1.1\r\nhost: %b\r\ncontent-type: application/json\r\n"
        b"content-length: %d\r\n\r\n%b"
    ) % (PATH.encode(), address.netloc.encode(), len(BODY), BODY)

    async def post() -> Any:
        reader, writer = idle.pop()
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length:")[2].partition(b"\r")[0]
        body = await reader.readexactly(int(length))
        idle.append((reader, writer))
        return orjson.loads(body)

    try:
        yield post
    finally:
        for _, writer in streams:
            writer.close()
        for _, writer in streams:
            await writer.wait_closed()


CLIENTS: dict[str, Client] = {
    "httpx, stock": stock_httpx,
    "captcha_async": ours,
    "aiohttp": with_aiohttp,
    "floor": floor,
}
VARIANTS: dict[str, Client] = {
    "ours, httpx lanes": lambda info, many: _variants.httpx_lanes(info, many, BODY, PATH),
    "ours, anyio streams": lambda info, many: _variants.streams(info, many, BODY, PATH),
    "ours, h11": lambda info, many: _variants.h11_reader(info, many, BODY, PATH),
}


# -- measuring ------------------------------------------------------------------------------------


async def measure(
    client: Client, info: Reference, connections: int, seconds: float
) -> tuple[float, float]:
    """Return the CPU seconds per request and the requests per second."""
    async with client(info, connections) as post:
        # All connections are open before the clock starts.
        await asyncio.gather(*(post() for _ in range(connections)))
        done = 0
        end = time.perf_counter() + seconds

        async def work() -> None:
            nonlocal done
            # The second reason keeps a slow client from measuring its first wave only.
            while time.perf_counter() < end or done < 2 * connections:
                await post()
                done += 1

        cpu, wall = time.process_time(), time.perf_counter()
        await asyncio.gather(*(work() for _ in range(connections)))
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return cpu / done, done / wall


async def run(clients: dict[str, Client], rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Measure all clients, taking turns; the median of the rounds counts."""
    results: list[dict[str, Any]] = []
    for tls in (False, True):
        async with reference(tls=tls) as info:
            for connections in CONNECTIONS:
                taken: dict[str, list[tuple[float, float]]] = {name: [] for name in clients}
                for _ in range(rounds):
                    for name, client in clients.items():
                        taken[name].append(await measure(client, info, connections, seconds))
                for name, pairs in taken.items():
                    cpu, rate = (statistics.median(column) for column in zip(*pairs, strict=True))
                    place = {"tls": tls, "connections": connections, "client": name}
                    results.append({**place, "cpu_ms": cpu * 1000, "per_second": rate})
    return results


# -- showing --------------------------------------------------------------------------------------


def _find(results: list[dict[str, Any]], tls: bool, connections: int, client: str) -> float:
    for row in results:
        if (row["tls"], row["connections"], row["client"]) == (tls, connections, client):
            return float(row["cpu_ms"])
    raise LookupError(client)


def show(results: list[dict[str, Any]], clients: list[str]) -> None:
    """Print CPU, throughput, and whether the goals are met."""
    for tls in (False, True):
        rows = [row for row in results if row["tls"] is tls]
        for key, title in (
            ("cpu_ms", "CPU per request, ms"),
            ("per_second", "requests per second"),
        ):
            table = [
                [name, *(row[key] for row in rows if row["client"] == name)] for name in clients
            ]
            columns = ["client", *(f"{number} conn" for number in CONNECTIONS)]
            print_table(columns, table, f"{'TLS' if tls else 'plain TCP'}: {title}")
    print()
    for tls in (False, True):
        kind = "TLS" if tls else "plain"
        for connections, goal in GOALS.items():
            stock = _find(results, tls, connections, "httpx, stock")
            share = _find(results, tls, connections, "captcha_async") / stock
            verdict = "met" if share <= goal else "MISSED"
            print(f"{kind}, {connections}: 1/{1 / share:.1f} of stock httpx ({verdict})")
        at_50, at_500 = (_find(results, tls, number, "captcha_async") for number in (50, 500))
        print(f"{kind}, from 50 to 500 connections: x {at_500 / at_50:.2f}")


def plot(results: list[dict[str, Any]], clients: list[str], path: Path) -> None:
    """Draw the CPU per request."""
    plots = [
        Bars(
            title=f"CPU per request, {'TLS' if tls else 'plain TCP'}",
            unit="ms (logarithmic)",
            groups=[f"{number} conn" for number in CONNECTIONS],
            series={
                name: [_find(results, tls, number, name) for number in CONNECTIONS]
                for name in clients
            },
            logarithmic=True,
        )
        for tls in (False, True)
    ]
    draw_bars(path, *plots)


def main() -> None:
    """Measure, print, write and draw."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--loop", choices=("asyncio", "uvloop"), default="asyncio")
    parser.add_argument("--variants", action="store_true", help="other ways to build the lanes")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    clients = {**CLIENTS, **(VARIANTS if given.variants else {})}
    rounds, seconds = (1, 0.5) if given.quick else (5, 1.0)
    factory: Any = None
    if given.loop == "uvloop":
        import uvloop

        factory = uvloop.new_event_loop
    with asyncio.Runner(loop_factory=factory) as runner:
        results = runner.run(run(clients, rounds, seconds))
    show(results, list(clients))
    where = machine("httpx", "h11", "anyio", "aiohttp", "httptools", "uvloop", "captcha-async")
    report = {"machine": where, "loop": given.loop, "results": results}
    write_json(given.out / f"transport-{given.loop}.json", report)
    plot(results, list(clients), given.out / f"transport-{given.loop}.svg")


if __name__ == "__main__":
    main()
