"""Base classes and decorators of the task and solution models.

A model names its wire type in the decorator and its wire keys in the field declarations; `wire`
turns that into JSON and back. Nothing here knows of HTTP or of a particular captcha.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache
from typing import (
    Any,
    ClassVar,
    Generic,
    Literal,
    Self,
    TypeVar,
    cast,
    dataclass_transform,
    get_args,
)

import attrs

from ..errors import invalid
from . import _encoded as encoded
from . import _fields as f
from . import _structures as more
from ._proxy import Proxy

__all__ = [
    "MODELS",
    "ProxyUse",
    "RawSolution",
    "RawTask",
    "ReportKind",
    "Solution",
    "Task",
    "TaskSpec",
    "shared",
    "solution",
    "solution_type",
    "task",
]

ProxyUse = Literal["optional", "required", "refused"]
ReportKind = Literal["image", "recaptcha", "hcaptcha", "token"]

M = TypeVar("M", bound=type)

MOST_SHOWN = 80
"""Characters of a field that a repr shows."""

MODELS: dict[str, type[Task[Any]]] = {}
"""Every task model by its class name, in the order of declaration."""


@dataclass_transform(frozen_default=True, kw_only_default=True, field_specifiers=(f.answer, f.raw))
def solution(cls: M) -> M:
    """Make a class a solution model: frozen, and read by `wire` from the declared places."""
    return attrs.frozen(kw_only=True, repr=False)(cls)


def _told(model: Any, shown: Callable[[Any, Any], bool]) -> str:
    """Return the repr of a model, with the fields whose values are to be *shown*."""
    texts = []
    for field in attrs.fields(type(model)):
        value = getattr(model, field.name)
        if field.repr and shown(field, value):
            text = str(field.repr(value)) if callable(field.repr) else repr(value)
            texts.append(f"{field.name}={_shortened(text)}")
    return f"{type(model).__name__}({', '.join(texts)})"


@solution
class Solution:
    """Base of all answers."""

    raw: Mapping[str, Any] = f.raw()
    """The answer as the service sent it, with every key that the model does not know."""

    def __repr__(self) -> str:
        """Tell what the answer has, and of secrets that they are there."""
        return _told(self, lambda _, value: value is not None)


@solution
class RawSolution(Solution):
    """The answer to a `RawTask`: only `raw`."""

    def __repr__(self) -> str:
        """Tell the keys and the kinds of their values; a value may be a token."""
        told = (f"{key}={_kind(value)}" for key, value in self.raw.items())
        return f"RawSolution({', '.join(told)})"


def _kind(value: object) -> str:
    if value is None or isinstance(value, bool | int | float):
        return repr(value)
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_kind(inner)}' for key, inner in value.items())}}}"
    size = f" {len(value)}" if isinstance(value, str | bytes | list | tuple) else ""
    return f"<hidden {type(value).__name__}{size}>"


S_co = TypeVar("S_co", bound=Solution, covariant=True)


@attrs.frozen
class TaskSpec:
    """What the library has to know of a task type besides its fields."""

    type: str
    """The wire type, such as `RecaptchaV2Task`."""
    fixed: Mapping[str, Any]
    """Keys with one allowed value, by dotted wire path; they tell variants of a type apart."""
    family: str
    """Which default polling applies (see `Service.polling`)."""
    proxy: ProxyUse
    """Whether the task takes a proxy."""
    report: ReportKind | None
    """Which kind of report is about its answers; None where services have no kind for it."""
    token_life: float | None
    """Seconds that the token can be used after it was made, where documented."""
    historic: bool
    """Gone from the services' documentation; kept for services that still want it."""


@dataclass_transform(
    frozen_default=True,
    kw_only_default=True,
    field_specifiers=(
        attrs.field,
        f.text,
        f.url,
        f.texts,
        f.flag,
        f.integer,
        f.number,
        f.nested,
        f.secret,
        f.proxy,
        encoded.cookies,
        encoded.file,
        encoded.image,
        encoded.images,
        encoded.page,
        encoded.json_text,
        encoded.escaped,
        more.extra,
        more.identifier,
        more.integers,
    ),
)
class Declared:
    """Lets type checkers read the fields of what derives from it."""

    __slots__ = ()


