"""Field declarations: what a model's field is called on the wire, and which values are certainly wrong."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs

from ..errors import InvalidArgument, invalid
from ._proxy import Proxy

__all__ = [
    "MIN_IMAGE_BYTES",
    "Verbatim",
    "WireField",
    "answer",
    "check_url",
    "cookies",
    "flag",
    "image",
    "integer",
    "nested",
    "number",
    "proxy",
    "raw",
    "secret",
    "text",
    "url",
]

MIN_IMAGE_BYTES = 100
"""CapMonster, anti-captcha and 2captcha refuse a smaller image (ERROR_ZERO_CAPTCHA_FILESIZE)."""


@attrs.frozen
class WireField:
    """Where a model's field stands on the wire, and how its value is written there."""

    path: tuple[str, ...]
    """Keys from the outermost object to the value; `*` stands for any key."""
    aliases: tuple[tuple[str, ...], ...] = ()
    """Other places where a service may put the same value (solutions only)."""
    encode: Callable[[Any], Any] | None = None
    decode: Callable[[Any], Any] | None = None


class Verbatim(str):
    """Wire text that is no readable base64 and is passed on unchanged; only `load_task` makes it."""

    __slots__ = ()


def _declare(
    wire: WireField,
    *,
    default: Any,
    kw_only: bool,
    check: Callable[[str, Any], None],
    converter: Callable[[Any], Any] | None = None,
    repr: bool | Callable[[Any], str] = True,
) -> Any:
    optional = default is not attrs.NOTHING

    def validate(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if not (optional and value is default):
            check(attribute.name, value)

    return attrs.field(
        default=default,
        kw_only=kw_only,
        validator=validate,
        converter=converter,
        repr=repr,
        metadata={"wire": wire},
    )


def _path(wire: str) -> tuple[str, ...]:
    return tuple(wire.split("."))


# -- field declarations of tasks ------------------------------------------------------------------
# The first argument is the wire key, dotted where the docs nest it (`metadata.apiGetLib`).


def text(
    wire: str,
    *,
    default: Any = attrs.NOTHING,
    kw_only: bool = True,
    values: Sequence[str] = (),
    empty: bool = False,
) -> Any:
    """Declare a string, out of *values* if that list is closed; *empty* allows ''."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str):
            raise invalid(name, value, "a string")
        if values and value not in values:
            raise invalid(name, value, f"one of {', '.join(values)}")
        if not empty and not value.strip():
            raise invalid(name, value, "a non-empty string")

    return _declare(WireField(_path(wire)), default=default, kw_only=kw_only, check=check)


def url(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare an http(s) URL."""
    return _declare(WireField(_path(wire)), default=default, kw_only=kw_only, check=check_url)


def check_url(name: str, value: Any) -> None:
    """Refuse what is certainly no http(s) URL."""
    if not isinstance(value, str):
        raise invalid(name, value, "a string")
    scheme, separator, rest = value.partition("://")
    if scheme.lower() not in ("http", "https") or not separator or rest[:1] in ("", "/", "?", "#"):
        raise invalid(name, value, "a full URL that starts with http:// or https://")
    if any(character.isspace() for character in value):
        raise invalid(name, value, "a URL without white space")


def flag(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare a boolean."""

    def check(name: str, value: Any) -> None:
        if value is not True and value is not False:
            raise invalid(name, value, "True or False")

    return _declare(WireField(_path(wire)), default=default, kw_only=kw_only, check=check)


def integer(
    wire: str,
    *,
    default: Any = attrs.NOTHING,
    kw_only: bool = True,
    minimum: int | None = None,
    maximum: int | None = None,
) -> Any:
    """Declare an integer in a closed range."""
    check = _range_check(int, "a whole number", minimum, maximum)
    return _declare(WireField(_path(wire)), default=default, kw_only=kw_only, check=check)


def number(
    wire: str,
    *,
    default: Any = attrs.NOTHING,
    kw_only: bool = True,
    minimum: float | None = None,
    maximum: float | None = None,
) -> Any:
    """Declare a number in a closed range."""
    check = _range_check((int, float), "a number", minimum, maximum)
    return _declare(WireField(_path(wire)), default=default, kw_only=kw_only, check=check)


def _range_check(
    kinds: Any, noun: str, minimum: float | None, maximum: float | None
) -> Callable[[str, Any], None]:
    rule = noun if minimum is None else f"{noun} from {minimum} to {maximum}"

    def check(name: str, value: Any) -> None:
        if isinstance(value, bool) or not isinstance(value, kinds):
            raise invalid(name, value, rule)
        if minimum is not None and maximum is not None and not minimum <= value <= maximum:
            raise invalid(name, value, rule)

    return check


def nested(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare a JSON object that is passed on as it is."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise invalid(name, value, "a mapping with string keys")

    return _declare(
        WireField(_path(wire), encode=dict), default=default, kw_only=kw_only, check=check
    )


def cookies(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare cookies: a mapping in Python, `a=b; c=d` on the wire."""
    return _declare(
        WireField(_path(wire), encode=_join_cookies, decode=_split_cookies),
        default=default,
        kw_only=kw_only,
        check=_check_cookies,
        repr=_repr_cookies,
    )


def _check_cookies(name: str, value: Any) -> None:
    if not isinstance(value, Mapping):
        raise invalid(name, value, "a mapping of cookie names to values", show=False)
    for key, content in value.items():
        if not isinstance(key, str) or not key or set(key) & set("=; \t\r\n"):
            raise invalid(
                name, key, "a mapping whose keys are cookie names without '=', ';' or space"
            )
        if not isinstance(content, str) or set(content) & set(";\r\n"):
            raise invalid(f"{name}[{key!r}]", content, "a string without ';'", show=False)


def _join_cookies(value: Mapping[str, str]) -> str:
    return "; ".join(f"{name}={content}" for name, content in value.items())


def _split_cookies(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    pairs = (part.strip().partition("=") for part in value.split(";") if part.strip())
    return {name: content for name, _, content in pairs}


def _repr_cookies(value: Mapping[str, str] | None) -> str:
    return "None" if value is None else f"<{len(value)} cookies>"


def image(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare an image file's content: bytes in Python (base64 text is decoded), base64 on the wire."""
    return _declare(
        WireField(_path(wire), encode=encode_image, decode=_verbatim),
        default=default,
        kw_only=kw_only,
        check=check_image,
        converter=image_bytes,
        repr=_repr_bytes,
    )


def image_bytes(value: Any) -> Any:
    """Decode text that is base64; leave everything else for the check to judge."""
    if not isinstance(value, str):
        return bytes(value) if isinstance(value, bytearray | memoryview) else value
    try:
        content = base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError):
        return value
    return content if base64.b64encode(content).decode() == value else value


def check_image(name: str, value: Any) -> None:
    """Refuse what is certainly no image file."""
    if isinstance(value, Verbatim):
        if value.startswith("data:") or not value.strip():
            raise invalid(name, value, "base64 text without a data: prefix")
    elif not isinstance(value, bytes):
        raise invalid(
            name,
            value,
            "an image file's content as bytes or as base64 text (for a path: from_file)",
        )
    elif len(value) < MIN_IMAGE_BYTES:
        rule = f"an image of at least {MIN_IMAGE_BYTES} bytes"
        raise InvalidArgument(
            f"{name} must be {rule}, not {len(value)} bytes", field=name, rule=rule
        )


def encode_image(value: bytes | str) -> str:
    """Return the base64 text that goes over the wire."""
    return str(value) if isinstance(value, str) else base64.b64encode(value).decode()


def _verbatim(value: Any) -> Any:
    return Verbatim(value) if isinstance(image_bytes(value), str) else value


def _repr_bytes(value: bytes | str | None) -> str:
    return "None" if value is None else f"<{len(value)} bytes>"


def secret(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare a string that no repr and no message shows."""

    def check(name: str, value: Any) -> None:
        if not isinstance(value, str) or not value:
            raise invalid(name, value, "a non-empty string", show=False)

    return _declare(
        WireField(_path(wire)), default=default, kw_only=kw_only, check=check, repr=_repr_secret
    )


def _repr_secret(value: object) -> str:
    return "None" if value is None else "***"


def proxy(*, default: Any = attrs.NOTHING, kw_only: bool = True, login: bool = False) -> Any:
    """Declare the task's proxy; its five keys stand directly in the task.

    With *login* a proxy without user name and password is refused.
    """

    def check(name: str, value: Any) -> None:
        if not isinstance(value, Proxy):
            raise invalid(name, value, "a Proxy, such as Proxy.from_url(...)", show=False)
        if login and value.login is None:
            raise invalid(name, value, "a proxy with login and password for this task", show=False)

    return _declare(WireField(()), default=default, kw_only=kw_only, check=check)


# -- field declarations of solutions --------------------------------------------------------------


def answer(
    *wire: str,
    default: Any = attrs.NOTHING,
    decode: Callable[[Any], Any] | None = None,
    show: bool = False,
) -> Any:
    """Declare a field of a solution by the dotted places where it may stand.

    `domains.*.cookies` means: under whichever host the service names. Values are hidden from the
    repr unless *show* is set, because most of them are tokens.
    """
    paths = [_path(name) for name in wire]
    return attrs.field(
        default=default,
        kw_only=True,
        repr=True if show else _repr_hidden,
        metadata={"wire": WireField(paths[0], aliases=tuple(paths[1:]), decode=decode)},
    )


def _repr_hidden(value: object) -> str:
    if value is None or isinstance(value, bool):
        return repr(value)
    size = f" {len(value)}" if isinstance(value, str | bytes | list | tuple | dict) else ""
    return f"<hidden {type(value).__name__}{size}>"


def raw() -> Any:
    """Declare the field that keeps the service's own object."""
    return attrs.field(factory=dict, kw_only=True, repr=False)
