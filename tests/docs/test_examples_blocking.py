"""The examples for programs that are not async: threads, processes, Celery, and FastAPI."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from local import TOKEN_TASK

from captcha_async._transport._in_process import in_process
from captcha_async.emulator import Emulator, Latency, serve
from examples.threads import blocking_client

ROOT = Path(__file__).parents[2]


@pytest.fixture
def emulator(monkeypatch: pytest.MonkeyPatch) -> Generator[Emulator]:
    """Serve a local service, and let the environment name it."""
    emulator = Emulator(latency=Latency.fixed(0))
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(emulator)) as url,
    ):
        monkeypatch.setenv("CAPTCHA_API_KEY", emulator.api_key)
        monkeypatch.setenv("CAPTCHA_BASE_URL", url)
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        yield emulator
    assert emulator.violations == []


def test_threads_share_one_client(emulator: Emulator) -> None:
    """Each gets an answer of its own."""
    with blocking_client() as solve, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(solve, [TOKEN_TASK] * 16))
    assert len({solved.solution.token for solved in answers}) == 16


def test_each_process_has_a_client(emulator: Emulator) -> None:
    """All answers come back, and every process ends by itself."""
    command = [sys.executable, "-m", "examples.processes", "6"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=50
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "6\n", "")
    assert emulator.statistics().created == 6


def test_a_celery_worker_has_a_client(emulator: Emulator) -> None:
    """Opened and closed by the worker's signals; a failed solve is tried again."""
    pytest.importorskip("celery")
    from examples import celery_tasks

    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    celery_tasks.worker_process_init.send(sender=None)
    try:
        task: Any = celery_tasks.solve
        result = task.apply(args=("https://example.com", "key"))
        assert emulator.issued(result.get()) is not None
    finally:
        celery_tasks.worker_process_shutdown.send(sender=None)
    assert emulator.statistics().created == 2


async def test_an_application_holds_one_client() -> None:
    """Its lifespan opens and closes it; a failure is told with 503."""
    pytest.importorskip("fastapi")
    from examples.fastapi_dependency import create_app

    emulator = Emulator(latency=Latency.fixed(5))
    app = create_app(
        api_key=emulator.api_key, service=emulator.service, http_client=in_process(emulator)
    )
    transport = httpx.ASGITransport(app=app)
    asked = {"website_url": "https://example.com", "website_key": "key"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://app") as http,
    ):
        found = await http.get("/token", params=asked)
        assert found.status_code == 200
        wrong = await http.get("/token", params={**asked, "website_url": "example.com"})
        assert wrong.status_code == 422
        assert "website_url" in wrong.text
        assert emulator.issued(found.json()) is not None
        emulator.refuse("ERROR_ZERO_BALANCE")
        refused = await http.get("/token", params=asked)
        assert refused.status_code == 503
        client = app.state.captcha
    assert emulator.api_key not in refused.text
    with pytest.raises(Exception, match="closed"):
        await client.solve(TOKEN_TASK)
