"""The documented error codes of all services, by what the caller should do."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from .. import errors

__all__ = ["ERROR_CODES", "NUMERIC_CODES", "ErrorCode"]


@attrs.frozen
class ErrorCode:
    """What a service's errorCode means."""

    code: str
    """The errorCode as it is on the wire."""
    error: type[errors.ServiceError] | None
    """The error to raise; None for a code that only means "still processing"."""
    advice: str
    """What the caller should do, as the second half of a sentence."""
    pause: float | None = None
    """Seconds that the service is documented to refuse everything after it."""


# Keyed by error class and advice; spellings (CAPCHA, UNAVALIABLE) are the services' own.
_BY_ERROR: list[tuple[type[errors.ServiceError] | None, str, str]] = [
    (
        errors.KeyRejected,
        "check the API key and the addresses that it may be used from",
        """
        ERROR_KEY_DOES_NOT_EXIST
        ERROR_WRONG_USER_KEY
        ERROR_KEY_NOT_AUTHORIZED
        ERROR_KEY_DENIED_ACCESS
        ERROR_IP_NOT_ALLOWED
        ERROR_WRONG_USERKEY
        ERROR_IP_ADDRES
        """,
    ),
    (
        errors.InsufficientBalance,
        "top up the account",
        """
        ERROR_ZERO_BALANCE
        ERROR_SETTLEMENT_FAILED
        """,
    ),
    (
        errors.AccountBlocked,
        "stop all requests until the ban is over",
        """
        ERROR_IP_BANNED
        ERROR_IP_BLOCKED
        ERROR_ACCOUNT_SUSPENDED
        ERROR_KEY_TEMP_BLOCKED
        IP_BANNED
        """,
    ),
    (
        errors.NoSlotAvailable,
        "wait a few seconds, or have fewer tasks in flight",
        """
        ERROR_NO_SLOT_AVAILABLE
        ERROR_ALL_WORKERS_FILTERED
        """,
    ),
    (
        errors.RateLimited,
        "slow down",
        """
        ERROR_TOO_MUCH_REQUESTS
        ERROR_RATE_LIMIT
        ERROR_TOO_MANY_REQUESTS
        MAX_USER_TURN
        TOO_MANY_BAD_IMAGES
        """,
    ),
    (
        errors.ServiceUnavailable,
        "try again later; with a callback URL, check that the service can reach it",
        """
        ERROR_SERVICE_NOT_AVAILABLE
        ERROR_SERVICE_UNAVALIABLE
        """,
    ),
    (
        errors.TaskRejected,
        "correct the task's fields",
        """
        ERROR_TASK_ABSENT
        ERROR_TASK_NOT_SUPPORTED
        ERROR_NO_SUCH_METHOD
        ERROR_INVALID_TASK
        ERROR_INVALID_TASK_DATA
        ERROR_BAD_REQUEST
        ERROR_BAD_PARAMETERS
        ERROR_BAD_IMGINSTRUCTIONS
        ERROR_PAGEURL
        ERROR_INCORRECT_SESSION_DATA
        ERROR_TEMPLATE_NOT_FOUND
        ERROR_INVALID_KEY_TYPE
        ERROR_TOO_BIG_CAPTCHA_FILESIZE
        ERROR_ZERO_CAPTCHA_FILESIZE
        ERROR_IMAGE_TYPE_NOT_SUPPORTED
        ERROR_IMAGE_BODY_NOT_CORRECT
        ERROR_INVALID_IMAGE
        ERROR_PARSE_IMAGE_FAIL
        ERROR_UNKNOWN_QUESTION
        ERROR_RECAPTCHA_INVALID_SITEKEY
        ERROR_RECAPTCHA_INVALID_DOMAIN
        ERROR_RECAPTCHA_OLD_BROWSER
        ERROR_WRONG_USERAGENT
        ERROR_INVISIBLE_RECAPTCHA
        ERROR_VISIBLE_RECAPTCHA
        ERROR_ACCESS_DENIED
        ERROR_WRONG_ID_FORMAT
        ERROR_CAPTCHA_ID
        ERROR_CAPTCHAIMAGE_BLOCKED
        ERROR_WRONG_FILE_EXTENSION
        ERROR_UPLOAD
        ERROR_GOOGLEKEY
        ERROR_WRONG_GOOGLEKEY
        ERROR_BAD_TOKEN_OR_PAGEURL
        ERROR_EMPTY_ACTION
        """,
    ),
    (
        errors.TaskRejected,
        "the service will not solve this, choose another site or ask its support",
        """
        ERROR_DOMAIN_NOT_ALLOWED
        ERROR_FUNCAPTCHA_NOT_ALLOWED
        """,
    ),
    (
        errors.TaskRejected,
        "fetch the one-time value (challenge, blob, data-s) anew and create a new task",
        "ERROR_TOKEN_EXPIRED",
    ),
    (
        errors.Unsolvable,
        "create a new task, a second try often works",
        """
        ERROR_CAPTCHA_UNSOLVABLE
        ERROR_RECAPTCHA_TIMEOUT
        ERROR_TASK_TIMEOUT
        ERROR_BAD_DUPLICATES
        ERROR_FAILED_LOADING_WIDGET
        ERROR_TASK_CANCELED
        """,
    ),
    (
        errors.TaskExpired,
        "create a new task and collect its answer sooner; for a report it is too late",
        """
        ERROR_NO_SUCH_CAPCHA_ID
        WRONG_CAPTCHA_ID
        ERROR_TASKID_INVALID
        ERROR_TASK_NOT_FOUND
        ERROR_NO_SUCH_CAPTCHA_ID
        ERROR_WRONG_CAPTCHA_ID
        ERROR_WRONG_TASK_ID
        """,
    ),
    (
        errors.ProxyFailed,
        "try another proxy, and check its address and credentials",
        """
        ERROR_PROXY_CONNECT_REFUSED
        ERROR_PROXY_CONNECT_TIMEOUT
        ERROR_PROXY_READ_TIMEOUT
        ERROR_PROXY_BANNED
        ERROR_PROXY_MISSING
        ERROR_PROXY_NOT_AUTHORISED
        ERROR_PROXY_CREDENTIALS_INVALID_CHARACTER
        ERROR_PROXY_TRANSPARENT
        ERROR_PROXY_HAS_NO_IMAGE_SUPPORT
        ERROR_PROXY_INCOMPATIBLE_HTTP_VERSION
        ERROR_BAD_PROXY
        ERROR_PROXY_CONNECTION_FAILED
        ERR_PROXY_CONNECTION_FAILED
        """,
    ),
    (
        errors.ReportRefused,
        "let it be, the service takes no report of this task any more",
        """
        REPORT_NOT_RECORDED
        ERROR_REPORT_NOT_RECORDED
        ERROR_DUPLICATE_REPORT
        """,
    ),
    (
        None,
        "keep polling",
        """
        CAPTCHA_NOT_READY
        CAPCHA_NOT_READY
        """,
    ),
]

