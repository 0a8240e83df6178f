"""Taskiq: a queue of captchas in Redis, workers that solve them, answers by key.

    python -m examples.taskiq_queue --demo 1000
    CAPTCHA_API_KEY=… taskiq worker examples.taskiq_queue:broker --max-async-tasks 100
    python -m examples.taskiq_queue captchas.csv

Needs `captcha-async[redis]`, `taskiq` and `taskiq-redis`, and a Redis at `REDIS_URL`. The first
command starts workers of its own, against an emulated service. The table has the columns `key`,
`website_url` and `website_key`. All workers share one account, and what a killed one has paid for
the next one collects.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress

from taskiq import Context, TaskiqDepends, TaskiqEvents, TaskiqResultTimeoutError, TaskiqState
from taskiq.serializers import JSONSerializer
from taskiq_redis import RedisAsyncResultBackend, RedisStreamBroker

from captcha_async import Account, CaptchaClient, CaptchaError, Limits, TurnstileTask
from captcha_async.emulator import Emulator, Latency, serve

REDIS_URL = os.environ.get("REDIS_URL", "redis://127.0.0.1:6379/0")
IN_FLIGHT = 400
# Tasks that one worker process runs at once; the account's slots are what bounds all of them.
AT_ONCE = 100
IDLE = float(os.environ.get("QUEUE_IDLE", 60))
"""Seconds after which a message that a worker has not acknowledged goes to another one: so long
wait those of a killed worker. Taskiq's own default is 10 minutes."""
TIMEOUT = 0.8 * IDLE
"""Seconds for a captcha; less than that, so that no message is run by two at once."""
AGAIN = "again: "
"""Begins an error after which the very same may be tried again."""
MESSAGES, PATIENCE = 3, 3 * IDLE
"""How often a captcha is sent for which no answer comes within so many seconds."""
STOPPING = 10.0
"""Seconds that the demo's workers may take to end."""

broker = RedisStreamBroker(
    REDIS_URL,
    queue_name="captchas",
    # Messages that were sent before the first worker came are read, too.
    consumer_id="0",
    idle_timeout=int(1000 * IDLE),
    # Else a worker that is killed while it looks for such messages keeps the others from it.
    unacknowledged_lock_timeout=10,
    # What is read in advance waits in one process while another one may be idle.
    xread_count=10,
).with_result_backend(
    # A result that cannot be stored is lost: so a bound of connections, and time to get one.
    RedisAsyncResultBackend(
        REDIS_URL,
        result_ex_time=600,
        max_connection_pool_size=20,
        timeout=60,
        serializer=JSONSerializer(),
    )
)


@broker.on_event(TaskiqEvents.WORKER_STARTUP)
async def open_client(state: TaskiqState) -> None:
    """Open the worker's client, in its process and its event loop."""
    account = Account(
        base_url=os.environ.get("CAPTCHA_BASE_URL"),
        limits=Limits(in_flight=int(os.environ.get("CAPTCHA_SLOTS", IN_FLIGHT))),
        share=os.environ.get("CAPTCHA_SHARE", REDIS_URL),
    )
    state.captcha = await CaptchaClient(account=account).__aenter__()


@broker.on_event(TaskiqEvents.WORKER_SHUTDOWN)
async def close_client(state: TaskiqState) -> None:
    """Close it; its share of the account is free at once then."""
    await state.captcha.aclose()


# With a name of its own, which does not depend on how this file was started.
@broker.task(task_name="captchas:solve")
async def solve(
    key: str,
    website_url: str,
    website_key: str,
    context: Context = TaskiqDepends(),  # noqa: B008 (taskiq's way)
) -> dict[str, str]:
    """Solve one captcha. What uses the token belongs in here: it lives for a minute or two."""
    client: CaptchaClient = context.state.captcha
    task = TurnstileTask(website_url=website_url, website_key=website_key)
    try:
        # By key, so that a message that is delivered again collects, and does not pay again.
        solved = await client.solve(task, key=key, timeout=TIMEOUT)
    except CaptchaError as error:
        again = AGAIN if error.retryable else ""
        return {"key": key, "token": "", "error": again + type(error).__name__}
    return {"key": key, "token": solved.solution.token, "error": ""}


