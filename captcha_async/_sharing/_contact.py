"""Keeps one member in contact with the store: one exchange a second, plus one when there is need.

A store that does not answer is connected to anew, again and again, until it does.
"""

from __future__ import annotations

import logging
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Protocol

import anyio

from ._messages import Grant, Report
from ._store import Store, StoreRefused, StoreUnreachable

__all__ = ["BEAT", "GOODBYE", "Contact", "Correspondent"]

logger = logging.getLogger("captcha_async")

BEAT = 1.0
SOONEST = 0.01
"""Seconds from one exchange to the next, at least, unless others have to stop."""
RETRY = 0.3
"""Seconds from one try to connect to the next, about."""
GOODBYE = 2.0


class Correspondent(Protocol):
    """Who is in contact."""

    id: str

    def report(self, *, leaving: bool) -> Report:
        """Return what to tell now."""
        ...

    def granted(self, report: Report, grant: Grant, sent: float) -> bool:
        """Take the answer to a report; true if there is more to tell at once."""
        ...

    def message(self, text: str) -> None:
        """Take a message."""
        ...

    async def fetch(self) -> None:
        """Take what messages have told of."""
        ...

    def lost(self, error: StoreUnreachable | StoreRefused) -> None:
        """Note that the store does not answer."""
        ...

    def due(self) -> float:
        """Return the moment until which the next exchange has to be made, at the latest."""
        ...

    async def keep_records(self) -> None:
        """Write and read records, as long as the store answers."""
        ...

    async def hand_over(self) -> None:
        """Give callbacks to others, as long as the store answers."""
        ...

    async def now_and_then(self) -> None:
        """Do what is due about twice a minute, beside the exchanges."""
        ...


class Contact:
    """The exchanges of one member.

    Args:
        store: where it meets the others.
        member: who it is for.
    """

    def __init__(self, store: Store, member: Correspondent) -> None:
        self._store = store
        self._member = member
        # Both are new with each exchange.
        self._kicked = anyio.Event()
        self._urged = anyio.Event()
        self._closing = False
        # Set when it is known whether the store answers.
        self.tried: anyio.Event = anyio.Event()
        self.exchanges: int = 0

    def kick(self, *, at_once: bool = False) -> None:
        """Have an exchange made soon, or *at_once* although the last one was just now."""
        self._kicked.set()
        if at_once:
            self._urged.set()

    @asynccontextmanager
    async def held(self) -> AsyncGenerator[None]:
        """Stay in contact meanwhile; in the end say goodbye, if the store answers soon."""
        ended = anyio.Event()

        async def run() -> None:
            try:
                await self._run()
            except Exception:
                logger.exception("the shared account's contact has ended; it is a fault of ours")
            finally:
                ended.set()

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            try:
                yield
            finally:
                self._closing = True
                self._kicked.set()
                with anyio.move_on_after(GOODBYE, shield=True):
                    await ended.wait()
                group.cancel_scope.cancel()

    async def _run(self) -> None:
        while True:
            failure = await self._connected()
            if failure is not None:
                self._member.lost(failure)
            self.tried.set()
            if self._closing:
                return
            with anyio.move_on_after(RETRY * random.uniform(0.5, 1.5)):
                await self._wait_closing()

    async def _wait_closing(self) -> None:
        while not self._closing:
            await self._kicked.wait()
            if not self._closing:
                # A kick brings nothing while the store does not answer.
                self._kicked = anyio.Event()

    async def _connected(self) -> StoreUnreachable | StoreRefused | None:
        """Work over one connection until it fails, or until closed; return why it failed."""
        failures: list[StoreUnreachable | StoreRefused] = []
        try:
            async with self._store.opened(self._member.id), anyio.create_task_group() as group:

                async def until_failure(work: Callable[[], Awaitable[None]]) -> None:
                    try:
                        await work()
                    except (StoreUnreachable, StoreRefused) as error:
                        failures.append(error)
                    finally:
                        group.cancel_scope.cancel()

                group.start_soon(until_failure, self._exchange_on)
                group.start_soon(until_failure, self._listen)
                group.start_soon(until_failure, self._be_regular)
                group.start_soon(until_failure, self._member.keep_records)
                group.start_soon(until_failure, self._member.hand_over)
        except (StoreUnreachable, StoreRefused) as error:
            failures.append(error)
        except Exception as error:
            # Whatever it was, the account has to be told, and the lease may yet be renewed.
            logger.debug("the contact with the shared account has broken", exc_info=True)
            failures.append(StoreUnreachable(f"the contact has broken ({type(error).__name__})"))
        return failures[0] if failures else None

    async def _exchange_on(self) -> None:
        while True:
            self._kicked, self._urged = anyio.Event(), anyio.Event()
            leaving = self._closing
            report = self._member.report(leaving=leaving)
            sent = anyio.current_time()
            grant = await self._store.exchange(self._member.id, report)
            self.exchanges += 1
            more = self._member.granted(report, grant, sent)
            self.tried.set()
            if leaving:
                return
            if self._closing:
                continue
            with anyio.move_on_after(SOONEST):
                await self._urged.wait()
            if not more:
                await self._pause(sent)

    async def _pause(self, sent: float) -> None:
        """Wait for the next beat, or until something is needed."""
        end = min(sent + BEAT * random.uniform(0.8, 1.0), self._member.due())
        # Not sooner than a clock tick, for a timer may fire early.
        with anyio.move_on_after(max(end - anyio.current_time(), 0.001)):
            await self._kicked.wait()

    async def _listen(self) -> None:
        while True:
            # Also what could not be fetched over the last connection.
            await self._member.fetch()
            for text in await self._store.messages(self._member.id):
                self._member.message(text)

    async def _be_regular(self) -> None:
        seconds = 1.0
        while True:
            await anyio.sleep(seconds * random.uniform(0.8, 1.0))
            await self._member.now_and_then()
            # Who has just begun learns most.
            seconds = min(2 * seconds, 30.0)
