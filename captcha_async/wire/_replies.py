"""What a reply means: a value, or the one error of the tree that fits. Pure; reads any bytes.

The JSON is believed before the HTTP status, because services send errors with 200 and answers with
odd content types. Keys are read in any letter case, and what is unknown is left alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs
import orjson

from .._ref import TaskId
from ..errors import (
    CaptchaError,
    InsufficientBalance,
    KeyRejected,
    ProtocolError,
    RateLimited,
    ServiceError,
    ServiceUnavailable,
    SubmitUncertain,
    UnknownServiceError,
)
from ..services import Service

__all__ = [
    "Created",
    "TaskResult",
    "read_balance",
    "read_created",
    "read_object",
    "read_reported",
    "read_task_id",
    "read_task_result",
    "read_user_agent",
]

NOT_READY = ("CAPTCHA_NOT_READY", "CAPCHA_NOT_READY")


@attrs.frozen
class Reply:
    """What came back."""

    status: int
    body: bytes = attrs.field(repr=False)
    retry_after: str | None = None
    """The header of that name."""
    date: str | None = None
    """The header of that name."""


@attrs.frozen
class Created:
    """createTask was accepted."""

    task_id: TaskId
    solution: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """The answer, where the service gives it at once."""
    cost: Decimal | None = None


@attrs.frozen
class TaskResult:
    """One poll's answer."""

    status: str
    """What the service called it, such as `processing` or `ready`."""
    solution: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    """The answer; None while there is none."""
    cost: Decimal | None = None


def read_created(service: Service, reply: Reply) -> Created:
    """Read createTask's reply.

    Raises:
        ServiceError: the service refused the task.
        SubmitUncertain: the reply does not tell whether a task was created.
        ProtocolError: the reply is of no known form, and no task was created.
    """
    data = read_object(reply.body)
    task_id = read_task_id(data)
    error = _service_error(service, reply, data)
    if error is not None and task_id is None:
        raise error
    if task_id is not None:
        return Created(task_id, _solution(data), _decimal(_get(data, "cost")))
    if reply.status < 300 or reply.status >= 500 or reply.status == 408:
        raise SubmitUncertain(
            f"{service.name} answered createTask with HTTP {reply.status} and no task id; a task "
            "may exist, so look at the account before you send it again.",
            http_status=reply.status,
        )
    raise _status_error(service, reply)


def read_task_result(service: Service, reply: Reply) -> TaskResult:
    """Read getTaskResult's reply; a status that is not known counts as `processing`.

    Raises:
        ServiceError: the task failed, or the service refused the poll.
        ProtocolError: the reply is of no known form.
    """
    data = read_object(reply.body)
    solution = _solution(data)
    status = _text(_get(data, "status"))
    if solution is not None and status.lower() not in ("processing", "idle"):
        return TaskResult(status or "ready", solution, _decimal(_get(data, "cost")))
    error = _service_error(service, reply, data)
    if error is not None:
        if error.code in NOT_READY:
            return TaskResult("processing")
        raise error
    if not status:
        raise _status_error(service, reply)
    if status.lower() == "ready":
        raise ProtocolError(
            f"{service.name} says the task is ready but sends no solution.",
            http_status=reply.status,
        )
    return TaskResult(status)


def read_balance(service: Service, reply: Reply) -> Decimal:
    """Read getBalance's reply.

    Raises:
        ServiceError: the service refused.
        ProtocolError: there is no balance in the reply.
    """
    data = read_object(reply.body)
    error = _service_error(service, reply, data)
    if error is not None:
        raise error
    balance = _decimal(_get(data, "balance"))
    if balance is None:
        raise _status_error(service, reply)
    return balance


def read_reported(service: Service, reply: Reply) -> None:
    """Read the reply to a report of a wrong answer.

    Raises:
        ServiceError: the service refused the report.
        ProtocolError: the reply is of no known form.
    """
    data = read_object(reply.body)
    error = _service_error(service, reply, data)
    if error is not None:
        raise error
    if reply.status >= 300 or not data:
        raise _status_error(service, reply)


def read_user_agent(service: Service, reply: Reply) -> str:
    """Read the page that holds the current user agent as plain text.

    Raises:
        ProtocolError: the page is no such text.
    """
    text = reply.body.decode("utf-8", "replace").strip()
    if reply.status != 200 or not text or len(text) > 1000 or not text.isprintable():
        raise _status_error(service, reply)
    return text


