"""Emulator, the class that users meet: an ASGI app, its script and its record."""

from __future__ import annotations

import logging
import math
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager, nullcontext
from decimal import Decimal
from types import MappingProxyType, TracebackType
from typing import Any, Self

import anyio
import attrs
import orjson
from anyio.abc import TaskGroup
from anyio.lowlevel import EventLoopToken, current_token

from .._ref import TaskId
from .._serving._asgi import Receive, Scope, Send
from .._serving._own_task import OwnTask
from ..errors import InvalidArgument, invalid
from ..services import Service
from ._app import read_request, send_reply, wait_for_hang_up
from ._delivery import post
from ._latency import Latency, LatencyModel, check_seconds, check_share
from ._ledger import EmulatedTask
from ._page import is_for_page, serve_page
from ._record import EmulatorStatistics, RecordedRequest, Violation
from ._replies import Posted
from ._script import AtOnce, Delay, Fault, Outcome, Refusal, Rule
from ._script_file import naming, read_script
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


class Emulator:
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

    # -- orders -----------------------------------------------------------------------------------
    #
    # Of several orders that fit, those with a number of times go first, in the order in which they
    # were given; else the newest one counts. A `task_type` is a wire type, the library's name for
    # it, or a CustomTask's class, in any letter case.

    def load_script(self, path: str | os.PathLike[str]) -> None:
        """Give the orders that a TOML or JSON file lists, one after the other.

        Raises:
            InvalidArgument: the message names the file, the order, the field, its value and the
                rule; the orders before it are in force.
            OSError: the file cannot be read.
        """
        for order in read_script(path):
            try:
                getattr(self, order.method)(**order.arguments)
            except InvalidArgument as error:
                raise naming(order.where, error) from None

    def answer_with(
        self,
        solution: Mapping[str, Any],
        task_type: str | None = None,
        *,
        times: int | None = None,
        after: float | None = None,
    ) -> None:
        """Let new tasks end with this solution, *after* so many seconds (`math.inf`: never).

        Raises:
            InvalidArgument: the solution is no JSON object, or another value is wrong.
        """
        try:
            solution = dict(solution)
            orjson.dumps(solution)
        except (TypeError, ValueError):
            raise invalid("solution", solution, "a JSON object", show=False) from None
        self._order(Outcome(solution=solution, task_type=task_type, times=times, after=after))

    def fail_with(
        self,
        code: str,
        task_type: str | None = None,
        *,
        times: int | None = None,
        after: float | None = None,
    ) -> None:
        """Let new tasks end with an error, which getTaskResult tells; they are not charged."""
        self._order(Outcome(code=code, task_type=task_type, times=times, after=after))

    def answer_at_once(self, task_type: str | None = None, *, times: int | None = None) -> None:
        """Let createTask itself reply with the solution."""
        self._order(AtOnce(task_type=task_type, times=times))

    def refuse(
        self,
        code: str,
        method: str = "createTask",
        *,
        task_type: str | None = None,
        times: int | None = None,
        http_status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        """Let a method reply with an error and do nothing."""
        self._order(
            Refusal(
                code=code,
                method=method,
                task_type=task_type,
                times=times,
                http_status=http_status,
                retry_after=retry_after,
            )
        )

    def break_http(
        self,
        method: str | None = None,
        *,
        times: int | None = 1,
        status: int = 503,
        body: bytes = b"",
        headers: Iterable[tuple[str, str]] = (),
        effect: bool = False,
    ) -> None:
        """Send this in place of the reply; with *effect* the request is carried out nevertheless.

        A poll is counted in any case.
        """
        self._order(
            Fault(
                method=method,
                times=times,
                status=status,
                body=bytes(body),
                headers=tuple(headers),
                effect=effect,
            )
        )

    def hang(
        self, method: str | None = None, *, times: int | None = 1, effect: bool = False
    ) -> None:
        """Send no reply until the caller goes away; *effect* as for `break_http`."""
        self._order(Fault(method=method, times=times, effect=effect))

    def delay(self, seconds: float, method: str | None = None, *, times: int | None = None) -> None:
        """Send the reply later; the request has its effect on arrival."""
        check_seconds("seconds", seconds)
        self._order(Delay(seconds=seconds, method=method, times=times))

    # -- callbacks: an order holds for new tasks, and replaces the one before of its kind ---------

    def drop_callbacks(self, share: float = 1.0) -> None:
        """Never deliver this share of the callbacks."""
        self._state.callback_faults.dropped = check_share(share)

    def delay_callbacks(self, seconds: float, share: float = 1.0) -> None:
        """Deliver this share of the callbacks so many seconds after the task is ready."""
        check_seconds("seconds", seconds)
        self._state.callback_faults.delay = (seconds, check_share(share))

    def repeat_callbacks(self, times: int = 2, share: float = 1.0) -> None:
        """Deliver this share of the callbacks so many *times*, one right after the other.

        Raises:
            InvalidArgument: *times* is less than 1, or the share is not from 0 to 1.
        """
        if type(times) is not int or times < 1:
            raise invalid("times", times, "a whole number of at least 1")
        self._state.callback_faults.times = (times, check_share(share))

    def call_back_before_reply(self, share: float = 1.0) -> None:
        """Let this share of new tasks be ready at once, and call back before createTask's reply."""
        self._state.callback_faults.early = check_share(share)

    def spoil_callbacks(self, body: bytes = b"<html>", share: float = 1.0) -> None:
        """Send this body in place of the result with this share of the callbacks."""
        self._state.callback_faults.body = (bytes(body), check_share(share))

    def refuse_callbacks(self, code: str | None = "ERROR_SERVICE_NOT_AVAILABLE") -> None:
        """Refuse tasks that have a callback URL; None takes them again."""
        self._state.callback_faults.refusal = code

    def _order(self, rule: Rule) -> None:
        if rule.method is not None and rule.method not in self._state.methods:
            names = ", ".join(sorted(self._state.methods))
            raise invalid("method", rule.method, f"one of {names}")
        if rule.times is not None and rule.times < 1:
            raise invalid("times", rule.times, "1 or more, or None for ever")
        if isinstance(rule, Outcome) and rule.after is not None:
            check_seconds("after", rule.after)
        self._state.script.add(rule)
