"""Whether a task's fields are what a service takes: refused before any request is made."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import Any

import attrs

from ..errors import InvalidArgument, invalid
from ..tasks._encoded import IMAGE_KINDS
from ..tasks._fields import reader
from ..tasks._files import image_format
from ..tasks._model import Task
from ._dialect import FieldUse, TypeDialect, per_dialect, uses_of

__all__ = [
    "Unjudged",
    "check_fields",
    "check_formats",
    "check_proxy_use",
    "check_required",
    "check_sizes",
    "unjudged",
]


def check_proxy_use(task: Task[Any], dialect: TypeDialect, service: str) -> None:
    """Refuse a proxy where the service takes none, and the lack of one where it wants it."""
    proxy = getattr(task, "proxy", None)
    name = type(task).__name__
    if proxy is not None and dialect.proxied is None:
        rule = f"left out: {service} solves a {name} without one only"
        raise invalid("proxy", proxy, rule, show=False)
    if proxy is None and dialect.proxyless is None and hasattr(task, "proxy"):
        raise invalid("proxy", None, f"given: {service} solves a {name} with one only")
    if proxy is not None and dialect.proxy_login and proxy.login is None:
        rule = f"a proxy with login and password for a {name} at {service}"
        raise invalid("proxy", proxy, rule, show=False)


def check_required(task: Task[Any], dialect: TypeDialect, service: str) -> None:
    """Refuse a task that lacks what the service wants."""
    model: Any = type(task)
    proxied = getattr(task, "proxy", None) is not None
    for use in uses_of(model, dialect).values():
        if (use.required or (use.with_proxy and proxied)) and getattr(task, use.name) is None:
            when = " with a proxy" if use.with_proxy else ""
            raise invalid(use.name, None, f"given for a {model.__name__}{when} at {service}")
    for group in dialect.either:
        names = group.split("|")
        if all(getattr(task, each) is None for each in names):
            raise invalid(" or ".join(names), None, f"given for a {model.__name__} at {service}")


def check_fields(task: Task[Any], dialect: TypeDialect, service: str) -> None:
    """Refuse what the service has no field for, wants and has not got, or does not take."""
    check_required(task, dialect, service)
    model: Any = type(task)
    for field in _lacking(model, dialect.fields, dialect.hints):
        value = getattr(task, field)
        if value is not None:
            rule = f"left out: {service} has no such field for a {model.__name__}"
            raise invalid(field, value, rule, show=False)
    _check_values(task, dialect, service)


def _check_values(task: Task[Any], dialect: TypeDialect, service: str) -> None:
    for field, allowed in dialect.values.items():
        value = getattr(task, field)
        if value is not None and value not in allowed:
            rule = f"one of {', '.join(map(str, allowed))} at {service}"
            raise invalid(field, value, rule)


@cache
def _lacking(model: Any, words: str, hints: str) -> tuple[str, ...]:
    """The model's fields that the service does not have."""
    uses: Iterable[FieldUse] = uses_of(model, TypeDialect(None, "", words)).values()
    had = {"proxy", "extra", *(use.name for use in uses), *hints.split()}
    fields = attrs.fields(model)
    return tuple(field.name for field in fields if field.name not in had)


def check_sizes(task: Task[Any], dialect: TypeDialect, service: str, largest: int | None) -> None:
    """Refuse a file that is larger than the service takes."""
    limits = dict(dialect.limits)
    if largest is not None:
        limits.setdefault("body", largest)
    for field, limit in limits.items():
        content = getattr(task, field, None)
        if isinstance(content, bytes) and len(content) > limit:
            rule = f"an image of at most {limit} bytes at {service}"
            raise InvalidArgument(
                f"{field} must be {rule}, not {len(content)} bytes", field=field, rule=rule
            )


def check_formats(task: Task[Any], service: str, formats: frozenset[str]) -> None:
    """Refuse an image of a format that the service does not take."""
    model: Any = type(task)
    for name in _image_fields(model):
        value = getattr(task, name)
        for item in value if isinstance(value, tuple) else (value,):
            found = image_format(item) if isinstance(item, bytes) else None
            if found is not None and found not in formats:
                rule = f"an image of the format {', '.join(sorted(formats))} at {service}"
                raise invalid(name, f"{found} data", rule)


@cache
def _image_fields(model: Any) -> tuple[str, ...]:
    """The model's fields that hold images."""
    wires = {field.name: field.metadata.get("wire") for field in attrs.fields(model)}
    return tuple(name for name, wire in wires.items() if wire and wire.kind in IMAGE_KINDS)


# -- tasks that need no check ---------------------------------------------------------------------


class Unjudged:
    """The tasks of a model of which no rule has anything to say but those for proxies, as most are.

    They have what the service wants of all tasks, and none of the fields that are judged.
    """

    def __init__(self, model: Any, dialect: TypeDialect) -> None:
        fields = [field.name for field in attrs.fields(model)]
        uses = uses_of(model, dialect).values()
        judged = {
            "body",
            *_lacking(model, dialect.fields, dialect.hints),
            *_image_fields(model),
            *(*dialect.values, *dialect.limits),
        }
        if any(use.with_proxy for use in uses):
            judged.add("proxy")
        needed = [use.name for use in uses if use.required]
        if dialect.proxyless is None and "proxy" in fields:
            needed.append("proxy")
        absent = [name for name in fields if name in judged]
        self._needed = reader(needed)
        self._absent = reader(absent)
        self._nothing = (None,) * len(absent)
        self._none = bool(dialect.either or dialect.withdrawn)

    def includes(self, task: Task[Any]) -> bool:
        """Tell whether a task is one of them; of one that is not, nothing is said."""
        return not (self._none or self._absent(task) != self._nothing or None in self._needed(task))


unjudged = per_dialect(Unjudged)
