"""The shared record of one keyed task: what it says, as which bytes, whose it is and how long.

It begins before createTask is sent, so that a process which is killed at any moment leaves a trace;
it is replaced as the task goes on, and lives as long as a result does.
"""

from __future__ import annotations

import logging
import secrets
from decimal import Decimal
from hashlib import blake2b
from typing import Any, Literal, get_args

import attrs
import orjson

from .._clock import wall_time
from .._journal import Place, dump_key
from .._journal._keys import load_key
from .._ref import TaskRef
from ._store import NOBODY, RESULT_LIFE, TAG, Change

__all__ = ["LONG", "Seen", "TaskRecord", "change_of", "key_of", "left_of", "new_tag", "read_of"]

logger = logging.getLogger("captcha_async")

LONG = 24 * 3600.0
"""Seconds for which it is remembered that nobody knows whether a key was paid for."""

RecordState = Literal["sending", "open", "uncertain", "solved", "failed"]
STATES: tuple[str, ...] = get_args(RecordState)


@attrs.frozen(kw_only=True)
class TaskRecord:
    """What is known of a key."""

    tag: str
    """Tells who has written it last, `TAG` characters by chance."""
    batch: str
    """The batch that the key is of."""
    key: str
    """The key, as `dump_key` writes it."""
    mark: bytes | None = None
    """Tells the task from another one under the key."""
    state: RecordState
    """`sending`: createTask is on its way, or its process was killed then. `uncertain`: nobody can
    tell whether the task was paid for. `open`: paid for. `solved`: the answer is here. `failed`: it
    has ended without one."""
    type: str = ""
    """Name of the task model."""
    at: float = 0.0
    """When createTask was sent, by the wall clock of its machine."""
    ref: TaskRef | None = None
    token: str = attrs.field(default="", repr=False)
    """Its callback's; `kept` has what came meanwhile."""
    free: bool = False
    """Whether nobody at its member waits for it, so that any member may collect it."""
    adopted: bool = False
    """Whether another member than its sender has taken it over."""
    polls: int = 0
    polled_at: float | None = None
    """When it was last polled, by the wall clock."""
    solution: bytes | None = attrs.field(default=None, repr=False)
    """The service's own object, as JSON."""
    cost: str | None = None
    since: float | None = None
    """Seconds after its submission at which it was last known to have no answer yet."""
    elapsed: float | None = None
    error: str | None = None
    """Name of what it has failed with."""

    @property
    def place(self) -> Place:
        """Where it stands."""
        return Place(self.batch, self.key, self.mark)

    @property
    def age(self) -> float:
        """Seconds since createTask was sent."""
        return max(0.0, wall_time() - self.at)

    def dump(self) -> bytes:
        """Return it as its tag and JSON."""
        data = attrs.asdict(
            self,
            recurse=False,
            filter=lambda field, value: field.name != "tag" and value != field.default,
        )
        # It may hold half a character, such as of a file's name.
        data["batch"] = dump_key(self.batch)
        if self.mark is not None:
            data["mark"] = self.mark.hex()
        if self.ref is not None:
            data["ref"] = self.ref.to_json()
        if self.solution is not None:
            data["solution"] = self.solution.decode()
        return self.tag.encode() + orjson.dumps(data)

    @classmethod
    def load(cls, text: bytes) -> TaskRecord:
        """Read what `dump` has returned.

        Raises:
            ValueError: it is something else, such as what a newer version writes.
        """
        try:
            record = cls._load(text)
            sound = record.state in STATES and isinstance(record.key, str) and record.age >= 0
            if record.cost is not None:
                Decimal(record.cost)
        except (TypeError, LookupError, AttributeError, ArithmeticError) as error:
            raise ValueError(f"no record: {type(error).__name__}") from None
        if not sound or (record.ref is None and record.state in ("open", "solved")):
            raise ValueError("no record that is known here")
        return record

    @classmethod
    def _load(cls, text: bytes) -> TaskRecord:
        data: dict[str, Any] = orjson.loads(text[TAG:])
        data["batch"] = load_key(data["batch"])
        if "mark" in data:
            data["mark"] = bytes.fromhex(data["mark"])
        if "ref" in data:
            data["ref"] = TaskRef.from_json(data["ref"])
        if "solution" in data:
            data["solution"] = data["solution"].encode()
        known = {field.name for field in attrs.fields(cls)}
        return cls(tag=text[:TAG].decode(), **{name: data[name] for name in data if name in known})


@attrs.frozen
class Seen:
    """A record as it was when it was looked at."""

    record: TaskRecord
    living: bool
    """Whether the member that takes care of it is there."""


def change_of(record: TaskRecord, me: str, expected: str = "") -> Change:
    """Return what is written of a record by the member *me*, in place of one with that tag."""
    uncertain = record.state in ("sending", "uncertain")
    owner = {"uncertain": NOBODY, "solved": "", "failed": ""}.get(record.state, me)
    return Change(
        key=key_of(record.place),
        value=record.dump(),
        tag=record.tag,
        expected=expected,
        seconds=LONG if uncertain else RESULT_LIFE,
        owner=owner,
    )


def new_tag() -> str:
    """Make the tag of whoever writes a record."""
    return secrets.token_hex(TAG // 2)


def key_of(place: Place) -> str:
    """Return the key in the store of a place in a batch; it does not show the user's."""
    # A key as `dump_key` writes it has no such character.
    text = f"{place.batch}\x1f{place.key}".encode("utf-8", "surrogatepass")
    return "task:" + blake2b(text, digest_size=16).hexdigest()


def read_of(place: Place, value: bytes) -> TaskRecord:
    """Return the record of a place; of one that cannot be read nobody knows what it says."""
    try:
        return TaskRecord.load(value)
    except ValueError as error:
        logger.warning("The shared record of a key cannot be read (%s).", error)
        return _doubt(value, place)


def left_of(key: str, value: bytes) -> TaskRecord:
    """Return what stands under a key of the store; what cannot be read is a doubt.

    Its place is known if that can be read, as it can of what a newer version writes; else its key
    is empty, which is no key.
    """
    try:
        return TaskRecord.load(value)
    except ValueError:
        pass
    try:
        data = orjson.loads(value[TAG:])
        place = Place(load_key(data["batch"]), data["key"], None)
        load_key(place.key)
        if key_of(place) == key:
            at, kind = data.get("at"), data.get("type")
            now = wall_time()
            return _doubt(
                value,
                place,
                at=at if isinstance(at, int | float) and 0 < at <= now else now,
                type=kind if isinstance(kind, str) else "",
            )
    except (ValueError, TypeError, LookupError, AttributeError):
        pass
    return _doubt(value, Place("", "", None), at=wall_time())


def _doubt(value: bytes, place: Place, **known: Any) -> TaskRecord:
    tag = value[:TAG].decode(errors="surrogateescape")
    return TaskRecord(tag=tag, batch=place.batch, key=place.key, state="uncertain", **known)
