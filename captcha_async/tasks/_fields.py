"""Field declarations: a field's name on the wire, and which values are certainly wrong.

The first argument is the wire key, dotted where the docs nest it (`metadata.apiGetLib`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from operator import attrgetter
from typing import Any

import attrs

from ..errors import invalid
from ._proxy import Proxy

__all__ = [
    "Verbatim",
    "WireField",
    "answer",
    "check_url",
    "declare",
    "flag",
    "integer",
    "nested",
    "number",
    "proxy",
    "raw",
    "reader",
    "secret",
    "text",
    "texts",
    "url",
]


@attrs.frozen
class WireField:
    """Where a model's field stands on the wire, and how its value is written there."""

    path: tuple[str, ...]
    """Keys from the outermost object to the value; `*` stands for any key."""
    aliases: tuple[tuple[str, ...], ...] = ()
    """Other places where a service may put the same value (solutions only)."""
    encode: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None
    kind: str = ""
    """What the value is, in a word or two."""
    values: tuple[str, ...] = ()
    """The allowed values, if that list is closed."""
    least: float | None = None
    """The smallest allowed value, or length of a list."""
    most: float | None = None
    """The largest allowed value, or length of a list."""
    pattern: re.Pattern[str] | None = None
    """What the value looks like; tells apart variants that have the same keys."""
    empty: bool = False
    """Whether an empty list is an answer (solutions only)."""


class Verbatim(str):
    """Wire text that is passed on unchanged because it decodes to nothing that encodes to it.

    Only `load_task` makes it.
    """

    __slots__ = ()


def declare(
    wire: WireField,
    *,
    default: Any,
    check: Callable[[str, Any], None],
    kw_only: bool = True,
    converter: Callable[[Any], Any] | None = None,
    repr: bool | Callable[[Any], str] = True,
) -> Any:
    """Declare a field of any kind; a default is never checked."""

    def validate(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value is not default:
            check(attribute.name, value)

    return attrs.field(
        default=default,
        kw_only=kw_only,
        validator=validate,
        converter=converter,
        repr=repr,
        metadata={"wire": wire},
    )


def reader(names: Sequence[str]) -> Callable[[Any], tuple[Any, ...]]:
    """Return what reads these fields of a model all at once."""
    if len(names) > 1:
        return attrgetter(*names)
    return lambda model: tuple(getattr(model, name) for name in names)


def path_of(wire: str) -> tuple[str, ...]:
    """Split a dotted wire key."""
    return tuple(wire.split("."))


# -- field declarations of tasks ------------------------------------------------------------------


def text(
    wire: str,
    *,
    default: Any = attrs.NOTHING,
    kw_only: bool = True,
    values: Sequence[str] = (),
    empty: bool = False,
    pattern: str | None = None,
    rule: str = "",
) -> Any:
    """Declare a string.

    Args:
        wire: the wire key.
        default: the value that is left out of the body.
        kw_only: False for a field that may be given by position.
        values: the allowed strings, if that list is closed.
        empty: whether '' is allowed.
        pattern: regular expression that the whole string has to match; *rule* says it in words.
        rule: see *pattern*.
    """
    compiled = re.compile(pattern) if pattern else None
    rule = rule or ("a string" if empty else "a non-empty string")

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str):
            raise invalid(name, value, "a string")
        if values and value not in values:
            raise invalid(name, value, f"one of {', '.join(values)}")
        if not (empty or value.strip()) or (compiled and not compiled.fullmatch(value)):
            raise invalid(name, value, rule)

    kind = rule if compiled else "text, may be empty" if empty else "text"
    field = WireField(path_of(wire), kind=kind, values=tuple(values), pattern=compiled)
    return declare(field, default=default, kw_only=kw_only, check=check)


