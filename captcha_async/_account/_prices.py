"""A price table as users write it: by task class, by its name, or by the service's own name."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

from ..errors import invalid
from ..services import Service
from ..tasks._families import all_models, find_model

__all__ = ["prices_by_model"]


def prices_by_model(prices: Mapping[str, Decimal], service: Service) -> dict[str, Decimal]:
    """Return a price table by the names of the task models.

    Raises:
        InvalidArgument: no task type has a name that is in it.
    """
    table: dict[str, Decimal] = {}
    for name, price in prices.items():
        if find_model(name) is not None:
            table[name] = price
            continue
        models = _models_on_the_wire(service).get(name)
        if models is None:
            raise invalid("prices", name, _rule(name, service))
        # A wire name may stand for several models, such as CustomTask; each own entry goes before.
        table = {**dict.fromkeys(models, price), **table}
    return table


def _models_on_the_wire(service: Service) -> dict[str, list[str]]:
    """Return the names of the models by what CapMonster and *service* call them."""
    found: dict[str, list[str]] = {}
    for model in all_models():
        own = service.dialect(model)
        for name in {model.spec.type, *(own.names if own is not None else ())}:
            found.setdefault(name, []).append(model.__name__)
    return found


def _rule(name: str, service: Service) -> str:
    from difflib import get_close_matches

    known = {model.__name__ for model in all_models()} | set(_models_on_the_wire(service))
    close = get_close_matches(name, sorted(known), n=1)
    return "the name of a task type" + (f" ({close[0]}?)" if close else "")
