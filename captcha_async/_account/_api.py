"""One method per method of the wire protocol: encode, post, read. No waiting, no retrying."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any, TypeVar

import orjson

from .._ref import TaskId
from .._transport import HttpTransport, Sending
from ..errors import CaptchaError, ServiceError, SubmitUncertain, TransportError, invalid
from ..services import Service
from ..tasks._model import RawTask, Task
from ..wire import _replies, dump_task
from ..wire._replies import Created, Reply, TaskResult

__all__ = ["Api"]

T = TypeVar("T")


class Api:
    """The methods of one service under one key."""

    def __init__(
        self, transport: HttpTransport, service: Service, api_key: str, *, request_timeout: float
    ) -> None:
        self._transport = transport
        self._service = service
        self._api_key = api_key
        self._timeout = request_timeout

    def __repr__(self) -> str:
        return f"<Api of {self._service.name}>"

    async def create_task(
        self,
        task: Task[Any],
        *,
        callback_url: str | None = None,
        soft_id: int | str | None = None,
        sending: Sending | None = None,
    ) -> Created:
        """Call createTask, once.

        Args:
            task: what to solve.
            callback_url: where the service is to post the result.
            soft_id: partner id; the profile's without it.
            sending: called no later than when the first byte may leave.

        Raises:
            SubmitUncertain: it was sent, but its outcome is unknown.
            TransportError: it was not sent.
            ServiceError: the service refused the task.
        """
        body: dict[str, Any] = {"task": dump_task(task, self._service)}
        if callback_url is not None:
            body["callbackUrl"] = callback_url
        partner = soft_id if soft_id is not None else self._service.soft_id
        if partner is not None:
            body[self._service.soft_id_key] = partner
        try:
            reply = await self._post(self._service.methods["create_task"], body, sending)
        except TransportError as error:
            if not error.sent:
                raise
            raise SubmitUncertain(
                f"createTask was sent to {self._service.name} but no reply came; a task may exist, "
                "so look at the account before you send it again."
            ) from error
        return self._read(_replies.read_created, reply, task)

    async def get_task_result(self, task_id: TaskId, task: Task[Any] | None = None) -> TaskResult:
        """Call getTaskResult, once."""
        reply = await self._post(self._service.methods["get_task_result"], {"taskId": task_id})
        return self._read(_replies.read_task_result, reply, task)

    def read_callback(self, body: bytes, task: Task[Any] | None = None) -> TaskResult:
        """Read what was posted in place of getTaskResult's reply."""
        return self._read(_replies.read_task_result, Reply(200, body), task)

    async def get_balance(self) -> Decimal:
        """Call getBalance."""
        reply = await self._post(self._service.methods["get_balance"], {})
        return self._read(_replies.read_balance, reply)

    async def report_incorrect(self, path: str, task_id: TaskId) -> None:
        """Call the report method at *path*."""
        reply = await self._post(path, {"taskId": task_id})
        self._read(_replies.read_reported, reply)

    async def get_user_agent(self) -> str:
        """Get the user agent that the service works with."""
        url = self._service.user_agent_url
        if url is None:
            raise invalid("service", self._service.name, "one that tells its user agent")
        reply = await self._transport.get(url, timeout=self._timeout)
        return _replies.read_user_agent(self._service, reply)

    async def _post(self, path: str, body: dict[str, Any], sending: Sending | None = None) -> Reply:
        url = self._service.base_url + path
        try:
            content = orjson.dumps({"clientKey": self._api_key, **body})
        except orjson.JSONEncodeError as error:
            raise invalid("task", None, f"made of JSON values ({error})", show=False) from None
        return await self._transport.post(url, content, timeout=self._timeout, sending=sending)

    def _read(
        self, read: Callable[[Service, Reply], T], reply: Reply, task: Task[Any] | None = None
    ) -> T:
        """Read a reply; what the service echoes of our secrets is blanked out of its errors."""
        try:
            result = read(self._service, reply)
        except CaptchaError as error:
            self._hide(error, task)
            raise
        if isinstance(result, TaskResult) and result.doubt is not None:
            self._hide(result.doubt, task)
        return result

    def _hide(self, error: CaptchaError, task: Task[Any] | None) -> None:
        # A key may carry suffixes (`KEY__nocache`); the service may echo it without them.
        hidden = (self._api_key, self._api_key.partition("__")[0], _password(task))
        error.args = (_blank(error.args[0], hidden),)
        if isinstance(error, ServiceError) and error.description is not None:
            error.description = _blank(error.description, hidden)


def _password(task: Task[Any] | None) -> str | None:
    """Return the password of the task's proxy, which services quote in their errors too."""
    if isinstance(task, RawTask):
        found = task.fields.get("proxyPassword")
    else:
        found = getattr(getattr(task, "proxy", None), "password", None)
    return found if isinstance(found, str) else None


def _blank(text: str, secrets: tuple[str | None, ...]) -> str:
    for secret in secrets:
        if secret:
            text = text.replace(secret, "***")
    return text
