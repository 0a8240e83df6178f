"""What the store keeps of one account, for the stores that run the rules in Python."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, MutableMapping
from types import MappingProxyType
from typing import Any

import attrs
import orjson

from ._messages import Terms

__all__ = ["Entry", "Fuse", "Hold", "Pool", "State"]


@attrs.define
class Hold:
    """What one member has of one pool."""

    want: int = 0
    booked: int = 0
    """What counts as its own: never less than it uses or may take."""
    used: int = 0
    most: int = 0
    """What it may use at most, by a grant that it may not have seen yet, or as it has told."""
    last: int = 0
    """The share that it was granted last."""
    right: int = 0
    """The largest share among the grants that may be in force. What it has told to have without a
    grant, because its lease had ended, is no right."""


@attrs.define
class Entry:
    """One member."""

    expires: int = 0
    joined: int = 0
    life: int = 0
    """The life of the store in which it reported last."""
    gone: bool = False
    """It has died or left, and what it used last is kept free for a while."""
    issued: int = 0
    """Version of the last grant that was made for it."""
    successes: int = 0
    spent: int = 0
    lent: int = 0
    returned: int = 0
    holds: tuple[Hold, Hold, Hold] = attrs.field(factory=lambda: (Hold(), Hold(), Hold()))

    @property
    def outstanding(self) -> int:
        """Money that it was lent and has not told to have spent."""
        return max(0, self.lent - self.spent - self.returned)


class Members(MutableMapping[str, Entry]):
    """Members by their ids; those that were read from a file are made entries when looked at.

    One exchange looks at few of them, and reading all would cost more than all else.
    """

    def __init__(self, rows: Mapping[str, Entry | list[Any]] = MappingProxyType({})) -> None:
        self._rows: dict[str, Entry | list[Any]] = dict(rows)

    def __getitem__(self, name: str) -> Entry:
        entry = self._rows[name]
        if isinstance(entry, list):
            entry = self._rows[name] = _entry(entry)
        return entry

    def __setitem__(self, name: str, entry: Entry) -> None:
        self._rows[name] = entry

    def __delitem__(self, name: str) -> None:
        del self._rows[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._rows)

    def __len__(self) -> int:
        return len(self._rows)

    def rows(self) -> dict[str, list[Any]]:
        """Return what is to be kept of each."""
        return {
            name: entry if isinstance(entry, list) else _entry_row(entry)
            for name, entry in self._rows.items()
        }


@attrs.define
class Pool:
    """One pool: sums over the members, so that an exchange need not look at each of them."""

    total: int = 0
    """What is booked."""
    used: int = 0
    sated: int = 0
    """What those want who have all that they want."""
    thirsty: int = 0
    """Members that have less than they want."""
    queue: dict[str, None] = attrs.field(factory=dict)
    """Who waits for a share, in turn."""


@attrs.define
class Fuse:
    """One fuse: the account's, or that of one egress."""

    number: int = 0
    until: int = 0
    prober: str = ""
    probe_until: int = 0
    error: str = ""


@attrs.define
class State:
    """Everything about one account."""

    wall: int = 0
    """The clock that the store reads; *now* goes on with it, and never back."""
    now: int = 0
    version: int = 0
    born: int = 0
    terms: Terms = attrs.field(factory=Terms)
    terms_by: int = 0
    """When the member joined whose terms hold."""
    grace: int = 0
    """Until then nobody is given more than it had."""
    limit: int = 0
    """Slots of the account as found out, in thousandths."""
    epoch: int = 0
    live: int = 0
    pause: int = 0
    width: int = 0
    """Length of one part of the window of money."""
    lent: int = 0
    """Money outstanding over all members."""
    scarce: int = 0
    """Until then somebody was refused money a moment ago."""
    earliest: int = 0
    """No lease ends before this."""
    members: Members = attrs.field(factory=Members)
    pools: tuple[Pool, Pool, Pool] = attrs.field(factory=lambda: (Pool(), Pool(), Pool()))
    spent: dict[int, int] = attrs.field(factory=dict)
    """{start of a part of the window: money spent in it}"""
    fuses: dict[str, Fuse] = attrs.field(factory=dict)

    def at(self, wall: int) -> State:
        """Let the time go on to what a clock shows, for who only looks."""
        if self.wall:
            self.now += max(0, wall - self.wall)
        return self

    def dump(self) -> bytes:
        """Return the state as JSON."""
        return orjson.dumps(
            [
                [getattr(self, name) for name in _NUMBERS],
                attrs.astuple(self.terms),
                self.members.rows(),
                [[p.total, p.used, p.sated, p.thirsty, list(p.queue)] for p in self.pools],
                list(self.spent.items()),
                {scope: attrs.astuple(fuse) for scope, fuse in self.fuses.items()},
            ]
        )

    @classmethod
    def load(cls, data: bytes) -> State:
        """Read what `dump` has returned."""
        numbers, terms, members, pools, spent, fuses = orjson.loads(data)
        first, second, third = (_pool(*row) for row in pools)
        return cls(
            **dict(zip(_NUMBERS, numbers, strict=True)),
            terms=Terms(**dict(zip(_TERMS, terms, strict=True))),
            members=Members(members),
            pools=(first, second, third),
            spent=dict(spent),
            fuses={scope: Fuse(*row) for scope, row in fuses.items()},
        )


_NUMBERS = tuple(
    field.name
    for field in attrs.fields(State)
    if field.name not in ("terms", "members", "pools", "spent", "fuses")
)
_TERMS = tuple(field.name for field in attrs.fields(Terms))
_ENTRY = tuple(field.name for field in attrs.fields(Entry) if field.name != "holds")
_HOLD = tuple(field.name for field in attrs.fields(Hold))


def _pool(total: int, used: int, sated: int, thirsty: int, queue: list[str]) -> Pool:
    return Pool(total, used, sated, thirsty, dict.fromkeys(queue))


def _entry_row(entry: Entry) -> list[Any]:
    numbers = [getattr(entry, name) for name in _ENTRY]
    return [numbers, [[getattr(hold, name) for name in _HOLD] for hold in entry.holds]]


def _entry(row: list[Any]) -> Entry:
    numbers, holds = row
    first, second, third = (Hold(*hold) for hold in holds)
    entry = Entry(*numbers)
    entry.holds = (first, second, third)
    return entry
