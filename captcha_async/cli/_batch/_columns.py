"""The columns of a table: those that tasks of a type have, and what to say of any other."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from ...services import SERVICES
from ...services._dialect import uses_of
from ...tasks._families import all_models
from ...tasks._model import Task
from .._types._catalogue import PROXY_KEYS, fields_of, find_types
from ._bad import shown

__all__ = ["strange_columns"]

ALWAYS = ("type", "key", "file", "files")
NEAR = 0.75
"""How alike a name is that may have been meant."""


def strange_columns(row: Mapping[str, str], type_name: str | None) -> str | None:
    """Say which columns of a row no task of the type has, and which it has.

    Args:
        row: its cells by column; those that are empty do not count.
        type_name: the type; None if it has none.

    Returns:
        The text; None if there is no such column, or the type is not known.
    """
    models = all_models() if type_name is None else find_types(type_name)
    if not models:
        return None
    known = _known(tuple(models))
    strange = [name for name, cell in row.items() if cell and name.lower() not in known]
    if not strange:
        return None
    told = ", ".join(_named(name, known) for name in strange)
    several = len(strange) > 1
    if type_name is None:
        return f"no task has the column{'s' * several} {told}"
    names = ", ".join(_own(tuple(models)))
    is_none = "columns {} are none" if several else "column {} is none"
    return f"{is_none.format(told)} of a {models[0].__name__}; it has {names}"


def _named(name: str, known: Mapping[str, str]) -> str:
    """Return a column's name, with the one that may have been meant."""
    if not name:
        return "(a cell beyond the last one)"
    near = difflib.get_close_matches(name.lower(), known, 1, NEAR)
    text = name if name.isidentifier() else shown(name)
    return f"{text} (did you mean {known[near[0]]}?)" if near else text


@cache
def _known(models: tuple[type[Task[Any]], ...]) -> dict[str, str]:
    """Return what columns may be called, by the same in lower case: our names, and the wire's."""
    names = [*ALWAYS, *_own(models)]
    for model in models:
        names += [".".join(wire.path) for wire in fields_of(model).values()]
        dialects = [service.dialect(model) for service in SERVICES.values()]
        names += [use.key for each in dialects if each for use in uses_of(model, each).values()]
        names += PROXY_KEYS if hasattr(model, "proxy") else ()
    return {name.lower(): name for name in reversed(names) if name}


@cache
def _own(models: tuple[type[Task[Any]], ...]) -> Iterable[str]:
    """Return our names of the fields, without those that a cell cannot hold."""
    found: dict[str, None] = {}
    for model in models:
        for name in fields_of(model):
            if name == "body":
                name = "file"
            if name != "extra":
                found[name] = None
    return tuple(found)
