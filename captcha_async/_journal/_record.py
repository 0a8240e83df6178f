"""What is recorded of one submission, on its way to the file and back. Pure."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Literal, get_args

import attrs
import orjson

from .._ref import TaskId, TaskRef
from ..tasks._model import Task
from ..wire import dump_task
from ._keys import dump_key, load_key
from ._owner import Owner

__all__ = [
    "BY_KEY",
    "COLUMNS",
    "Place",
    "Record",
    "State",
    "UncertainSubmission",
    "dump_id",
    "dump_solution",
    "load_solution_text",
    "mark_of",
    "read_row",
    "storable",
]

BY_KEY = "\x1fby key"
"""The name under which single tasks with a key are recorded; no batch is called so."""

State = Literal["sending", "open", "uncertain", "solved", "failed", "expired"]
"""`sending` until createTask's reply; `open` from then on until the answer has been taken."""

# Of a task these may be others in each run without making it another task.
CHANGING = ("proxy", "cookie", "useragent")

MOST_POLLS = 2**62
"""What SQLite can store; far above every cap."""


@attrs.frozen
class Place:
    """Where a task stands in a named batch."""

    batch: str
    key: str
    """The key, as `dump_key` writes it."""
    mark: bytes | None
    """Tells the task under a key from another one; None if the key itself does."""
    old_key: str | None = None
    """The key as files of the first format have it, if that is another text."""


@attrs.define(eq=False)
class Record:
    """One submission.

    It is changed by its `Entry` alone, in the event loop, but for `number` and `saved`, which the
    journal's thread sets; what is to be written is a copy (`row`), taken at each step.
    """

    owner: Owner
    task_type: str
    place: Place | None = None
    state: State = "sending"
    task_id: TaskId | None = None
    polls: int = 0
    reserved: str | None = None
    """The money set aside for it: what it may have cost, as long as nobody knows its cost."""
    cost: str | None = None
    since: float | None = None
    """Seconds after its submission at which it was last known to have no answer yet."""
    elapsed: float | None = None
    error: str | None = None
    token: str | None = attrs.field(default=None, repr=False)
    """Its callback's, by which other processes of a shared account may have kept it."""
    solution: bytes | None = attrs.field(default=None, repr=False)
    """The solution on its way to the file."""
    stored: bytes | None = attrs.field(default=None, repr=False)
    """The solution as it was read from the file, where it was read with the rest."""
    has_solution: bool = False
    """Whether the file has the solution, which is read only when it is needed."""
    number: int | None = None
    """Its number in the file; given by the writer."""
    saved: bool = False
    """Whether the file has it; kept by the writer."""
    age: float = 0.0
    """Seconds since it was submitted, when it was read."""

    def row(self) -> tuple[Any, ...]:
        """Return the values of `COLUMNS`, each of which SQLite can store."""
        place = self.place
        return (
            storable(self.owner.service),
            self.owner.digest,
            storable(self.task_type),
            None if place is None else storable(place.batch),
            None if place is None else place.key,
            None if place is None else place.mark,
            self.state,
            None if self.task_id is None else dump_id(self.task_id),
            min(max(self.polls, 0), MOST_POLLS),
            self.reserved,
            self.cost,
            self.since,
            self.elapsed,
            None if self.error is None else storable(self.error),
            self.token,
            self.solution,
        )

    @property
    def decimal_cost(self) -> Decimal | None:
        """What the service charged."""
        return None if self.cost is None else Decimal(self.cost)

    @property
    def key(self) -> Any:
        """Its key in a batch; None if it is in none."""
        return None if self.place is None else load_key(self.place.key)

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
    "reserved",
    "cost",
    "since",
    "elapsed",
    "error",
    "token",
    "solution",
)


@attrs.frozen
class UncertainSubmission:
    """A createTask whose outcome is unknown: a task may exist and be charged for."""

    number: int
    """Its number in the journal; 0 if only the records of a shared account have it."""
    task_type: str
    """Name of the task model."""
    age: float
    """Seconds since it was sent."""
    batch: str | None
    """Name of its batch; None if it was in none."""
    key: Any
    """Its key in the batch, or that of `submit` and `solve`; None if it has none, or if nothing can
    be read of its record."""
    unread: str = attrs.field(default="", repr=False)
    """Where a record stands in a shared account of which nothing can be read; empty for others."""