async def answer_of(row: dict[str, str]) -> dict[str, str]:
    """Have one captcha solved; what may be sent again is, and so is a message that was lost."""
    answer = {"key": row["key"], "token": "", "error": "NoAnswer"}
    for _ in range(MESSAGES):
        sent = await solve.kiq(row["key"], row["website_url"], row["website_key"])
        try:
            result = await sent.wait_result(check_interval=1, timeout=PATIENCE)
        except TaskiqResultTimeoutError:
            continue
        if result.is_err:
            return answer | {"error": repr(result.error)}
        answer = result.return_value
        if not answer["error"].startswith(AGAIN):
            break
    return answer


@broker.task(task_name="captchas:tick")
async def tick() -> None:
    """Do nothing: workers look for what a killed one has left only after they were sent a task."""


async def keep_looking() -> None:
    """Send a tick now and then."""
    while True:
        await asyncio.sleep(IDLE / 4)
        await tick.kiq()


async def solve_table(rows: Iterator[dict[str, str]]) -> None:
    """Put captchas into the queue, and print each answer when it is there."""
    room = asyncio.Semaphore(2 * IN_FLIGHT)

    async def one(row: dict[str, str]) -> None:
        print(json.dumps(await answer_of(row)), flush=True)
        room.release()

    ticking = asyncio.create_task(keep_looking())
    async with asyncio.TaskGroup() as group:
        for row in rows:
            await room.acquire()
            group.create_task(one(row))
    ticking.cancel()


def rows_of(table: str) -> Iterator[dict[str, str]]:
    """Read a table, row by row."""
    with open(table, encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


# -- the demo -------------------------------------------------------------------------------------


def captchas(count: int) -> Iterator[dict[str, str]]:
    """Make so many captchas."""
    for number in range(count):
        page = {"website_url": "https://example.com/login", "website_key": "0x4AAA"}
        yield {"key": f"row-{number}", **page}


@asynccontextmanager
async def workers(count: int) -> AsyncGenerator[None]:
    """Run worker processes meanwhile."""
    command = [sys.executable, "-m", "taskiq", "worker", f"{__spec__.name}:broker"]
    command += ["--workers", str(count), "--max-async-tasks", str(AT_ONCE), "--log-level", "ERROR"]
    process = await asyncio.create_subprocess_exec(*command, process_group=0)
    try:
        yield
    finally:
        process.terminate()
        # Not for ever: one that is told to stop just as its Redis client ends a read may read on.
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), STOPPING)
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        await process.wait()


@asynccontextmanager
async def emulated_service() -> AsyncGenerator[None]:
    """Have a local service in place of the real one, unless another one is named already."""
    async with AsyncExitStack() as stack:
        if "CAPTCHA_BASE_URL" not in os.environ:
            emulator = Emulator(latency=Latency(median=3), slots=IN_FLIGHT, balance=10**6)
            os.environ["CAPTCHA_BASE_URL"] = await stack.enter_async_context(serve(emulator))
            os.environ["CAPTCHA_API_KEY"] = emulator.api_key
        yield


async def main() -> None:
    """Solve a table with the workers that there are, or a demo's with workers of its own."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("table", nargs="?", help="a CSV file")
    parser.add_argument("--demo", type=int, help="so many captchas at an emulated service")
    parser.add_argument("--workers", type=int, default=4, help="of the demo")
    given = parser.parse_args()
    if (given.table is None) == (given.demo is None):
        parser.error("a table, or --demo")
    async with AsyncExitStack() as stack:
        if given.demo is not None:
            await stack.enter_async_context(emulated_service())
        await broker.startup()
        stack.push_async_callback(broker.shutdown)
        if given.demo is None:
            await solve_table(rows_of(given.table))
            return
        await stack.enter_async_context(workers(given.workers))
        await solve_table(captchas(given.demo))


if __name__ == "__main__":
    asyncio.run(main())
