"""What a user of the emulator has ordered: answers, errors, faults and delays, each as a rule."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import attrs

__all__ = ["AtOnce", "Delay", "Fault", "Outcome", "Refusal", "Rule", "Script"]


@attrs.define(kw_only=True, eq=False)
class Rule:
    """When something ordered applies, and how many times still."""

    method: str | None = None
    """Wire method, or None for any."""
    task_type: str | None = None
    """One of the names of the task's type, or None for any."""
    times: int | None = None
    """Uses left; None for ever."""

    def fits(self, method: str, names: frozenset[str]) -> bool:
        """Whether the rule applies to a call of *method* about a task type with these *names*."""
        if self.method is not None and self.method != method:
            return False
        return self.task_type is None or self.task_type.lower() in names


@attrs.define(kw_only=True, eq=False)
class Outcome(Rule):
    """How a task ends: with a solution, or with an error code."""

    solution: Mapping[str, Any] | None = attrs.field(default=None, repr=False)
    code: str | None = None
    after: float | None = None
    """Seconds until then; None for the emulator's latency."""


@attrs.define(kw_only=True, eq=False)
class Refusal(Rule):
    """A method answers with an error."""

    code: str
    http_status: int | None = None
    retry_after: float | None = None


@attrs.define(kw_only=True, eq=False)
class Fault(Rule):
    """The reply is broken (status None: there is none), with or without the request's effect."""

    status: int | None = None
    body: bytes = attrs.field(default=b"", repr=False)
    headers: tuple[tuple[str, str], ...] = ()
    effect: bool = False


@attrs.define(kw_only=True, eq=False)
class Delay(Rule):
    """The reply comes later."""

    seconds: float


@attrs.define(kw_only=True, eq=False)
class AtOnce(Rule):
    """createTask itself replies with the solution."""


R = TypeVar("R", bound=Rule)


class Script:
    """The rules in force.

    Of several that fit, those with a number of uses go first, in the order in which they were
    given; else the newest one counts.
    """

    def __init__(self) -> None:
        self._rules: list[Rule] = []

    def add(self, rule: Rule) -> None:
        """Put a rule in force."""
        self._rules.append(rule)

    def answers(self, names: frozenset[str]) -> bool:
        """Whether an outcome is ordered for just this type, so that the service has to know it."""
        rules = (rule for rule in self._rules if isinstance(rule, Outcome) and rule.task_type)
        return any(rule.fits("createTask", names) for rule in rules)

    def take(self, kind: type[R], method: str, names: frozenset[str]) -> R | None:
        """Return the rule of a *kind* that applies now, and count it as used."""
        if not self._rules:
            return None
        fitting = [r for r in self._rules if isinstance(r, kind) and r.fits(method, names)]
        if not fitting:
            return None
        rule = next((r for r in fitting if r.times is not None), fitting[-1])
        if rule.times is not None:
            rule.times -= 1
            if not rule.times:
                self._rules.remove(rule)
        return rule
