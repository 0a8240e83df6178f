"""What a reply means: a value, or the one error of the tree that fits. Pure; reads any bytes.

createTask's, getTaskResult's and posted replies are read by the same rules, in this order:

1. A status that says "not yet" is believed: what stands in `solution` beside it is no answer.
2. A solution that holds anything is an answer, of whatever form, unless the status is `failed`.
3. The service's own error code, wherever it stands: as errorCode, in place of the task id, or as
   bare text. The JSON is believed before the HTTP status, because services send errors with 200
   and answers with odd content types. Keys are read in any letter case.
4. What is left is doubtful: `ready` without a solution, or a status that nobody has documented.
"""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal

import attrs

from .._ref import TaskId, unnamed_id
from ..errors import (
    CaptchaError,
    ProtocolError,
    SubmitUncertain,
    TransportError,
    UnknownServiceError,
    UnreadableSolution,
    Unsolvable,
)
from ..services import Service
from ._details import NO_DETAILS, Details, read_count, read_details
from ._refusals import NO_CODE, Refusal, Reply, as_code, find_refusal, service_said, status_error
from ._values import (
    get,
    is_empty,
    read_balance_of,
    read_cost,
    read_id,
    read_json,
    read_object,
    read_text,
    spelled,
)

if TYPE_CHECKING:
    # Imported late, where they are read: few programs ask for them.
    from ._account_facts import AccountFacts, QueueStatistics, SpendingSpan

__all__ = [
    "Created",
    "Reply",
    "TaskResult",
    "read_account",
    "read_created",
    "read_queue_statistics",
    "read_reported",
    "read_spending",
    "read_task_id",
    "read_task_result",
    "read_user_agent",
]

Kind = Literal["processing", "answer", "unknown_status"]


@attrs.define
class Created:
    """createTask was accepted."""

    task_id: TaskId
    """The service's id; one made here (`unnamed-…`) if it sent the answer at once and no id."""
    solution: Any = attrs.field(default=None, repr=False)
    """The answer, where the service gives it at once; mostly a mapping."""
    cost: Decimal | None = None
    retry_after: float | None = None
    """Seconds that the service asked to wait."""
    details: Details = NO_DETAILS
    """What else is told with the answer."""


@attrs.define
class TaskResult:
    """One poll's answer."""

    status: str
    """What the service called it, such as `processing` or `ready`."""
    solution: Any = attrs.field(default=None, repr=False)
    """The answer, mostly a mapping; None while there is none."""
    cost: Decimal | None = None
    retry_after: float | None = None
    """Seconds that the service asked to wait."""
    doubt: CaptchaError | None = attrs.field(default=None, repr=False)
    """What the reply means if the service says the same again: that the task has ended."""
    details: Details = NO_DETAILS
    """What else is told with the answer."""

    @property
    def kind(self) -> Kind:
        """`processing`: poll again. `answer`: `solution` is there. `unknown_status`: neither is
        certain; poll once more, and raise `doubt` if that brings no other kind."""
        if self.solution is not None:
            return "answer"
        return "processing" if self.doubt is None else "unknown_status"


def read_created(service: Service, reply: Reply) -> Created:
    """Read createTask's reply.

    Raises:
        ServiceError: the service refused the task.
        TransportError: something before the service refused the request; no task was created.
        SubmitUncertain: the reply does not tell whether a task was created.
        ProtocolError: the reply is of no known form, and no task was created.
    """
    data = _data(service, reply, creates=True)
    task_id = _as_task_id(data.get("taskId"))
    # Mostly there is neither: the task has only just begun.
    status = _status(data) if "status" in data else ""
    answer = _answer(service, reply, data, status) if status or "solution" in data else None
    if answer is not None:
        # Without an id it was solved and paid for, and there is nothing to ask for later.
        task_id = unnamed_id() if task_id is None else task_id
        return Created(task_id, answer.solution, answer.cost, answer.retry_after, answer.details)
    if task_id is not None:
        wait = None if reply.retry_after is None else reply.seconds_to_wait
        return Created(task_id, None, read_cost(data.get("cost")), wait)
    refusal = _refusal(service, data)
    if refusal is not None:
        raise service_said(service, reply, refusal)
    if _word(status) == FAILED:
        raise _failed(service, reply, data)
    error = status_error(service, reply)
    refused = 300 <= reply.status < 500 and reply.status != 408
    if refused or isinstance(error, TransportError):
        raise error
    raise SubmitUncertain(
        f"{service.name} answered createTask with HTTP {reply.status} and no task id; a task "
        "may exist, so look at the account before you send it again.",
        http_status=reply.status,
        retry_after=reply.seconds_to_wait,
    )


