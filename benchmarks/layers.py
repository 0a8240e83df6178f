"""Where a microsecond goes: CPU of one poll, from bytes by hand up to the watch, layer by layer.

    python -m benchmarks.layers [--quick] [--only NAME] [--profile]

Each row has all the layers below it. A few callers ask for a task that is never ready, each after a
short pause, as polls come in practice: one by one, not in bursts that share a turn of the event
loop. What the pauses cost is measured as well, and taken off. The watch makes its pauses itself;
nothing is taken off it.
"""

from __future__ import annotations

import argparse
import asyncio
import cProfile
import pstats
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import attrs
import orjson

from benchmarks._peers.with_floor import Floor
from benchmarks._reference import Reference, reference
from benchmarks._report import machine, print_table, write_json
from captcha_async import CAPMONSTER, CaptchaClient, FixedPolling, Limits, RecaptchaV2Task
from captcha_async._account._account import Account
from captcha_async._solving._outcomes import Outcomes
from captcha_async._solving._solve import Solve
from captcha_async._solving._watch import Watch
from captcha_async._transport._direct_lane import DirectLane
from captcha_async._transport._heads import json_head
from captcha_async._transport._http import HttpTransport
from captcha_async._transport._lanes import LanePool
from captcha_async._transport._messages import Call

KEY = "0" * 32
TASK = RecaptchaV2Task(website_url="https://example.com/1", website_key="6Lc_bench")
CALLERS, PAUSE = 4, 0.004
# Tasks under watch, and seconds between the polls of each: as many requests as the others make.
WATCHED, GAP = 40, 0.08
PATH = "/getTaskResult"

Poll = Callable[[], Awaitable[Any]]
Layer = Callable[[Reference, int], AbstractAsyncContextManager[Poll]]
"""Given a service and the id of a task that it will not solve, one way to ask for its result."""


def body_of(task_id: int) -> bytes:
    """Return a poll's body."""
    return orjson.dumps({"clientKey": KEY, "taskId": task_id})


# -- the layers -----------------------------------------------------------------------------------


@asynccontextmanager
async def pauses(info: Reference, task_id: int) -> AsyncIterator[Poll]:
    """Ask nobody."""

    async def poll() -> None:
        return

    yield poll


@asynccontextmanager
async def floor(info: Reference, task_id: int) -> AsyncIterator[Poll]:
    """Bytes over asyncio's protocols, by hand."""
    by_hand = Floor(info.url, info.ssl_context() if info.authority else None)
    await by_hand.open()
    loop = asyncio.get_running_loop()

    async def poll() -> None:
        reply = loop.create_future()
        by_hand.poll(task_id, reply.set_result)
        await reply

    yield poll
    by_hand.close()


@asynccontextmanager
async def lane(info: Reference, task_id: int) -> AsyncIterator[Poll]:
    """One lane for each caller."""
    lanes = [DirectLane(info.ssl_context()) for _ in range(CALLERS)]
    head, body = json_head(info.url + PATH), body_of(task_id)
    idle = list(lanes)

    async def poll() -> None:
        mine = idle.pop()
        await mine.exchange(Call(head, body))
        idle.append(mine)

    yield poll
    for each in lanes:
        await each.aclose()


@asynccontextmanager
async def pool(info: Reference, task_id: int) -> AsyncIterator[Poll]:
    """The lane pool."""
    context = info.ssl_context()
    lanes = LanePool(lambda: DirectLane(context), 64)
    head, body = json_head(info.url + PATH), body_of(task_id)
    yield lambda: lanes.exchange(Call(head, body))
    await lanes.aclose()


@asynccontextmanager
async def transport(info: Reference, task_id: int) -> AsyncIterator[Poll]:
    """A post of JSON."""
    http = HttpTransport(ssl_context=_context(info))
    url, body = info.url + PATH, body_of(task_id)
    yield lambda: http.post(url, body, timeout=30)
    await http.aclose()


@asynccontextmanager
async def api(info: Reference, task_id: int) -> AsyncIterator[Poll]:
    """The method of the protocol."""
    async with _client(info) as client:
        methods = client._solver.seats.first.account.api
        yield lambda: methods.get_task_result(task_id, TASK)


@asynccontextmanager
async def admission(info: Reference, task_id: int) -> AsyncIterator[Poll]:
    """The account's gates around it."""
    async with _client(info) as client:
        seat = client._solver.seats.first
        account, tenant = seat.account, seat.tenant

        async def poll() -> None:
            async with account.admit("poll", tenant):
                await account.api.get_task_result(task_id, TASK)

        yield poll


@asynccontextmanager
async def collector(info: Reference, task_id: int) -> AsyncIterator[Poll]:
    """A look at a task: gap, schedule and books."""
    async with _client(info) as client:
        solves = [_open(client, task_id + number) for number in range(CALLERS)]
        idle = list(solves)

        async def poll() -> None:
            mine = idle.pop()
            await client._solver.collector.look(mine)
            idle.append(mine)

        yield poll


LAYERS: dict[str, Layer] = {
    "pauses": pauses,
    "floor": floor,
    "DirectLane": lane,
    "LanePool": pool,
    "HttpTransport": transport,
    "Api": api,
    "Admission": admission,
    "Collector": collector,
}
WATCH = "Watch"


