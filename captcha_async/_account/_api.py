"""One method per method of the wire protocol: encode, post, read. No waiting, no retrying."""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any, TypeVar

import attrs
import orjson

from .._ref import TaskId
from .._secrets import Secrets, login_of
from .._transport import HttpTransport, Sending
from ..errors import (
    CaptchaError,
    ServiceError,
    SubmitUncertain,
    TransportError,
    UnknownServiceError,
    invalid,
)
from ..services import Service
from ..services._service import ReportMethod
from ..tasks._model import RawTask, Task
from ..tasks._proxy import Proxy
from ..wire import _replies, dump_request
from ..wire._replies import Created, Reply, TaskResult
from ..wire._values import read_object

if TYPE_CHECKING:
    from ..wire._account_facts import AccountFacts, QueueStatistics, SpendingSpan

__all__ = ["Api"]

T = TypeVar("T")

# A shorter end of a callback's URL is a name, and no token.
TOKEN_LENGTH = 16


class Api:
    """The methods of one service under one key."""

    def __init__(
        self, transport: HttpTransport, service: Service, api_key: str, *, request_timeout: float
    ) -> None:
        self._transport = transport
        self._service = service
        self._api_key = api_key
        self._timeout = request_timeout
        # A key may carry suffixes (`KEY__nocache`); the service may echo it without them.
        self._secrets = Secrets(api_key, api_key.partition("__")[0], *login_of(service.base_url))
        # What is the same in all requests of a kind: the address, and in all polls the body up to
        # the id.
        self._create_url = service.base_url + service.methods["create_task"]
        self._poll_url = service.base_url + service.methods["get_task_result"]
        self._poll_start = orjson.dumps({"clientKey": api_key})[:-1] + b',"taskId":'
        # Body and status of the last reply that said "not yet", and what it means: most polls are
        # answered by the same bytes, and the same bytes mean the same.
        self._not_yet: tuple[bytes, int, TaskResult] = (b"", 0, TaskResult(""))

    def __repr__(self) -> str:
        return f"<Api of {self._service.name}>"

    async def create_task(
        self,
        task: Task[Any],
        *,
        callback_url: str | None = None,
        soft_id: int | str | None = None,
        extra: Mapping[str, Any] | None = None,
        sending: Sending | None = None,
    ) -> Created:
        """Call createTask, once.

        Args:
            task: what to solve.
            callback_url: where the service is to post the result.
            soft_id: partner id; the profile's without it.
            extra: further keys of the body; none of ours.
            sending: called no later than when the first byte may leave.

        Raises:
            SubmitUncertain: it was sent, but its outcome is unknown.
            TransportError: it was not sent.
            ServiceError: the service refused the task.
        """
        body: dict[str, Any] = {"clientKey": self._api_key}
        if extra:
            body |= extra
        body |= dump_request(task, self._service)
        if callback_url is not None:
            body["callbackUrl"] = callback_url
        partner = soft_id if soft_id is not None else self._service.soft_id
        if partner is not None:
            body[self._service.soft_id_key] = partner
        secrets = partial(self._secrets_of, task, callback_url)
        try:
            reply = await self._transport.post(
                self._create_url,
                _json(body),
                timeout=self._timeout,
                sending=sending,
                once=True,
                secrets=secrets,
            )
        except TransportError as error:
            if not error.sent:
                raise
            raise SubmitUncertain(
                f"createTask was sent to {self._service.name} but no reply could be read "
                f"({error.reason}); a task may exist, so look at the account before you send it "
                "again."
            ) from error
        return self._read(_replies.read_created, reply, secrets)

    async def get_task_result(
        self, task_id: TaskId, task: Task[Any] | None = None, callback_url: str | None = None
    ) -> TaskResult:
        """Call getTaskResult, once; task and callback URL are what the reply may quote."""
        secrets = partial(self._secrets_of, task, callback_url)
        # An integer is the same in JSON.
        quoted = b"%d" % task_id if type(task_id) is int else _json(task_id)
        reply = await self._transport.post(
            self._poll_url,
            b"%b%b}" % (self._poll_start, quoted),
            timeout=self._timeout,
            secrets=secrets,
        )
        body, status, result = self._not_yet
        # One that asks to wait may name a moment.
        if reply.body == body and reply.status == status and reply.retry_after is None:
            return result
        result = self._read_result(reply, secrets)
        # Any other status may quote what only this task has.
        not_yet = result.status == "processing" and result.solution is None
        if not_yet and result.doubt is None and reply.retry_after is None:
            self._not_yet = reply.body, reply.status, result
        return result

    def read_callback(
        self, body: bytes, task: Task[Any] | None = None, callback_url: str | None = None
    ) -> TaskResult:
        """Read what was posted in place of getTaskResult's reply."""
        return self._read_result(Reply(200, body), partial(self._secrets_of, task, callback_url))

    async def get_balance(self) -> AccountFacts:
        """Call getBalance."""
        reply = await self._post(self._service.methods["get_balance"], {})
        return self._read(_replies.read_account, reply)

    async def get_queue_statistics(self, body: Mapping[str, Any]) -> QueueStatistics:
        """Call getQueueStats, which takes no key."""
        path = self._service.path_of("queue_statistics")
        reply = await self._post(path, body, keyed=False)
        return self._read(_replies.read_queue_statistics, reply)

    async def get_spending(self, body: Mapping[str, Any]) -> tuple[SpendingSpan, ...]:
        """Call getSpendingStats."""
        reply = await self._post(self._service.path_of("spending_statistics"), body)
        return self._read(_replies.read_spending, reply)

    async def push_variable(self, task_id: TaskId, name: str, value: Any) -> None:
        """Call pushAntiGateVariable; a value is as often a password as not."""
        path = self._service.path_of("push_variable")
        secrets = partial(self._secrets.plus, value if isinstance(value, str) else None)
        body = {"taskId": task_id, "name": name, "value": value}
        reply = await self._post(path, body, secrets)
        self._read(_replies.read_reported, reply, secrets)

    async def report(self, method: ReportMethod, task_id: TaskId) -> None:
        """Call a method that takes the report of an answer."""
        reply = await self._post(method.path, method.body(task_id))
        self._read(_replies.read_reported, reply)

    async def get_user_agent(self) -> str:
        """Get the user agent that the service works with."""
        url = self._service.user_agent_url
        if url is None:
            raise invalid("service", self._service.name, "one that tells its user agent")
        reply = await self._transport.get(url, timeout=self._timeout)
        return _replies.read_user_agent(self._service, reply)

    def _post(
        self,
        path: str,
        body: Mapping[str, Any],
        secrets: Callable[[], Secrets] | None = None,
        *,
        keyed: bool = True,
    ) -> Coroutine[Any, Any, Reply]:
        url = self._service.base_url + path
        key = {"clientKey": self._api_key} if keyed else {}
        return self._transport.post(
            url,
            _json({**key, **body}),
            timeout=self._timeout,
            secrets=secrets or self._secrets_of,
        )

    def _secrets_of(
        self, task: Task[Any] | None = None, callback_url: str | None = None
    ) -> Secrets:
        """Return what must not show when the service or a peer quotes the request.

        It takes time, and is asked for only when somebody may be quoted.
        """
        return self._secrets.plus(*_passwords(task), callback_url, _token(callback_url))

    def _read_result(self, reply: Reply, secrets: Callable[[], Secrets]) -> TaskResult:
        result = self._read(_replies.read_task_result, reply, secrets)
        if result.doubt is not None:
            self._clean(result.doubt, _replies.read_task_result, reply, secrets())
        if result.status in ("processing", "ready"):
            return result
        return attrs.evolve(result, status=secrets().blank(result.status))

    def _read(
        self,
        read: Callable[[Service, Reply], T],
        reply: Reply,
        secrets: Callable[[], Secrets] | None = None,
    ) -> T:
        """Read a reply; what the service echoes of our secrets is blanked out of its errors.

        An error for a reply with secrets takes its words from the same reply without them. So only
        what the service said is blanked, however the words were put together.
        """
        try:
            return read(self._service, reply)
        except CaptchaError as error:
            self._clean(error, read, reply, (secrets or self._secrets_of)())
            raise

    def _clean(
        self,
        error: CaptchaError,
        read: Callable[[Service, Reply], object],
        reply: Reply,
        secrets: Secrets,
    ) -> None:
        """Take the secrets out of an error that was made of a reply."""
        code = error.code if isinstance(error, ServiceError) else None
        known = None if isinstance(error, UnknownServiceError) else code
        clean = attrs.evolve(reply, body=_without(reply.body, secrets, known))
        if clean.body != reply.body:
            _take_words(error, _error_of(read, self._service, clean), secrets)
            # What was made on the way may quote the reply.
            error.__cause__, error.__suppress_context__ = None, True


