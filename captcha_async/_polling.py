"""When to poll. Pure: no I/O, no clock, `now` is an argument.

A schedule proposes; the `PollLedger` of a task disposes: it keeps the service's gap and cap
whatever the schedule or the user says (rule 5).
"""

from __future__ import annotations

from typing import Protocol

import attrs

from .errors import PollLimitReached, invalid
from .services import Service

__all__ = ["FixedPolling", "PollLedger", "Schedule", "default_schedule"]


class Schedule(Protocol):
    """Decides when a task is polled, and may learn from what the polls say."""

    def next_poll(self, family: str, age: float, polls: int) -> float:
        """Return how many seconds after its creation the task should be polled next.

        Args:
            family: the task's family, such as `recaptcha`.
            age: seconds since its creation.
            polls: polls made so far.
        """
        ...

    def observe(self, family: str, age: float, ready: bool) -> None:
        """Learn that a task of this *age* was or was not *ready*."""
        ...


def _check_seconds(_: object, attribute: attrs.Attribute[float], value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e6:
        raise invalid(attribute.name, value, "a number of seconds")


@attrs.frozen
class FixedPolling:
    """Polls at fixed times: once after *first* seconds, then every *interval* seconds."""

    first: float = attrs.field(validator=_check_seconds)
    interval: float = attrs.field(validator=_check_seconds)

    def next_poll(self, family: str, age: float, polls: int) -> float:
        """Return the age at which to poll next."""
        return self.first if polls == 0 else age + self.interval

    def observe(self, family: str, age: float, ready: bool) -> None:
        """Learn nothing."""


class _ServicePolling:
    """Each task family at its service's default times."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def next_poll(self, family: str, age: float, polls: int) -> float:
        times = self._service.poll_times(family)
        return times.first if polls == 0 else age + times.interval

    def observe(self, family: str, age: float, ready: bool) -> None:
        pass


def default_schedule(service: Service) -> Schedule:
    """Return the schedule of a client that was given none."""
    return _ServicePolling(service)


class PollLedger:
    """One task's polls: how many were made, and when the next one is allowed.

    The gap is counted from the end of a poll, so that it holds at the service too, where a poll
    arrives at some moment between its start and its end.
    """

    __slots__ = ("_cap", "_gap", "_not_before", "polls")

    def __init__(self, service: Service, *, polls: int = 0, now: float = float("-inf")) -> None:
        self._gap = service.min_poll_gap
        self._cap = service.max_polls
        self.polls = polls
        # Of polls made elsewhere only the number is known: the last may have been just now.
        self._not_before = now + self._gap if polls else float("-inf")

    def allowed_at(self) -> float:
        """Return the earliest moment of the next poll."""
        return self._not_before

    def begin(self, service: str) -> None:
        """Count a poll.

        Raises:
            PollLimitReached: the service allows no further poll.
        """
        if self.polls >= self._cap:
            raise PollLimitReached(
                f"All {self._cap} polls that {service} allows for a task are used up; "
                "create a new task.",
                polls=self.polls,
            )
        self.polls += 1

    def end(self, now: float, *, sent: bool = True, wait: float = 0.0) -> None:
        """Note the end of a poll.

        Args:
            now: the moment.
            sent: False if the service cannot have seen it; then it does not count.
            wait: seconds that the service asked to wait.
        """
        if not sent:
            self.polls -= 1
        self._not_before = now + max(self._gap, wait)