def _context(info: Reference) -> Any:
    return info.ssl_context() if info.authority else None


def _client(info: Reference, gap: float = 0.0) -> CaptchaClient:
    """Make a client that may ask as often as it likes."""
    service = CAPMONSTER.evolve(base_url=info.url)
    service = attrs.evolve(service, min_poll_gap=gap, max_polls=10**9)
    polling = FixedPolling(gap, gap)
    account = Account(
        KEY, service=service, ssl_context=_context(info), polling=polling, limits=Limits()
    )
    return CaptchaClient(account=account)


def _open(client: CaptchaClient, task_id: int) -> Solve:
    """Make the record of an accepted task."""
    solver = client._solver
    solve = solver.make(TASK)
    solve.account.enter()
    solve.born = anyio.current_time()
    solver.books._opened(solve, task_id)
    return solve


# -- measuring ------------------------------------------------------------------------------------


async def measure(layer: Layer, info: Reference, first: int, seconds: float) -> tuple[float, int]:
    """Return the CPU seconds of a layer, and the polls that were made."""
    async with layer(info, first) as poll:
        for _ in range(20):
            await poll()
        done = 0
        end = time.perf_counter() + seconds

        async def work() -> None:
            nonlocal done
            while time.perf_counter() < end:
                await asyncio.sleep(PAUSE)
                await poll()
                done += 1

        cpu = time.process_time()
        await asyncio.gather(*(work() for _ in range(CALLERS)))
        return time.process_time() - cpu, done


async def measure_watch(info: Reference, first: int, seconds: float) -> tuple[float, int]:
    """The same for a watch over some tasks."""
    async with _client(info, GAP) as client:
        solver = client._solver
        watch = Watch(solver.books, solver.collector, Outcomes())
        for number in range(WATCHED):
            watch.add(_open(client, first + number))
        async with anyio.create_task_group() as group:
            group.start_soon(watch.run)
            await anyio.sleep(2 * GAP)
            polls, cpu = client.statistics().polls, time.process_time()
            await anyio.sleep(seconds)
            cpu, polls = time.process_time() - cpu, client.statistics().polls - polls
            group.cancel_scope.cancel()
    return cpu, polls


async def unsolved(info: Reference) -> int:
    """Have tasks created that will not be solved for an hour; return the first one's id."""
    by_hand = Floor(info.url, info.ssl_context() if info.authority else None)
    await by_hand.open()
    loop = asyncio.get_running_loop()
    ids = []
    for number in range(WATCHED):
        reply = loop.create_future()
        by_hand.create(number, reply.set_result)
        ids.append((await reply)["taskId"])
    by_hand.close()
    return int(min(ids))


async def run(names: list[str], rounds: int, seconds: float) -> list[dict[str, Any]]:
    """Measure the layers in turns; the median of the rounds counts."""
    results = []
    for tls in (False, True):
        async with reference(tls=tls, mean=3600.0, sigma=0.0) as info:
            first = await unsolved(info)
            taken: dict[str, list[float]] = {name: [] for name in names}
            for _ in range(rounds):
                for name in names:
                    if name == WATCH:
                        cpu, polls = await measure_watch(info, first, seconds)
                    else:
                        cpu, polls = await measure(LAYERS[name], info, first, seconds)
                    taken[name].append(cpu / max(polls, 1) * 1e6)
        idle = statistics.median(taken["pauses"])
        for name, found in taken.items():
            cost = statistics.median(found) - (0 if name in (WATCH, "pauses") else idle)
            results.append({"tls": tls, "layer": name, "us": cost})
    return results


def show(results: list[dict[str, Any]]) -> None:
    """Print the onion: each layer's cost with all below, and as a multiple of the floor."""
    costs = {(row["layer"], row["tls"]): row["us"] for row in results}
    rows = []
    for name in dict.fromkeys(row["layer"] for row in results):
        plain, secret = costs[name, False], costs[name, True]
        floors = costs.get(("floor", False)), costs.get(("floor", True))
        ratios = [
            None if base is None else cost / base
            for cost, base in zip((plain, secret), floors, strict=True)
        ]
        rows.append([name, plain, ratios[0], secret, ratios[1]])
    columns = ("up to and with", "plain, µs", "x floor", "TLS, µs", "x floor")
    print_table(columns, rows, "CPU of one poll")


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--only", action="append", metavar="NAME", help="this layer, too")
    parser.add_argument("--profile", action="store_true", help="show which functions take the time")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results"))
    given = parser.parse_args()
    names = [*LAYERS, WATCH]
    if given.only:
        names = ["pauses", *given.only]
    profile = cProfile.Profile()
    if given.profile:
        profile.enable()
    results = asyncio.run(run(names, 1 if given.quick else 5, 0.5 if given.quick else 1.2))
    if given.profile:
        profile.disable()
        pstats.Stats(profile).sort_stats("tottime").print_stats(40)
    show(results)
    where = machine("captcha-async", "httpx", "anyio", "h11", "httptools")
    write_json(given.out / "layers.json", {"machine": where, "results": results})


if __name__ == "__main__":
    main()