@attrs.frozen(init=False, repr=False, eq=False)
class Task(Declared, Generic[S_co]):
    """Base of all tasks, typed in the solution they lead to."""

    spec: ClassVar[TaskSpec]

    extra: Mapping[str, Any] | None = more.extra(default=None)
    """Further keys for the task object, for what a service has added since; they come last, and
    objects such as `metadata` are put together."""

    @property
    def type(self) -> str:
        """The task's type on the wire."""
        return self.spec.type

    def __repr__(self) -> str:
        return _told(
            self, lambda field, value: field.default is attrs.NOTHING or value != field.default
        )

    def evolve(self, **changes: Any) -> Self:
        """Return the same task with some fields changed, such as `proxy`.

        Raises:
            InvalidArgument: a change is wrong.
        """
        unknown = sorted(set(changes) - set(attrs.fields_dict(cast("Any", type(self)))))
        if unknown:
            raise invalid(unknown[0], changes[unknown[0]], f"a field of {type(self).__name__}")
        return cast("Self", attrs.evolve(cast("Any", self), **changes))


def solution_type(model: type[Task[Any]]) -> type[Solution]:
    """Return the solution model that a task model names as its parameter."""
    known: Any = model
    return _solution_type(known)


@cache
def _solution_type(model: Any) -> type[Solution]:
    for cls in model.__mro__:
        for base in getattr(cls, "__orig_bases__", ()):
            for argument in get_args(base):
                if isinstance(argument, type) and issubclass(argument, Solution):
                    return argument
    raise TypeError(f"{model.__name__} has to be declared as Task[<its solution>]")


def shared(cls: M) -> M:
    """Make a class the common fields of several task models; it is no model itself."""
    return attrs.frozen(init=False, repr=False, eq=False)(cls)


def task(
    wire_type: str,
    *,
    fixed: Mapping[str, Any] | None = None,
    family: str = "token",
    report: ReportKind | None = None,
    token_life: float | None = None,
    historic: bool = False,
) -> Callable[[M], M]:
    """Make a class a task model: frozen, validated, and known to `wire` under its *wire_type*."""

    def decorate(cls: M) -> M:
        model = cast("type[Task[Any]]", attrs.frozen(kw_only=True, repr=False)(cls))
        # The one that attrs has made would refuse a mapping, such as cookies.
        cast("Any", model).__hash__ = _hash_of
        model.spec = TaskSpec(
            type=wire_type,
            fixed=dict(fixed or {}),
            family=family,
            proxy=_proxy_use(model),
            report=report,
            token_life=token_life,
            historic=historic,
        )
        solution_type(model)
        MODELS[model.__name__] = model
        return cast("M", model)

    return decorate


def _hash_of(task: Task[Any]) -> int:
    values = attrs.astuple(cast("Any", task), recurse=False)
    return hash((type(task), *map(_hashable, values)))


def _hashable(value: Any) -> Any:
    """Return what can be hashed, and is equal where the values are."""
    if isinstance(value, Mapping):
        return frozenset((key, _hashable(item)) for key, item in value.items())
    if isinstance(value, list | tuple):
        return tuple(map(_hashable, value))
    return value


def _shortened(text: str) -> str:
    return text if len(text) <= MOST_SHOWN else f"{text[: MOST_SHOWN - 1]}…"


def _proxy_use(model: type[Any]) -> ProxyUse:
    declared = attrs.fields_dict(model).get("proxy")
    if declared is None:
        return "refused"
    return "required" if declared.default is attrs.NOTHING else "optional"


@attrs.frozen(repr=False)
class RawTask(Task[RawSolution]):
    """A task of any type, sent as it is: for what the library has no model of.

    ```python
    RawTask("NewCaptchaTask", {"websiteURL": "https://example.com"}, proxy=proxy)
    ```
    """

    type: str = f.text("type", kw_only=False)  # pyright: ignore[reportIncompatibleMethodOverride]
    """The wire type."""
    fields: Mapping[str, Any] = attrs.field(factory=dict, repr=False, kw_only=False)
    """The other keys of the task object, in the wire's spelling; bytes are sent as base64."""
    proxy: Proxy | None = f.proxy(default=None)  # noqa: RUF009 (a field)
    """Proxy of yours; its keys are added to the fields."""

    spec: ClassVar[TaskSpec] = TaskSpec(
        type="",
        fixed={},
        family="token",
        proxy="optional",
        report=None,
        token_life=None,
        historic=False,
    )


cast("Any", RawTask).__hash__ = _hash_of