# -- errors ---------------------------------------------------------------------------------------


def _service_error(service: Service, reply: Reply, data: Mapping[str, Any]) -> ServiceError | None:
    """Make the error that the JSON tells of, if it tells of one."""
    error_id = _integer(_get(data, "errorId"))
    code = _text(_get(data, "errorCode")).strip()
    if not error_id and not code:
        return None
    if not code and error_id is not None:
        code = service.numeric_codes.get(error_id, "")
    known = service.error_codes.get(code) or service.error_codes.get(code.upper())
    description = _text(_get(data, "errorDescription"))
    kind: type[ServiceError] = UnknownServiceError
    advice = "see the service's documentation for it"
    if known is not None:
        advice = known.advice
        kind = known.error or UnknownServiceError
    elif not code:
        kind = _BY_STATUS.get(reply.status, UnknownServiceError)
    return kind(
        _sentence(service, code or f"error {error_id}", description, advice),
        code=code or None,
        description=description or None,
        error_id=error_id,
        http_status=reply.status,
        retry_after=_retry_after(reply),
    )


def _sentence(service: Service, code: str, description: str, advice: str) -> str:
    said = f" ({description.strip().rstrip('.')})" if description.strip() else ""
    return f"{service.name} answered {code[:100]}{said[:300]}: {advice}."


_BY_STATUS: dict[int, type[ServiceError]] = {
    401: KeyRejected,
    402: InsufficientBalance,
    403: KeyRejected,
    429: RateLimited,
}
_STATUS_ADVICE = {
    401: "check the API key",
    402: "top up the account",
    403: "check the API key and the addresses that it may be used from",
    429: "slow down",
}


def _status_error(service: Service, reply: Reply) -> CaptchaError:
    """Make the error for a reply whose JSON says nothing."""
    status = reply.status
    kind = _BY_STATUS.get(status, ServiceUnavailable if status >= 500 else None)
    if kind is not None:
        advice = _STATUS_ADVICE.get(status, "try again later")
        return kind(
            f"{service.name} answered HTTP {status}: {advice}.",
            http_status=status,
            retry_after=_retry_after(reply),
        )
    return ProtocolError(
        f"{service.name} answered HTTP {status} with {len(reply.body)} bytes that are no reply of "
        "the protocol; check the base URL.",
        http_status=status,
    )


def _retry_after(reply: Reply) -> float | None:
    """Seconds of the Retry-After header; a date is taken relative to the reply's own date."""
    value = (reply.retry_after or "").strip()
    if not value:
        return None
    if value.isascii() and value.isdigit():
        return float(value[:6])
    from email.utils import parsedate_to_datetime

    try:
        until = parsedate_to_datetime(value)
        seconds = (until - parsedate_to_datetime(reply.date or "")).total_seconds()
    except (TypeError, ValueError, OverflowError):
        return None
    return max(0.0, seconds)


# -- values ---------------------------------------------------------------------------------------


def read_object(body: bytes) -> Mapping[str, Any]:
    """Read a JSON object; empty if it is none."""
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError:
        # orjson is strict about NaN, lone surrogates and byte order marks; an answer is worth more.
        try:
            data = json.loads(body.decode("utf-8-sig", "replace"), strict=False)
        except (ValueError, RecursionError):
            return {}
    return data if isinstance(data, dict) else {}


def _get(data: Mapping[str, Any], key: str) -> Any:
    if key in data:
        return data[key]
    wanted = key.lower()
    return next((value for name, value in data.items() if name.lower() == wanted), None)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _integer(value: Any) -> int | None:
    """Read errorId: an integer, or a string that holds one; any other truth counts as 1."""
    if isinstance(value, int):
        return int(value)
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 1 if value else None


def read_task_id(data: Mapping[str, Any]) -> TaskId | None:
    """Read an id; 0 and '' are what error replies carry."""
    value = _get(data, "taskId")
    if isinstance(value, bool) or not isinstance(value, int | str):
        return None
    return value or None if value not in ("0", "") else None


def _solution(data: Mapping[str, Any]) -> Mapping[str, Any] | None:
    value = _get(data, "solution")
    if isinstance(value, str) and value:
        return {"text": value, "token": value}
    return value if isinstance(value, dict) and value else None


def _decimal(value: Any) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None
