"""The FastAPI application of the docs solves a captcha; the callback comes in at its mount."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

import captcha_async
from captcha_async.emulator import Emulator, Latency, serve
from captcha_async.services import CAPMONSTER, SERVICES

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "callbacks.md"


def documented_app() -> tuple[Any, captcha_async.CallbackReceiver]:
    """Run the block that makes the application."""
    text = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    (source,) = [block for block in blocks if "FastAPI" in block]
    names = {name: getattr(captcha_async, name) for name in captcha_async.__all__}
    exec(compile(source, str(PAGE), "exec"), names)
    return names["app"], names["receiver"]


@pytest.mark.parametrize("anyio_backend", ["asyncio-real"], indirect=True)
async def test_the_application_of_the_docs_is_called_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A request to it waits for the callback, which comes in at the path of the mount."""
    app, receiver = documented_app()
    transport = httpx.ASGITransport(app=app)

    async def deliver(url: str, body: bytes) -> None:
        assert url.startswith("https://crawler.example/captcha/")
        async with httpx.AsyncClient(transport=transport) as http:
            (await http.post(url, content=body)).raise_for_status()

    emulator = Emulator(latency=Latency.fixed(0.1), deliver=deliver)
    monkeypatch.setenv("CAPTCHA_API_KEY", emulator.api_key)
    async with serve(emulator) as url:
        monkeypatch.setitem(SERVICES, "capmonster", CAPMONSTER.evolve(base_url=url))  # type: ignore[arg-type]
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="https://crawler.example") as http,
        ):
            token = (await http.get("/login")).json()
            assert (await http.post("/captcha/unknown", content=b"{}")).status_code == 404
    (task,) = emulator.tasks.values()
    assert token == task.solution["gRecaptchaResponse"]
    assert receiver.statistics().by_callback == 1
    assert emulator.statistics().polls == 0
