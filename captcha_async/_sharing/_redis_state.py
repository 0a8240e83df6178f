"""Reads what `exchange.lua` keeps, for who only looks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from ._messages import Terms
from ._state import Entry, Fuse, Hold, Members, Pool, State

__all__ = ["NUMBERS", "read_state"]

NUMBERS = (
    "wall",
    "now",
    "version",
    "born",
    "terms_by",
    "grace",
    "limit",
    "epoch",
    "live",
    "pause",
    "width",
    "lent",
    "scarce",
    "turn",
)
"""The numbers of a state in the script's order; *turn* counts who has queued."""

_TERMS = len(attrs.fields(Terms))
_ENTRY = len(attrs.fields(Entry)) - 1
_HOLD = len(attrs.fields(Hold))


def read_state(
    numbers: bytes | None,
    members: Mapping[bytes, bytes],
    queues: Sequence[Sequence[bytes]],
    spent: Mapping[bytes, bytes],
    fuses: Mapping[bytes, bytes],
) -> State:
    """Make a state of what the script keeps."""
    if numbers is None:
        return State()
    values = [int(word) for word in numbers.split()]
    named = dict(zip(NUMBERS, values, strict=False))
    del named["turn"]
    rest = values[len(NUMBERS) :]
    first, second, third = (
        _pool(rest[_TERMS + 4 * i : _TERMS + 4 * i + 4], queue) for i, queue in enumerate(queues)
    )
    return State(
        **named,
        terms=Terms(**dict(zip((f.name for f in attrs.fields(Terms)), rest, strict=False))),
        members=Members({name.decode(): _entry(text) for name, text in members.items()}),
        pools=(first, second, third),
        spent={int(start): int(amount) for start, amount in spent.items()},
        fuses={scope.decode(): _fuse(text) for scope, text in fuses.items()},
    )


def _pool(sums: Sequence[int], queue: Sequence[bytes]) -> Pool:
    total, used, sated, thirsty = sums
    return Pool(total, used, sated, thirsty, dict.fromkeys(map(bytes.decode, queue)))


def _entry(text: bytes) -> Entry:
    values: list[Any] = [int(word) for word in text.split()]
    entry = Entry(*values[:_ENTRY])
    entry.gone = bool(entry.gone)
    at = range(_ENTRY, len(values), _HOLD)
    first, second, third = (Hold(*values[start : start + _HOLD]) for start in at)
    entry.holds = (first, second, third)
    return entry


def _fuse(text: bytes) -> Fuse:
    number, until, probe_until, prober, error = text.decode().split(" ", 4)
    return Fuse(int(number), int(until), "" if prober == "-" else prober, int(probe_until), error)
