"""The values of a reply, read from whatever JSON a service sends. Pure; nothing here raises."""

from __future__ import annotations

import json
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from functools import lru_cache
from typing import Any

import orjson

from .._ref import TaskId

__all__ = [
    "get",
    "is_empty",
    "read_balance_of",
    "read_cost",
    "read_id",
    "read_integer",
    "read_json",
    "read_object",
    "read_text",
    "spelled",
]

MOST_COST = Decimal(1_000_000)
"""No task costs as much, in any currency; a larger number is a fault of the service."""

LONGEST_COST = 30
"""Characters of a cost that is kept, once it was read; no service writes a longer one."""

MOST_BALANCE = Decimal(10) ** 15

MOST_DECIMALS = 12
"""Further decimals of an amount are rounded away."""

LONGEST_ID = 200
"""Characters; what is longer is no id."""

# The keys of createTask's and getTaskResult's replies, as they are documented, by small letters.
_SPELLINGS = {
    name.lower(): name
    for name in (
        *("errorId", "errorCode", "errorDescription", "taskId", "status", "solution", "cost"),
        *("ip", "createTime", "endTime", "solveCount"),
        # Where a solution is not in an object of its own, and where older interfaces say things.
        *("gRecaptchaResponse", "token", "text", "answer", "cookies", "cf_clearance"),
        *("request", "error", "code", "message"),
    )
}
_DOCUMENTED = frozenset(_SPELLINGS.values())


def read_object(body: bytes) -> Mapping[str, Any]:
    """Read a JSON object; empty if it is none."""
    data = read_json(body)
    return data if isinstance(data, dict) else {}


def read_json(body: bytes) -> Any:
    """Read JSON of any kind, or None; what follows the first value is passed over."""
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        pass
    # orjson is strict about NaN, lone surrogates, byte order marks, UTF-16 and what comes after
    # the end; an answer is worth more.
    try:
        text = body.decode(json.detect_encoding(body), "replace").lstrip("\ufeff \t\r\n")
        return json.JSONDecoder(strict=False).raw_decode(text)[0]
    except (ValueError, RecursionError):
        return None


def get(data: Mapping[str, Any], key: str) -> Any:
    """Return what stands under *key* in any letter case, or None."""
    if key in data:
        return data[key]
    wanted, length = key.lower(), len(key)
    for name in data:
        # The lengths first: they tell most names apart, and cost nothing.
        if len(name) == length and name.lower() == wanted:
            return data[name]
    return None


def spelled(data: dict[str, Any]) -> dict[str, Any]:
    """Return a reply with every documented key in its documented spelling; no other is taken away.

    So letter case is looked at once for a reply, not once for each key that it does not have.
    """
    if _DOCUMENTED.issuperset(data):
        return data
    found = dict(data)
    for name, value in data.items():
        documented = _SPELLINGS.get(name.lower())
        if documented is not None:
            # Of several spellings the documented one counts, then the first.
            found.setdefault(documented, value)
    return found


def read_text(value: Any) -> str:
    """Return a text without white space around it; a number as text; '' for all else."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bool) or not isinstance(value, int):
        return ""
    return str(value)


def read_integer(value: Any) -> int | None:
    """Read errorId: an integer, or a string that holds one; any other truth counts as 1."""
    if isinstance(value, int):
        return int(value)
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        return 1 if value else None


def read_id(value: Any) -> TaskId | None:
    """Read a task's id as it came; 0, '' and negative numbers are what error replies carry."""
    if type(value) is int:
        return value if value > 0 else None
    if isinstance(value, str):
        text = value.strip()
        plain = text.isprintable() and not any(map(str.isspace, text))
        return text if plain and text.strip("0") and len(text) <= LONGEST_ID else None
    whole = isinstance(value, float) and value.is_integer() and 0 < value < 2**53
    return int(value) if whole else None


def read_cost(value: Any) -> Decimal | None:
    """Read what a task cost; None for what no task can cost, such as a negative amount."""
    if value is None:
        return None
    if type(value) is str and len(value) <= LONGEST_COST:
        return _cost(value)
    return _amount(value, Decimal(0), MOST_COST)


@lru_cache(maxsize=256)
def _cost(text: str) -> Decimal | None:
    """A service has few prices, and each is told again and again."""
    return _amount(text, Decimal(0), MOST_COST)


def read_balance_of(value: Any) -> Decimal | None:
    """Read a balance, which may be negative; None for what is no amount of money."""
    return _amount(value, -MOST_BALANCE, MOST_BALANCE)


def _amount(value: Any, least: Decimal, most: Decimal) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = Decimal(str(value).strip())
    except (InvalidOperation, ValueError):
        return None
    if not number.is_finite() or not least <= number <= most:
        return None
    # An exponent without bound would make later sums slow, or fail.
    exponent = number.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -MOST_DECIMALS:
        return round(number, MOST_DECIMALS)
    # A zero or a whole number may be written as 0E+500.
    return number if isinstance(exponent, int) and exponent <= 0 else Decimal(int(number))


def is_empty(value: Any) -> bool:
    """Tell whether nothing is in a value: None, blank text, or containers of nothing else."""
    if isinstance(value, str):
        return not value.strip()
    waiting = [value]
    # A loop instead of a recursion: a reply may be nested deeper than the interpreter's stack.
    while waiting:
        item = waiting.pop()
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
        elif isinstance(item, str):
            if item.strip():
                return False
        elif item is not None:
            return False
    return True
