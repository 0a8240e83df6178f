"""What is recorded of one submission, on its way to the file and back. Pure."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import attrs
import orjson

from .._ref import TaskId, TaskRef
from ..errors import invalid
from ..tasks._model import Task
from ..wire import dump_task

__all__ = [
    "COLUMNS",
    "Owner",
    "Place",
    "Record",
    "State",
    "UncertainSubmission",
    "dump_key",
    "dump_solution",
    "load_key",
    "mark_of",
]

State = Literal["sending", "open", "uncertain", "solved", "failed", "expired"]
"""`sending` until createTask's reply; `open` from then on until the answer has been taken."""

# Of a task these may be others in each run without making it another task.
CHANGING = ("proxy", "cookie", "useragent")


@attrs.frozen
class Owner:
    """Whose tasks they are: a service, and a digest of the account's key."""

    service: str
    digest: bytes = attrs.field(repr=False)

    @classmethod
    def of(cls, service: str, api_key: str) -> Owner:
        """Make the owner; suffixes of the key (`KEY__nocache`) are no other account."""
        account = api_key.partition("__")[0]
        return cls(service, hashlib.blake2b(account.encode(), digest_size=32).digest())


@attrs.frozen
class Place:
    """Where a task stands in a named batch."""

    batch: str
    key: str
    """The key as JSON."""
    mark: bytes | None
    """Tells the task at an index from another one; None if the key itself does."""


@attrs.define(eq=False)
class Record:
    """One submission."""

    owner: Owner
    task_type: str
    place: Place | None = None
    state: State = "sending"
    task_id: TaskId | None = None
    polls: int = 0
    cost: str | None = None
    elapsed: float | None = None
    error: str | None = None
    solution: bytes | None = attrs.field(default=None, repr=False)
    has_solution: bool = False
    """Whether the file has the solution, which is read only when it is needed."""
    number: int | None = None
    """Its number in the file; given by the writer."""
    saved: bool = False
    """Whether the file has it; kept by the writer."""
    age: float = 0.0
    """Seconds since it was made, when it was read."""

    def row(self) -> tuple[Any, ...]:
        """Return the values of `COLUMNS`."""
        place = self.place
        return (
            self.owner.service,
            self.owner.digest,
            self.task_type,
            None if place is None else place.batch,
            None if place is None else place.key,
            None if place is None else place.mark,
            self.state,
            None if self.task_id is None else orjson.dumps(self.task_id).decode(),
            self.polls,
            self.cost,
            self.elapsed,
            self.error,
            self.solution,
        )

    @property
    def decimal_cost(self) -> Decimal | None:
        """What the service charged."""
        return None if self.cost is None else Decimal(self.cost)

    def ref(self) -> TaskRef:
        """Return the reference that collects the task; it counts one poll that nobody recorded."""
        assert self.task_id is not None
        return TaskRef(self.owner.service, self.task_id, self.task_type, self.polls + 1)


COLUMNS = (
    "service",
    "account",
    "type",
    "batch",
    "key",
    "mark",
    "state",
    "task_id",
    "polls",
    "cost",
    "elapsed",
    "error",
    "solution",
)


@attrs.frozen
class UncertainSubmission:
    """A createTask whose outcome is unknown: a task may exist and be charged for."""

    number: int
    """Its number in the journal."""
    task_type: str
    """Name of the task model."""
    age: float
    """Seconds since it was sent."""
    batch: str | None
    """Name of its batch; None if it was in none."""
    key: Any
    """Its key in the batch."""


def dump_key(key: object) -> str:
    """Return a batch's key as JSON.

    Raises:
        InvalidArgument: the key could not be recognised in another process.
    """
    try:
        return orjson.dumps(key, default=_plain).decode()
    except (TypeError, ValueError):
        rule = "a string, a whole number, or a tuple of such, for the journal to recognise it"
        raise invalid("key", key, rule) from None


def _plain(value: object) -> str:
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError


def load_key(text: str) -> Any:
    """Read a key as `dump_key` wrote it; a tuple comes back as one."""
    return _tuples(orjson.loads(text))


def _tuples(value: Any) -> Any:
    return tuple(_tuples(item) for item in value) if isinstance(value, list) else value


def dump_solution(raw: Mapping[str, Any]) -> bytes:
    """Return a solution as JSON, whatever the service has put into it."""
    try:
        return orjson.dumps(raw)
    except TypeError:
        return json.dumps(raw).encode("utf-8", "backslashreplace")


def mark_of(task: Task[Any]) -> bytes:
    """Return a digest that tells the task from others, whatever proxy and browser it uses."""
    steady = _steady(dump_task(task))
    text = orjson.dumps(steady, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=repr)
    return hashlib.blake2b(text, digest_size=12).digest()


def _steady(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {
        key: _steady(item)
        for key, item in value.items()
        if not any(word in str(key).lower() for word in CHANGING)
    }
