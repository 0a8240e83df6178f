"""Several processes with one account, played by clients of one event loop.

Each has its own way to a store in memory. One that is killed loses it, and its client does no more.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import httpx
import pytest
from local import KEY, TOKEN_TASK
from sharing_views import View

from captcha_async import Account, CaptchaClient, Solved
from captcha_async._sharing import _open
from captcha_async._sharing._memory import MemoryStore
from captcha_async.emulator import Emulator

__all__ = ["Fleet", "fleet", "jobs", "run", "tokens"]


class Fleet:
    """Processes with one account at one emulator."""

    def __init__(self, emulator: Emulator, http_client: httpx.AsyncClient) -> None:
        self.emulator = emulator
        self.place = MemoryStore()
        self._http_client = http_client
        self._stack = AsyncExitStack()
        self.views: dict[CaptchaClient, View] = {}

    async def start(self, **options: Any) -> CaptchaClient:
        """Start one more process."""
        view = View(self.place)
        limits = options.pop("limits", None)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(_open, "make_store", lambda share, name: view)
            account = Account(
                KEY,
                service=self.emulator.service,
                http_client=self._http_client,
                limits=limits,
                share="account.db",
            )
        client = CaptchaClient(account=account, **options)
        self.views[client] = view
        return await self._stack.enter_async_context(client)

    def kill(self, client: CaptchaClient) -> None:
        """Let nothing of a process reach the store any more."""
        self.views[client].away = True

    @property
    def paid(self) -> int:
        """Tasks that were paid for."""
        return len(self.emulator.tasks)


@asynccontextmanager
async def fleet(emulator: Emulator) -> AsyncIterator[Fleet]:
    """Processes, to be started."""
    transport = httpx.ASGITransport(app=emulator)
    async with emulator, httpx.AsyncClient(transport=transport) as http_client:
        made = Fleet(emulator, http_client)
        async with made._stack:
            yield made
        assert emulator.violations == []


def jobs(count: int = 5) -> dict[str, Any]:
    """Tasks with keys."""
    return {
        f"page {number}": TOKEN_TASK.evolve(website_url=f"https://example.com/{number}")
        for number in range(count)
    }


async def run(client: CaptchaClient, tasks: Any, **options: Any) -> dict[Any, Any]:
    """Run a batch, and return its outcomes by key."""
    found: dict[Any, Any] = {}
    async with client.batch(tasks, resume=True, **options) as outcomes:
        async for outcome in outcomes:
            found[outcome.key] = outcome
    return found


def tokens(outcomes: dict[Any, Any]) -> dict[Any, str]:
    """The token of each key."""
    assert all(isinstance(outcome, Solved) for outcome in outcomes.values()), outcomes
    return {key: outcome.solution.token for key, outcome in outcomes.items()}