# -- values that SQLite would not take, or not give back ----------------------------------------


def storable(text: str) -> str | bytes:
    """Return a text as SQLite can store it: as bytes if it has half a character in it.

    Such are in names that come from file names which are no UTF-8.
    """
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
    return text


def _restored(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "surrogatepass")
    if not isinstance(value, str):
        raise ValueError(f"no text but {type(value).__name__}")
    return value


def dump_id(task_id: TaskId) -> str:
    """Return a task's id as text."""
    return dump_key(task_id)


def _said(value: Any) -> str | None:
    """Return a text that tells something only; damage in it harms nothing."""
    try:
        return None if value is None else _restored(value)
    except ValueError:
        return str(value)


def _load_id(text: Any) -> TaskId | None:
    value = None if text is None else load_key(_restored(text))
    if value is not None and (isinstance(value, bool) or not isinstance(value, int | str)):
        raise ValueError(f"no id but {type(value).__name__}")
    return value


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) and math.isfinite(value) else None


def _price(text: Any) -> str | None:
    try:
        return str(text) if text is not None and Decimal(str(text)).is_finite() else None
    except InvalidOperation:
        return None


def read_row(owner: Owner, row: Mapping[str, Any]) -> Record:
    """Make the record of a row that an *owner* asked for.

    A row that is damaged counts as uncertain: a task may exist, and nobody can collect it.
    """
    number, age = row["number"], _number(row["age"]) or 0.0
    try:
        return _read_row(owner, row, number, max(0.0, age))
    except ValueError:
        record = Record(owner, str(row["type"]), state="uncertain", number=number, saved=True)
        record.age = max(0.0, age)
        return record


def _read_row(owner: Owner, row: Mapping[str, Any], number: int, age: float) -> Record:
    service, state, task_id = _restored(row["service"]), row["state"], _load_id(row["task_id"])
    if state not in get_args(State) or (task_id is None and state == "open"):
        raise ValueError(f"the state {state!r}")
    place = None
    if row["batch"] is not None:
        key, mark = _restored(row["key"]), row["mark"]
        load_key(key)
        place = Place(_restored(row["batch"]), key, mark if isinstance(mark, bytes) else None)
    return Record(
        owner=owner if service == owner.service else Owner(service, b""),
        task_type=_restored(row["type"]),
        place=place,
        state=state,
        task_id=task_id,
        polls=max(0, row["polls"]) if isinstance(row["polls"], int) else 0,
        reserved=_price(row["reserved"]),
        cost=_price(row["cost"]),
        since=_number(row["since"]),
        elapsed=_number(row["elapsed"]),
        error=_said(row["error"]),
        token=None if row["token"] is None else str(row["token"]),
        stored=row.get("solution"),
        has_solution=bool(row["has_solution"]),
        number=number,
        saved=True,
        age=age,
    )


# -- solutions and tasks --------------------------------------------------------------------------


def dump_solution(raw: Mapping[str, Any]) -> bytes | None:
    """Return a solution as JSON, whatever the service has put into it; None if it cannot be."""
    try:
        return orjson.dumps(raw)
    except TypeError:
        pass
    try:
        # Numbers above 64 bits, and half characters, which it writes as escapes.
        return json.dumps(raw).encode()
    except (TypeError, ValueError, RecursionError):
        return None


def load_solution_text(text: Any) -> Any:
    """Read what `dump_solution` wrote.

    Raises:
        ValueError: it is damaged.
    """
    try:
        # Unlike orjson it reads whole numbers of any size as such.
        return json.loads(text)
    except (TypeError, RecursionError) as error:
        raise ValueError(f"no solution: {error}") from None


def mark_of(task: Task[Any]) -> bytes:
    """Return a digest that tells the task from others, whatever proxy and browser it uses."""
    steady = _steady(dump_task(task))
    try:
        text = orjson.dumps(
            steady, option=orjson.OPT_SORT_KEYS | orjson.OPT_NON_STR_KEYS, default=repr
        )
    except TypeError:
        # Half characters, numbers above 64 bits.
        text = json.dumps(steady, sort_keys=True, default=repr).encode()
    return hashlib.blake2b(text, digest_size=12).digest()


def _steady(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {
        key: _steady(item)
        for key, item in value.items()
        if not any(word in str(key).lower() for word in CHANGING)
    }
