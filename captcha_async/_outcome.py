"""What comes of a task."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from typing import Any, Generic, TypeVar

import anyio
import attrs

from ._clock import utc_at, wall_time
from ._ref import TaskId, TaskRef
from .errors import CaptchaError
from .tasks._model import Solution, Task

__all__ = ["Failed", "Reported", "Solved"]


def _expires(solved: Solved[Any]) -> datetime | None:
    return None if solved.expires_at is None else utc_at(solved.expires_at)


S_co = TypeVar("S_co", bound=Solution, covariant=True)


@attrs.frozen(kw_only=True, repr=False)
class Solved(Generic[S_co]):
    """A task's answer and what it took."""

    solution: S_co
    """The answer, typed by its task."""
    task: Task[Any] | None
    """The task; None if the solve was taken up from a reference."""
    cost: Decimal | None
    """What the service says it charged, in its own currency; None if it says nothing."""
    elapsed: float
    """Seconds from submission (or `attach`) to the answer."""
    polls: int
    """Polls made for the task."""
    ref: TaskRef
    """The task's reference."""
    account: str = ""
    """Name of the account that it was solved at; an account without one is called by its
    service."""
    expires_at: float | None = None
    """Moment on the event loop's clock (`anyio.current_time()`) from which on the token may be
    refused; None where its life is not documented. It means nothing to another process."""
    expires: datetime | None = attrs.field(
        default=attrs.Factory(_expires, takes_self=True), eq=False
    )
    """The same as UTC time, for another process or machine; taken when the answer was made."""
    replayed: bool = False
    """Whether a journal, or the records of a shared account, have handed the answer out again: it
    is as old as `expires` says, and may have been used before."""
    key: Any = None
    """In a batch: the task's index, or its key in the mapping."""
    arrived: datetime | None = attrs.field(default=None, eq=False)
    """UTC time at which the answer came here, by this machine's clock."""
    ip: str | None = None
    """The address that the service saw createTask come from; like the next three None where the
    service does not tell it, and for an answer that a journal has handed out again."""
    created: datetime | None = None
    """UTC time of the task's creation, by the service's clock."""
    ended: datetime | None = None
    """UTC time of the answer, by the service's clock."""
    workers: int | None = None
    """How many workers have tried."""

    def __repr__(self) -> str:
        parts = [
            "" if self.key is None else f"key={self.key!r}",
            f"{self.ref.task_type} {self.task_id} at {self.account or self.ref.service}",
            repr(self.solution),
            f"{self.elapsed:.1f} s",
            f"{self.polls} poll{'' if self.polls == 1 else 's'}",
            "" if self.cost is None else f"cost {self.cost}",
            "replayed" if self.replayed else "",
        ]
        return f"<Solved {', '.join(part for part in parts if part)}>"

    @property
    def expires_in(self) -> float | None:
        """Seconds from now until `expires_at`, negative after it; to be asked in the event loop."""
        return None if self.expires_at is None else self.expires_at - anyio.current_time()

    @property
    def age(self) -> float | None:
        """Seconds since the answer came here; None where nothing tells them."""
        return None if self.arrived is None else wall_time() - self.arrived.timestamp()

    @property
    def task_id(self) -> TaskId:
        """The service's id of the task."""
        return self.ref.task_id


@attrs.frozen(kw_only=True)
class Failed:
    """A task of a batch that brought no answer."""

    error: CaptchaError
    """Why; `error.ref` is set if the task was created."""
    task: Any
    """What was to be solved."""
    key: Any
    """The task's index, or its key in the mapping."""

    @property
    def task_id(self) -> TaskId | None:
        """The service's id of the task, or None if none was created."""
        return self.error.task_id


@attrs.frozen
class Reported:
    """What became of a report of an answer; true if the service has taken it."""

    taken: bool
    """Whether the service has taken it."""
    why: str | None = None
    """Why it has not, or was not asked to; None if it has."""
    error: CaptchaError | None = None
    """What the service, or the way to it, has answered instead."""

    def __bool__(self) -> bool:
        return self.taken
