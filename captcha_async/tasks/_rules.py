"""Rules between the fields of one task, called from `__attrs_post_init__`."""

from __future__ import annotations

from ..errors import invalid

__all__ = ["at_least_one", "at_most_one", "needs"]


def at_least_one(task: object, *names: str) -> None:
    """Refuse a task that has none of some fields."""
    if all(getattr(task, name) is None for name in names):
        raise invalid(" or ".join(names), None, f"given for a {type(task).__name__}")


def at_most_one(task: object, *names: str) -> None:
    """Refuse a task that has several of fields that exclude each other."""
    given = [name for name in names if getattr(task, name) is not None]
    if len(given) > 1:
        value = getattr(task, given[1])
        raise invalid(given[1], value, f"left out when {given[0]} is given", show=False)


def needs(task: object, reason: str, *names: str) -> None:
    """Refuse a task that lacks a field which *reason* makes necessary."""
    for name in names:
        if getattr(task, name) is None:
            raise invalid(name, None, f"given when {reason}")
