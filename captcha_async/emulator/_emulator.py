"""Emulator, the class that users meet: an ASGI app, its script and its record."""

from __future__ import annotations

import logging
import math
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from decimal import Decimal
from types import MappingProxyType, TracebackType
from typing import Self

import anyio
import attrs
from anyio.abc import TaskGroup
from anyio.lowlevel import EventLoopToken, current_token

from .._ref import TaskId
from .._serving._asgi import Receive, Scope, Send
from .._serving._own_task import OwnTask
from ..services import Service
from ._app import read_request, send_reply, wait_for_hang_up
from ._delivery import post
from ._latency import Latency, LatencyModel
from ._ledger import EmulatedTask
from ._orders import Orders
from ._page import is_for_page, serve_page
from ._record import EmulatorStatistics, RecordedRequest, Violation
from ._replies import Posted
from ._service import EmulatedService
from ._settings import Settings, to_money
from ._tokens import IssuedToken, is_for_site

__all__ = ["Deliver", "Emulator"]

Deliver = Callable[[str, bytes], Awaitable[object]]
"""Delivers a callback: called with the callback URL and the body, which is JSON, or a form at
2captcha."""

CALLBACK_TIMEOUT = 2.0
"""Seconds that the receiver of a callback has."""

log = logging.getLogger("captcha_async.emulator")


