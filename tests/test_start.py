"""What a client, and its first solve, load: nothing that they can do without.

How long that takes is measured by `benchmarks/imports.py`; here is what it must not begin with.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import anyio
import pytest

from captcha_async._transport import asyncio_loop
from captcha_async.emulator import Emulator, Latency, serve

ROOT = Path(__file__).parents[1]

BEFORE = "import sys; before = set(sys.modules)\n"
AFTER = "\nimport json; print(json.dumps(sorted(set(sys.modules) - before)))"
CLIENT = "from captcha_async import CaptchaClient; client = CaptchaClient('0' * 32)"
SOLVE = """
sys.modules[sys.argv[3]] = None
import anyio
from captcha_async import CaptchaClient, FixedPolling, RecaptchaV2Task

async def main():
    task = RecaptchaV2Task(website_url="https://example.com", website_key="key")
    at_once = FixedPolling(first=0, interval=2)
    async with CaptchaClient("emulator-key", base_url=sys.argv[1], polling=at_once) as client:
        await client.solve(task)

anyio.run(main, backend=sys.argv[2])
"""

# By what they are for: an event loop, a connection, trouble, a client or a proxy of the user's, and
# large parts of the standard library that httpx or a mere random number would bring along.
FIRST_REQUEST = {"asyncio", "ssl", "h11", "certifi", "captcha_async._transport._direct_lane"}
TROUBLE = {"captcha_async._transport._failures", "captcha_async._transport._h11_framing", "html"}
LARGE = {"httpx", "urllib.request", "urllib.parse", "hashlib", "email", "tempfile", "difflib"}
UNUSED = {
    "captcha_async._above._attempts",
    "captcha_async._above._keys",
    "captcha_async._account._statistics",
    "captcha_async._batch",
    "captcha_async._callbacks._callback",
    "captcha_async._callbacks._tally",
    "captcha_async._events",
    "captcha_async._journal._record",
    "captcha_async._serving._server",
    "captcha_async._sharing",
    "captcha_async._solving._choice",
    "captcha_async._solving._hedge",
    "captcha_async._solving._told",
    "captcha_async._solving._watch",
    "captcha_async._transport._users_client",
    "captcha_async.services._proxies",
    "captcha_async.wire._account_facts",
    "sqlite3",
}


def loaded(program: str, *arguments: str) -> set[str]:
    """Return the modules that a program has loaded at its end."""
    # A proxy has to be looked at by httpx.
    hidden = [name for name in os.environ if name.lower().endswith("_proxy")]
    environment = {name: value for name, value in os.environ.items() if name not in hidden}
    command = [sys.executable, "-c", BEFORE + program + AFTER, *arguments]
    found = subprocess.run(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True)
    return set(json.loads(found.stdout))


def test_a_client_loads_no_more_than_it_needs() -> None:
    """The import and the client are quick, since all else waits until it is wanted."""
    assert loaded(CLIENT) & (FIRST_REQUEST | TROUBLE | LARGE | UNUSED) == set()


@pytest.mark.parametrize("missing", ["httptools", "nothing"])
@pytest.mark.real_time
async def test_a_solve_loads_what_it_needs(missing: str) -> None:
    """httpx is not needed to solve; nor is what the program has not asked for."""
    async with serve(Emulator(latency=Latency.fixed(0))) as url:
        backend = "trio" if asyncio_loop() is None else "asyncio"
        found = await anyio.to_thread.run_sync(loaded, SOLVE, url, backend, missing)
    large = {"httpx", "httpcore", "certifi", "cattrs", "h11", "html"}
    assert found & (UNUSED | large) == set()
    assert "captcha_async._transport._direct_lane" in found


OUT_OF_FILES = """
import anyio, os, resource, sys
from captcha_async import CaptchaClient, FixedPolling, Retries, RecaptchaV2Task, TransportError
from captcha_async._transport import _lanes

async def main():
    task = RecaptchaV2Task(website_url="https://example.com", website_key="key")
    at_once = FixedPolling(first=0, interval=2)
    options = {"base_url": sys.argv[1], "polling": at_once, "retries": Retries(attempts=1)}
    async with CaptchaClient("emulator-key", **options) as client:
        await client.solve(task)
        _lanes.FRESH = -1
        least = os.dup(0)
        os.close(least)
        resource.setrlimit(resource.RLIMIT_NOFILE, (least, least))
        try:
            await client.solve(task)
        except TransportError as error:
            assert "Too many open files" in str(error), error
            assert not error.sent
        else:
            raise AssertionError("a lane was opened")

anyio.run(main, backend=sys.argv[2])
"""


@pytest.mark.real_time
async def test_a_failure_is_told_though_no_file_can_be_opened() -> None:
    """What tells of it is there before; modules are files, too."""
    async with serve(Emulator(latency=Latency.fixed(0))) as url:
        backend = "trio" if asyncio_loop() is None else "asyncio"
        await anyio.to_thread.run_sync(loaded, OUT_OF_FILES, url, backend)


@pytest.mark.parametrize(
    ("program", "wanted"),
    [
        (f"{CLIENT}; client.statistics()", "captcha_async._account._statistics"),
        (f"{CLIENT[:-1]}, on_event=print)", "captcha_async._account._account"),
        (f"{CLIENT[:-1]}, journal='captchas.db')", "captcha_async._journal._options"),
        (f"{CLIENT[:-1]}, proxy='http://127.0.0.1:1')", "httpx"),
        ("from captcha_async import TaskSolved", "captcha_async._events"),
        ("from captcha_async import Journal", "captcha_async._journal._options"),
        ("from captcha_async import Statistics", "captcha_async._account._statistics"),
        ("from captcha_async import CallbackStatistics", "captcha_async._callbacks._tally"),
        ("from captcha_async import AccountFacts", "captcha_async.wire._account_facts"),
    ],
)
def test_what_is_asked_for_is_loaded(program: str, wanted: str) -> None:
    """The other side of it."""
    assert wanted in loaded(program)
