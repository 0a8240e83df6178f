"""Tasks ⇄ JSON objects, one codec per model and dialect."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, cast

import attrs

from ..errors import invalid
from ..services._dialect import FieldUse, TypeDialect, per_dialect, uses_of
from ..tasks._fields import WireField, reader
from ..tasks._model import RawTask, Task
from ..tasks._proxy import Proxy
from ._paths import lower, merge, put, spelled, take

__all__ = ["PROXY_KEYS", "TaskCodec", "dump_raw", "task_codec"]

# The proxy's attributes and their keys, which stand directly in the task object.
PROXY_KEYS = {
    "type": "proxyType",
    "address": "proxyAddress",
    "port": "proxyPort",
    "login": "proxyLogin",
    "password": "proxyPassword",
}
_PROXY_PARTS = {key.lower(): name for name, key in PROXY_KEYS.items()}

Values = dict[str, Any]
Read = tuple[Values, Values]
"""The values by field, and what is left over by the body's own keys."""


class _Writers:
    """How some fields of a model are written."""

    def __init__(
        self, uses: Sequence[FieldUse], fields: Mapping[str, attrs.Attribute[Any]]
    ) -> None:
        self._read = reader([use.name for use in uses])
        self._hows = [
            (use.key, fields[use.name].default, fields[use.name].metadata["wire"].encode, use.form)
            for use in uses
        ]

    def write(self, task: Task[Any], body: Values) -> Values:
        """Put the fields into *body* that are given, and return it."""
        for value, how in zip(self._read(task), self._hows, strict=True):
            if value is None:
                continue
            key, default, encode, form = how
            if default is not attrs.NOTHING and value == default:
                continue
            if encode is not None:
                value = encode(value)
            if form is not None:
                value = form.write(value)
            if key in body or "." in key:
                put(body, key, value)
            else:
                body[key] = value
        return body