class Emulator(Orders):
    """A local captcha-solving service: an ASGI app that keeps the protocol and its rules.

    ```python
    emulator = Emulator("capmonster", latency=Latency.fixed(5))
    http = httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator))
    async with emulator, CaptchaClient("emulator-key", http_client=http) as client:
        await client.solve(RecaptchaV2Task(website_url=url, website_key=key))
    assert emulator.violations == []
    ```

    Without `async with` (or the server's lifespan) everything works but callbacks.

    Args:
        service: the profile to play, by name or a `Service`; its limits are enforced.
        api_keys: keys of the account.
        balance: the account's money.
        price: of a solve, or a mapping by task type.
        seed: the same seed gives the same answers and latencies.
        latency: seconds from createTask to ready.
        slots: tasks in flight before ERROR_NO_SLOT_AVAILABLE; None for no limit.
        max_record: requests, violations and finished tasks that are remembered; None for all.
        deliver: what delivers a callback, if not a POST over a socket.

    Orders, such as `fail_with`, are for what it should answer, refuse, break and delay. Their times
    are seconds, a share is from 0 to 1, and `times=None` is for ever.

    Raises:
        InvalidArgument: a value is certainly wrong; orders raise it too.
    """

    def __init__(
        self,
        service: str | Service = "capmonster",
        *,
        api_keys: str | Iterable[str] = ("emulator-key",),
        balance: Decimal | float = Decimal(10),
        price: Mapping[str, Decimal | float] | Decimal | float = Decimal("0.001"),
        seed: int | str = 0,
        latency: LatencyModel = Latency(),  # noqa: B008 (frozen)
        slots: int | None = None,
        max_record: int | None = 100_000,
        deliver: Deliver | None = None,
    ) -> None:
        self._settings = Settings(
            service=service,
            api_keys=api_keys,
            balance=balance,
            price=price,
            seed=seed,
            latency=latency,
            slots=slots,
            max_record=max_record,
        )
        self._state = EmulatedService(self._settings)
        self._deliver = deliver
        # Set while the emulator is entered; callbacks are delivered by it.
        self._task_group: TaskGroup | None = None
        self._running: AbstractAsyncContextManager[Self] | None = None
        # The event loop that serves.
        self._loop: EventLoopToken | None = None

    def __repr__(self) -> str:
        numbers = self._state.statistics()
        return (
            f"<Emulator {self.service.name}: {numbers.requests} requests, {numbers.created} tasks, "
            f"{numbers.processing} in flight, {numbers.violations} violations>"
        )

    @property
    def service(self) -> Service:
        """The profile that is played."""
        return self._settings.service

    @property
    def api_key(self) -> str:
        """A key that is accepted."""
        return self._settings.api_keys[0]

    def reset(self) -> None:
        """Be as new: forget the record, script, tasks and bans, and restore the balance."""
        self._state = EmulatedService(self._settings)

    # -- what happened ----------------------------------------------------------------------------

    @property
    def balance(self) -> Decimal:
        """The account's money; it can be set."""
        return self._settled().ledger.balance

    @balance.setter
    def balance(self, balance: Decimal | float) -> None:
        self._settled().ledger.balance = to_money("balance", balance)

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request in the order of arrival."""
        return list(self._state.requests)

    def requests_to(self, method: str) -> list[RecordedRequest]:
        """The requests of one method, such as `createTask`."""
        return [request for request in self._state.requests if request.method == method]

    @property
    def tasks(self) -> Mapping[TaskId, EmulatedTask]:
        """The tasks by id, in the order of creation; a view that can only be read."""
        return MappingProxyType(self._settled().ledger.tasks)

    @property
    def violations(self) -> list[Violation]:
        """Every call that broke a rule of the service."""
        return list(self._state.violations)

    def issued(self, token: str) -> IssuedToken | None:
        """Return for which page a token was issued, and whether a site would take it now.

        None if it was not issued. Sites have it verified by a POST of `secret` and `response` to
        the path `/siteverify`, as a form or as JSON: `{"success": true, "hostname": …}`, or
        `{"success": false, "error-codes": […]}`. Any secret will do, and each token is good once.
        """
        now = self._now()
        state = self._state
        return state.tokens.find(token, state.now if now is None else now)

    def statistics(self) -> EmulatorStatistics:
        """Return the numbers so far."""
        return self._settled().statistics()

    def _settled(self) -> EmulatedService:
        """Return the state as of now; elsewhere than in its event loop, as of the last request."""
        now = self._now()
        if now is not None:
            self._state.ledger.settle(now)
        return self._state

    def _now(self) -> float | None:
        """Return the moment on the clock of the event loop that serves; None elsewhere."""
        try:
            token, now = current_token(), anyio.current_time()
        except RuntimeError:
            return None
        # Another loop, such as a test's whose service runs in a thread, may have another clock.
        return now if self._loop in (None, token) else None

    # -- running ----------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        if self._running is not None:
            raise RuntimeError("this Emulator is running already")
        self._running = OwnTask(self._run(), "the emulator")
        try:
            return await self._running.__aenter__()
        except BaseException:
            self._running = None
            raise

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> bool | None:
        if self._running is None:
            raise RuntimeError("this Emulator is not running")
        running, self._running = self._running, None
        return await running.__aexit__(exc_type, exc_value, traceback)

    @asynccontextmanager
    async def _run(self) -> AsyncGenerator[Self]:
        try:
            async with anyio.create_task_group() as self._task_group:
                yield self
                self._task_group.cancel_scope.cancel()
        finally:
            self._task_group = None

    def running(self) -> AbstractAsyncContextManager[object]:
        """Return a context in which callbacks are delivered, also if that is so already."""
        return self if self._running is None else nullcontext()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, or the server's lifespan."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http" and is_for_page(scope):
            served = self._task_group
            await serve_page(
                scope, receive, send, lambda: self._state, lambda: self._task_group is served
            )
        elif scope["type"] == "http":
            await self._respond(scope, receive, send)
        else:
            raise ValueError(f"the emulator speaks http, not {scope['type']}")

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self.running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _respond(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = await read_request(scope, receive)
        if request is None:
            return
        self._loop = current_token()
        state = self._state
        if is_for_site(request.path):
            state.now = anyio.current_time()
            await send_reply(send, state.tokens.verify(request, state.now))
            return
        created = state.ledger.created
        exchange = state.handle(request, anyio.current_time())
        if exchange.task is not None and state.ledger.created > created:
            await self._promise_callback(state, exchange.task)
        reply = exchange.reply
        if reply.delay:
            await anyio.sleep(reply.delay)
        if reply.status is None:
            await wait_for_hang_up(receive)
        else:
            await send_reply(send, reply)

    # -- callbacks --------------------------------------------------------------------------------

    async def _promise_callback(self, state: EmulatedService, task: EmulatedTask) -> None:
        # A task that never ends calls nobody back.
        if task.callback_url is None or math.isinf(task.ready_at) or task.callback.dropped:
            return
        if self._task_group is not None:
            if task.callback.early:
                await self._call_back(state, task, task.callback_url)
            else:
                self._task_group.start_soon(self._call_back, state, task, task.callback_url)
        elif not state.warned:
            state.warned = True
            log.warning("callbacks are skipped: they need `async with emulator`, or a lifespan")

    async def _call_back(self, state: EmulatedService, task: EmulatedTask, url: str) -> None:
        plan = task.callback
        await anyio.sleep_until(task.ready_at)
        # The sleep may end a rounding error too early.
        state.ledger.settle(max(anyio.current_time(), task.ready_at))
        posted = state.replies.posted(task)
        if plan.body is not None:
            posted = attrs.evolve(posted, body=plan.body)
        await anyio.sleep(plan.delay)
        if state is not self._state:
            return
        task.called_back = False
        for _ in range(plan.times):
            await self._deliver_in_time(task, url, posted)
        if task.called_back:
            state.callbacks += 1
        else:
            state.callbacks_failed += 1

    async def _deliver_in_time(self, task: EmulatedTask, url: str, posted: Posted) -> None:
        try:
            with anyio.move_on_after(CALLBACK_TIMEOUT):
                if self._deliver is None:
                    await post(url, posted.body, content_type=posted.content_type)
                else:
                    await self._deliver(url, posted.body)
                task.called_back = True
        except Exception as error:
            # The URL holds the receiver's secret: only the kind of error is told.
            log.info("callback of task %s failed: %s", task.task_id, type(error).__name__)
