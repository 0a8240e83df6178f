"""Field declarations of what is rarer: lists of numbers, ids, and further keys."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from ..errors import InvalidArgument, invalid
from ._fields import WireField, as_tuple, declare, path_of

__all__ = ["extra", "identifier", "integers"]


def extra(*, default: Any, kw_only: bool = True) -> Any:
    """Declare further keys of the task object, which the library knows nothing of."""

    def check(name: str, value: Any) -> None:
        rule = "a mapping of further wire keys, without `type`"
        if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
            raise invalid(name, value, rule, show=False)
        if any(key.lower() == "type" for key in value):
            raise InvalidArgument(
                f"{name} must be {rule}: the type is the class's own", field=name, rule=rule
            )

    return declare(
        WireField((), kind="further keys"),
        default=default,
        kw_only=kw_only,
        check=check,
        repr=False,
    )


def integers(
    wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True, as_text: bool = False
) -> Any:
    """Declare a list of whole numbers; with *as_text* the wire has it as the text of a list."""

    def check(name: str, value: Any) -> None:
        numbers = isinstance(value, tuple) and all(type(item) is int for item in value)
        if not numbers or not value:
            raise invalid(name, value, "a list of whole numbers, at least one")

    return declare(
        WireField(
            path_of(wire),
            encode=_list_text if as_text else list,
            decode=_list_of if as_text else None,
            kind="list of whole numbers, as text" if as_text else "list of whole numbers",
            least=1,
        ),
        default=default,
        kw_only=kw_only,
        check=check,
        converter=as_tuple,
    )


def _list_text(value: tuple[int, ...]) -> str:
    return orjson.dumps(value).decode()


def _list_of(value: Any) -> Any:
    try:
        return orjson.loads(value) if isinstance(value, str) else value
    except orjson.JSONDecodeError:
        return value


def identifier(wire: str, *, default: Any = attrs.NOTHING, kw_only: bool = True) -> Any:
    """Declare an id that pages have as text or as a whole number; it is sent as it is given."""

    def check(name: str, value: Any) -> None:
        if type(value) is not int and not (isinstance(value, str) and value.strip()):
            raise invalid(name, value, "a non-empty string or a whole number")

    field = WireField(path_of(wire), kind="text or whole number")
    return declare(field, default=default, kw_only=kw_only, check=check)
