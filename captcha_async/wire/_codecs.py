"""Models ⇄ JSON objects, one codec per model; what `wire` is made of.

The mapping itself is cattrs', told by the models' field declarations. cattrs is imported and its
functions are generated when a model is first used, so that importing the library stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import attrs

from ..errors import UnreadableSolution, invalid
from ..tasks._fields import WireField
from ..tasks._model import Solution, Task
from ..tasks._proxy import Proxy
from ._paths import flatten, look_up, lower, nest, spelled
from ._values import is_empty

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["PROXY_KEYS", "SolutionCodec", "TaskCodec", "solution_codec", "task_codec"]

# The proxy's attributes and their keys, which stand directly in the task object.
PROXY_KEYS = {
    "type": "proxyType",
    "address": "proxyAddress",
    "port": "proxyPort",
    "login": "proxyLogin",
    "password": "proxyPassword",
}


@cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _structure_text)
    return converter


def _structure_text(value: Any, _: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"expected text, got {type(value).__name__}")


def _pass_on(value: Any, _: object) -> Any:
    return value


# -- tasks ----------------------------------------------------------------------------------------


class TaskCodec:
    """Writes and reads the task objects of one model."""

    def __init__(self, model: type[Task[Any]]) -> None:
        self._model = model
        fields = attrs.fields(cast("type[attrs.AttrsInstance]", model))
        self._wire: dict[str, WireField] = {
            field.name: field.metadata["wire"] for field in fields if field.name != "proxy"
        }
        self._required = [field.name for field in fields if field.default is attrs.NOTHING]
        self._has_proxy = model.spec.proxy != "refused"
        # Dotted keys for what is nested; `nest` takes them apart.
        self._keys = {name: ".".join(wire.path) for name, wire in self._wire.items()}
        self._head = {"type": model.spec.type, **model.spec.fixed}
        dotted = [key for key in (*self._keys.values(), *self._head) if "." in key]
        self._flat = not dotted
        self._groups = {key.partition(".")[0].lower() for key in dotted}
        self._lower_keys = [(name, key.lower()) for name, key in self._keys.items()]
        self._decoders = [(name, wire.decode) for name, wire in self._wire.items() if wire.decode]
        self._unstructure = self._make_unstructure()
        self._structure = self._make_structure()

    def _make_unstructure(self) -> Callable[[Any], dict[str, Any]]:
        from cattrs.fns import identity
        from cattrs.gen import make_dict_unstructure_fn, override

        written: dict[str, Any] = {
            name: override(
                rename=self._keys[name], unstruct_hook=_optional(wire.encode) or identity
            )
            for name, wire in self._wire.items()
        }
        if self._has_proxy:
            written["proxy"] = override(omit=True)
        return make_dict_unstructure_fn(
            self._model, _converter(), _cattrs_omit_if_default=True, **written
        )

    def _make_structure(self) -> Callable[[Any, Any], Any]:
        from cattrs.gen import make_dict_structure_fn, override

        names = [*self._wire, "proxy"] if self._has_proxy else [*self._wire]
        read: dict[str, Any] = {name: override(struct_hook=_pass_on) for name in names}
        return make_dict_structure_fn(
            self._model, _converter(), _cattrs_detailed_validation=False, **read
        )

    def dump(self, task: Task[Any]) -> dict[str, Any]:
        """Return the task object in CapMonster's words."""
        return self._finish(task, {**self._head, **self._unstructure(task)}, self._flat)

    def dump_as(
        self, task: Task[Any], type_name: str, fixed: Mapping[str, Any], keys: Mapping[str, str]
    ) -> dict[str, Any]:
        """Return the task object under another type name, with some keys renamed."""
        body = {"type": type_name, **fixed}
        for key, value in self._unstructure(task).items():
            body[keys.get(key, key)] = value
        return self._finish(task, body, flat=False)

    def _finish(self, task: Task[Any], body: dict[str, Any], flat: bool) -> dict[str, Any]:
        if not flat:
            body = nest(body)
        if self._has_proxy:
            proxy: Proxy | None = getattr(task, "proxy", None)
            if proxy is not None:
                body.update(_dump_proxy(proxy))
        return body

    def load(self, body: Mapping[str, Any], *, lenient: bool = False) -> Task[Any]:
        """Read a task object; *lenient* passes over keys that the model does not have.

        Raises:
            InvalidArgument: a key is missing, unknown or has a wrong value.
        """
        values, unknown = self._take_apart(body)
        for name in self._required:
            if name not in values:
                raise invalid(name, None, f"given for a {self._model.__name__}")
        if unknown and not lenient:
            key, value = next(iter(unknown.items()))
            rule = f"left out: {self._model.__name__} has no such field (RawTask sends anything)"
            raise invalid(spelled(body, key), value, rule, show=False)
        if "proxy" in values:
            values["proxy"] = _load_proxy(values["proxy"])
        for name, decode in self._decoders:
            if name in values:
                values[name] = decode(values[name])
        task: Task[Any] = self._structure(values, self._model)
        return task

    def misfit(self, body: Mapping[str, Any]) -> int:
        """Count what speaks against a body's being of this model."""
        values, unknown = self._take_apart(body)
        patterns = ((wire.pattern, values.get(name)) for name, wire in self._wire.items())
        strange = [
            pattern
            for pattern, value in patterns
            if pattern and isinstance(value, str) and not pattern.fullmatch(value)
        ]
        missing = [name for name in self._required if name not in values]
        return len(missing) + len(unknown) + len(strange)

    def _take_apart(self, body: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """The values by field, and what is left over."""
        if self._groups:
            flat = flatten(body, self._groups)
        else:
            flat = {key.lower(): value for key, value in body.items() if value is not None}
        for key in self._head:
            flat.pop(key.lower(), None)
        values: dict[str, Any] = {}
        for name, key in self._lower_keys:
            if key in flat:
                values[name] = flat.pop(key)
            elif name in flat:
                values[name] = flat.pop(name)
        if self._has_proxy:
            parts = {key: flat.pop(key) for key in _PROXY_PARTS if key in flat}
            if parts:
                values["proxy"] = parts
        return values, flat


def _optional(encode: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    if encode is None:
        return None
    return lambda value: None if value is None else encode(value)


def _dump_proxy(proxy: Proxy) -> dict[str, Any]:
    values = {key: getattr(proxy, name) for name, key in PROXY_KEYS.items()}
    return {key: value for key, value in values.items() if value is not None}


_PROXY_PARTS = ("proxy", *(key.lower() for key in PROXY_KEYS.values()))


def _load_proxy(parts: Mapping[str, Any]) -> Proxy:
    given = parts.get("proxy")
    if isinstance(given, Proxy):
        return given
    if isinstance(given, str):
        return Proxy.from_url(given)
    values: dict[str, Any] = {name: parts.get(key.lower()) for name, key in PROXY_KEYS.items()}
    return Proxy(**values)


_task_codecs: dict[type[Task[Any]], TaskCodec] = {}


def task_codec(model: type[Task[Any]]) -> TaskCodec:
    """Return the codec of a task model."""
    codec = _task_codecs.get(model)
    if codec is None:
        codec = _task_codecs[model] = TaskCodec(model)
    return codec


# -- solutions ------------------------------------------------------------------------------------


class SolutionCodec:
    """Reads the answers of one model."""

    def __init__(self, model: type[Solution]) -> None:
        from cattrs.gen import make_dict_structure_fn, override

        self._model = model
        declared = attrs.fields(cast("type[attrs.AttrsInstance]", model))
        fields = [field for field in declared if field.name != "raw"]
        wires: dict[str, WireField] = {field.name: field.metadata["wire"] for field in fields}
        required = {field.name for field in fields if field.default is attrs.NOTHING}
        self._fields = [_Place(name, wire, name in required) for name, wire in wires.items()]
        self._required = [place for place in self._fields if place.required]
        decoded = [name for name, wire in wires.items() if wire.decode is not None]
        read: dict[str, Any] = {name: override(struct_hook=_pass_on) for name in (*decoded, "raw")}
        self._structure: Callable[[Any, Any], Any] = make_dict_structure_fn(
            model, _converter(), _cattrs_detailed_validation=False, **read
        )

    def load(self, answer: Mapping[str, Any]) -> Solution:
        """Read an answer; every key is looked for in any letter case.

        An optional field of an unknown form is left to `raw`, so that it costs nothing but itself.

        Raises:
            UnreadableSolution: a documented key is missing or of an unknown form, or nothing is in
                any of them.
        """
        items = answer.items() if isinstance(answer, Mapping) else ()
        keys = {lower(key): value for key, value in items}
        try:
            return self._read(answer, keys, self._fields)
        except _UNKNOWN_FORM:
            pass
        try:
            if self._required:
                self._read(answer, keys, self._required)
            return self._read(answer, keys, self._legible(answer, keys))
        except _UNKNOWN_FORM as error:
            problem = self._problem(keys, error)
        raise UnreadableSolution(
            f"An answer came that is no {self._model.__name__}: {problem}; "
            "it is kept in the error's `raw`.",
            raw=answer,
        )

    def _legible(self, answer: Mapping[str, Any], keys: Mapping[str, Any]) -> list[_Place]:
        """The places that can be read; each optional one is tried beside the required ones."""
        found = list(self._required)
        for place in self._fields:
            if not place.required:
                with suppress(*_UNKNOWN_FORM):
                    self._read(answer, keys, [*self._required, place])
                    found.append(place)
        return found

    def _read(
        self, answer: Mapping[str, Any], keys: Mapping[str, Any], places: list[_Place]
    ) -> Solution:
        values: dict[str, Any] = {"raw": answer}
        for place in places:
            value = place.find(keys)
            if value is not None and place.decode is not None:
                value = place.decode(value)
            if not place.lacks(value):
                values[place.name] = value
        if len(values) == 1 and (self._fields or is_empty(answer)):
            raise ValueError("nothing is in it")
        found: Solution = self._structure(values, self._model)
        return found

    def _problem(self, keys: Mapping[str, Any], error: Exception) -> str:
        missing = [place.name for place in self._required if place.find(keys) is None]
        if missing:
            return f"it has no {missing[0]}"
        if any(place.find(keys) is not None for place in self._fields):
            return f"a field has an unknown form ({type(error).__name__})"
        return "nothing is in it"


class _Place:
    """Where a field of a solution may stand."""

    __slots__ = ("_empty", "_paths", "decode", "name", "required")

    def __init__(self, name: str, wire: WireField, required: bool) -> None:
        self.name = name
        self.required = required
        self.decode = wire.decode
        self._empty = wire.empty
        self._paths = [(path[0].lower(), path[1:]) for path in (wire.path, *wire.aliases)]

    def find(self, keys: Mapping[str, Any]) -> Any:
        """Return the value from an answer whose keys are in lower case, or None."""
        for first, rest in self._paths:
            value = keys.get(first)
            if value is not None and rest:
                value = look_up(value, rest)
            if not self.lacks(value):
                return value
        return None

    def lacks(self, value: Any) -> bool:
        """Tell whether a value holds nothing."""
        if self._empty and value in ([], ()):
            return False
        return is_empty(value)


_UNKNOWN_FORM = (
    ArithmeticError,
    AttributeError,
    LookupError,
    RecursionError,
    TypeError,
    ValueError,
)

_solution_codecs: dict[type[Solution], SolutionCodec] = {}


def solution_codec(model: type[Solution]) -> SolutionCodec:
    """Return the codec of a solution model."""
    codec = _solution_codecs.get(model)
    if codec is None:
        codec = _solution_codecs[model] = SolutionCodec(model)
    return codec
