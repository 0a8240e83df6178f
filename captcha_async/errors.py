"""Every error of the library, one branch for each thing that a caller can do about it.

CaptchaError
├── InvalidArgument        correct the call (also a ValueError); nothing was sent
├── ClientClosed           open a new client; nothing was sent
├── WrongEventLoop         use a client in the event loop where it was first used (a RuntimeError)
├── ServiceError           the service answered with an error:
│   ├── AccountError         stop; the account needs attention (blows the fuse)
│   │   ├── KeyRejected
│   │   ├── InsufficientBalance
│   │   └── AccountBlocked
│   ├── CapacityError        wait, then send the same again
│   │   ├── NoSlotAvailable
│   │   ├── RateLimited
│   │   └── ServiceUnavailable
│   ├── TaskRejected         change the task
│   ├── Unsolvable           a new task may work
│   ├── ProxyFailed          take another proxy for the task
│   ├── TaskExpired          the id is unknown or its result was dropped; create a new task
│   ├── ReportRefused        let it be: the report comes too late, or was made before
│   └── UnknownServiceError  a code that is in no documented list
├── TransportError         network trouble; no task was created by the request
├── SubmitUncertain        createTask may have been accepted: look before sending it again
├── SolveTimeout           the deadline passed (a TimeoutError); `client.attach(error.ref)` goes on
│   └── QueueTimeout         it passed before createTask was sent: nothing was paid, call again
├── JournalError           the journal file cannot be used; what was paid for is still collected
├── SpendLimitReached      the client's own spending cap is reached; nothing was sent
├── AccountUnavailable     the shared account's store does not answer; nothing was sent, try again
├── PollLimitReached       the service's poll cap is used up
└── ProtocolError          the reply could not be understood
    └── UnreadableSolution   an answer came but not of the known shape: it is in `error.raw`
"""

from __future__ import annotations

from contextlib import suppress
from decimal import Decimal
from typing import Any

from ._ref import TaskId, TaskRef
from ._secrets import without_login

__all__ = [
    "AccountBlocked",
    "AccountError",
    "AccountUnavailable",
    "CapacityError",
    "CaptchaError",
    "ClientClosed",
    "InsufficientBalance",
    "InvalidArgument",
    "JournalError",
    "KeyRejected",
    "NoSlotAvailable",
    "PollLimitReached",
    "ProtocolError",
    "ProxyFailed",
    "QueueTimeout",
    "RateLimited",
    "ReportRefused",
    "ServiceError",
    "ServiceUnavailable",
    "SolveTimeout",
    "SpendLimitReached",
    "SubmitUncertain",
    "TaskExpired",
    "TaskRejected",
    "TransportError",
    "UnknownServiceError",
    "UnreadableSolution",
    "Unsolvable",
    "WrongEventLoop",
]


class CaptchaError(Exception):
    """Base of all errors of this library.

    The message is one plain sentence: what happened and what to do.
    Errors pickle and copy, so that they can cross a process boundary.
    """

    retryable: bool = False
    """Whether the very same call may be made again: it is safe, and it may succeed."""
    ref: TaskRef | None = None
    """The task this is about, if one was created; `client.attach(error.ref)` collects it later."""
    retry_after: float | None = None
    """Seconds that the service asked to wait, at most a day; None if it did not ask."""

    def __init__(self, message: str, /, **details: Any) -> None:
        super().__init__(message)
        self.__dict__.update(details)

    @property
    def task_id(self) -> TaskId | None:
        """The service's id of the task, or None if none was created."""
        return None if self.ref is None else self.ref.task_id

    def __reduce__(self) -> tuple[Any, ...]:
        return _rebuild, (type(self), self.args[0], dict(self.__dict__))


def _rebuild(kind: type[CaptchaError], message: str, details: dict[str, Any]) -> CaptchaError:
    return kind(message, **details)


class InvalidArgument(CaptchaError, ValueError):
    """An argument is certainly wrong; raised before any request."""

    field: str = ""
    """The argument's name."""
    rule: str = ""
    """What the argument has to be."""


def invalid(field: str, value: object, rule: str, *, show: bool = True) -> InvalidArgument:
    """Make the error for a certainly wrong argument; without *show* the value stays secret.

    A login in what may be a URL never shows.
    """
    shown = f"the given {type(value).__name__}"
    if show:
        # Not every value can be shown: a number of many digits, a class of the user's.
        with suppress(Exception):
            shown = repr(without_login(value) if isinstance(value, str) else value)
    if len(shown) > 80:
        shown = f"{shown[:79]}…"
    return InvalidArgument(f"{field} must be {rule}, not {shown}", field=field, rule=rule)


class ClientClosed(CaptchaError):
    """The client was closed before or during the call."""


