"""What happens to a client's tasks, told as it happens to whoever wants to know.

Events hold no secret that a repr would show. A handler runs inside of the client's work, so it has
to be quick and cannot wait; what it raises is logged and changes nothing. What is no `Exception`,
such as a KeyboardInterrupt, comes out, when all is done that was to be done (see `each`).

Imported where somebody listens: to make so many classes takes long.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count
from typing import Any, Literal

import anyio
import attrs

from ._handlers import Events
from ._outcome import Solved
from ._ref import TaskRef
from .errors import CaptchaError, ServiceError
from .services import Service
from .tasks._model import Task

__all__ = [
    "AccountBack",
    "AccountEvent",
    "AccountLost",
    "Event",
    "FuseBlown",
    "FuseClosed",
    "PollFailed",
    "SolveEvents",
    "SubmitFailed",
    "TaskAbandoned",
    "TaskDropped",
    "TaskFailed",
    "TaskPolled",
    "TaskQueued",
    "TaskSolved",
    "TaskSubmitted",
    "TaskTakenUp",
    "Via",
    "of_account",
]

Via = Literal["poll", "callback", "reply", "journal"]
"""How an answer came: by a poll, a callback, createTask's own reply, or out of the journal."""


@attrs.frozen(kw_only=True)
class _Moment:
    at: float
    """Moment on the event loop's clock (`anyio.current_time()`)."""

    def to_dict(self) -> dict[str, Any]:
        """Return what the event tells as plain values, for logs: no secret, no answer."""
        told: dict[str, Any] = {"event": type(self).__name__}
        for field in attrs.fields(type(self)):
            told |= _plain(field.name, getattr(self, field.name))
        return told


def _plain(name: str, value: Any) -> dict[str, Any]:
    """Return plain values that tell of one field of an event."""
    if isinstance(value, Service):
        return {"service": value.name}
    if isinstance(value, Task):
        return {"task_type": type(value).__name__}
    if isinstance(value, TaskRef):
        return attrs.asdict(value, filter=lambda field, _: field.name != "account")
    if isinstance(value, Solved):
        cost = None if value.cost is None else str(value.cost)
        return {"account": value.account, "cost": cost, "elapsed": value.elapsed}
    if isinstance(value, Exception):
        return {"error": type(value).__name__, "message": str(value)}
    return {name: value}


@attrs.frozen(kw_only=True)
class _OfSolve(_Moment):
    solve: int
    """Tells the events of one solve from others', also before it has a task id; unique in the
    process."""


@attrs.frozen(kw_only=True)
class TaskQueued(_OfSolve):
    """`solve`, `submit` or a batch has taken a task on, and waits for nothing yet."""

    service: Service
    task: Task[Any]


@attrs.frozen(kw_only=True)
class SubmitFailed(_OfSolve):
    """One createTask brought no task; another attempt may follow."""

    task: Task[Any]
    started: float
    """Moment at which the request was begun."""
    error: Exception | None
    """Why; None if the caller was cancelled."""


@attrs.frozen(kw_only=True)
class TaskSubmitted(_OfSolve):
    """The service has accepted a task."""

    ref: TaskRef
    task: Task[Any]
    started: float
    """Moment at which the createTask was begun that it has accepted."""


@attrs.frozen(kw_only=True)
class TaskDropped(_OfSolve):
    """The solve has ended before the service has accepted its task."""

    task: Task[Any]
    error: CaptchaError | None
    """Why; None if the caller was cancelled."""
    uncertain: bool
    """Whether a task may exist all the same."""


@attrs.frozen(kw_only=True)
class TaskTakenUp(_OfSolve):
    """A task of before is there to be collected.

    By `attach` or `resume`; or by awaiting it again after it was abandoned, under the same number.
    """

    service: Service
    ref: TaskRef


@attrs.frozen(kw_only=True)
class TaskPolled(_OfSolve):
    """A poll was answered."""

    ref: TaskRef
    status: str
    """What the service said, such as `processing` or `ready`."""
    started: float
    """Moment at which the poll was begun."""


@attrs.frozen(kw_only=True)
class PollFailed(_OfSolve):
    """A poll brought no status; that may be the end of the task (`TaskFailed`), or not."""

    ref: TaskRef
    started: float
    """Moment at which the poll was begun."""
    error: CaptchaError | None
    """Why; None if the waiter was cancelled."""


@attrs.frozen(kw_only=True)
class TaskSolved(_OfSolve):
    """A task's answer has come."""

    ref: TaskRef
    solved: Solved[Any]
    via: Via
    """How it came."""


@attrs.frozen(kw_only=True)
class TaskFailed(_OfSolve):
    """A task has ended without an answer."""

    ref: TaskRef
    error: CaptchaError


