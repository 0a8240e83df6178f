"""What the services say differently on the wire: codes, HTTP statuses, ids, reply fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import attrs

from ..services import Service

__all__ = ["CREATE_TASK", "GET_BALANCE", "GET_TASK_RESULT", "GET_USER_AGENT", "Dialect"]

CREATE_TASK = "createTask"
GET_TASK_RESULT = "getTaskResult"
PUSH_VARIABLE = "pushAntiGateVariable"
QUEUE_STATISTICS = "getQueueStats"
SPENDING_STATISTICS = "getSpendingStats"
GET_BALANCE = "getBalance"
GET_USER_AGENT = "getUserAgent"
USER_AGENT_PATH = "/api/useragent/actual"

# A number that is in no service's table: for codes that a numbering service has no number for.
UNNUMBERED = 999

DESCRIPTIONS: Mapping[str, str] = {
    "ERROR_KEY_DOES_NOT_EXIST": (
        "Account authorization key not found in the system or has incorrect format"
    ),
    "ERROR_KEY_DENIED_ACCESS": "The key is refused, check it",
    "ERROR_ZERO_BALANCE": "Account has zero balance",
    "ERROR_IP_BANNED": "Too many wrong calls: this address is banned for a while",
    "ERROR_IP_BLOCKED": "Too many wrong calls: this address is blocked for a while",
    "ERROR_TOO_MUCH_REQUESTS": "The result of this task was asked for too often",
    "ERROR_RATE_LIMIT": "The result of this task was asked for too often",
    "ERROR_NO_SLOT_AVAILABLE": "No worker is free for this task, try again later",
    "ERROR_TASK_ABSENT": "The task object is missing, or the JSON cannot be read",
    "ERROR_INVALID_TASK_DATA": "The task object is missing, or the JSON cannot be read",
    "ERROR_NO_SUCH_METHOD": "There is no such method",
    "ERROR_BAD_REQUEST": "There is no such method",
    "ERROR_NO_SUCH_CAPCHA_ID": "The task id is unknown, or its result is no longer kept",
    "ERROR_TASKID_INVALID": "The task id is unknown, or its result is no longer kept",
    "ERROR_CAPTCHA_UNSOLVABLE": "The captcha could not be solved",
}


@attrs.frozen
class Dialect:
    """How one service speaks."""

    wrong_key: str = "ERROR_KEY_DOES_NOT_EXIST"
    unknown_id: str = "ERROR_NO_SUCH_CAPCHA_ID"
    late_report: str = "ERROR_NO_SUCH_CAPCHA_ID"
    """Answers a report that comes too late, or of a task of another kind."""
    second_report: str | None = None
    """Answers a second report; None where it is taken like the first."""
    too_fast: str = "ERROR_TOO_MUCH_REQUESTS"
    banned: str = "ERROR_IP_BANNED"
    no_task: str = "ERROR_TASK_ABSENT"
    no_method: str = "ERROR_NO_SUCH_METHOD"
    statuses: Mapping[str, int] = attrs.field(factory=dict)
    """HTTP status by error code."""
    other_status: int = 200
    """HTTP status of the other error replies."""
    first_id: int | None = 7654321
    """The first task id; None where ids are UUIDs."""
    cost: Literal["number", "text"] | None = "number"
    """How a ready reply states what the task cost."""
    first_status: str = "processing"
    """The status that the first poll is told of a task that is not ready."""
    failed_status: str | None = None
    """The status in the reply that tells that a task failed, where there is one."""
    details: bool = False
    """Whether a ready reply has ip, createTime, endTime and solveCount."""
    balance_extra: Mapping[str, Any] = attrs.field(factory=dict)
    """What getBalance replies besides the balance."""

    @staticmethod
    def of(service: Service) -> Dialect:
        """Return the dialect of a service; one we do not know speaks like CapMonster."""
        return _DIALECTS.get(service.name, _CAPMONSTER)

    def status(self, code: str) -> int:
        """Return the HTTP status that an error reply comes with."""
        return self.statuses.get(code, self.other_status)


def error_id(service: Service, code: str) -> int:
    """Return the errorId that goes with an error code at a service."""
    if not service.numeric_codes:
        return 1
    return next((key for key, name in service.numeric_codes.items() if name == code), UNNUMBERED)


def routes(service: Service) -> dict[str, str]:
    """Return the wire name of each method by its path."""
    paths = {path: path.rpartition("/")[2] for path in service.methods.values()}
    names = {
        "create_task": CREATE_TASK,
        "get_task_result": GET_TASK_RESULT,
        "get_balance": GET_BALANCE,
    }
    # A mirror may have other paths for these.
    paths |= {service.methods[method]: name for method, name in names.items()}  # type: ignore[index]
    reports = {
        report.path
        for methods in (service.reports_incorrect, service.reports_correct)
        for report in methods.values()
    }
    if "/reportIncorrectTokenCaptcha" in reports:
        # CapMonster documents it as another name of the same method.
        reports.add("/reportIncorrectRecaptcha")
    paths |= {path: path.rpartition("/")[2] for path in reports}
    return paths | {USER_AGENT_PATH: GET_USER_AGENT}


def describe(service: Service, code: str) -> str:
    """Return an errorDescription for a code."""
    if code in DESCRIPTIONS:
        return DESCRIPTIONS[code]
    known = service.error_codes.get(code)
    return f"{code}: {known.advice}" if known else f"{code} occurred"


# 402, 403 and 429 are reported by users; CapMonster's docs tell no HTTP statuses.
_CAPMONSTER = Dialect(
    statuses={
        "ERROR_KEY_DOES_NOT_EXIST": 403,
        "ERROR_ZERO_BALANCE": 402,
        "ERROR_TOO_MUCH_REQUESTS": 429,
        "ERROR_NO_SUCH_METHOD": 404,
    }
)

# 2captcha documents 200 for every request that it processed; anti-captcha documents nothing.
_ANTI_CAPTCHA = Dialect(
    banned="ERROR_IP_BLOCKED",
    second_report="ERROR_NO_SUCH_CAPCHA_ID",
    details=True,
    balance_extra={"captchaCredits": 0},
)
_TWO_CAPTCHA = Dialect(
    banned="ERROR_IP_BLOCKED",
    late_report="REPORT_NOT_RECORDED",
    second_report="ERROR_DUPLICATE_REPORT",
    first_id=74372499131,
    cost="text",
    details=True,
)
_CAPSOLVER = Dialect(
    wrong_key="ERROR_KEY_DENIED_ACCESS",
    late_report="ERROR_TASKID_INVALID",
    first_status="idle",
    failed_status="failed",
    unknown_id="ERROR_TASKID_INVALID",
    too_fast="ERROR_RATE_LIMIT",
    no_task="ERROR_INVALID_TASK_DATA",
    no_method="ERROR_BAD_REQUEST",
    statuses={"ERROR_KEY_DENIED_ACCESS": 401, "ERROR_RATE_LIMIT": 429},
    other_status=400,
    first_id=None,
    cost=None,
    balance_extra={"packages": []},
)

_DIALECTS: Mapping[str, Dialect] = {
    "capmonster": _CAPMONSTER,
    "captcha69": _CAPMONSTER,
    "anti-captcha": _ANTI_CAPTCHA,
    "2captcha": _TWO_CAPTCHA,
    "capsolver": _CAPSOLVER,
}
