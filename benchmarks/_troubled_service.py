"""An emulated service in a thread of its own, which makes trouble and can be restarted."""

from __future__ import annotations

import random
from contextlib import AbstractContextManager

from anyio.from_thread import BlockingPortal

from captcha_async import CAPMONSTER, TaskId
from captcha_async.emulator import Emulator, Latency, serve

__all__ = ["GAP", "TroubledService"]

GAP = 0.05
"""Seconds between two polls of a task."""
REMEMBERED = 3_000
"""Requests and finished tasks that the service remembers: more than of one session."""


class TroubledService:
    """The service.

    Args:
        portal: to the event loop that it runs in.
    """

    def __init__(self, portal: BlockingPortal) -> None:
        service = CAPMONSTER.evolve(min_poll_gap=GAP, ban_window=0.2)
        latency = Latency(median=0.4, sigma=0.6)
        self.emulator = Emulator(service, balance=1e9, latency=latency, max_record=REMEMBERED)
        self.restarts = 0
        self._portal = portal
        self._port = 0
        self._server: AbstractContextManager[str] | None = None

    def __enter__(self) -> TroubledService:
        self._server = self._portal.wrap_async_context_manager(
            serve(self.emulator, port=self._port)
        )
        self.url = self._server.__enter__()
        self._port = int(self.url.rpartition(":")[2])
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.__exit__(None, None, None)

    def restart(self) -> None:
        """Go down, cutting off what hangs, and come up again at the same address."""
        self.__exit__()
        self.__enter__()
        self.restarts += 1

    def created(self) -> set[TaskId]:
        """Return the tasks that are remembered."""
        return self._portal.call(lambda: set(self.emulator.tasks))

    def make_trouble(self, chance: random.Random) -> bool:
        """Let some requests go wrong; tells whether the address is banned."""
        return self._portal.call(self._make_trouble, chance)

    def _make_trouble(self, chance: random.Random) -> bool:
        emulator, kind = self.emulator, chance.randrange(8)
        method = chance.choice(["createTask", "getTaskResult"])
        if kind < 3:
            status = chance.choice([200, 429, 500, 502, 503])
            effect = status != 429 and chance.random() < 0.5
            emulator.break_http(method, status=status, body=b"<html>", effect=effect)
        elif kind == 3:
            emulator.hang(method, effect=chance.random() < 0.5)
        elif kind == 4:
            emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=3)
        elif kind == 5:
            emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=2)
        elif kind == 6:
            emulator.answer_at_once(times=1)
        else:
            emulator.refuse("ERROR_IP_BANNED", method, times=1)
        return kind == 7
