"""OpenTelemetry: the handler that turns a client's events into spans and metrics."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Any

from opentelemetry import metrics, trace
from opentelemetry.trace import Link, SpanContext, SpanKind

from .. import __version__
from .._events import (
    Event,
    FuseBlown,
    PollFailed,
    SubmitFailed,
    TaskAbandoned,
    TaskDropped,
    TaskFailed,
    TaskPolled,
    TaskQueued,
    TaskSolved,
    TaskSubmitted,
    TaskTakenUp,
)
from .._ref import TaskRef
from ..services import Service
from ..wire._models import model_name
from ._metrics import Metrics
from ._solve import (
    Attributes,
    Outcome,
    Solve,
    describe,
    failure_status,
    give_up_outcome,
    server_of,
    wall_clock,
)

__all__ = ["OpenTelemetry"]

SCOPE = "captcha_async"

MOST_OPEN = 100_000
"""How many solves may have an open span; of more, the oldest is given up. Clients end all theirs
when they are closed, so that only clients that never are can leave any behind."""

MOST_REMEMBERED = 1_000
"""How many abandoned solves are remembered, for the link from the span of who takes one up."""


class OpenTelemetry:
    """Makes spans and metrics of what a client does: `CaptchaClient(on_event=OpenTelemetry())`.

    One handler may serve several clients. Nothing that it records holds a secret: no key, no proxy,
    no solution.

    Args:
        tracer_provider: where spans go; the global provider without.
        meter_provider: where metrics go; the global provider without.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer(SCOPE, __version__, tracer_provider)
        self._metrics = Metrics(metrics.get_meter(SCOPE, __version__, meter_provider))
        self._open: OrderedDict[int, Solve] = OrderedDict()
        self._abandoned: OrderedDict[int, SpanContext] = OrderedDict()
        self._takers: dict[type, Callable[[Any], None]] = {
            TaskQueued: self._queued,
            SubmitFailed: self._submit_failed,
            TaskSubmitted: self._submitted,
            TaskDropped: self._dropped,
            TaskTakenUp: self._taken_up,
            TaskPolled: self._polled,
            PollFailed: self._polled,
            TaskSolved: self._solved,
            TaskFailed: self._failed,
            TaskAbandoned: self._given_up,
            FuseBlown: self._metrics.blown,
        }

    def __repr__(self) -> str:
        return f"<OpenTelemetry, {len(self._open)} solves open>"

    def __call__(self, event: Event) -> None:
        take = self._takers.get(type(event))
        if take is not None:
            take(event)

    # -- before there is a task -------------------------------------------------------------------

    def _queued(self, event: TaskQueued) -> None:
        solve = self._begin(event, "captcha.solve", event.service, model_name(event.task))
        self._metrics.queued(solve)

    def _submit_failed(self, event: SubmitFailed) -> None:
        solve = self._open.get(event.solve)
        if solve is not None:
            self._request(event, solve, "createTask", {}, event.error)

    def _submitted(self, event: TaskSubmitted) -> None:
        solve = self._open.get(event.solve)
        if solve is None:
            return
        self._metrics.unqueued(solve)
        self._metrics.accepted(solve)
        solve.accepted = True
        task_id: Attributes = {"captcha.task.id": str(event.ref.task_id)}
        solve.span.set_attributes(task_id)
        self._request(event, solve, "createTask", task_id, None)

    def _dropped(self, event: TaskDropped) -> None:
        outcome = give_up_outcome(event.error, "not_submitted")
        self._end(event, "uncertain" if event.uncertain else outcome, event.error)

    # -- a task of the service's ------------------------------------------------------------------

    def _taken_up(self, event: TaskTakenUp) -> None:
        before = self._abandoned.pop(event.solve, None)
        solve = self._begin(
            event,
            "captcha.collect",
            event.service,
            event.ref.task_type,
            [] if before is None else [Link(before)],
        )
        solve.accepted = True
        solve.span.set_attribute("captcha.task.id", str(event.ref.task_id))
        self._metrics.accepted(solve)

    def _polled(self, event: TaskPolled | PollFailed) -> None:
        said: Attributes = {"captcha.task.id": str(event.ref.task_id)}
        said["captcha.poll.number"] = event.ref.polls
        error = None
        if isinstance(event, TaskPolled):
            said["captcha.status"] = event.status
        else:
            error = event.error
        solve = self._open.get(event.solve)
        if solve is not None:
            self._request(event, solve, "getTaskResult", said, error)
        else:
            # A `peek` at a task that nobody waits for.
            self._metrics.request(
                _labels(event.ref), "getTaskResult", event.at - event.started, _name(error)
            )

    def _solved(self, event: TaskSolved) -> None:
        solve = self._open.get(event.solve)
        self._metrics.answered(_labels(event.ref) if solve is None else solve.labels, event)
        said: Attributes = {"captcha.answer.via": event.via, "captcha.polls": event.ref.polls}
        if event.solved.cost is not None:
            said["captcha.cost"] = float(event.solved.cost)
        self._end(event, "solved", None, said)

    def _failed(self, event: TaskFailed) -> None:
        self._end(event, "failed", event.error, {"captcha.polls": event.ref.polls})

    def _given_up(self, event: TaskAbandoned) -> None:
        solve = self._open.get(event.solve)
        if solve is None:
            return
        outcome = give_up_outcome(event.error, "abandoned")
        self._end(event, outcome, event.error, {"captcha.polls": event.ref.polls})
        self._abandoned[event.solve] = solve.span.get_span_context()
        if len(self._abandoned) > MOST_REMEMBERED:
            self._abandoned.popitem(last=False)

    # -- spans ------------------------------------------------------------------------------------

    def _begin(
        self,
        event: TaskQueued | TaskTakenUp,
        name: str,
        service: Service,
        task_type: str,
        links: list[Link] | None = None,
    ) -> Solve:
        """Open the span of a solve, below the caller's current one."""
        labels: Attributes = {"captcha.service": service.name, "captcha.task.type": task_type}
        ahead = wall_clock(event.at)
        span = self._tracer.start_span(
            name, attributes=labels, links=links, start_time=ahead + round(event.at * 1e9)
        )
        within = trace.set_span_in_context(span)
        solve = Solve(span, within, ahead, event.at, labels, server_of(service))
        self._open[event.solve] = solve
        if len(self._open) > MOST_OPEN:
            _, oldest = self._open.popitem(last=False)
            self._close(oldest, event.at, "abandoned", None, {})
        return solve

    def _request(
        self,
        event: TaskSubmitted | SubmitFailed | TaskPolled | PollFailed,
        solve: Solve,
        method: str,
        said: Attributes,
        error: Exception | None,
    ) -> None:
        """Make the span of a request that is over."""
        labels, failure = solve.labels, describe(error)
        self._metrics.request(labels, method, event.at - event.started, _name(error))
        if error is None and isinstance(event, SubmitFailed | PollFailed):
            said = {**said, "captcha.outcome": "cancelled"}
        span = self._tracer.start_span(
            method,
            context=solve.context,
            kind=SpanKind.CLIENT,
            attributes={**solve.server, **said, **failure},
            start_time=solve.wall(event.started),
        )
        if error is not None:
            span.set_status(failure_status(error))
        span.end(solve.wall(event.at))

    def _end(
        self,
        event: TaskDropped | TaskSolved | TaskFailed | TaskAbandoned,
        outcome: Outcome,
        error: Exception | None,
        said: Attributes | None = None,
    ) -> None:
        solve = self._open.pop(event.solve, None)
        if solve is not None:
            self._close(solve, event.at, outcome, error, said or {})
        elif not isinstance(event, TaskDropped | TaskAbandoned):
            self._abandoned.pop(event.solve, None)
            self._metrics.ended(_labels(event.ref), outcome, _name(error))

    def _close(
        self,
        solve: Solve,
        at: float,
        outcome: Outcome,
        error: Exception | None,
        said: Attributes,
    ) -> None:
        """End the span of a solve."""
        self._metrics.closed(solve, at, outcome, _name(error))
        solve.span.set_attributes({**said, "captcha.outcome": outcome, **describe(error)})
        if error is not None:
            solve.span.set_status(failure_status(error))
        solve.span.end(solve.wall(at))


def _labels(ref: TaskRef) -> Attributes:
    return {"captcha.service": ref.service, "captcha.task.type": ref.task_type}


def _name(error: Exception | None) -> str | None:
    return None if error is None else type(error).__name__
