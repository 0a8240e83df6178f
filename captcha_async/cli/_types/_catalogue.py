"""The task types described as data, read from the models and their sources.

For `captcha-async types` and for the reference page; needs neither typer nor rich.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from importlib import import_module
from itertools import pairwise
from typing import Any, cast

import attrs

from ...services import SERVICES, Service, TypeDialect
from ...services._dialect import uses_of
from ...tasks._families import all_models
from ...tasks._fields import WireField
from ...tasks._model import Solution, Task, solution_type

__all__ = [
    "AnswerField",
    "TaskField",
    "TaskType",
    "describe",
    "describe_solution",
    "fields_of",
    "find_types",
]

# The wire keys of a proxy stand side by side in the task object.
PROXY_KEYS = ("proxyType", "proxyAddress", "proxyPort", "proxyLogin", "proxyPassword")


@attrs.frozen
class TaskField:
    """A field of a task."""

    name: str
    keys: tuple[str, ...]
    """Where it stands on the wire, dotted; several only for the proxy."""
    annotation: str
    required: bool
    default: str | None
    """What the service takes if it is not given, where that is documented."""
    kind: str
    """What the value is, in a word or two."""
    limits: str
    """Which values are allowed, where there is more to say than the kind."""
    values: tuple[str, ...]
    """The allowed values, if that list is closed."""
    meaning: str


@attrs.frozen
class AnswerField:
    """A field of a solution."""

    name: str
    places: tuple[str, ...]
    """Where it may stand in the service's answer, dotted."""
    annotation: str
    always: bool
    meaning: str


@attrs.frozen
class TaskType:
    """What there is to know of a task type."""

    name: str
    wire_types: tuple[str, ...]
    """Its type on the wire; with two of them, with a proxy and without."""
    fixed: Mapping[str, Any]
    """Wire keys with one value, which tell variants of a type apart."""
    solution: str
    proxy: str
    services: tuple[str, ...]
    historic: bool
    token_life: float | None
    text: str
    """The class's docstring."""
    note: str | None
    """What else there is to know at the service."""
    fields: tuple[TaskField, ...]
    """Required ones first."""
    answer: tuple[AnswerField, ...]


def fields_of(model: type[Task[Any]]) -> dict[str, WireField]:
    """Return where each field of a task stands on the wire, by its name."""
    found = attrs.fields(cast("type[attrs.AttrsInstance]", model))
    return {field.name: field.metadata["wire"] for field in found}


def find_types(name: str) -> list[type[Task[Any]]]:
    """Return the models that go by a class name or a wire type at any service, in any case.

    Historic ones are returned only if there are no others.
    """
    wanted = name.lower()
    models = all_models()
    exact = [model for model in models if model.__name__.lower() == wanted]
    found = exact or [model for model in models if wanted in _wire_names(model)]
    return [model for model in found if not model.spec.historic] or found


def _wire_names(model: type[Task[Any]]) -> set[str]:
    named = [service.dialect(model) for service in SERVICES.values()]
    names = {wire.lower() for dialect in named if dialect for wire in dialect.names}
    return names | {model.spec.type.lower()}


def describe(model: type[Task[Any]], service: Service | None = None) -> TaskType:
    """Describe a task type in the models' words, which are CapMonster's, or in those of *service*.

    At a service the fields are those that it has.
    """
    spec = model.spec
    dialect = None if service is None else service.dialect(model)
    names = (spec.type,) if dialect is None else dialect.names
    return TaskType(
        name=model.__name__,
        wire_types=names,
        fixed=spec.fixed if dialect is None or dialect.fixed is None else dialect.fixed,
        solution=solution_type(model).__name__,
        proxy=spec.proxy if dialect is None else _proxy_use(model, dialect),
        services=tuple(name for name, each in SERVICES.items() if each.takes(model)),
        historic=spec.historic,
        token_life=spec.token_life,
        text=inspect.cleandoc(model.__doc__ or ""),
        note=None if dialect is None else dialect.note,
        fields=tuple(_task_fields(model, dialect)),
        answer=tuple(describe_solution(solution_type(model))),
    )


