"""Dotted paths into JSON objects, without regard to letter case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["look_up", "lower", "merge", "put", "spelled", "take"]


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


def put(body: dict[str, Any], path: str, value: Any) -> None:
    """Set what stands under a dotted path; an object is added to the one that is there."""
    if "." not in path and path not in body:
        body[path] = value
        return
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
    if not inner and value is not None:
        del body[outer]
    return value


def spelled(body: Mapping[str, Any], key: str) -> str:
    """Return a key as *body* spells it."""
    wanted = key.lower()
    return next((name for name in body if lower(name) == wanted), key)


def merge(body: dict[str, Any], further: Mapping[str, Any]) -> dict[str, Any]:
    """Return *body* with further keys, objects put together at every depth."""
    merged = dict(body)
    for key, value in further.items():
        name = spelled(merged, key)
        there = merged.get(name)
        if isinstance(there, Mapping) and isinstance(value, Mapping):
            merged[name] = merge(dict(there), value)
        else:
            merged[name] = value
    return merged
