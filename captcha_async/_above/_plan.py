"""StockPlan: what a user wants of a stock of tokens, checked."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Literal

import attrs

from .._checks import check_count, check_positive, check_seconds, is_number
from ..errors import invalid
from ..tasks._model import Task

__all__ = ["StockPlan", "keyed_tasks", "life_of"]


@attrs.frozen(kw_only=True)
class StockPlan:
    """How many tokens are kept ready, and what may be lost by that."""

    ready: int | Literal["auto"]
    least: int
    most: int
    margin: float
    max_waste: float
    idle: float | None
    life: float | None

    def check(self) -> None:
        """Refuse what cannot be meant.

        Raises:
            InvalidArgument: it names the field.
        """
        if self.ready != "auto":
            check_count("ready", self.ready)
        check_count("least", self.least, at_least=0)
        check_count("most", self.most, at_least=max(1, self.least))
        check_seconds("margin", self.margin)
        if not is_number(self.max_waste) or not 0 <= self.max_waste <= 1:
            raise invalid("max_waste", self.max_waste, "a share from 0 to 1")
        for name in ("idle", "life"):
            if getattr(self, name) is not None:
                check_positive(name, getattr(self, name), "a positive number of seconds, or None")


def keyed_tasks(tasks: Any) -> dict[Any, Task[Any]]:
    """Return the tasks of a stock by their keys; several without keys are their own.

    Raises:
        InvalidArgument: there are none, or something else is among them.
    """
    if isinstance(tasks, Task):
        keyed = {None: tasks}
    elif isinstance(tasks, Mapping):
        keyed = dict(tasks)
    elif isinstance(tasks, Iterable) and not isinstance(tasks, str | bytes):
        keyed = {task: task for task in tasks}
    else:
        keyed = {}
    if not keyed or not all(isinstance(task, Task) for task in keyed.values()):
        raise invalid("task", tasks, "a task, several, or a mapping of them by key", show=False)
    return keyed


def life_of(task: Task[Any], plan: StockPlan) -> float:
    """Return the seconds for which a token can be used after it was made.

    Raises:
        InvalidArgument: nobody knows; or it is shorter than the margin.
    """
    life = plan.life if plan.life is not None else task.spec.token_life
    if life is None:
        rule = f"given for a {type(task).__name__}, of whose tokens no life is documented"
        raise invalid("life", None, rule)
    if life <= plan.margin:
        raise invalid("margin", plan.margin, f"less than the life of a token, {life:g} s")
    return life
