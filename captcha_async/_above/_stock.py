"""Stock: tokens in advance, for those who cannot wait when they need one.

The block of `async with` owns a task group. In it one keeper looks what is missing on each shelf
and buys it, whenever a token was asked for, has arrived or is about to expire.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import AsyncGenerator, Iterable
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any, Generic, Self, TypeVar

import anyio
import attrs
from anyio import AsyncContextManagerMixin
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from .._checks import check_timeout
from .._outcome import Solved
from .._solving._books import outcome_of
from .._solving._group import single
from .._solving._solve import EVER, Solve
from .._solving._solver import Solver
from ..errors import CaptchaError, ClientClosed, QueueTimeout, invalid
from ..tasks._model import Solution
from ._plan import StockPlan, keyed_tasks
from ._shelf import Shelf, Waiter

__all__ = ["Stock", "StockStatistics"]

S = TypeVar("S", bound=Solution)

logger = logging.getLogger("captcha_async")


@attrs.frozen(kw_only=True)
class StockStatistics:
    """What a stock has done so far."""

    ready: int
    """Tokens that can be taken now."""
    on_the_way: int
    """Tokens that are being solved."""
    waiting: int
    """Callers of `get` that wait."""
    target: int
    """How many should be ready or on their way, as recent demand tells."""
    bought: int
    """Tokens that came."""
    asked: int
    """Calls of `get`."""
    at_once: int
    """Of these, answered without a wait."""
    wasted: int
    """Tokens that expired unused."""
    wasted_cost: Decimal
    """What those have cost, as far as the service told."""


class Stock(AsyncContextManagerMixin, Generic[S]):
    """Tokens in advance: `await tokens.get()` inside of its `async with`.

    Made by `CaptchaClient.stock`. Leaving the block ends the buying; every token that was paid for
    and not taken is in `client.orphans`.
    """

    def __init__(self, solver: Solver, tasks: Any, plan: StockPlan) -> None:
        self._solver = solver
        plan.check()
        keyed = keyed_tasks(tasks)
        for task in keyed.values():
            solver.seats.check(task)
        self._shelves = {
            key: Shelf(task, plan, solver.books, solver.seats) for key, task in keyed.items()
        }
        # Set, and replaced, when the keeper has to look.
        self._news = anyio.Event()
        # `open` from the block's beginning to its end.
        self._state = "new"

    def __repr__(self) -> str:
        counts = self.statistics()
        return f"<Stock: {counts.ready} ready, {counts.on_the_way} on the way>"

    def statistics(self) -> StockStatistics:
        """Return the numbers of now, of all its tasks together."""
        shelves = self._shelves.values()
        now = anyio.current_time() if self._state == "open" else 0.0
        return StockStatistics(
            ready=_sum(shelf.ready for shelf in shelves),
            on_the_way=_sum(shelf.on_the_way for shelf in shelves),
            waiting=_sum(len(shelf.waiters) for shelf in shelves),
            target=_sum(shelf.target(now) for shelf in shelves),
            bought=_sum(shelf.bought for shelf in shelves),
            asked=_sum(shelf.asked for shelf in shelves),
            at_once=_sum(shelf.at_once for shelf in shelves),
            wasted=_sum(shelf.wasted for shelf in shelves),
            wasted_cost=sum((shelf.wasted_cost for shelf in shelves), Decimal(0)),
        )

    # -- its block --------------------------------------------------------------------------------

    @asynccontextmanager
    async def __asynccontextmanager__(self) -> AsyncGenerator[Self, None]:
        if self._state != "new":
            raise RuntimeError("a stock can be entered once; call client.stock(...) again")
        self._solver.seats.enter()
        self._state = "open"
        for shelf in self._shelves.values():
            shelf.open(anyio.current_time())
        error: BaseException | None = None
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(self._keep, group)
                try:
                    yield self
                except anyio.get_cancelled_exc_class():
                    raise
                except BaseException as caught:
                    # Raised below, outside of the group, which would wrap it in an ExceptionGroup.
                    error = caught
                finally:
                    self._state = "closed"
                    group.cancel_scope.cancel()
        except BaseExceptionGroup as several:
            error = error or single(several)
        finally:
            self._close()
        if error is not None:
            raise error

    def _close(self) -> None:
        """Keep the tokens that nobody has taken, and let nobody wait for others."""
        self._state = "closed"
        for shelf in self._shelves.values():
            for solve in shelf.clear():
                self._solver.books.kept(solve)
            shelf.turn_away(ClientClosed("The stock is closed: its block was left."))

    # -- taken ------------------------------------------------------------------------------------

    async def get(self, key: Any = None, *, timeout: float | None = None) -> Solved[S]:
        """Return a token: at once if one is ready, else when the next one comes.

        It can be used for at least the margin's seconds. One that is not ready is bought at once,
        as by `solve`; if that fails, so does this.

        Args:
            key: of several tasks, which one's.
            timeout: seconds to wait; without it as long as the solving takes.

        Raises:
            InvalidArgument: the stock has no such key.
            QueueTimeout: none came in time; the one that is on its way goes to the next caller.
            ClientClosed: the stock is closed.
            CaptchaError: none could be bought.
        """
        check_timeout(timeout)
        shelf = self._shelf_of(key)
        await checkpoint()
        solve = shelf.ask(anyio.current_time())
        if solve is None:
            solve = await self._wait(shelf, timeout)
        self._look()
        self._solver.books.taken(solve)
        return outcome_of(solve)

    def _shelf_of(self, key: Any) -> Shelf:
        if self._state == "new":
            raise RuntimeError(
                "a stock is opened first: `async with client.stock(task) as tokens:` and inside of "
                "it `await tokens.get()`"
            )
        if self._state == "closed":
            raise ClientClosed("The stock is closed: its block was left.")
        shelf = self._shelves.get(key)
        if shelf is None:
            known = ", ".join(map(repr, self._shelves))
            raise invalid("key", key, f"one of the stock's: {known[:200]}")
        return shelf

    async def _wait(self, shelf: Shelf, timeout: float | None) -> Solve:
        waiter = Waiter()
        shelf.waiters[waiter] = None
        self._look()
        try:
            with anyio.CancelScope(deadline=_deadline(timeout)):
                await waiter.event.wait()
        except BaseException:
            if waiter.solve is not None:
                self._give_back(shelf, waiter.solve)
            raise
        finally:
            shelf.waiters.pop(waiter, None)
        if waiter.solve is not None:
            return waiter.solve
        if waiter.error is not None:
            raise copy.copy(waiter.error) from waiter.error
        raise QueueTimeout(
            f"No token came within {timeout:g} s; the one that is on its way is for the next "
            "caller: allow more time, or keep more ready."
        )

    def _give_back(self, shelf: Shelf, solve: Solve) -> None:
        """Lay a token down that its receiver could not take."""
        if self._state == "open":
            shelf.put(solve)
        else:
            self._solver.books.kept(solve)

    # -- bought -----------------------------------------------------------------------------------

    def _look(self) -> None:
        """Have the keeper look what is missing."""
        self._news.set()

    async def _keep(self, group: TaskGroup) -> None:
        """Buy what is missing, until cancelled."""
        while True:
            self._news = anyio.Event()
            now = anyio.current_time()
            for shelf in self._shelves.values():
                for _ in range(shelf.missing(now)):
                    shelf.on_the_way += 1
                    group.start_soon(self._buy, shelf)
            next_look = min(shelf.next_look(now) for shelf in self._shelves.values())
            with anyio.CancelScope(deadline=next_look):
                await self._news.wait()

    async def _buy(self, shelf: Shelf) -> None:
        """Buy one token."""
        try:
            solve = await self._solver.answer(self._solver.make(shelf.task, wants_slot=True))
        except CaptchaError as error:
            shelf.on_the_way -= 1
            shelf.failed(error, anyio.current_time())
            logger.info("No token for the stock: %s", error)
        except BaseException:
            shelf.on_the_way -= 1
            raise
        else:
            shelf.on_the_way -= 1
            shelf.arrived(solve)
        self._look()


def _sum(numbers: Iterable[int]) -> int:
    return sum(numbers)


def _deadline(timeout: float | None) -> float:
    return EVER if timeout is None else anyio.current_time() + timeout
