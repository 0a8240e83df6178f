"""Makes a member of what the user gives: where the account is shared, and its limits."""

from __future__ import annotations

import importlib.util
import os
from decimal import Decimal
from hashlib import blake2b
from typing import get_args

from ..errors import invalid
from ._member import Member, OnOutage
from ._messages import SECOND, Terms
from ._purse import to_units
from ._redis import RedisStore, check_redis_url
from ._sqlite import SqliteStore
from ._store import Store

__all__ = ["LEASE", "account_name", "make_member", "make_store", "make_terms"]

LEASE = 10.0
"""Seconds that a share is good for without contact."""
SETTLE = 2.0
"""Seconds that a Redis which knows nothing of an account gives nothing: twice the time from one
exchange to the next, so that members which are there can tell what they have."""


def account_name(service: str, api_key: str) -> str:
    """Return what an account is called in a store: the same in all processes, and no key."""
    text = f"{service}\0{api_key}".encode()
    return blake2b(text, digest_size=12, person=b"shared account").hexdigest()


def make_store(share: str | os.PathLike[str], name: str) -> Store:
    """Return the store at a path or a URL.

    Raises:
        InvalidArgument: it is neither, or the extra for it is not installed.
    """
    if not isinstance(share, str | os.PathLike) or not os.fspath(share):
        raise invalid("share", share, "a file's path, or redis://, rediss:// or unix://")
    place = os.fspath(share)
    if "://" not in place:
        return SqliteStore(place, name)
    check_redis_url(place)
    if importlib.util.find_spec("coredis") is None:
        rule = "a file's path, unless captcha-async[redis] is installed"
        raise invalid("share", "redis://…", rule)
    return RedisStore(place, name)


def _window(rate: float | None) -> tuple[int, int]:
    """Return how many in how many microseconds; a rate that is no whole number changes the time."""
    if rate is None:
        return 0, SECOND
    count = max(1, int(rate))
    return count, int(SECOND * count / rate)


def make_terms(
    *,
    in_flight: int,
    submits_per_second: float | None = None,
    requests_per_second: float | None = None,
    max_spend: Decimal | None = None,
    per: float = 3600.0,
    settle: float = 0.0,
    lease: float = LEASE,
) -> Terms:
    """Return the limits in the store's units."""
    submits, submits_window = _window(submits_per_second)
    requests, requests_window = _window(requests_per_second)
    return Terms(
        in_flight=in_flight,
        submits=submits,
        submits_window=submits_window,
        requests=requests,
        requests_window=requests_window,
        cap=0 if max_spend is None else to_units(max_spend),
        per=int(per * SECOND),
        lease=int(lease * SECOND),
        settle=int(settle * SECOND),
    )


def make_member(
    share: str | os.PathLike[str],
    *,
    service: str,
    api_key: str,
    in_flight: int,
    submits_per_second: float | None = None,
    requests_per_second: float | None = None,
    max_spend: Decimal | None = None,
    per: float = 3600.0,
    on_outage: OnOutage = "keep",
    egress: str | None = None,
) -> Member:
    """Make the member of a process; it joins when it is opened.

    Args:
        share: a file's path, or a URL.
        service: the service's name.
        api_key: the account's key; only hashes of it reach the store.
        in_flight: tasks in flight over all processes.
        submits_per_second: createTask calls in any second over all processes.
        requests_per_second: requests of all kinds in any second over all processes.
        max_spend: money in any *per* seconds over all processes.
        per: window of *max_spend*, in seconds.
        on_outage: `keep` the last share when the store does not answer, or `stop`.
        egress: names the address by which this process goes out, if there are several.

    Raises:
        InvalidArgument: an argument is certainly wrong.
    """
    if on_outage not in get_args(OnOutage):
        raise invalid("on_outage", on_outage, "'keep' or 'stop'")
    _check_egress(egress)
    store = make_store(share, account_name(service, api_key))
    terms = make_terms(
        in_flight=in_flight,
        submits_per_second=submits_per_second,
        requests_per_second=requests_per_second,
        max_spend=max_spend,
        per=per,
        settle=SETTLE if isinstance(store, RedisStore) else 0.0,
    )
    return Member(store, terms, api_key, on_outage=on_outage, egress=egress or "")


def _check_egress(egress: str | None) -> None:
    if egress is None:
        return
    good = isinstance(egress, str) and 0 < len(egress) <= 64 and egress.isprintable()
    if not good or " " in egress or egress == "-":
        raise invalid("egress", egress, "a name of at most 64 characters without white space")
