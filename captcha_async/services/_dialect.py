"""What a service calls a task type and its fields, as data.

The fields of a type at a service are one text of words. A word is a field's name, then `!` where
the service requires it or `+` where it does so with a proxy only, then `=key` where the wire key is
another than the model's, dotted where it is nested and with `^` in front where it stands beside the
task in createTask's body, then `@form` where the value has another form (see `_forms`). `*` are all
the model's own fields.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Any, TypeVar

import attrs

from ._forms import FORMS, Form

__all__ = ["FieldUse", "TypeDialect", "lone", "own_dialect", "pair", "per_dialect", "uses_of"]

T = TypeVar("T")

WORD = re.compile(r"(?P<name>\w+)(?P<need>[!+]?)(?:=(?P<beside>\^?)(?P<key>[\w.]+))?(?:@(\w+))?")


@attrs.frozen
class FieldUse:
    """How a service takes one field of a task type."""

    name: str
    """The model's field."""
    path: tuple[str, ...]
    """Wire keys from the task object, or from createTask's body, to the value."""
    beside: bool = False
    """Whether it stands beside the task."""
    required: bool = False
    """Whether the service wants it."""
    with_proxy: bool = False
    """Whether the service wants it of a task that has a proxy."""
    form: Form | None = None
    """How the value is written there, if not as the model writes it."""

    @property
    def key(self) -> str:
        """The wire key, dotted where it is nested."""
        return ".".join(self.path)


@attrs.frozen
class TypeDialect:
    """A task type at one service: its names, and what differs from the model."""

    proxied: str | None
    """Its name with a proxy of yours; None if the service takes none for it."""
    proxyless: str | None
    """Its name without a proxy; None if the service wants one."""
    fields: str = "*"
    """The fields that the service has, as words (see the module)."""
    hints: str = ""
    """Fields that it has not, and without which the task is the same: they are not sent. Any other
    field is refused."""
    fixed: Mapping[str, Any] | None = None
    """Keys with one value, by dotted path; None for the model's own."""
    moved: Mapping[str, str] = attrs.field(factory=dict)
    """Keys inside of objects that the service wants elsewhere, by dotted path."""
    either: tuple[str, ...] = ()
    """Groups of fields, such as `a|b`, of which one has to be given."""
    values: Mapping[str, tuple[Any, ...]] = attrs.field(factory=dict)
    """The values that the service takes, by field, where they are fewer than the model's."""
    limits: Mapping[str, int] = attrs.field(factory=dict)
    """Most bytes of a file, by field."""
    defaults: Mapping[str, Any] = attrs.field(factory=dict)
    """What the service takes where a field is not sent, as far as it is documented."""
    proxy_login: bool = False
    """Whether a proxy without user name and password is refused."""
    proxy_type: bool = True
    """False where the proxy's kind is not sent: the service takes HTTP proxies only."""
    answer: Any = None
    """A documented solution, where its shape is another than at CapMonster: `<n>` stands for n
    random characters."""
    at_once: bool = False
    """Whether createTask's reply is the answer."""
    withdrawn: str | None = None
    """Why the service takes the type no more."""
    note: str | None = None
    """What else there is to know."""

    @property
    def names(self) -> tuple[str, ...]:
        """The one or two names."""
        return tuple(dict.fromkeys(name for name in (self.proxied, self.proxyless) if name))

    def of(self, *, proxied: bool) -> str:
        """Return the name for a task with or without a proxy; the other one if there is but one."""
        return (self.proxied if proxied else self.proxyless) or self.names[0]


def pair(name: str, fields: str = "*", suffix: str = "Proxyless", **facts: Any) -> TypeDialect:
    """Make the dialect of a type that has a name with a proxy, and another one without."""
    return TypeDialect(name, name + suffix, fields, **facts)


def lone(name: str, fields: str = "*", **facts: Any) -> TypeDialect:
    """Make the dialect of a type that takes no proxy."""
    return TypeDialect(None, name, fields, **facts)


def own_dialect(model: Any) -> TypeDialect:
    """Return the dialect of a model in its own words."""
    return _named(model.spec.type)


@cache
def _named(name: str) -> TypeDialect:
    return TypeDialect(name, name)


def per_dialect(make: Callable[[Any, TypeDialect], T]) -> Callable[[Any, TypeDialect], T]:
    """Make what belongs to a model at a service once.

    Dialects are told apart by identity, as they hold mappings; each is kept together with what was
    made of it, so that no identity can come to mean another one.
    """
    made: dict[tuple[Any, int], tuple[TypeDialect, T]] = {}

    def of(model: Any, dialect: TypeDialect) -> T:
        found = made.get((model, id(dialect)))
        if found is None:
            found = made[model, id(dialect)] = (dialect, make(model, dialect))
        return found[1]

    return of


# -- a model in the words of a service ------------------------------------------------------------


def uses_of(model: Any, dialect: TypeDialect) -> Mapping[str, FieldUse]:
    """Return by name the fields of *model* that a service has."""
    return _uses(model, dialect.fields)


@cache
def _uses(model: Any, words: str) -> Mapping[str, FieldUse]:
    own = _own_uses(model)
    if words == "*":
        return own
    return {use.name: use for use in _read(words, own)}


@cache
def _own_uses(model: Any) -> Mapping[str, FieldUse]:
    fields = attrs.fields(model)
    return {
        field.name: FieldUse(
            field.name, field.metadata["wire"].path, required=field.default is attrs.NOTHING
        )
        for field in fields
        if field.metadata["wire"].path
    }


def _read(words: str, own: Mapping[str, FieldUse]) -> Iterable[FieldUse]:
    for word in words.split():
        found = WORD.fullmatch(word)
        if found is None or found["name"] not in own:
            raise ValueError(f"{word!r} is no word of a dialect, or names no field of the model")
        name, need, beside, key, form = found.groups()
        yield FieldUse(
            name,
            tuple(key.split(".")) if key else own[name].path,
            beside=beside == "^",
            required=need == "!" or own[name].required,
            with_proxy=need == "+",
            form=FORMS[form] if form else None,
        )
