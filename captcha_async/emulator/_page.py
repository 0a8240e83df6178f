"""The live page: what comes in, as it comes, at `/` of the emulator; requests of its own count not.

The page is one document without anything beside it; the news come as server-sent events. Each
answer is whole: it waits until there is something new, and the browser asks for what comes after.
So a server that does not stream will do, and no open answer holds up its end.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any

import anyio
import orjson

from .._serving._asgi import Receive, Scope, Send
from ._app import send_reply, wait_for_hang_up
from ._dialect import CREATE_TASK, GET_TASK_RESULT
from ._ledger import EmulatedTask
from ._page_html import PAGE
from ._record import RecordedRequest
from ._replies import Reply
from ._service import EmulatedService

__all__ = ["EVENTS", "is_for_page", "serve_page"]

EVENTS = "/_events"
EVERY = 0.25
"""Seconds between two looks."""
LONGEST = 10.0
"""Seconds after which an answer comes although nothing is new."""
RETRY = 100
"""Milliseconds after which the browser asks for more."""
MOST_REQUESTS = 400
"""Requests that are told at once; of more the last ones."""
MOST_TASKS = 80
"""Tasks whose state is told, the youngest."""

HTML = (("content-type", "text/html; charset=utf-8"), ("cache-control", "no-store"))
STREAM = (("content-type", "text/event-stream"), ("cache-control", "no-store"))


def is_for_page(scope: Scope) -> bool:
    """Tell whether a request is a browser's that wants the page, or its news."""
    path = scope["path"].removeprefix(scope.get("root_path", ""))
    return scope["method"] == "GET" and path in ("", "/", EVENTS)


async def serve_page(
    scope: Scope,
    receive: Receive,
    send: Send,
    state: Callable[[], EmulatedService],
    goes_on: Callable[[], bool],
) -> None:
    """Serve the page, or its news as soon as there are any.

    Args:
        scope: as in ASGI.
        receive: as in ASGI.
        send: as in ASGI.
        state: returns the emulated service of now; `reset` makes another one.
        goes_on: tells whether the emulator is still served.
    """
    if not scope["path"].endswith(EVENTS):
        await send_reply(send, Reply(200, PAGE.encode(), HTML))
        return
    async with anyio.create_task_group() as group:
        group.start_soon(_hang_up, receive, group.cancel_scope)
        body = await _wait_for_news(_last_seen(scope), state, goes_on)
        await send_reply(send, Reply(200, body, STREAM))
        group.cancel_scope.cancel()


async def _hang_up(receive: Receive, scope: anyio.CancelScope) -> None:
    await wait_for_hang_up(receive)
    scope.cancel()


def _last_seen(scope: Scope) -> str:
    """Return the mark of what the reader has, as its browser sends it."""
    headers = {name.lower(): value for name, value in scope["headers"]}
    return bytes(headers.get(b"last-event-id", b"")).decode("latin-1")


async def _wait_for_news(
    seen: str, state: Callable[[], EmulatedService], goes_on: Callable[[], bool]
) -> bytes:
    """Return the events that the reader does not have, after some seconds also none."""
    until = anyio.current_time() + LONGEST
    while True:
        service, now = state(), anyio.current_time()
        service.ledger.settle(now)
        which, _, told = seen.partition("-")
        known = which == f"{id(service):x}"
        count = told.partition("-")[0]
        start = int(count) if known and count.isdecimal() else 0
        news = _news(service, start, now)
        mark = f"{id(service):x}-{news['numbers']['requests']}-{_digest(news):x}"
        if mark != seen or now >= until or not goes_on():
            events = [news] if known else [{**_about(service), "reset": True}, news]
            return b"".join(
                [f"retry: {RETRY}\n".encode(), *(_event(mark, event) for event in events)]
            )
        await anyio.sleep(EVERY)


def _digest(news: Mapping[str, Any]) -> int:
    """Return what tells whether anything but the time is another."""
    steady = {name: value for name, value in news.items() if name not in ("now", "requests")}
    return zlib.crc32(orjson.dumps(steady, default=str))


def _event(mark: str, value: Mapping[str, Any]) -> bytes:
    return f"id: {mark}\ndata: ".encode() + orjson.dumps(value, default=str) + b"\n\n"


def _about(service: EmulatedService) -> dict[str, Any]:
    profile = service.settings.service
    return {
        "service": profile.name,
        "key": service.settings.api_keys[0],
        "gap": profile.min_poll_gap,
        "polls": profile.max_polls,
        "paths": sorted(service.methods),
    }


def _news(service: EmulatedService, told: int, now: float) -> dict[str, Any]:
    numbers = service.statistics()
    new = min(numbers.requests - told, len(service.requests), MOST_REQUESTS)
    requests = islice(service.requests, len(service.requests) - new, None)
    # A dict's youngest are its last, and it can be read backwards.
    tasks = list(islice(reversed(service.ledger.tasks.values()), MOST_TASKS))
    return {
        "now": now,
        "balance": str(service.ledger.balance),
        "spent": str(numbers.spent),
        "numbers": {
            "requests": numbers.requests,
            "polls": numbers.polls,
            "tasks": numbers.created,
            "in flight": numbers.processing,
            "solved": numbers.solved,
            "failed": numbers.failed,
            "callbacks": numbers.callbacks,
            "callbacks failed": numbers.callbacks_failed,
            "rules broken": numbers.violations,
        },
        "requests": [_request(request) for request in requests],
        "tasks": [_task(task) for task in tasks],
    }


def _request(request: RecordedRequest) -> dict[str, Any]:
    """Return what the page says of a request; nothing of it is secret."""
    body = request.body if isinstance(request.body, Mapping) else {}
    task = body.get("task")
    kind = task.get("type") if isinstance(task, Mapping) else None
    task_id = body.get("taskId") if request.method != CREATE_TASK else _field(request, "taskId")
    return {
        "at": request.at,
        "method": request.method[:40],
        "type": kind[:60] if isinstance(kind, str) else None,
        "id": task_id if isinstance(task_id, int | str) else None,
        "poll": request.method == GET_TASK_RESULT,
        "status": request.status,
        "said": _field(request, "errorCode") or _field(request, "status"),
        "broken": [f"{each.rule}: {each.detail}" for each in request.violations],
    }


def _field(request: RecordedRequest, name: str) -> Any:
    value = request.reply.get(name) if isinstance(request.reply, Mapping) else None
    return value if isinstance(value, int | str) else None


def _task(task: EmulatedTask) -> dict[str, Any]:
    return {
        "id": task.task_id,
        "type": task.type[:60],
        "created": task.created,
        # JSON knows no infinity.
        "ready": task.ready_at if task.ready_at < 1e12 else None,
        "status": task.status,
        "error": task.error if task.status in ("failed", "expired") else None,
        "polls": task.polls,
        "price": str(task.price),
        "callback": task.callback_url is not None,
        "called": task.called_back,
    }
