"""Limits: what an account may do at once, how fast, and for how much money."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs

from .. import _checks
from .._checks import to_money
from ..errors import invalid

__all__ = ["Limits"]


def _prices(given: Mapping[Any, Any]) -> Mapping[str, Decimal]:
    """Read a price table; what it calls the types is checked by the account, which knows them."""
    if not isinstance(given, Mapping):
        raise invalid("prices", given, "a mapping from a task type to its price")
    prices: dict[str, Decimal] = {}
    for kind, price in given.items():
        name = kind.__name__ if isinstance(kind, type) else kind
        if not isinstance(name, str):
            raise invalid("prices", kind, "keyed by task classes, or by their names")
        prices[name] = to_money(f"prices[{name!r}]", price)
    return prices


def _check_window(_: object, attribute: attrs.Attribute[Any], value: object) -> None:
    if value is not None:
        rule = "a positive number of seconds, or None for all time"
        _checks.check_positive(attribute.name, value, rule)


@attrs.frozen(kw_only=True)
class Limits:
    """What one account may do at once.

    Raises:
        InvalidArgument: a value is not positive, or of the wrong kind.
    """

    in_flight: int = attrs.field(default=1000, validator=_checks.count)
    """Tasks that `solve` has in flight; more wait their turn. Tasks of `submit` are not counted,
    because nothing but their owner can end them."""
    submits_per_second: float | None = attrs.field(default=None, validator=_checks.rate)
    """createTask calls in any second."""
    requests_per_second: float | None = attrs.field(default=None, validator=_checks.rate)
    """Requests of all kinds in any second."""
    connections: int = attrs.field(default=64, validator=_checks.count)
    """Lanes: keep-alive connections, and so requests on the wire at once."""
    request_timeout: float = attrs.field(default=30.0, validator=_checks.positive_seconds)
    """Seconds for one request, from the first byte to the last."""
    max_spend: Decimal | None = attrs.field(default=None, converter=_checks.money)
    """Most money to be spent in any *per* seconds, in the service's own currency: a Decimal, a
    whole number or a decimal string."""
    per: float | None = attrs.field(default=3600.0, validator=_check_window)
    """Window of *max_spend*, in seconds; None for "in all"."""
    prices: Mapping[str, Decimal] = attrs.field(factory=dict, converter=_prices)
    """Price of a task by its class, that class's name, or the service's own name of the type, in
    the service's own currency, for *max_spend*; what the service tells goes before it."""
