"""The instruments, and what is recorded with them."""

from __future__ import annotations

from opentelemetry.metrics import Meter

from .._events import FuseBlown, TaskSolved
from ._solve import Attributes, Outcome, Solve

__all__ = ["Metrics"]

SECONDS = (0.5, 1, 2, 3, 4, 5, 6, 8, 10, 15, 20, 30, 45, 60, 90, 120, 180, 300, 600)
"""Bounds of the buckets for how long solves take."""

REQUEST_SECONDS = (0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 10, 30)


class Metrics:
    """The instruments of one meter."""

    def __init__(self, meter: Meter) -> None:
        self._queued = meter.create_up_down_counter(
            "captcha.tasks.queued", "{task}", "Tasks that the service has not accepted yet"
        )
        self._in_flight = meter.create_up_down_counter(
            "captcha.tasks.in_flight", "{task}", "Accepted tasks that are to be collected"
        )
        self._ended = meter.create_counter(
            "captcha.tasks.ended", "{task}", "Solves that have ended, by outcome"
        )
        self._solving = meter.create_histogram(
            "captcha.solve.duration",
            "s",
            "From the call to its end, with all waiting",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._task = meter.create_histogram(
            "captcha.task.duration",
            "s",
            "From the task's submission to its answer",
            explicit_bucket_boundaries_advisory=SECONDS,
        )
        self._request = meter.create_histogram(
            "captcha.request.duration",
            "s",
            "One createTask or getTaskResult",
            explicit_bucket_boundaries_advisory=REQUEST_SECONDS,
        )
        self._polls = meter.create_counter("captcha.polls", "{poll}", "Polls made")
        self._spend = meter.create_counter(
            "captcha.spend", "{currency}", "What the service said it charged, in its own currency"
        )
        self._fuse = meter.create_counter(
            "captcha.fuse.blown", "{blow}", "Account errors that stopped a client's requests"
        )

    def queued(self, solve: Solve) -> None:
        """Count a task that was taken on."""
        self._queued.add(1, solve.labels)

    def accepted(self, solve: Solve) -> None:
        """Count a task of which the service knows."""
        self._in_flight.add(1, solve.labels)

    def unqueued(self, solve: Solve) -> None:
        """Count a task no more among those that wait."""
        self._queued.add(-1, solve.labels)

    def request(self, labels: Attributes, method: str, seconds: float, error: str | None) -> None:
        """Record one request."""
        said: Attributes = {**labels, "captcha.method": method}
        if error is not None:
            said["error.type"] = error
        self._request.record(seconds, said)
        if method == "getTaskResult":
            self._polls.add(1, labels)

    def answered(self, labels: Attributes, event: TaskSolved) -> None:
        """Record what an answer took."""
        if event.via == "journal":
            return  # recorded when it came, by the client that has put it there
        self._task.record(event.solved.elapsed, {**labels, "captcha.answer.via": event.via})
        if event.solved.cost is not None:
            self._spend.add(float(event.solved.cost), labels)

    def ended(self, labels: Attributes, outcome: Outcome, error: str | None) -> None:
        """Count a solve that has ended."""
        self._ended.add(1, _with_outcome(labels, outcome, error))

    def closed(self, solve: Solve, at: float, outcome: Outcome, error: str | None) -> None:
        """Record the end of a span."""
        if solve.accepted:
            self._in_flight.add(-1, solve.labels)
        else:
            self.unqueued(solve)
        self._solving.record(at - solve.began, _with_outcome(solve.labels, outcome, error))
        self.ended(solve.labels, outcome, error)

    def blown(self, event: FuseBlown) -> None:
        """Count a blown fuse."""
        said: Attributes = {
            "captcha.service": event.service.name,
            "error.type": type(event.error).__name__,
        }
        self._fuse.add(1, said)


def _with_outcome(labels: Attributes, outcome: Outcome, error: str | None) -> Attributes:
    said: Attributes = {**labels, "captcha.outcome": outcome}
    if error is not None:
        said["error.type"] = error
    return said