# Codes whose remedy is another than their class's.
_ADVICE = {
    "ERROR_WRONG_USERAGENT": "use a current user agent, see `client.user_agent()`",
    "ERROR_INVISIBLE_RECAPTCHA": "create the task with is_invisible=True",
    "ERROR_VISIBLE_RECAPTCHA": "create the task without is_invisible",
    "ERROR_RECAPTCHA_TIMEOUT": "create a new task, with a faster proxy if it has one",
    "ERROR_TOO_MUCH_REQUESTS": "poll less often",
    "ERROR_TASK_NOT_SUPPORTED": "use a task type that the service has",
    "ERROR_NO_SUCH_METHOD": "use a task type and a method that the service has",
    "ERROR_ZERO_CAPTCHA_FILESIZE": "send an image of at least 100 bytes",
    "ERROR_TOO_BIG_CAPTCHA_FILESIZE": "send a smaller image",
    "ERROR_PROXY_MISSING": "give the task a proxy with type, address and port",
    "ERROR_PROXY_CREDENTIALS_INVALID_CHARACTER": "use a proxy login and password without %",
    "ERROR_IP_ADDRES": "register the callback from the address that it leads to",
    "ERROR_ACCESS_DENIED": "ask only for what belongs to your own account",
    "ERROR_WRONG_ID_FORMAT": "use the task id as createTask returned it",
    "ERROR_CAPTCHA_ID": "name the task, with the id that createTask returned",
    "ERROR_CAPTCHAIMAGE_BLOCKED": "send another image, the service has blacklisted this one",
    "ERROR_WRONG_FILE_EXTENSION": "send the image as JPEG, PNG or GIF",
    "TOO_MANY_BAD_IMAGES": "slow down, and send images that can be read",
    "ERROR_BAD_TOKEN_OR_PAGEURL": "check that site key and page belong together",
    "ERROR_DUPLICATE_REPORT": "let it be, this task was reported before",
}