def _json(value: Any) -> bytes:
    try:
        return orjson.dumps(value)
    except orjson.JSONEncodeError as error:
        raise invalid("task", None, f"made of JSON values ({error})", show=False) from None


def _error_of(
    read: Callable[[Service, Reply], object], service: Service, reply: Reply
) -> CaptchaError | None:
    try:
        read(service, reply)
    except CaptchaError as error:
        return error
    return None


def _take_words(error: CaptchaError, clean: CaptchaError | None, secrets: Secrets) -> None:
    """Give *error* the words of *clean*, its like without secrets."""
    if type(clean) is type(error):
        assert clean is not None
        error.args = clean.args
    else:
        error.args = (secrets.blank(error.args[0], sure=True),)
    if isinstance(error, ServiceError):
        if error.description is not None:
            error.description = secrets.blank(error.description)
        if isinstance(error, UnknownServiceError) and error.code is not None:
            error.code = secrets.blank(error.code)


def _without(body: bytes, secrets: Secrets, known: str | None) -> bytes:
    """Blank the secrets in a reply; the known error code stays, whatever the key is."""
    data = read_object(body)
    if not data:
        text = body.decode("utf-8", "replace")
        clean = secrets.blank(text)
        return body if clean == text else clean.encode()
    cleaned = secrets.in_json(data, known)
    return body if cleaned == data else json.dumps(cleaned).encode()


def _passwords(task: Task[Any] | None) -> tuple[str, ...]:
    """Return the passwords of the task's proxies."""
    given = [getattr(task, "proxy", None)]
    found: list[Any] = []
    if isinstance(task, RawTask):
        given += task.fields.values()
        texts = [value for value in task.fields.values() if isinstance(value, str)]
        found += [part for text in texts if "@" in text for part in login_of(text)]
        found.append(task.fields.get("proxyPassword"))
    found += [proxy.password for proxy in given if isinstance(proxy, Proxy)]
    return tuple(password for password in found if isinstance(password, str))


def _token(callback_url: str | None) -> str | None:
    """Return the part of a callback's URL that nobody may guess."""
    last = (callback_url or "").rstrip("/").rpartition("/")[2]
    return last if len(last) >= TOKEN_LENGTH else None
