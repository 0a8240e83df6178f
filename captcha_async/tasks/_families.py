"""Which module has which model; a family's module is imported when one of its names is used.

A class of attrs costs about a millisecond to make, and no program needs all of them.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module
from typing import Any

from ._model import MODELS, Task
from ._names import FAMILIES

__all__ = ["FAMILIES", "all_models", "find_model", "is_known", "load_name"]


@cache
def _modules() -> dict[str, str]:
    return {name: module for module, names in FAMILIES.items() for name in names}


def load_name(name: str) -> Any:
    """Return a public name of a family's module.

    Raises:
        KeyError: no module has it.
    """
    module = import_module(f".{_modules()[name]}", __package__)
    return getattr(module, name)


def find_model(name: str) -> type[Task[Any]] | None:
    """Return the task model of that class name, if there is one."""
    if name not in MODELS and name in _modules():
        load_name(name)
    return MODELS.get(name)


def is_known(model: type[Task[Any]]) -> bool:
    """Return whether a model is the library's own, not one that a program has declared."""
    return model.__name__ in _modules()


@cache
def all_models() -> tuple[type[Task[Any]], ...]:
    """Import every family, and return all the library's task models in the order of their names."""
    for module in FAMILIES:
        import_module(f".{module}", __package__)
    names = _modules()
    return tuple(MODELS[name] for name in sorted(MODELS) if name in names)