def url(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare an http(s) URL."""
    field = WireField(path_of(wire), kind="http(s) URL")
    return declare(field, default=default, kw_only=kw_only, check=check_url)


_URL_START = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://[^/?#]")
_URL = re.compile(r"[Hh][Tt][Tt][Pp][Ss]?://[^/?#\s]\S*")


def check_url(name: str, value: Any) -> None:
    """Refuse what is certainly no http(s) URL."""
    if not isinstance(value, str):
        raise invalid(name, value, "a string")
    if _URL.fullmatch(value):
        return
    if not _URL_START.match(value):
        raise invalid(name, value, "a full URL that starts with http:// or https://")
    raise invalid(name, value, "a URL without white space")


def texts(
    wire: str,
    *,
    default: Any = attrs.NOTHING,
    kw_only: bool = True,
    most: int | None = None,
    urls: bool = False,
) -> Any:
    """Declare a list of strings or of http(s) URLs, of at most *most* items."""
    kind = "list of http(s) URLs" if urls else "list of texts"
    rule = f"a {kind}, at least one" + (f" and at most {most}" if most else "")

    def check(name: str, value: Any) -> None:
        if not isinstance(value, tuple) or not 1 <= len(value) <= (most or len(value)):
            raise invalid(name, value, rule)
        for index, item in enumerate(value):
            if urls:
                check_url(f"{name}[{index}]", item)
            elif not isinstance(item, str):
                raise invalid(f"{name}[{index}]", item, "a string")

    return declare(
        WireField(path_of(wire), encode=list, kind=kind, least=1, most=most),
        default=default,
        kw_only=kw_only,
        check=check,
        converter=as_tuple,
    )


def as_tuple(value: Any) -> Any:
    """Make a list a tuple; leave everything else for the check to judge."""
    if isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray):
        return tuple(value)
    return value


def flag(
    wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True, as_number: bool = False
) -> Any:
    """Declare a boolean; with *as_number* the wire has it as 1 or 0."""

    def check(name: str, value: Any) -> None:
        if value is not True and value is not False:
            raise invalid(name, value, "True or False")

    encode = int if as_number else None
    field = WireField(path_of(wire), encode=encode, decode=_flag_of, kind="true or false")
    return declare(field, default=default, kw_only=kw_only, check=check)


def _flag_of(value: Any) -> Any:
    return value == 1 if value in (0, 1) else value


def integer(
    wire: str,
    *,
    default: Any = attrs.NOTHING,
    kw_only: bool = True,
    minimum: int,
    maximum: int | None = None,
    as_text: bool = False,
) -> Any:
    """Declare an integer in a range; with *as_text* the wire has it as a string."""
    check = _range_check(int, "a whole number", minimum, maximum)
    field = WireField(
        path_of(wire),
        encode=str if as_text else None,
        decode=_integer_of if as_text else None,
        kind="whole number, as text" if as_text else "whole number",
        least=minimum,
        most=maximum,
    )
    return declare(field, default=default, kw_only=kw_only, check=check)


def _integer_of(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


def number(
    wire: str,
    *,
    default: Any = attrs.NOTHING,
    kw_only: bool = True,
    minimum: float,
    maximum: float,
) -> Any:
    """Declare a number in a closed range."""
    check = _range_check((int, float), "a number", minimum, maximum)
    field = WireField(path_of(wire), kind="number", least=minimum, most=maximum)
    return declare(field, default=default, kw_only=kw_only, check=check)


def _range_check(
    kinds: Any, noun: str, minimum: float, maximum: float | None
) -> Callable[[str, Any], None]:
    allowed = f"at least {minimum}" if maximum is None else f"{minimum} to {maximum}"
    rule = f"{noun}, {minimum if minimum == maximum else allowed}"

    def check(name: str, value: Any) -> None:
        number = isinstance(value, kinds) and not isinstance(value, bool)
        # Written so that NaN fails.
        if not number or not value >= minimum or not (maximum is None or value <= maximum):
            raise invalid(name, value, rule)

    return check


def nested(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare a JSON object that is passed on as it is."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise invalid(name, value, "a mapping with string keys")

    return declare(
        WireField(path_of(wire), encode=dict, kind="object"),
        default=default,
        kw_only=kw_only,
        check=check,
    )


def secret(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare a string that no repr and no message shows."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str) or not value:
            raise invalid(name, value, "a non-empty string", show=False)

    field = WireField(path_of(wire), kind="text")
    return declare(field, default=default, kw_only=kw_only, check=check, repr=_repr_secret)


def _repr_secret(value: object) -> str:
    return "None" if value is None else "***"


def proxy(*, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare the task's proxy; its five keys stand directly in the task."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, Proxy):
            raise invalid(name, value, "a Proxy, such as Proxy.from_url(...)", show=False)

    return declare(WireField((), kind="proxy"), default=default, kw_only=kw_only, check=check)


# -- field declarations of solutions --------------------------------------------------------------


def answer(
    *wire: str,
    default: Any = attrs.NOTHING,
    decode: Callable[[Any], Any] | None = None,
    show: bool = False,
    empty: bool = False,
) -> Any:
    """Declare a field of a solution by the dotted places where it may stand.

    `domains.*.cookies` means: under whichever host the service names. Values are hidden from the
    repr unless *show* is set, because most of them are tokens. A place that holds nothing, such as
    an empty text, counts as missing; with *empty* an empty list is an answer, such as the tiles to
    click where none fits.
    """
    paths = [path_of(name) for name in wire]
    field = WireField(paths[0], aliases=tuple(paths[1:]), decode=decode, empty=empty)
    return attrs.field(
        default=default,
        kw_only=True,
        repr=True if show else _repr_hidden,
        metadata={"wire": field},
    )


def _repr_hidden(value: object) -> str:
    if value is None or isinstance(value, bool):
        return repr(value)
    size = f" {len(value)}" if isinstance(value, str | bytes | list | tuple | dict) else ""
    return f"<hidden {type(value).__name__}{size}>"


def raw() -> Any:
    """Declare the field that keeps the service's own object."""
    return attrs.field(factory=dict, kw_only=True, repr=False)
