"""The replies of the emulated service, in the words of each service."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs
import orjson

from ..services import Service
from ._dialect import CREATE_TASK, Dialect, describe, error_id
from ._ledger import EmulatedTask

__all__ = ["Replies", "Reply"]

Headers = tuple[tuple[str, str], ...]
JSON = ("content-type", "application/json; charset=utf-8")


@attrs.frozen
class Reply:
    """What goes back to the caller."""

    status: int | None
    """HTTP status; None for no reply at all."""
    value: Any = None
    """The JSON value, or bytes that are sent as they are."""
    headers: Headers = (JSON,)
    delay: float = 0.0
    """Seconds to wait before it is sent."""

    @property
    def content(self) -> bytes:
        """The body on the wire."""
        return self.value if isinstance(self.value, bytes) else orjson.dumps(self.value)


class Replies:
    """Makes the replies of one service."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._dialect = Dialect.of(service)

    def error(
        self,
        method: str,
        code: str,
        description: str | None = None,
        *,
        status: int | None = None,
        headers: Headers = (),
    ) -> Reply:
        """Refuse a call, or tell that a task failed."""
        body: dict[str, Any] = {
            "errorId": error_id(self._service, code),
            "errorCode": code,
            "errorDescription": description or describe(self._service, code),
        }
        if method == CREATE_TASK:
            body["taskId"] = 0
        return Reply(
            self._dialect.status(code) if status is None else status, body, (JSON, *headers)
        )

    def created(self, task: EmulatedTask) -> Reply:
        """Tell the id of a new task, together with its result where the service does so."""
        if not task.at_once:
            return Reply(200, {"errorId": 0, "taskId": task.task_id})
        if task.error is not None:
            return self.error(CREATE_TASK, task.error)
        return Reply(200, {**self._ready(task), "taskId": task.task_id})

    def result(self, task: EmulatedTask) -> Reply:
        """Tell how far a task is, as getTaskResult and the callback do."""
        if task.status == "processing":
            status = self._dialect.first_status if task.polls <= 1 else "processing"
            return Reply(200, {**_no_error(), "status": status})
        if task.error is not None:
            return self._failed(task.error)
        return Reply(200, self._ready(task))

    def _failed(self, code: str) -> Reply:
        reply = self.error("", code)
        if self._dialect.failed_status is None:
            return reply
        return attrs.evolve(reply, value=reply.value | {"status": self._dialect.failed_status})

    def balance(self, balance: Decimal) -> Reply:
        """Tell the account's balance."""
        extra = self._dialect.balance_extra
        return Reply(200, {"errorId": 0, "balance": float(balance), **extra})

    def taken(self) -> Reply:
        """Take a report, or a variable."""
        return Reply(200, {**_no_error(), "status": "success"})

    def queue(self) -> Reply:
        """Tell how busy the workers are."""
        body = {"waiting": 242, "load": 60.33, "bid": "0.0008", "speed": 5.9, "total": 610}
        return Reply(200, body)

    def spending(self, start: int, volume: int, money: Decimal) -> Reply:
        """Tell what was spent, as one span of time."""
        span = {"dateFrom": start, "dateTill": start + 3600, "volume": volume}
        return Reply(200, {**_no_error(), "data": [span | {"money": float(money)}]})

    def _ready(self, task: EmulatedTask) -> Mapping[str, Any]:
        body = {**_no_error(), "status": "ready", "solution": task.solution}
        if self._dialect.cost is not None:
            text = self._dialect.cost == "text"
            body["cost"] = str(task.price) if text else float(task.price)
        if self._dialect.details:
            # Moments are the event loop's; the services send seconds since 1970.
            moments = {"createTime": int(task.created), "endTime": int(task.ready_at)}
            body |= {"ip": "127.0.0.1", **moments, "solveCount": 1}
        return body


def _no_error() -> dict[str, Any]:
    return {"errorId": 0, "errorCode": None, "errorDescription": None}