def _proxy_use(model: type[Task[Any]], dialect: TypeDialect) -> str:
    if dialect.proxied is None or not hasattr(model, "proxy"):
        return "refused"
    return "required" if dialect.proxyless is None else "optional"


def _task_fields(model: type[Task[Any]], dialect: TypeDialect | None) -> Iterator[TaskField]:
    told = [*_told(model, dialect)]
    yield from sorted(told, key=lambda field: not field.required)


def _told(model: type[Task[Any]], dialect: TypeDialect | None) -> Iterator[TaskField]:
    texts = _texts_of(model)
    uses = uses_of(model, dialect or TypeDialect(None, model.spec.type))
    for field in attrs.fields(cast("type[attrs.AttrsInstance]", model)):
        wire: WireField = field.metadata["wire"]
        use = uses.get(field.name)
        if field.name == "extra" or (use is None and field.name != "proxy"):
            continue
        proxy_use = model.spec.proxy if dialect is None else _proxy_use(model, dialect)
        if use is None and proxy_use == "refused":
            continue
        annotation, meaning = texts.get(field.name, ("", ""))
        values = (dialect and dialect.values.get(field.name)) or wire.values
        default = dialect.defaults.get(field.name) if dialect else None
        yield TaskField(
            name=field.name,
            keys=PROXY_KEYS if use is None else (use.key,),
            annotation=annotation,
            required=proxy_use == "required" if use is None else use.required,
            default=None if default is None else str(default),
            kind=wire.kind,
            limits=_limits(wire),
            values=tuple(str(value) for value in values),
            meaning=meaning,
        )


def _limits(wire: WireField) -> str:
    if wire.least is None and wire.most is None:
        return ""
    if wire.least == wire.most:
        return f"{wire.least}"
    return f"at least {wire.least}" if wire.most is None else f"{wire.least} to {wire.most}"


def describe_solution(solution: type[Solution]) -> Iterator[AnswerField]:
    """Describe each field of a solution."""
    texts = _texts_of(solution)
    for field in attrs.fields(cast("type[attrs.AttrsInstance]", solution)):
        wire: WireField | None = field.metadata.get("wire")
        paths = (wire.path, *wire.aliases) if wire else ()
        annotation, meaning = texts.get(field.name, ("", ""))
        yield AnswerField(
            name=field.name,
            places=tuple(".".join(path) for path in paths),
            annotation=annotation,
            always=field.default is attrs.NOTHING or wire is None,
            meaning=meaning,
        )


# -- what the sources say -------------------------------------------------------------------------

Texts = dict[str, tuple[str, str]]


def _texts_of(cls: type) -> Texts:
    """By field of a class and of its bases: its type, and what the text below it says."""
    texts: Texts = {}
    for base in reversed(cls.__mro__):
        if base.__module__.startswith("captcha_async."):
            texts |= _texts(base.__module__).get(base.__name__, {})
    return texts


@cache
def _texts(module: str) -> dict[str, Texts]:
    try:
        source = inspect.getsource(import_module(module))
    except OSError:
        # Installed without sources: the catalogue says less then.
        return {}
    return {
        node.name: dict(_field_texts(node.body))
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef)
    }


def _field_texts(body: Iterable[ast.stmt]) -> Iterator[tuple[str, tuple[str, str]]]:
    for field, text in pairwise(body):
        if (
            isinstance(field, ast.AnnAssign)
            and isinstance(field.target, ast.Name)
            and isinstance(text, ast.Expr)
            and isinstance(text.value, ast.Constant)
        ):
            meaning = " ".join(str(text.value.value).split())
            annotation = ast.unparse(field.annotation).replace("encoded.File", "bytes | str | Path")
            yield field.target.id, (annotation, meaning)
