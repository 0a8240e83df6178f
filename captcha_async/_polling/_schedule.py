"""When to poll. Pure: no I/O, no clock, `now` is an argument.

A schedule proposes; the record of a task (`Solve`) disposes: it keeps the service's gap and cap
whatever the schedule or the user says (rule 5).
"""

from __future__ import annotations

from typing import Protocol

import attrs

from .. import _checks

__all__ = ["FixedPolling", "PollState", "Schedule"]


# Not frozen: attrs sets a frozen field five times as slowly, and a poll is planned twice.
@attrs.define
class PollState:
    """What a schedule is told of a task. Ages are seconds since the task's creation."""

    type: str
    """Name of the task model, such as `RecaptchaV2Task`."""
    family: str
    """The task's family, such as `recaptcha`; it tells the service's default times."""
    number: int = 0
    """Serial number of the task, which tells tasks of a burst apart."""
    polls: int = 0
    """Polls made so far."""
    last: float = 0.0
    """Age at the end of the last poll, or 0."""
    since: float = 0.0
    """Age at which the task was last known to be unsolved, or 0."""
    deadline: float = float("inf")
    """Age at which the wait for the answer ends."""
    attached: bool = False
    """Whether the task was taken up from a reference; then its true age is unknown."""


class Schedule(Protocol):
    """Decides when a task is polled, and may learn from what the polls say."""

    def next_poll(self, task: PollState) -> float:
        """Return the age at which the task should be polled next; one in the past means now.

        It is asked again when that age has come, because others may have taught it meanwhile that
        a later one is better. So it must not count from the present, but from `task.last`.
        """
        ...

    def observe(self, task: PollState, sent: float, ended: float, ready: bool) -> None:
        """Learn what a poll of *task* said.

        Args:
            task: its state before the poll.
            sent: its age when the poll was sent: if it is not *ready*, it was not then.
            ended: its age when the reply came: if it is *ready*, it was by then.
            ready: whether the answer was there.
        """
        ...

    def observe_queueing(self, seconds: float, now: float) -> None:
        """Learn that a poll that is sent *now* had to queue for *seconds* before."""
        ...


@attrs.frozen
class FixedPolling:
    """Polls at fixed times: once after *first* seconds, then every *interval* seconds.

    The service's minimum gap and poll cap hold all the same.

    Raises:
        InvalidArgument: a value is negative or no number.
    """

    first: float = attrs.field(validator=_checks.seconds)
    """Seconds from the task's creation to its first poll."""
    interval: float = attrs.field(validator=_checks.seconds)
    """Seconds from the end of a poll to the next one."""

    def next_poll(self, task: PollState) -> float:
        """Return the age at which to poll next."""
        return self.first if task.polls == 0 else task.last + self.interval

    def observe(self, task: PollState, sent: float, ended: float, ready: bool) -> None:
        """Learn nothing."""

    def observe_queueing(self, seconds: float, now: float) -> None:
        """Learn nothing."""
