"""Calls the emulator in-process, the way a service's documentation shows it."""

from __future__ import annotations

import base64
from typing import Any

import anyio
import httpx
import orjson

from captcha_async.emulator import Emulator

RECAPTCHA = {"type": "RecaptchaV2Task", "websiteURL": "https://example.com/", "websiteKey": "6Lc"}
IMAGE = {"type": "ImageToTextTask", "body": base64.b64encode(b"\x89PNG" + bytes(200)).decode()}


class Caller:
    """One caller of an emulator; replies are httpx's."""

    def __init__(self, emulator: Emulator, base_url: str | None = None) -> None:
        self.key = emulator.api_key
        transport = None if base_url else httpx.ASGITransport(app=emulator)
        self.http = httpx.AsyncClient(
            transport=transport, base_url=base_url or "http://service.example", trust_env=False
        )

    async def call(self, method: str, **fields: Any) -> httpx.Response:
        """Call a method with the account's key, or with another one."""
        return await self.http.post(f"/{method}", json={"clientKey": self.key, **fields})

    async def create(self, task: Any = RECAPTCHA, **fields: Any) -> Any:
        """Create a task and return its id."""
        reply = (await self.call("createTask", task=task, **fields)).json()
        assert reply["errorId"] == 0, reply
        return reply["taskId"]

    async def poll(self, task_id: Any, **fields: Any) -> Any:
        """Return the JSON of one getTaskResult."""
        return (await self.call("getTaskResult", taskId=task_id, **fields)).json()

    async def code(self, method: str, **fields: Any) -> str | None:
        """Return the errorCode of a call."""
        code: str | None = (await self.call(method, **fields)).json()["errorCode"]
        return code


class Deliveries:
    """Takes callbacks in place of a receiver."""

    def __init__(self, seconds: float = 0.0, error: Exception | None = None) -> None:
        self.seconds = seconds
        self.error = error
        self.seen: list[tuple[str, object, float]] = []

    async def __call__(self, url: str, body: bytes) -> None:
        self.seen.append((url, orjson.loads(body), anyio.current_time()))
        await anyio.sleep(self.seconds)
        if self.error is not None:
            raise self.error
