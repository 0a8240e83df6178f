"""A client joined to an emulator in the same process, and what tests ask of both."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx

from captcha_async import Account, CaptchaClient, ImageToTextTask, RecaptchaV2Task
from captcha_async.emulator import Emulator

KEY = "emulator-key"
TOKEN_TASK = RecaptchaV2Task(website_url="https://example.com/login", website_key="6Lc-key")
IMAGE_TASK = ImageToTextTask(b"\x89PNG" + bytes(200))


@asynccontextmanager
async def joined(
    emulator: Emulator, *, api_key: str = KEY, **options: Any
) -> AsyncIterator[CaptchaClient]:
    """Open a client of *emulator*, in-process, with the emulator's own profile."""
    options.setdefault("service", emulator.service)
    transport = httpx.ASGITransport(app=emulator)
    async with (
        emulator,
        httpx.AsyncClient(transport=transport) as http_client,
        CaptchaClient(api_key, http_client=http_client, **options) as client,
    ):
        yield client


@asynccontextmanager
async def answered_by(
    handler: Callable[[httpx.Request], Any], **options: Any
) -> AsyncIterator[CaptchaClient]:
    """Open a client whose requests *handler* answers, for replies that no service should send."""
    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http_client,
        CaptchaClient(KEY, http_client=http_client, **options) as client,
    ):
        yield client


@asynccontextmanager
async def several(
    *emulators: Emulator, accounts: Sequence[dict[str, Any]] = (), **options: Any
) -> AsyncIterator[CaptchaClient]:
    """Open a client with an account at each of the emulators, the first one preferred.

    Args:
        emulators: the services.
        accounts: further settings of each account, in the same order.
        options: the client's.
    """
    settings = [*accounts, *[{}] * (len(emulators) - len(accounts))]
    async with AsyncExitStack() as stack:
        made: list[Account] = []
        for emulator, own in zip(emulators, settings, strict=True):
            await stack.enter_async_context(emulator)
            transport = own.pop("transport", None) or httpx.ASGITransport(app=emulator)
            http = await stack.enter_async_context(httpx.AsyncClient(transport=transport))
            key = own.pop("api_key", emulator.api_key)
            made.append(Account(key, service=emulator.service, http_client=http, **own))
        yield await stack.enter_async_context(CaptchaClient(accounts=made, **options))
