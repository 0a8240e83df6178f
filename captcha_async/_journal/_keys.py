"""Keys of batches as text: what was stored is recognised, and no two keys share a text. Pure.

Strings, whole numbers, True, False, None and finite floats are the JSON that they look like, and a
tuple is an array. Any other key is an object with one field, which names its kind:
`{"uuid": "…"}`, so that `UUID(x)` and `str(UUID(x))` stay two keys. A moment is written with its
offset; where a zone's clocks are changed, with the zone, because to Python such a moment equals
none of another zone (PEP 495).
"""

from __future__ import annotations

import datetime
import enum
import json
import math
import os
import sys
import uuid
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson

from ..errors import InvalidArgument, invalid

__all__ = ["dump_key", "dump_old_key", "load_key"]

RULE = (
    "a string, a number, a path, a UUID, a date, bytes, or a tuple of such, for the journal to "
    "recognise it"
)

DEEPEST = 50
"""Tuples in tuples; no reader of JSON gives up at that depth."""


def _moment(parts: list[Any]) -> datetime.datetime:
    from zoneinfo import ZoneInfo

    text, fold, zone = parts
    return datetime.datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone), fold=fold)


# By the name of the kind: what reads such a key.
_LOADERS: dict[str, Callable[[Any], Any]] = {
    # Text with half a character in it, which is no JSON.
    "text": lambda text: bytes.fromhex(text).decode("utf-8", "surrogatepass"),
    "path": lambda text: Path(_load(text)),
    "uuid": uuid.UUID,
    "datetime": datetime.datetime.fromisoformat,
    "moment": _moment,
    "date": datetime.date.fromisoformat,
    "decimal": Decimal,
    "bytes": bytes.fromhex,
}


def dump_key(key: object) -> str:
    """Return a batch's key as text that tells it from every other key.

    Raises:
        InvalidArgument: the key could not be recognised in another process.
    """
    try:
        return _json(_plain(key))
    except (TypeError, ValueError):
        raise _refused(key) from None


def _refused(key: object) -> InvalidArgument:
    if isinstance(key, enum.Enum):
        return invalid("key", key, "the value or the name of an Enum's member, not the member")
    if isinstance(key, float):
        return invalid("key", key, "a finite number: others are not equal to themselves, or last")
    if isinstance(key, list | dict | set):
        return invalid("key", key, f"{RULE}; a {type(key).__name__} may change")
    return invalid("key", key, RULE)


def _json(value: Any) -> str:
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        # It has no numbers above 64 bits.
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _plain(key: object, depth: int = 0) -> Any:
    """Return the key as what JSON has."""
    if depth > DEEPEST:
        raise ValueError
    if key is None or isinstance(key, bool):
        return key
    if isinstance(key, str):
        # Of a subclass only what makes it equal to a plain string.
        text = str.__str__(key)
        return text if text.isascii() or _is_unicode(text) else {"text": _hex(text)}
    if isinstance(key, int):
        return int(key)
    if isinstance(key, tuple):
        return [_plain(item, depth + 1) for item in key]
    if isinstance(key, enum.Enum):
        raise TypeError
    if isinstance(key, float):
        if not math.isfinite(key):
            raise ValueError
        return float(key)
    return _tagged(key)


def _tagged(key: object) -> dict[str, Any]:
    if isinstance(key, os.PathLike):
        return {"path": _plain(os.fsdecode(key))}
    if isinstance(key, uuid.UUID):
        return {"uuid": str(key)}
    if isinstance(key, datetime.datetime):
        return _dated(key)
    if isinstance(key, datetime.date):
        return {"date": key.isoformat()}
    if isinstance(key, Decimal) and key.is_finite():
        return {"decimal": str(key)}
    if isinstance(key, bytes):
        return {"bytes": key.hex()}
    raise TypeError


def _zone_of(key: datetime.datetime) -> str | None:
    # Who has such a zone has loaded the module; else nobody needs it.
    if "zoneinfo" not in sys.modules:
        return None
    from zoneinfo import ZoneInfo

    return key.tzinfo.key if isinstance(key.tzinfo, ZoneInfo) else None


def _dated(key: datetime.datetime) -> dict[str, Any]:
    zone = _zone_of(key)
    if zone:
        other = key.replace(fold=1 - key.fold)
        if other.utcoffset() != key.utcoffset():
            return {"moment": [key.replace(tzinfo=None).isoformat(), key.fold, zone]}
    return {"datetime": key.isoformat()}


def _is_unicode(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _hex(text: str) -> str:
    return text.encode("utf-8", "surrogatepass").hex()


def load_key(text: str) -> Any:
    """Read a key as `dump_key` wrote it.

    Raises:
        ValueError: the text is damaged.
    """
    try:
        return _load(json.loads(text))
    except (
        TypeError,
        ValueError,
        LookupError,
        AttributeError,
        ArithmeticError,
        RecursionError,
    ) as error:
        raise ValueError(f"no key: {error}") from None


def _load(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(_load(item) for item in value)
    if isinstance(value, dict) and len(value) == 1:
        ((kind, inner),) = value.items()
        if kind in _LOADERS:
            return _LOADERS[kind](inner)
    return value


def dump_old_key(key: object) -> str | None:
    """Return the text that files of the first format have for a key; None if it is the same now.

    There a path, a UUID or a date had the text of a string, and could not be told from it.
    """
    if isinstance(key, str | int | None):
        return None
    try:
        return orjson.dumps(key, default=_old_plain).decode()
    except (TypeError, ValueError):
        return None


def _old_plain(value: object) -> str:
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    raise TypeError