def read_task_result(service: Service, reply: Reply) -> TaskResult:
    """Read getTaskResult's reply, or what was posted in its place.

    Raises:
        ServiceError: the task failed, or the service refused the poll.
        TransportError: something before the service refused the request.
        ProtocolError: the reply is of no known form.
    """
    data = _data(service, reply)
    status = _status(data)
    answer = _answer(service, reply, data, status)
    return _judge(service, reply, data, status) if answer is None else answer


def read_account(service: Service, reply: Reply) -> AccountFacts:
    """Read getBalance's reply.

    Raises:
        ServiceError: the service refused.
        ProtocolError: there is no balance in the reply.
    """
    from ._account_facts import AccountFacts, read_packages

    data = _accepted(service, reply)
    balance = read_balance_of(get(data, "balance"))
    if balance is None:
        raise status_error(service, reply)
    return AccountFacts(
        balance=balance,
        currency=service.currency,
        credits=read_count(get(data, "captchaCredits")),
        packages=read_packages(get(data, "packages")),
        raw=dict(read_object(reply.body)),
    )


def read_queue_statistics(service: Service, reply: Reply) -> QueueStatistics:
    """Read getQueueStats' reply.

    Raises:
        ServiceError: the service refused.
        ProtocolError: the reply is of no known form.
    """
    from ._account_facts import QueueStatistics, read_queue

    queue = read_queue(_accepted(service, reply), raw=read_object(reply.body))
    if reply.status >= 300 or queue == QueueStatistics(raw=queue.raw):
        raise status_error(service, reply)
    return queue


def read_spending(service: Service, reply: Reply) -> tuple[SpendingSpan, ...]:
    """Read getSpendingStats' reply.

    Raises:
        ServiceError: the service refused.
        ProtocolError: the reply is of no known form.
    """
    from ._account_facts import read_spans

    spans = read_spans(get(_accepted(service, reply), "data"))
    if spans is None:
        raise status_error(service, reply)
    return spans


def read_reported(service: Service, reply: Reply) -> None:
    """Read the reply to a report of an answer.

    Raises:
        ServiceError: the service refused the report.
        ProtocolError: the reply is of no known form.
    """
    data = _accepted(service, reply)
    if reply.status >= 300 or not data:
        raise status_error(service, reply)


def read_user_agent(service: Service, reply: Reply) -> str:
    """Read the page that holds the current user agent as plain text.

    Raises:
        ProtocolError: the page is no such text.
    """
    text = reply.body.decode("utf-8-sig", "replace").strip()
    if reply.status != 200 or not text or len(text) > 1000 or not text.isprintable():
        raise status_error(service, reply)
    return text


def read_task_id(data: Mapping[str, Any]) -> TaskId | None:
    """Read the id of a task as it came; None if there is none, or something else in its place."""
    return _as_task_id(get(data, "taskId"))


def _as_task_id(value: Any) -> TaskId | None:
    value = read_id(value)
    return None if isinstance(value, str) and as_code(value, in_place_of_id=True) else value


# -- what a reply is ------------------------------------------------------------------------------

READY = "ready"
FAILED = "failed"

LONGEST_ANSWER = 1_000_000
"""Bytes of a bare text that are looked at."""

# What stands beside a solution; an object that has other keys may have the answer among them.
_ANSWERS = ("gRecaptchaResponse", "token", "text", "answer", "cookies", "cf_clearance")


def _status(data: Mapping[str, Any]) -> str:
    """What a reply calls the task's state."""
    said = data.get("status")
    return READY if said == READY else read_text(said)[:100]


@lru_cache(maxsize=256)
def _word(status: str) -> str:
    """A status without the differences in spelling, as `Service.not_yet` has it."""
    return status.lower().replace(" ", "_").replace("-", "_")


def _answer(
    service: Service, reply: Reply, data: Mapping[str, Any], status: str
) -> TaskResult | None:
    """Return the answer that is in a reply; None if there is none."""
    word = _word(status)
    if word == FAILED or word in service.not_yet:
        return None
    solution = _solution(data, ready=word == READY)
    if solution is None:
        return None
    wait = None if reply.retry_after is None else reply.seconds_to_wait
    cost, details = read_cost(data.get("cost")), read_details(data)
    return TaskResult(status or READY, solution, cost, wait, None, details)


def _judge(service: Service, reply: Reply, data: Mapping[str, Any], status: str) -> TaskResult:
    """Decide what a reply without an answer is: "not yet", something doubtful, or an error."""
    wait = reply.seconds_to_wait
    refusal = _refusal(service, data)
    if refusal is not None:
        known = service.error_codes.get(refusal.code.upper())
        if known is not None and known.error is None:
            return TaskResult("processing", retry_after=wait)
        raise service_said(service, reply, refusal)
    word = _word(status)
    if word in service.not_yet:
        return TaskResult(status, retry_after=wait)
    if word == FAILED:
        raise _failed(service, reply, data)
    if not _of_the_protocol(reply, data):
        raise status_error(service, reply, poll=True)
    return TaskResult(status, retry_after=wait, doubt=_doubt(service, reply, data, status))