class TaskCodec:
    """Writes and reads the task objects of one model in the words of one service."""

    def __init__(self, model: type[Task[Any]], dialect: TypeDialect) -> None:
        self.model = model
        self.fixed = model.spec.fixed if dialect.fixed is None else dialect.fixed
        self._dialect = dialect
        self._uses = [*uses_of(model, dialect).values()]
        self._has_proxy = hasattr(model, "proxy")
        fields = attrs.fields_dict(cast("type[attrs.AttrsInstance]", model))
        self._wires: dict[str, WireField] = {
            name: field.metadata["wire"] for name, field in fields.items()
        }
        self._required = [name for name, field in fields.items() if field.default is attrs.NOTHING]
        self._types = dialect.of(proxied=False), dialect.of(proxied=True)
        self._inside = _Writers([use for use in self._uses if not use.beside], fields)
        self._outside = _Writers([use for use in self._uses if use.beside], fields)
        # Deeper keys first: what is left of their object is another field's value.
        self._readers = sorted(self._uses, key=lambda use: -len(use.path))
        self.beside = any(use.beside for use in self._uses)
        self._flat = all(len(use.path) == 1 for use in self._uses)
        self._flat &= not any("." in key for key in (*self.fixed, *dialect.moved))

    # -- writing ----------------------------------------------------------------------------------

    def dump(self, task: Task[Any]) -> Values:
        """Return the task object."""
        proxy: Proxy | None = getattr(task, "proxy", None) if self._has_proxy else None
        body: Values = {"type": self._types[proxy is not None]}
        for key, value in self.fixed.items():
            put(body, key, value)
        self._inside.write(task, body)
        for ours, theirs in self._dialect.moved.items():
            moved = take(body, ours)
            if moved is not None:
                put(body, theirs, moved)
        if proxy is not None:
            body |= _dump_proxy(proxy, typed=self._dialect.proxy_type)
        return merge(body, task.extra) if task.extra else body

    def dump_beside(self, task: Task[Any]) -> Values:
        """Return what stands beside the task object in createTask's body."""
        return self._outside.write(task, {})

    # -- reading ----------------------------------------------------------------------------------

    def load(self, body: Mapping[str, Any], *, lenient: bool = False) -> Task[Any]:
        """Read a task object; *lenient* passes over keys that the type does not have.

        Raises:
            InvalidArgument: a key is missing, unknown or has a wrong value.
        """
        values, unknown = self._take_apart(body)
        for name in self._required:
            if name not in values:
                raise invalid(name, None, f"given for a {self.model.__name__}")
        if unknown and not lenient:
            key, value = next(iter(unknown.items()))
            rule = (
                f"left out: {self.model.__name__} has no such field (`extra` and RawTask send "
                "anything)"
            )
            raise invalid(key, value, rule, show=False)
        if "proxy" in values:
            values["proxy"] = _load_proxy(values["proxy"], typed=self._dialect.proxy_type)
        for name, value in values.items():
            decode = self._wires[name].decode
            if decode is not None:
                values[name] = decode(value)
        return self.model(**values)

    def missing(self, body: Mapping[str, Any]) -> list[str]:
        """Return the wire keys that the service requires and *body* lacks."""
        values, _ = self._take_apart(body)
        proxied = "proxy" in values
        return [
            use.key
            for use in self._uses
            if (use.required or (use.with_proxy and proxied))
            and (use.name not in values or self._is_empty(use.name, values[use.name]))
        ]

    def _is_empty(self, name: str, value: Any) -> bool:
        return value == [] or (value == "" and "empty" not in self._wires[name].kind)

    def kinds(self) -> dict[str, str]:
        """Return by wire key what each value is, in the words of the fields' declarations."""
        return {
            use.key: "list" if use.form and use.form.lists else self._wires[use.name].kind
            for use in self._uses
            if not use.beside
        }

    def misfit(self, body: Mapping[str, Any]) -> int:
        """Count what speaks against a body's being of this model."""
        values, unknown = self._take_apart(body)
        strange = [
            wire.pattern
            for name, wire in self._wires.items()
            if wire.pattern
            and isinstance(values.get(name), str)
            and not wire.pattern.fullmatch(values[name])
        ]
        needed = {*self._required, *(use.name for use in self._uses if use.required)}
        missing = [name for name in needed if name not in values]
        return len(missing) + len(unknown) + len(strange)

    def _take_apart(self, body: Mapping[str, Any]) -> Read:
        rest = {key: value for key, value in body.items() if value is not None}
        rest.pop(spelled(rest, "type"), None)
        if not self._flat:
            rest = {key: _copy(value) for key, value in rest.items()}
        for ours, theirs in self._dialect.moved.items():
            value = take(rest, theirs)
            if value is not None:
                put(rest, ours, value)
        for key in self.fixed:
            take(rest, key)
        lowered = {lower(key): key for key in rest}
        values: Values = {}
        for use in self._readers:
            value = self._take(rest, lowered, use)
            if value is not None:
                values[use.name] = value
        self._take_further(rest, lowered, values)
        # Of an object whose keys were taken nothing may be left.
        return values, {key: value for key, value in rest.items() if value != {} or self._flat}

    def _take(self, rest: Values, lowered: Mapping[str, str], use: FieldUse) -> Any:
        """Remove and return a field's value, from its wire key or from the model's name."""
        if len(use.path) == 1:
            value = rest.pop(lowered.get(use.path[0].lower(), ""), None)
        else:
            value = take(rest, use.key)
        if value is not None:
            return value if use.form is None else use.form.read(value)
        return rest.pop(lowered.get(use.name, ""), None)

    def _take_further(self, rest: Values, lowered: Mapping[str, str], values: Values) -> None:
        """Take what is no field on the wire: fields the service lacks, the proxy, further keys."""
        for name in self._wires:
            if name not in values and lowered.get(name, "") in rest and name != "proxy":
                values[name] = rest.pop(lowered[name])
        if self._has_proxy:
            parts = {
                part: rest.pop(lowered[part])
                for part in ("proxy", *_PROXY_PARTS)
                if lowered.get(part, "") in rest
            }
            if parts:
                values["proxy"] = parts


def _copy(value: Any) -> Any:
    """Objects are copied, so that the caller's stay as they are."""
    if not isinstance(value, Mapping):
        return value
    return {key: _copy(inner) for key, inner in value.items()}


def _dump_proxy(proxy: Proxy, *, typed: bool = True) -> Values:
    values = {key: getattr(proxy, name) for name, key in PROXY_KEYS.items()}
    if not typed:
        del values["proxyType"]
    return {key: value for key, value in values.items() if value is not None}


def _load_proxy(parts: Mapping[str, Any], *, typed: bool) -> Proxy:
    given = parts.get("proxy")
    if isinstance(given, Proxy):
        return given
    if isinstance(given, str):
        return Proxy.from_url(given)
    values: Values = {name: parts.get(part) for part, name in _PROXY_PARTS.items()}
    if not typed and values["type"] is None:
        values["type"] = "http"
    return Proxy(**values)


# -- tasks of unknown types -----------------------------------------------------------------------


def dump_raw(task: RawTask) -> Values:
    """Return the task object of a task that is sent as it is."""
    proxies = [each for each in (*task.fields.values(), task.proxy) if isinstance(each, Proxy)]
    fields = {key: each for key, each in task.fields.items() if not isinstance(each, Proxy)}
    body = {"type": task.type, **_plain(fields)}
    for proxy in proxies:
        body |= _dump_proxy(proxy)
    return merge(body, task.extra) if task.extra else body


def _plain(value: Any) -> Any:
    """Files become base64, wherever they stand."""
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode()
    return value


task_codec = per_dialect(TaskCodec)
"""Returns the codec of a task model in the words of a dialect."""