@attrs.frozen(kw_only=True)
class TaskAbandoned(_OfSolve):
    """Nobody waits any more for a task that was paid for; `TaskTakenUp` tells if that changes."""

    ref: TaskRef
    error: CaptchaError | None
    """What ended the last wait, such as a `SolveTimeout`; None if it was cancelled, or if for an
    hour nobody came."""


@attrs.frozen(kw_only=True)
class FuseBlown(_Moment):
    """An account error has stopped the client's requests."""

    service: Service
    error: ServiceError
    """Why: an account error, or a `ServiceUnavailable` where createTask failed ten times."""


@attrs.frozen(kw_only=True)
class FuseClosed(_Moment):
    """The client's requests may go again, after a probe or by `reset_fuse`."""

    service: Service


@attrs.frozen(kw_only=True)
class AccountLost(_Moment):
    """The store of a shared account does not answer: this process goes on with what it has."""

    service: Service
    error: CaptchaError


@attrs.frozen(kw_only=True)
class AccountBack(_Moment):
    """The store of a shared account answers again."""

    service: Service


Event = (
    TaskQueued
    | SubmitFailed
    | TaskSubmitted
    | TaskDropped
    | TaskTakenUp
    | TaskPolled
    | PollFailed
    | TaskSolved
    | TaskFailed
    | TaskAbandoned
    | FuseBlown
    | FuseClosed
    | AccountLost
    | AccountBack
)
"""What a handler is called with."""

AccountEvent = Literal["FuseBlown", "FuseClosed", "AccountLost", "AccountBack"]
"""Name of an event that is of no single task."""
_OF_ACCOUNT = {kind.__name__: kind for kind in (FuseBlown, FuseClosed, AccountLost, AccountBack)}


def of_account(name: AccountEvent, **details: Any) -> Event:
    """Make an event that is of no single task."""
    make: Callable[..., Event] = _OF_ACCOUNT[name]
    return make(**details)


_numbers = count(1)


class SolveEvents:
    """Tells what happens to one solve; there is one only where somebody listens."""

    __slots__ = ("_abandoned", "_events", "_service", "solve", "started", "via")

    def __init__(self, events: Events, service: Service) -> None:
        self._events = events
        self._service = service
        self._abandoned = False
        self.solve: int = next(_numbers)
        # Moment at which the last createTask was begun.
        self.started: float = 0.0
        self.via: Via = "poll"

    def _tell(self, kind: Callable[..., Event], **details: Any) -> None:
        self._events.emit(kind(solve=self.solve, at=anyio.current_time(), **details))

    def move(self, service: Service) -> None:
        """Tell of another service from now on."""
        self._service = service

    def queued(self, task: Task[Any]) -> None:
        """A task was taken on."""
        self._tell(TaskQueued, service=self._service, task=task)

    def submit_failed(self, task: Task[Any], error: Exception | None) -> None:
        """One createTask brought no task."""
        self._tell(SubmitFailed, task=task, started=self.started, error=error)

    def submitted(self, ref: TaskRef, task: Task[Any]) -> None:
        """The task was accepted."""
        self._tell(TaskSubmitted, ref=ref, task=task, started=self.started)

    def dropped(self, task: Task[Any], error: CaptchaError | None, *, uncertain: bool) -> None:
        """The solve ended without a task."""
        self._tell(TaskDropped, task=task, error=error, uncertain=uncertain)

    def taken_up(self, ref: TaskRef) -> None:
        """The task comes from before."""
        self._abandoned = False
        self._tell(TaskTakenUp, service=self._service, ref=ref)

    def awaited(self, ref: TaskRef) -> None:
        """Somebody waits; to be told only if nobody did."""
        if self._abandoned:
            self.taken_up(ref)

    def polled(
        self, ref: TaskRef, started: float, status: str | None, error: CaptchaError | None
    ) -> None:
        """A poll was answered, or not."""
        if status is None:
            self._tell(PollFailed, ref=ref, started=started, error=error)
        else:
            self._tell(TaskPolled, ref=ref, started=started, status=status)

    def ended(self, ref: TaskRef, outcome: Solved[Any] | CaptchaError) -> None:
        """The task has ended."""
        if isinstance(outcome, Solved):
            self._tell(TaskSolved, ref=ref, solved=outcome, via=self.via)
        else:
            self._tell(TaskFailed, ref=ref, error=outcome)

    def abandoned(self, ref: TaskRef, error: CaptchaError | None) -> None:
        """Nobody waits any more; told once."""
        if not self._abandoned:
            self._abandoned = True
            self._tell(TaskAbandoned, ref=ref, error=error)