def _accepted(service: Service, reply: Reply) -> Mapping[str, Any]:
    """Return a reply as an object, if it tells of no error."""
    data = _data(service, reply)
    refusal = _refusal(service, data)
    if refusal is not None:
        raise service_said(service, reply, refusal)
    return data


def _data(service: Service, reply: Reply, *, creates: bool = False) -> Mapping[str, Any]:
    """Return the reply as an object, also what has the form of the services' older interface.

    That one says `OK|…` or a code as bare text, or `{"status": 1, "request": "…"}`. The documented
    keys of createTask's and getTaskResult's replies are there in their documented spelling.
    """
    data = read_json(reply.body)
    if isinstance(data, dict):
        data = spelled(data)
        if "request" not in data:
            return data
        text, done = data["request"], read_text(data.get("status"))
        if not isinstance(text, str) or done not in ("0", "1"):
            return data
        return _of_text(service, reply, f"OK|{text}" if done == "1" else text, creates) or data
    if not isinstance(data, str):
        data = reply.body[:LONGEST_ANSWER].decode("utf-8-sig", "replace")
    return _of_text(service, reply, data, creates) or {}


def _of_text(service: Service, reply: Reply, text: str, creates: bool) -> dict[str, Any] | None:
    text = text.strip()
    mark, bar, rest = text.partition("|")
    if bar and mark.strip().upper() == "OK" and rest.strip():
        return {"taskId": rest} if creates else {"status": READY, "solution": rest}
    found = as_code(text, service.error_codes)
    # "ERROR: upstream timed out" with 502 is a gateway's, and leaves open what became of it.
    if found is None or (found.code == NO_CODE and reply.status >= 500):
        return None
    return {"errorId": 1, "errorCode": found.code, "errorDescription": found.description}


def _refusal(service: Service, data: Mapping[str, Any]) -> Refusal | None:
    """Find the error that the service tells of, also where the task id should be."""
    found = find_refusal(service, data)
    value = data.get("taskId")
    if found is not None or not isinstance(value, str):
        return found
    return as_code(value, service.error_codes, in_place_of_id=True)


def _solution(data: Mapping[str, Any], *, ready: bool) -> Any:
    """Return the answer, or None; only `ready` makes one of a solution that holds nothing."""
    value = data.get("solution")
    if ready and value and isinstance(value, dict):
        return value
    if isinstance(value, str):
        value = value.strip()
        inner = read_object(value.encode("utf-8", "replace")) if value[:1] == "{" else None
        text = {"text": value, "token": value, "answer": value} if value else None
        value = dict(inner) if inner else text
    if value is None or value in ("", [], {}):
        found = {key: data.get(key) for key in _ANSWERS} if ready else {}
        found = {key: item for key, item in found.items() if not is_empty(item)}
        return found or None
    return value if ready or not is_empty(value) else None


def _of_the_protocol(reply: Reply, data: Mapping[str, Any]) -> bool:
    """Tell whether an object without an answer, an error or "not yet" is the service's at all."""
    return "status" in data or ("errorId" in data and reply.status < 300)


def _failed(service: Service, reply: Reply, data: Mapping[str, Any]) -> Unsolvable:
    said = read_text(data.get("errorDescription"))
    text = f" ({' '.join(said.split())[:300].rstrip('.')})" if said else ""
    return Unsolvable(
        f"{service.name} says that the task has failed{text}: create a new task, a second try "
        "often works.",
        description=said or None,
        http_status=reply.status,
        retry_after=reply.seconds_to_wait,
    )


def _doubt(
    service: Service, reply: Reply, data: Mapping[str, Any], status: str
) -> ProtocolError | UnknownServiceError:
    """Make the error that a reply of an unknown meaning leads to when it comes again."""
    if status.lower() == READY:
        return UnreadableSolution(
            f"{service.name} says that the task is ready but sends no solution; its reply is in "
            "the error's `raw`.",
            raw=dict(read_object(reply.body)),
            http_status=reply.status,
            retry_after=reply.seconds_to_wait,
        )
    said = read_text(data.get("errorDescription"))
    text = f" ({' '.join(said.split())[:300].rstrip('.')})" if said else ""
    return UnknownServiceError(
        f"{service.name} says of the task {status or 'nothing'!r}{text}, which is no documented "
        "status: look at the service's documentation, and at the account for what was charged.",
        description=said or None,
        http_status=reply.status,
        retry_after=reply.seconds_to_wait,
    )
