"""Ray Data: a table of captchas goes in, a table of answers comes out.

    python -m examples.ray_data --demo 1000
    CAPTCHA_API_KEY=… python -m examples.ray_data captchas.csv answers/

Needs `captcha-async[redis]` and `ray[data]`. The table has the columns `key`, `website_url` and
`website_key`; the answers are Parquet files with `key`, `token` and `error`. All actors share one
account, and what a killed one has paid for the next one collects.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa  # pyright: ignore[reportMissingImports]
import pyarrow.csv  # pyright: ignore[reportMissingImports]
import ray  # pyright: ignore[reportMissingImports]
from anyio.from_thread import start_blocking_portal

from captcha_async import (
    Account,
    AccountError,
    CaptchaClient,
    CaptchaError,
    ClientPerLoop,
    Failed,
    Limits,
    Solved,
    TurnstileTask,
)
from captcha_async.emulator import Emulator, Latency, serve

# Rows that an actor solves as one batch, and how many of these at a time. What a killed actor had
# under way is solved again by another one, so a batch is what a crash delays.
ROWS, BATCHES_AT_ONCE = 100, 4
COLUMNS = ("key", "website_url", "website_key")
IN_FLIGHT = 400
# How often a batch is run in which something failed that may be tried again as it is.
ROUNDS = 3
TIMEOUT = 120.0
SERVICE_VARIABLES = ("CAPTCHA_API_KEY", "CAPTCHA_BASE_URL", "CAPTCHA_SHARE", "CAPTCHA_SLOTS")


def make_client() -> CaptchaClient:
    """Make a client of the account that all actors share; called in each of them."""
    account = Account(
        base_url=os.environ.get("CAPTCHA_BASE_URL"),
        limits=Limits(in_flight=int(os.environ.get("CAPTCHA_SLOTS", IN_FLIGHT))),
        share=os.environ.get("CAPTCHA_SHARE", "account.db"),
    )
    return CaptchaClient(account=account)


class Solve:
    """What each actor runs: a batch of rows in, as many rows out."""

    def __init__(self) -> None:
        # A constructor cannot await: the first batch opens the client.
        self._clients = ClientPerLoop(make_client)

    def __del__(self) -> None:
        # Ray deletes it when the actor ends well; its share of the account is free at once then.
        self._clients.close()

    async def __call__(self, rows: dict[str, Any]) -> dict[str, Any]:
        """Solve a batch. What uses a token belongs in here, too: tokens live for a minute or two.

        Raises:
            AccountError: the account cannot be used, which ends the whole job.
        """
        columns = (rows[name].tolist() for name in COLUMNS)
        tasks = {
            str(key): TurnstileTask(website_url=url, website_key=site)
            for key, url, site in zip(*columns, strict=True)
        }
        outcomes = await solve_by_key(await self._clients.get(), tasks)
        errors = [
            type(outcome.error).__name__ if isinstance(outcome, Failed) else ""
            for outcome in outcomes
        ]
        tokens = [
            outcome.solution.token if isinstance(outcome, Solved) else "" for outcome in outcomes
        ]
        return {"key": np.array(list(tasks)), "token": np.array(tokens), "error": np.array(errors)}


async def solve_by_key(
    client: CaptchaClient, tasks: dict[str, TurnstileTask]
) -> list[Solved[Any] | Failed]:
    """Solve tasks, and run again what may be: by key, what is paid for is only collected."""
    for turn in range(1, ROUNDS + 1):
        try:
            outcomes = await client.solve_all(tasks, resume=True, timeout=TIMEOUT)
        except CaptchaError as error:
            if turn == ROUNDS or not error.retryable:
                raise
            continue
        errors = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
        for error in errors:
            if isinstance(error, AccountError):
                raise error
        if turn == ROUNDS or not any(error.retryable for error in errors):
            return outcomes
    raise AssertionError("unreachable")


def answers_of(table: Any, actors: int) -> Any:
    """Return the data set of answers; it is solved when it is read or written."""
    return table.map_batches(
        Solve,
        batch_size=ROWS,
        num_cpus=1,
        compute=ray.data.ActorPoolStrategy(
            size=actors, max_tasks_in_flight_per_actor=2 * BATCHES_AT_ONCE
        ),
        max_concurrency=BATCHES_AT_ONCE,
        # A killed actor is started again, and its batches are run again.
        max_restarts=-1,
        max_task_retries=-1,
    )


def start_ray(actors: int) -> None:
    """Start Ray on this machine; a cluster has an address, and brings its own environment."""
    given = {name: os.environ[name] for name in SERVICE_VARIABLES if name in os.environ}
    ray.init(
        # And one for what reads the table.
        num_cpus=actors + 1,
        include_dashboard=False,
        logging_level="ERROR",
        log_to_driver=False,
        runtime_env={"env_vars": given},
    )
    ray.data.DataContext.get_current().enable_progress_bars = False


def table_of(path: str) -> Any:
    """Read CSV; all is text, for a site's key such as 0x4AAA would be taken for a number."""
    texts = pyarrow.csv.ConvertOptions(column_types=dict.fromkeys(COLUMNS, pa.string()))
    return ray.data.read_csv(path, convert_options=texts)


def demo(count: int) -> Any:
    """Return a table of so many captchas."""
    page = {"website_url": "https://example.com/login", "website_key": "0x4AAA"}
    # More blocks than actors, so that none waits for another at the end.
    blocks = max(1, count // ROWS)
    return ray.data.from_items(
        [{"key": f"row-{number}", **page} for number in range(count)], override_num_blocks=blocks
    )


def main() -> None:
    """Solve a table, or a demo's against a local service; print the answers, or write them."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("table", nargs="?", help="a CSV file, or a folder of them")
    parser.add_argument("answers", nargs="?", default="answers", help="a folder")
    parser.add_argument("--demo", type=int, help="so many captchas at an emulated service")
    parser.add_argument("--actors", type=int, default=4)
    given = parser.parse_args()
    if (given.table is None) == (given.demo is None):
        parser.error("a table, or --demo")
    with ExitStack() as stack:
        if given.demo is not None and "CAPTCHA_BASE_URL" not in os.environ:
            portal = stack.enter_context(start_blocking_portal())
            emulator = Emulator(latency=Latency(median=3), slots=IN_FLIGHT, balance=10**6)
            url = stack.enter_context(portal.wrap_async_context_manager(serve(emulator)))
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            os.environ["CAPTCHA_BASE_URL"] = url
            os.environ["CAPTCHA_API_KEY"] = emulator.api_key
            os.environ.setdefault("CAPTCHA_SHARE", str(Path(folder) / "account.db"))
        start_ray(given.actors)
        stack.callback(ray.shutdown)
        if given.demo is None:
            answers_of(table_of(given.table), given.actors).write_parquet(given.answers)
            return
        for row in answers_of(demo(given.demo), given.actors).iter_rows():
            print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
