"""What services tell of an account: money, packages, queues. Pure; nothing here raises."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import attrs

from ._details import read_count, read_moment
from ._values import get, read_balance_of, read_cost, read_text

__all__ = [
    "AccountFacts",
    "Package",
    "QueueStatistics",
    "SpendingSpan",
    "read_packages",
    "read_queue",
    "read_spans",
]


@attrs.frozen(kw_only=True)
class Package:
    """A package that an account has at capsolver; None where the service does not tell."""

    package_id: str | None = None
    """Its number."""
    title: str | None = None
    """What it is called."""
    type: str | None = None
    """What kind of package it is, in the service's words."""
    calls: int | None = None
    """The number of calls, as the service tells it."""
    status: str | None = None
    """Its state, in the service's words."""
    expires: datetime | None = None
    """UTC time of its end."""
    token: str | None = attrs.field(default=None, repr=False)
    """The key under which it is used: a secret, which no repr shows."""


@attrs.frozen(kw_only=True)
class AccountFacts:
    """What a service tells of the account."""

    balance: Decimal
    """The money that is left."""
    currency: str | None = None
    """The balance's currency, as its ISO code; None where none is documented."""
    credits: int | None = None
    """Credits of a subscription (anti-captcha); None where the service tells none."""
    packages: tuple[Package, ...] = ()
    """Packages that were bought (capsolver)."""
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """The service's own object; it may hold a package's token."""


@attrs.frozen(kw_only=True)
class QueueStatistics:
    """How busy a queue of workers is; None where the service does not tell."""

    waiting: int | None = None
    """Workers that wait for a task."""
    load: float | None = None
    """Per cent of the workers that are busy."""
    bid: Decimal | None = None
    """Average price of a task, in the service's currency."""
    speed: float | None = None
    """Average seconds for a task."""
    total: int | None = None
    """Workers in all."""
    raw: Mapping[str, Any] = attrs.field(factory=dict, repr=False)
    """The service's own object."""


@attrs.frozen(kw_only=True)
class SpendingSpan:
    """What was spent in a span of time; None where the service does not tell."""

    start: datetime | None = None
    """UTC time of its beginning."""
    end: datetime | None = None
    """UTC time of its end."""
    volume: int | None = None
    """How many tasks were paid for."""
    money: Decimal | None = None
    """What they cost, in the service's currency."""


def read_packages(value: Any) -> tuple[Package, ...]:
    """Read getBalance's packages; what is none is passed over."""
    if not isinstance(value, list):
        return ()
    return tuple(_package(item) for item in value if isinstance(item, Mapping))


def _package(data: Mapping[str, Any]) -> Package:
    return Package(
        package_id=read_text(get(data, "packageId")) or None,
        title=read_text(get(data, "title")) or None,
        type=read_text(get(data, "type")) or None,
        calls=read_count(get(data, "numberOfCalls")),
        status=read_text(get(data, "status")) or None,
        expires=_expiry(get(data, "expireTime")),
        token=read_text(get(data, "token")) or None,
    )


def _expiry(value: Any) -> datetime | None:
    # Too large a number of seconds is one of milliseconds.
    return read_moment(value) or read_moment((read_count(value) or 0) // 1000)


def read_queue(data: Mapping[str, Any], *, raw: Mapping[str, Any]) -> QueueStatistics:
    """Read getQueueStats' reply; *raw* is what the service sent."""
    load, speed = read_cost(get(data, "load")), read_cost(get(data, "speed"))
    return QueueStatistics(
        waiting=read_count(get(data, "waiting")),
        load=None if load is None else float(load),
        bid=read_cost(get(data, "bid")),
        speed=None if speed is None else float(speed),
        total=read_count(get(data, "total")),
        raw=dict(raw),
    )


def read_spans(value: Any) -> tuple[SpendingSpan, ...] | None:
    """Read the `data` of getSpendingStats; None if it is no list."""
    if not isinstance(value, list):
        return None
    return tuple(
        SpendingSpan(
            start=read_moment(get(item, "dateFrom")),
            end=read_moment(get(item, "dateTill")),
            volume=read_count(get(item, "volume")),
            money=read_balance_of(get(item, "money")),
        )
        for item in value
        if isinstance(item, Mapping)
    )
