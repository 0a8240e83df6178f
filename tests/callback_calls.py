"""Services in miniature: they post callbacks to a receiver in the same process."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any

import httpx
from local import joined

from captcha_async import CallbackReceiver, CaptchaClient
from captcha_async._serving._asgi import Message
from captcha_async.emulator import Emulator, Latency

PUBLIC = "https://crawler.example/captcha"
READY = {"errorId": 0, "status": "ready", "solution": {"gRecaptchaResponse": "03AGdBq2"}}


class Poster:
    """Posts to a receiver; called as an emulator calls what delivers its callbacks."""

    def __init__(self, receiver: CallbackReceiver) -> None:
        self.receiver = receiver
        self.urls: list[str] = []
        self.statuses: list[int] = []

    async def __call__(self, url: str, body: bytes) -> None:
        self.urls.append(url)
        self.statuses.append((await self.send(url, content=body)).status_code)

    async def send(self, url: str, method: str = "POST", **request: Any) -> httpx.Response:
        """Send one request."""
        transport = httpx.ASGITransport(app=self.receiver)
        async with httpx.AsyncClient(transport=transport) as http:
            return await http.request(method, url, **request)


async def call(
    receiver: CallbackReceiver,
    path: str,
    messages: Iterable[Message] = (),
    **scope: Any,
) -> int | None:
    """Call the app with a body in these *messages*, and return the status."""
    waiting = iter(messages)
    statuses: list[int] = []

    async def receive() -> Message:
        return next(waiting)

    async def send(message: Message) -> None:
        statuses.extend([message["status"]] if "status" in message else [])

    asked = {"type": "http", "method": "POST", "path": path, "query_string": b"", "headers": []}
    await receiver({**asked, **scope}, receive, send)
    return statuses[0] if statuses else None


@asynccontextmanager
async def called_back(
    order: Callable[[Emulator], object] | None = None,
    *,
    verify: bool = False,
    seconds: float = 5.0,
    latency: Latency | None = None,
    emulator: Emulator | None = None,
    **options: Any,
) -> AsyncIterator[tuple[CaptchaClient, Emulator, Poster]]:
    """Open a client whose service calls back, once *order* has been given to it."""
    receiver = CallbackReceiver(PUBLIC, verify=verify)
    poster = Poster(receiver)
    if emulator is None:
        emulator = Emulator(latency=latency or Latency.fixed(seconds), deliver=poster)
    if order is not None:
        order(emulator)
    async with joined(emulator, callbacks=receiver, **options) as client:
        yield client, emulator, poster
    # Whatever happened: nothing is awaited any more, and no rule of the service was broken.
    assert receiver.statistics().waiting == 0
    assert emulator.violations == []