# 2captcha's limits of API v1, which its v2 keeps.
_PAUSES = {"MAX_USER_TURN": 10.0, "IP_BANNED": 300.0}

ERROR_CODES: Mapping[str, ErrorCode] = {
    code: ErrorCode(code, error, _ADVICE.get(code, advice), _PAUSES.get(code))
    for error, advice, codes in _BY_ERROR
    for code in codes.split()
}
"""Every documented code."""

# errorId at anti-captcha and 2captcha, for replies that name no errorCode. 13 is the one
# ERROR_BAD_DUPLICATES is sent with; the docs also show it as 12, which is "unsolvable" too.
NUMERIC_CODES: Mapping[int, str] = {
    1: "ERROR_KEY_DOES_NOT_EXIST",
    2: "ERROR_NO_SLOT_AVAILABLE",
    3: "ERROR_ZERO_CAPTCHA_FILESIZE",
    4: "ERROR_TOO_BIG_CAPTCHA_FILESIZE",
    5: "ERROR_PAGEURL",
    10: "ERROR_ZERO_BALANCE",
    11: "ERROR_IP_NOT_ALLOWED",
    12: "ERROR_CAPTCHA_UNSOLVABLE",
    13: "ERROR_BAD_DUPLICATES",
    14: "ERROR_NO_SUCH_METHOD",
    15: "ERROR_IMAGE_TYPE_NOT_SUPPORTED",
    16: "ERROR_NO_SUCH_CAPCHA_ID",
    21: "ERROR_IP_BLOCKED",
    22: "ERROR_TASK_ABSENT",
    23: "ERROR_TASK_NOT_SUPPORTED",
    24: "ERROR_INCORRECT_SESSION_DATA",
    25: "ERROR_PROXY_CONNECT_REFUSED",
    26: "ERROR_PROXY_CONNECT_TIMEOUT",
    27: "ERROR_PROXY_READ_TIMEOUT",
    28: "ERROR_PROXY_BANNED",
    29: "ERROR_PROXY_TRANSPARENT",
    30: "ERROR_RECAPTCHA_TIMEOUT",
    31: "ERROR_RECAPTCHA_INVALID_SITEKEY",
    32: "ERROR_RECAPTCHA_INVALID_DOMAIN",
    33: "ERROR_RECAPTCHA_OLD_BROWSER",
    34: "ERROR_TOKEN_EXPIRED",
    35: "ERROR_PROXY_HAS_NO_IMAGE_SUPPORT",
    36: "ERROR_PROXY_INCOMPATIBLE_HTTP_VERSION",
    49: "ERROR_PROXY_NOT_AUTHORISED",
    50: "ERROR_FUNCAPTCHA_NOT_ALLOWED",
    51: "ERROR_INVISIBLE_RECAPTCHA",
    52: "ERROR_FAILED_LOADING_WIDGET",
    53: "ERROR_VISIBLE_RECAPTCHA",
    54: "ERROR_ALL_WORKERS_FILTERED",
    55: "ERROR_ACCOUNT_SUSPENDED",
    56: "ERROR_TEMPLATE_NOT_FOUND",
    57: "ERROR_TASK_CANCELED",
    110: "ERROR_BAD_PARAMETERS",
    115: "ERROR_BAD_IMGINSTRUCTIONS",
    130: "ERROR_BAD_PROXY",
}
