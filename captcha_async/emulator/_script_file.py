"""Scripts as files: a TOML or JSON list of orders, each checked before any is given."""

from __future__ import annotations

import json
import os
import re
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs

from ..errors import InvalidArgument, invalid
from ._latency import check_seconds, check_share

__all__ = ["Order", "naming", "read_script"]

Check = Callable[[str, Any], Any]
"""Called with a field's name and value; returns the argument, or raises InvalidArgument."""

LIST = "order"
HEADER_NAME = re.compile(r"[A-Za-z0-9_-]+")


@attrs.frozen
class Order:
    """One entry of a script, as a call of an `Orders` method."""

    where: str
    """Which entry of which file."""
    method: str
    arguments: Mapping[str, Any]


def naming(where: str, error: InvalidArgument) -> InvalidArgument:
    """Return the error with the entry in front of it."""
    return InvalidArgument(f"{where}: {error}", field=error.field, rule=error.rule)


def read_script(path: str | os.PathLike[str]) -> list[Order]:
    """Read the orders of a file.

    Raises:
        InvalidArgument: names the file, the entry, the field, its value and the rule.
        OSError: the file cannot be read.
    """
    path = Path(path)
    entries = _entries(path, _parse(path))
    return [
        _order(f"{path.name}, {LIST} {number}", entry)
        for number, entry in enumerate(entries, start=1)
    ]


def _parse(path: Path) -> Any:
    read = json.loads if path.suffix.lower() == ".json" else tomllib.loads
    try:
        return read(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        kind = "JSON" if read is json.loads else "TOML"
        message = f"{path.name}: a script must be {kind}: {error}"
        raise InvalidArgument(message, field="script", rule=kind) from None


def _entries(path: Path, content: Any) -> list[Any]:
    if not isinstance(content, Mapping):
        raise naming(path.name, invalid("script", content, f"an object with a list {LIST!r}"))
    for key in content:
        if key != LIST:
            raise naming(path.name, invalid("key", key, f"{LIST!r}: a script is a list of those"))
    entries = content.get(LIST, [])
    if not isinstance(entries, list):
        raise naming(path.name, invalid(LIST, entries, "a list, in TOML written [[order]]"))
    return entries


def _order(where: str, entry: Any) -> Order:
    try:
        name = _name_of(entry)
        where = f"{where} ({name})"
        return Order(where, ACTIONS[name].method, ACTIONS[name].read(name, entry))
    except InvalidArgument as error:
        raise naming(where, error) from None


def _name_of(entry: Any) -> str:
    if not isinstance(entry, Mapping):
        raise invalid(LIST, entry, "a table")
    named = [name for name in ACTIONS if name in entry]
    if len(named) != 1:
        raise invalid("keys", sorted(entry), f"with just one of {', '.join(ACTIONS)}")
    return named[0]


# -- checks of single values ----------------------------------------------------------------------


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise invalid(name, value, "a text that is not empty")
    return value


def _flag(name: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise invalid(name, value, "true or false")
    return value


def _yes(name: str, value: Any) -> None:
    if value is not True:
        raise invalid(name, value, "true")


def _times(name: str, value: Any) -> int | None:
    if value == "always":
        return None
    if type(value) is not int or value < 1:
        raise invalid(name, value, "a whole number of at least 1, or 'always'")
    return value


def _count(name: str, value: Any) -> int:
    if type(value) is not int or value < 1:
        raise invalid(name, value, "a whole number of at least 1")
    return value


def _status(name: str, value: Any) -> int:
    if type(value) is not int or not 200 <= value <= 599:
        raise invalid(name, value, "an HTTP status from 200 to 599")
    return value


def _seconds(name: str, value: Any) -> float:
    check_seconds(name, value)
    return float(value)


def _share(name: str, value: Any) -> float:
    try:
        return check_share(value)
    except InvalidArgument as error:
        raise invalid(name, value, error.rule) from None


def _object(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise invalid(name, value, "a table of what the solution holds")
    try:
        json.dumps(value)
    except TypeError:
        # TOML has dates and times.
        raise invalid(name, value, "made of values that JSON has") from None
    return value


def _headers(name: str, value: Any) -> list[tuple[str, str]]:
    if not isinstance(value, Mapping) or not all(isinstance(text, str) for text in value.values()):
        raise invalid(name, value, "a table of header names and texts")
    for header, text in value.items():
        if not HEADER_NAME.fullmatch(header):
            raise invalid(name, header, "headers whose names are letters, digits and hyphens")
        if not (text.isascii() and text.isprintable()):
            raise invalid(name, text, "headers whose texts are one line of ASCII")
    return list(value.items())


def _body(name: str, value: Any) -> bytes:
    if not isinstance(value, str):
        raise invalid(name, value, "a text")
    return value.encode()


# -- the kinds of orders --------------------------------------------------------------------------


@attrs.frozen
class _Action:
    """A kind of order: the method that gives it, and the fields that it may have."""

    method: str
    argument: str | None
    """Argument that the value of the action's own key becomes; None if it only has to be true."""
    check: Check
    fields: Mapping[str, tuple[str, Check]]
    """By key in the file: the argument's name and the check of its value."""

    def read(self, name: str, entry: Mapping[str, Any]) -> dict[str, Any]:
        """Return the method's arguments."""
        value = self.check(name, entry[name])
        arguments = {} if self.argument is None else {self.argument: value}
        for key, given in entry.items():
            if key == name:
                continue
            if key not in self.fields:
                known = ", ".join(self.fields) or "none"
                raise invalid("key", key, f"one that goes with {name!r} ({known})")
            argument, check = self.fields[key]
            arguments[argument] = check(key, given)
        return arguments


def _plain(**checks: Check) -> dict[str, tuple[str, Check]]:
    return {name: (name, check) for name, check in checks.items()}


_TYPE: dict[str, tuple[str, Check]] = {"type": ("task_type", _text)}
_TASK = {**_TYPE, **_plain(times=_times, after=_seconds)}
_CALL = _plain(method=_text, times=_times)
_SHARED = _plain(share=_share)

ACTIONS: Mapping[str, _Action] = {
    "answer": _Action("answer_with", "solution", _object, _TASK),
    "fail": _Action("fail_with", "code", _text, _TASK),
    "at_once": _Action("answer_at_once", None, _yes, {**_TYPE, **_plain(times=_times)}),
    "refuse": _Action(
        "refuse",
        "code",
        _text,
        {**_TYPE, **_CALL, **_plain(http_status=_status, retry_after=_seconds)},
    ),
    "break": _Action(
        "break_http",
        "status",
        _status,
        {**_CALL, **_plain(body=_body, headers=_headers, effect=_flag)},
    ),
    "hang": _Action("hang", None, _yes, {**_CALL, **_plain(effect=_flag)}),
    "delay": _Action("delay", "seconds", _seconds, _CALL),
    "drop_callbacks": _Action("drop_callbacks", "share", _share, {}),
    "delay_callbacks": _Action("delay_callbacks", "seconds", _seconds, _SHARED),
    "repeat_callbacks": _Action("repeat_callbacks", "times", _count, _SHARED),
    "early_callbacks": _Action("call_back_before_reply", "share", _share, {}),
    "spoil_callbacks": _Action("spoil_callbacks", "body", _body, _SHARED),
    "refuse_callbacks": _Action("refuse_callbacks", "code", _text, {}),
}
