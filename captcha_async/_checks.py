"""The one set of number checks: each returns the value, or says which field breaks which rule."""

from __future__ import annotations

import math
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from .errors import invalid

__all__ = [
    "check_count",
    "check_number",
    "check_positive",
    "check_rate",
    "check_seconds",
    "check_timeout",
    "count",
    "is_number",
    "is_positive",
    "money",
    "positive_seconds",
    "rate",
    "seconds",
    "to_money",
]

LONGEST = 1e6
"""Seconds; a longer wait is a mistake."""


def is_number(value: object) -> bool:
    """Tell whether it is a finite number; a bool is none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def is_positive(value: object) -> bool:
    """Tell whether it is a finite number above zero."""
    return is_number(value) and value > 0  # type: ignore[operator]


def check_count(field: str, value: object, *, at_least: int = 1, or_none: bool = False) -> None:
    """Refuse what is no whole number of at least *at_least*."""
    if value is None and or_none:
        return
    if type(value) is not int or value < at_least:
        rule = f"a whole number of at least {at_least}"
        raise invalid(field, value, rule + (", or None" if or_none else ""))


def check_number(field: str, value: object, *, at_least: float) -> float:
    """Return a finite number of at least *at_least* as a float."""
    if not is_number(value) or not at_least <= value < 1e9:  # type: ignore[operator]
        raise invalid(field, value, f"a number of at least {at_least:g}")
    return float(value)  # type: ignore[arg-type]


def check_positive(field: str, value: object, rule: str = "a positive number") -> None:
    """Refuse what is no finite number above zero."""
    if not is_positive(value):
        raise invalid(field, value, rule)


def check_rate(field: str, value: object) -> None:
    """Refuse what is neither None nor a positive number."""
    if value is not None:
        check_positive(field, value, "a positive number, or None for no limit")


def check_seconds(field: str, value: object) -> None:
    """Refuse what is no number of seconds from 0 on."""
    if not is_number(value) or not 0 <= value < LONGEST:  # type: ignore[operator]
        raise invalid(field, value, "a number of seconds")


def check_timeout(timeout: float | None) -> None:
    """Refuse a timeout that is no number of seconds; infinity is one."""
    if timeout is None:
        return
    if isinstance(timeout, bool) or not isinstance(timeout, int | float) or not timeout >= 0:
        raise invalid("timeout", timeout, "a number of seconds, or None")


def to_money(field: str, value: object) -> Decimal:
    """Return an amount of money above zero, from a Decimal, a whole number or a decimal string.

    Raises:
        InvalidArgument: it is none; floats are refused because 0.1 is not a tenth in them.
    """
    if isinstance(value, float):
        raise invalid(field, value, "a Decimal, a whole number or a string: a float is not exact")
    amount = None
    if isinstance(value, Decimal | int | str) and not isinstance(value, bool):
        try:
            amount = Decimal(value)
        except InvalidOperation:
            amount = None
    if amount is None or not amount.is_finite() or amount <= 0:
        raise invalid(field, value, "a positive amount, such as Decimal('0.002') or '0.002'")
    return amount


# -- the same as validators and converters of attrs -----------------------------------------------


def count(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Validate a whole number of at least 1."""
    check_count(attribute.name, value)


def rate(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Validate a positive number, or None."""
    check_rate(attribute.name, value)


def seconds(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Validate a number of seconds from 0 on."""
    check_seconds(attribute.name, value)


def positive_seconds(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    """Validate a number of seconds above 0."""
    check_positive(attribute.name, value, "a positive number of seconds")


def money(value: Any) -> Decimal | None:
    """Convert an amount of money; None stays None."""
    return None if value is None else to_money("max_spend", value)
