"""Models ⇄ the JSON objects of the protocol. No I/O: mappings in, mappings out.

The mapping itself is cattrs', told by the models' field declarations. cattrs is imported and its
functions are generated when a type is first used, so that importing the library stays cheap.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import TYPE_CHECKING, Any, cast

import attrs

from .errors import UnreadableSolution, invalid
from .services import Service
from .tasks._fields import WireField
from .tasks._model import MODELS, RawSolution, RawTask, Solution, Task, solution_type
from .tasks._proxy import Proxy

if TYPE_CHECKING:
    from cattrs import Converter

__all__ = ["dump_task", "load_solution", "load_task"]

# The proxy's attributes and their keys, which stand directly in the task object.
PROXY_KEYS = {
    "type": "proxyType",
    "address": "proxyAddress",
    "port": "proxyPort",
    "login": "proxyLogin",
    "password": "proxyPassword",
}


def dump_task(task: Task[Any], service: Service | None = None) -> dict[str, Any]:
    """Return the task object of createTask.

    Args:
        task: the task.
        service: whose names to use; CapMonster's without it.
    """
    if isinstance(task, RawTask):
        return {"type": task.type, **task.fields}
    codec = _task_codec(type(task))
    if service is None:
        return codec.dump(task, task.type, {})
    named = service.type_names.get(task.type)
    return codec.dump(task, service.type_name(task), named.keys if named else {})


def load_task(body: Mapping[str, Any]) -> Task[Any]:
    """Read a task object; keys may be the wire's, in any letter case, or the models' own names.

    A type that the library has no model of becomes a `RawTask`.

    Raises:
        InvalidArgument: a key is missing, unknown or has a wrong value.
    """
    if not isinstance(body, Mapping):
        raise invalid("task", body, "a JSON object")
    name = body.get("type")
    if not isinstance(name, str) or not name:
        raise invalid("type", name, "the name of a task type")
    model = _find_variant(name, body)
    if model is None:
        return RawTask(name, {key: value for key, value in body.items() if key != "type"})
    return _task_codec(model).load(body)


def load_solution(task_type: str | type[Task[Any]], answer: Mapping[str, Any]) -> Solution:
    """Read a solution object as the answer to a task type.

    Args:
        task_type: a task model or its name, such as `RecaptchaV2Task`; the answer to a type that
            the library does not know is a `RawSolution`.
        answer: the service's `solution` object.

    Raises:
        UnreadableSolution: a documented key is missing; the answer is in its `raw`.
    """
    model = _find_model(task_type) if isinstance(task_type, str) else task_type
    kind = RawSolution if model is None else solution_type(model)
    return _solution_codec(kind).load(answer)


def model_name(task: Task[Any]) -> str:
    """Return the name under which `load_solution` knows the type of *task*."""
    return task.type if isinstance(task, RawTask) else type(task).__name__


# -- finding the model ----------------------------------------------------------------------------


@cache
def _models_of(wire_type: str) -> tuple[type[Task[Any]], ...]:
    """The variants of a wire type, the most narrowly fixed first."""
    models = [model for model in MODELS.values() if model.spec.type == wire_type]
    return tuple(sorted(models, key=lambda model: -len(model.spec.fixed)))


def _find_model(name: str) -> type[Task[Any]] | None:
    if name in MODELS:
        return MODELS[name]
    models = _models_of(name)
    return models[0] if len(models) == 1 else None


def _find_variant(wire_type: str, body: Mapping[str, Any]) -> type[Task[Any]] | None:
    for model in _models_of(wire_type):
        fixed = model.spec.fixed
        if all(_same(_lookup(body, key.split(".")), value) for key, value in fixed.items()):
            return model
    return None


def _same(found: Any, fixed: Any) -> bool:
    if isinstance(found, str) and isinstance(fixed, str):
        return found.lower() == fixed.lower()
    return bool(found == fixed)


def _lookup(value: Any, path: list[str] | tuple[str, ...]) -> Any:
    """Follow *path* into nested objects, without regard to letter case; `*` is any key."""
    for position, key in enumerate(path):
        if not isinstance(value, Mapping):
            return None
        if key == "*":
            rest = path[position + 1 :]
            found = (_lookup(inner, rest) for inner in value.values())
            return next((inner for inner in found if inner is not None), None)
        if key in value:
            value = value[key]
        else:
            wanted = key.lower()
            value = next((value[name] for name in value if _lower(name) == wanted), None)
    return value


def _lower(name: object) -> str:
    return name.lower() if isinstance(name, str) else ""


# -- cattrs ---------------------------------------------------------------------------------------


@cache
def _converter() -> Converter:
    from cattrs import Converter

    converter = Converter(detailed_validation=False)
    converter.register_structure_hook(str, _structure_text)
    converter.register_structure_hook(bool, _structure_flag)
    return converter


def _structure_text(value: Any, _: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    raise TypeError(f"expected text, got {type(value).__name__}")


def _structure_flag(value: Any, _: object) -> bool:
    if isinstance(value, bool) or value in (0, 1):
        return bool(value)
    raise TypeError(f"expected true or false, got {type(value).__name__}")


def _pass_on(value: Any, _: object) -> Any:
    return value


class _TaskCodec:
    """The generated functions of one task model."""

    def __init__(self, model: type[Task[Any]]) -> None:
        from cattrs.fns import identity
        from cattrs.gen import make_dict_structure_fn, make_dict_unstructure_fn, override

        self._model = model
        fields = attrs.fields(cast("type[attrs.AttrsInstance]", model))
        self._wire: dict[str, WireField] = {
            field.name: field.metadata["wire"] for field in fields if field.name != "proxy"
        }
        self._required = [field.name for field in fields if field.default is attrs.NOTHING]
        self._has_proxy = model.spec.proxy != "refused"
        # Dotted keys for what is nested; `_nest` takes them apart.
        keys = {name: ".".join(wire.path) for name, wire in self._wire.items()}
        self._fixed = dict(model.spec.fixed)
        self._flat = not any("." in key for key in (*keys.values(), *self._fixed))
        written: dict[str, Any] = {
            name: override(rename=keys[name], unstruct_hook=_optional(wire.encode) or identity)
            for name, wire in self._wire.items()
        }
        if self._has_proxy:
            written["proxy"] = override(omit=True)
        self._unstructure: Callable[[Any], dict[str, Any]] = make_dict_unstructure_fn(
            model, _converter(), _cattrs_omit_if_default=True, **written
        )
        read: dict[str, Any] = {field.name: override(struct_hook=_pass_on) for field in fields}
        self._structure: Callable[[Any, Any], Any] = make_dict_structure_fn(
            model, _converter(), _cattrs_detailed_validation=False, **read
        )

    def dump(self, task: Task[Any], type_name: str, renamed: Mapping[str, str]) -> dict[str, Any]:
        """Return the task object under *type_name*, with some keys *renamed*."""
        body: dict[str, Any] = {"type": type_name, **self._fixed, **self._unstructure(task)}
        if renamed:
            body = {renamed.get(key, key): value for key, value in body.items()}
        if renamed or not self._flat:
            body = _nest(body)
        if self._has_proxy:
            proxy: Proxy | None = getattr(task, "proxy", None)
            if proxy is not None:
                body.update(_dump_proxy(proxy))
        return body

    def load(self, body: Mapping[str, Any]) -> Task[Any]:
        """Read a task object."""
        flat = _flatten(
            body, {wire.path[0].lower() for wire in self._wire.values() if len(wire.path) > 1}
        )
        for key in ("type", *self._fixed):
            flat.pop(key.lower(), None)
        values: dict[str, Any] = {}
        for name, wire in self._wire.items():
            for key in (".".join(wire.path).lower(), name):
                if key in flat:
                    value = flat.pop(key)
                    if value is not None:
                        values[name] = wire.decode(value) if wire.decode else value
        if self._has_proxy:
            proxy = _load_proxy(flat)
            if proxy is not None:
                values["proxy"] = proxy
        for name in self._required:
            if name not in values:
                raise invalid(name, None, f"given for a {self._model.__name__}")
        if flat:
            rule = f"left out: {self._model.__name__} has no such field (RawTask sends anything)"
            raise invalid(next(iter(flat)), next(iter(flat.values())), rule, show=False)
        task: Task[Any] = self._structure(values, self._model)
        return task


def _optional(encode: Callable[[Any], Any] | None) -> Callable[[Any], Any] | None:
    if encode is None:
        return None
    return lambda value: None if value is None else encode(value)


def _nest(flat: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for key, value in flat.items():
        *outer, last = key.split(".")
        target = body
        for name in outer:
            target = target.setdefault(name, {})
        target[last] = value
    return body


def _flatten(body: Mapping[str, Any], groups: set[str]) -> dict[str, Any]:
    """Keys in lower case, those inside of *groups* dotted."""
    flat: dict[str, Any] = {}
    for key, value in body.items():
        if not isinstance(key, str):
            raise invalid("task", key, "a JSON object with string keys")
        name = key.lower()
        if name in groups and isinstance(value, Mapping):
            flat.update({f"{name}.{_lower(inner)}": item for inner, item in value.items()})
        else:
            flat[name] = value
    return flat


def _dump_proxy(proxy: Proxy) -> dict[str, Any]:
    values = {key: getattr(proxy, name) for name, key in PROXY_KEYS.items()}
    return {key: value for key, value in values.items() if value is not None}


def _load_proxy(flat: dict[str, Any]) -> Proxy | None:
    given = flat.pop("proxy", None)
    if isinstance(given, Proxy):
        return given
    if isinstance(given, str):
        return Proxy.from_url(given)
    values = {name: flat.pop(key.lower(), None) for name, key in PROXY_KEYS.items()}
    if all(value is None for value in values.values()):
        return None
    return Proxy(**values)


_task_codecs: dict[type[Task[Any]], _TaskCodec] = {}


def _task_codec(model: type[Task[Any]]) -> _TaskCodec:
    codec = _task_codecs.get(model)
    if codec is None:
        codec = _task_codecs[model] = _TaskCodec(model)
    return codec


class _SolutionCodec:
    """Reads one solution model."""

    def __init__(self, model: type[Solution]) -> None:
        from cattrs.gen import make_dict_structure_fn, override

        self._model = model
        declared = attrs.fields(cast("type[attrs.AttrsInstance]", model))
        fields = [field for field in declared if field.name != "raw"]
        self._wire: dict[str, WireField] = {field.name: field.metadata["wire"] for field in fields}
        self._required = [field.name for field in fields if field.default is attrs.NOTHING]
        decoded = [name for name, wire in self._wire.items() if wire.decode is not None]
        read: dict[str, Any] = {name: override(struct_hook=_pass_on) for name in (*decoded, "raw")}
        self._structure: Callable[[Any, Any], Any] = make_dict_structure_fn(
            model, _converter(), _cattrs_detailed_validation=False, **read
        )

    def load(self, answer: Mapping[str, Any]) -> Solution:
        """Read an answer; every key is looked for in any letter case."""
        values: dict[str, Any] = {"raw": answer}
        try:
            for name, wire in self._wire.items():
                value = _lookup(answer, wire.path)
                for alias in wire.aliases:
                    value = _lookup(answer, alias) if value is None else value
                if value is not None:
                    values[name] = wire.decode(value) if wire.decode else value
            missing = [name for name in self._required if name not in values]
            if not missing:
                found: Solution = self._structure(values, self._model)
                return found
            problem = f"it has no {missing[0]}"
        except (TypeError, ValueError, KeyError, AttributeError) as error:
            problem = f"a field has an unknown form ({type(error).__name__})"
        raise UnreadableSolution(
            f"An answer came that is no {self._model.__name__}: {problem}; "
            "it is kept in the error's `raw`.",
            raw=answer,
        )


_solution_codecs: dict[type[Solution], _SolutionCodec] = {}


def _solution_codec(model: type[Solution]) -> _SolutionCodec:
    codec = _solution_codecs.get(model)
    if codec is None:
        codec = _solution_codecs[model] = _SolutionCodec(model)
    return codec
