"""From a createTask body to a task: its names, id, price, latency, and how it will end."""

from __future__ import annotations

import random
import uuid
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from .._ref import TaskId
from ._answers import kind_of, solution_for
from ._dialect import CREATE_TASK, Dialect
from ._ledger import EmulatedTask
from ._script import AtOnce, Outcome, Script
from ._settings import Settings

__all__ = ["TaskFactory"]


class TaskFactory:
    """Makes the tasks of an emulated service."""

    def __init__(self, settings: Settings, script: Script) -> None:
        self._settings = settings
        self._script = script
        self._dialect = Dialect.of(settings.service)
        # Models' names by the service's own name of their type, all in lower case.
        self._models: defaultdict[str, set[str]] = defaultdict(set)
        self._at_once: set[str] = set()
        for model, dialect in settings.service.dialects.items():
            for wire in dialect.names:
                self._models[wire.lower()].add(model.lower())
                if dialect.at_once:
                    self._at_once.add(wire)

    def names(self, body: object) -> frozenset[str]:
        """Return everything that a task object's type may be called, in lower case."""
        if not isinstance(body, Mapping):
            return frozenset()
        wire = str(body.get("type")).lower()
        kind, _, group = kind_of(body).partition(":")
        names = {wire, kind} | self._models.get(wire, set())
        return frozenset(names | ({group, f"{group}task"} if group else set()))

    def make(
        self, body: Mapping[str, Any], names: frozenset[str], *, number: int, now: float
    ) -> EmulatedTask:
        """Make the task for an accepted *body*; its *number* and the seed decide all chance."""
        # A source of its own for each task: what one gets does not depend on the others' draws.
        rng = random.Random(f"{self._settings.seed}/{number}")
        task_id = self._make_id(number, rng)
        took = self._settings.latency(rng, body)
        outcome = self._script.take(Outcome, CREATE_TASK, names) or Outcome()
        at_once = self._takes_at_once(body, names)
        if at_once:
            took = 0.0
        elif outcome.after is not None:
            took = outcome.after
        return EmulatedTask(
            task_id=task_id,
            type=str(body["type"]),
            names=names,
            created=now,
            ready_at=now + took,
            at_once=at_once,
            price=self._settings.price_of(names),
            solution=self._solution(outcome, body, rng),
            error=outcome.code,
        )

    def _takes_at_once(self, body: Mapping[str, Any], names: frozenset[str]) -> bool:
        ordered = self._script.take(AtOnce, CREATE_TASK, names)
        return ordered is not None or body["type"] in self._at_once

    def _make_id(self, number: int, rng: random.Random) -> TaskId:
        first = self._dialect.first_id
        if first is None:
            return str(uuid.UUID(int=rng.getrandbits(128), version=4))
        return first + number

    def _solution(self, outcome: Outcome, body: Mapping[str, Any], rng: random.Random) -> Any:
        if outcome.code is not None:
            return {}
        if outcome.solution is not None:
            return outcome.solution
        return solution_for(body, rng, self._settings.service)
