"""What an emulator is made with, checked."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

import attrs

from ..errors import invalid
from ..services import Service, find_service
from ._latency import Latency, LatencyModel

__all__ = ["Settings"]

DEFAULT_PRICE = Decimal("0.001")


def to_money(name: str, value: Any) -> Decimal:
    """Return an amount of money as a Decimal; a float counts as it is written."""
    try:
        if isinstance(value, bool):
            raise TypeError
        amount = Decimal(str(value))
    except (InvalidOperation, TypeError):
        raise invalid(name, value, "an amount of money such as Decimal('0.5')") from None
    if not amount.is_finite():
        raise invalid(name, value, "a finite amount of money")
    return amount


def _to_balance(value: Any) -> Decimal:
    return to_money("balance", value)


def _to_prices(value: Any) -> Mapping[str, Decimal] | Decimal:
    if isinstance(value, Mapping):
        return {str(key).lower(): to_money("price", price) for key, price in value.items()}
    return to_money("price", value)


def _to_keys(value: Any) -> tuple[str, ...]:
    keys = (value,) if isinstance(value, str) else tuple(value)
    if not keys or not all(isinstance(key, str) and key for key in keys):
        raise invalid("api_keys", value, "one or more non-empty strings", show=False)
    return keys


def _check_latency(_: object, __: object, value: Any) -> None:
    if not callable(value):
        raise invalid("latency", value, "a Latency or a callable")


def _check_count(_: object, attribute: attrs.Attribute[Any], value: Any) -> None:
    if value is None:
        return
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise invalid(attribute.name, value, "a whole number, 1 or more, or None")


@attrs.frozen(kw_only=True)
class Settings:
    """The emulator's arguments."""

    service: Service = attrs.field(converter=find_service)
    api_keys: tuple[str, ...] = attrs.field(converter=_to_keys, repr=False)
    balance: Decimal = attrs.field(converter=_to_balance)
    price: Mapping[str, Decimal] | Decimal = attrs.field(converter=_to_prices)
    """For a solve; where it is a mapping, by name of the task type in lower case."""
    seed: int | str = 0
    latency: LatencyModel = attrs.field(default=Latency(), validator=_check_latency)
    slots: int | None = attrs.field(default=None, validator=_check_count)
    max_record: int | None = attrs.field(default=100_000, validator=_check_count)

    def price_of(self, names: frozenset[str]) -> Decimal:
        """Return what a task whose type goes by *names* costs."""
        if isinstance(self.price, Decimal):
            return self.price
        return next((self.price[name] for name in names if name in self.price), DEFAULT_PRICE)

    def knows_key(self, key: object) -> bool:
        """Whether a caller's key is an account's, with or without suffixes (`KEY__nocache`)."""
        if not isinstance(key, str):
            return False
        return any(key == known or key.startswith(f"{known}__") for known in self.api_keys)
