"""The choice among a client's accounts: in which order a task tries them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Literal

import attrs

from .._checks import is_number
from ..errors import invalid
from ..services import Service
from ..tasks._model import Task
from ._seat import Seat
from ._solve import Solve

__all__ = ["Offer", "Strategy", "StrategyName", "check_choice", "ranked"]

FEW = 5
"""Solves from which the times of an account are believed; until then it is tried first."""


@attrs.frozen(kw_only=True)
class Offer:
    """An account that takes a task, as a strategy sees it."""

    account: str
    """Its name."""
    service: Service
    """Its service."""
    price: Decimal | None
    """What a task of the type costs there, in the service's own currency, where that is known: by
    `Limits.prices`, or from what earlier ones have cost."""
    typical: float | None
    """Seconds in which half of this client's tasks of the type were solved there; None while fewer
    than five were."""
    hold: float
    """Seconds for which nothing may be sent there, after refusals or on the service's demand;
    infinity if the account cannot be used."""
    queue: float
    """About how many seconds the task would wait for a slot there."""


StrategyName = Literal["first", "cheapest", "fastest"]

Strategy = StrategyName | Callable[[Task[Any], Sequence[Offer]], Iterable[Offer]]
"""In which order the accounts of a client are tried: a name, or a function of the task and of the
accounts that take it, which returns those to be tried, the best first."""


def check_choice(strategy: object, hedge: object) -> None:
    """Check a strategy, and the share of tasks beyond which a second one is created."""
    if hedge is not None and not (is_number(hedge) and 0.5 <= hedge < 1):  # type: ignore[operator]
        raise invalid("hedge", hedge, "a number from 0.5 to less than 1, such as 0.99, or None")
    known = isinstance(strategy, str) and strategy in STRATEGIES
    if not known and not callable(strategy):
        names = ", ".join(repr(name) for name in STRATEGIES)
        raise invalid("strategy", strategy, f"one of {names}, or a function")


def ranked(strategy: Strategy, solve: Solve, seats: Sequence[Seat]) -> list[Seat]:
    """Return the accounts in the order in which a task is to try them."""
    offers = [(_offer(seat, solve), seat) for seat in seats]
    if not callable(strategy):
        key = STRATEGIES[strategy]
        return [seat for _, seat in sorted(offers, key=lambda pair: key(pair[0]))]
    assert solve.task is not None
    chosen: list[Seat] = []
    for offer in strategy(solve.task, [offer for offer, _ in offers]):
        found = [seat for known, seat in offers if known is offer]
        if not found:
            raise invalid("strategy", offer, "a function that returns offers that it was given")
        chosen += found
    return chosen


def _offer(seat: Seat, solve: Solve) -> Offer:
    return Offer(
        account=seat.tenant.name,
        service=seat.account.service,
        price=seat.account.gates.spending.price_of(solve.type),
        typical=seat.tenant.counters.typical(solve.type, 0.5, FEW),
        hold=seat.hold(solve),
        queue=seat.queue(solve),
    )


def _by_price(offer: Offer) -> tuple[bool, Decimal]:
    return offer.price is None, offer.price or Decimal(0)


def _by_time(offer: Offer) -> float:
    # What is not known yet is found out.
    return -1.0 if offer.typical is None else offer.typical + offer.queue


# Of what each compares; what is equal stays in order of preference.
STRATEGIES: Mapping[str, Callable[[Offer], Any]] = {
    "first": lambda _: 0,
    "cheapest": _by_price,
    "fastest": _by_time,
}