class WrongEventLoop(CaptchaError, RuntimeError):
    """The client belongs to another event loop or process; nothing was sent.

    A client, and an account, live in the event loop and the process of their first use.
    """


class ServiceError(CaptchaError):
    """The service answered with an error code, or with an HTTP status that means one."""

    code: str | None = None
    """The service's errorCode, such as `ERROR_ZERO_BALANCE`; None if only the HTTP status spoke."""
    description: str | None = None
    """The service's errorDescription, with secrets blanked out."""
    error_id: int | None = None
    """The service's errorId."""
    http_status: int | None = None
    """HTTP status of the reply."""


class AccountError(ServiceError):
    """The account cannot be used; going on gets it banned."""


class KeyRejected(AccountError):
    """The API key is unknown, malformed or not allowed from here."""


class InsufficientBalance(AccountError):
    """The account has no money left."""


class AccountBlocked(AccountError):
    """The account or this address is banned for a while."""


class CapacityError(ServiceError):
    """The service cannot take the request now; the same request may work later."""

    retryable = True


class NoSlotAvailable(CapacityError):
    """No worker is free, or too many tasks of the account are in flight."""


class RateLimited(CapacityError):
    """Requests come too fast."""

    until: float | None = None
    """Moment on the event loop's clock up to which the service asked to wait, if that is longer
    than the call could: then nothing was sent."""


class ServiceUnavailable(CapacityError):
    """The service is down or overloaded."""


class TaskRejected(ServiceError):
    """The service will not take this task as it is."""


class Unsolvable(ServiceError):
    """The captcha was not solved; a new task may work."""

    retryable = True


class ProxyFailed(ServiceError):
    """The task's proxy did not work."""


class TaskExpired(ServiceError):
    """The service does not know the task id, or has dropped the result."""


class ReportRefused(ServiceError):
    """The service does not take this report: it is too late, or a repetition."""


class UnknownServiceError(ServiceError):
    """The service answered with a code or a status that is in no documented list."""


class TransportError(CaptchaError):
    """The service could not be reached, and the request created no task."""

    retryable = True
    sent: bool = False
    """Whether the service may have seen the request."""
    reason: str = ""
    """What failed, in a few words, such as `no reply within 10 s`."""
    attempts_worth: int | None = None
    """How many attempts in all are worth while: 1 for what only a change of the settings mends,
    such as a certificate that is not trusted; None for what may pass by itself."""
    http_status: int | None = None
    """HTTP status of what answered in the service's place, such as a proxy or a firewall."""


class SubmitUncertain(CaptchaError):
    """createTask was sent but its outcome is unknown: a task may exist and be charged for.

    The library never sends it again by itself.
    """

    http_status: int | None = None
    """HTTP status of the reply, if one came."""


class SolveTimeout(CaptchaError, TimeoutError):
    """The deadline passed before the answer came; the task is paid for.

    Where nothing was paid yet it is a `QueueTimeout`: catch that one first.
    """

    # Narrower than the base's: whoever makes this error passes the reference, so that
    # `client.attach(error.ref)` is sound. mypy and pyright know it by this line.
    ref: TaskRef  # pyright: ignore[reportIncompatibleVariableOverride]
    """The task; `client.attach(error.ref)` collects its answer later."""
    polls: int = 0
    """Polls made for the task."""
    last_status: str | None = None
    """The status that the last poll returned, such as `processing`."""


class QueueTimeout(SolveTimeout):
    """The deadline passed while the task waited for its turn; nothing was sent or paid.

    Its `ref` is None: there is nothing to attach. The same call may be made again.
    """

    retryable = True
    ref: None = None  # type: ignore[assignment]  # pyright: ignore[reportIncompatibleVariableOverride]


class JournalError(CaptchaError):
    """The journal file cannot be read or written; no task was created by the call.

    Tasks that were paid for are collected all the same.
    """

    path: str = ""
    """The file."""


class SpendLimitReached(CaptchaError):
    """The spending cap of `Limits` is reached; nothing was sent."""

    spent: Decimal = Decimal(0)
    """What was spent within the cap's window."""


class AccountUnavailable(CaptchaError):
    """The store of a shared account cannot be used, so nobody can tell what this process may do.

    Nothing was sent. What is paid for is collected all the same.
    """

    retryable = True


class PollLimitReached(CaptchaError):
    """The task used up the polls that the service allows; one more could get the account locked."""

    polls: int = 0
    """Polls made for the task."""


class ProtocolError(CaptchaError):
    """The reply is not what the protocol says."""

    http_status: int | None = None
    """HTTP status of the reply."""


class UnreadableSolution(ProtocolError):
    """An answer came, but it lacks the documented fields."""

    raw: Any = None
    """The answer as the service sent it."""
