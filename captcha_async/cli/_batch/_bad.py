"""Bad lines, told once for each rule and grouped in the end."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import attrs

__all__ = ["BadLine", "BadLines", "Group", "shown"]

MOST_RULES = 20
"""Rules that are told while the run goes on; all are in the groups."""
NUMBERS = 3
"""Line numbers that are kept of a group."""
MOST_GROUPS = 500


class BadLine(ValueError):
    """A line that is no task.

    Args:
        reason: why, with the value.
        rule: the same without the value; *reason* if it has none.
    """

    def __init__(self, reason: str, rule: str = "") -> None:
        super().__init__(reason)
        self.rule: str = rule or reason


@attrs.define
class Group:
    """The bad lines that break one rule."""

    rule: str
    count: int = 0
    first: list[int] = attrs.field(factory=list)
    """Numbers of the first three."""

    @property
    def numbers(self) -> str:
        """The numbers as text, such as `3, 7, 9, …`."""
        more = ", ..." if self.count > len(self.first) else ""
        return f"{', '.join(map(str, self.first))}{more}"


class BadLines:
    """Counts bad lines by rule, and tells the first one of each.

    Args:
        tell: called with (number, reason); None to only count.
    """

    def __init__(self, tell: Callable[[int, str], None] | None = None) -> None:
        self._tell = tell
        self._groups: dict[str, Group] = {}

    def __len__(self) -> int:
        return sum(group.count for group in self._groups.values())

    def __iter__(self) -> Iterator[Group]:
        """Yield the groups, the largest first."""
        return iter(sorted(self._groups.values(), key=lambda group: -group.count))

    def add(self, number: int, error: BadLine) -> None:
        """Count a line."""
        full = len(self._groups) >= MOST_GROUPS and error.rule not in self._groups
        rule = "other rules" if full else error.rule
        group = self._groups.setdefault(rule, Group(rule))
        group.count += 1
        if len(group.first) < NUMBERS:
            group.first.append(number)
        if group.count == 1 and len(self._groups) <= MOST_RULES and self._tell is not None:
            self._tell(number, str(error))


def shown(value: object) -> str:
    """Return a value for a message, cut where it is long."""
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"
