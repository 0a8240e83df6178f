"""Dotted paths into JSON objects, without regard to letter case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["flatten", "look_up", "lower", "nest", "put", "spelled", "take"]


def lower(name: object) -> str:
    """Return a key in lower case; '' for what is no string."""
    return name.lower() if isinstance(name, str) else ""


def look_up(value: Any, path: Sequence[str]) -> Any:
    """Return what stands under *path*, or None; `*` is any key."""
    for position, key in enumerate(path):
        if not isinstance(value, Mapping):
            return None
        if key == "*":
            rest = path[position + 1 :]
            found = (look_up(inner, rest) for inner in value.values())
            return next((inner for inner in found if inner is not None), None)
        if key in value:
            value = value[key]
        else:
            wanted = key.lower()
            value = next((value[name] for name in value if lower(name) == wanted), None)
    return value


def nest(flat: Mapping[str, Any]) -> dict[str, Any]:
    """Make objects of dotted keys."""
    body: dict[str, Any] = {}
    for key, value in flat.items():
        put(body, key, value)
    return body


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """Set what stands under a dotted path; an object is added to the one that is there."""
    *outer, last = path.split(".")
    for name in outer:
        body = body.setdefault(name, {})
    there = body.get(last)
    if isinstance(there, dict) and isinstance(value, dict):
        there.update(value)
    else:
        body[last] = value


def take(body: dict[str, Any], path: str) -> Any:
    """Remove and return what stands under a dotted path, or None; an emptied object goes too."""
    outer, _, last = path.partition(".")
    outer = spelled(body, outer)
    if not last:
        return body.pop(outer, None)
    inner = body.get(outer)
    if not isinstance(inner, dict):
        return None
    value = take(inner, last)
    if not inner:
        del body[outer]
    return value


def spelled(body: Mapping[str, Any], key: str) -> str:
    """Return a key as *body* spells it."""
    wanted = key.lower()
    return next((name for name in body if lower(name) == wanted), key)


def flatten(body: Mapping[str, Any], groups: set[str]) -> dict[str, Any]:
    """Return the given values with keys in lower case, those inside of *groups* dotted."""
    flat: dict[str, Any] = {}
    for key, value in body.items():
        name = lower(key)
        if name in groups and isinstance(value, Mapping):
            flat.update({f"{name}.{lower(inner)}": item for inner, item in value.items()})
        elif value is not None:
            flat[name] = value
    return flat
