"""What is remembered of a solve while its span is open, and what spans and metrics say of it."""

from __future__ import annotations

import time
from typing import Literal
from urllib.parse import urlsplit

import attrs
from opentelemetry.context import Context
from opentelemetry.trace import Span, Status, StatusCode

from ..errors import CaptchaError, SolveTimeout
from ..services import Service

__all__ = [
    "Attributes",
    "Outcome",
    "Solve",
    "describe",
    "failure_status",
    "give_up_outcome",
    "server_of",
    "wall_clock",
]

Attributes = dict[str, str | int | float]

Outcome = Literal[
    "solved", "failed", "not_submitted", "uncertain", "timed_out", "cancelled", "abandoned"
]
"""How a solve ended, for who waited."""


def wall_clock(now: float) -> int:
    """Return the nanoseconds by which the wall clock is ahead of the loop's clock at *now*."""
    return time.time_ns() - round(now * 1e9)


@attrs.define(eq=False)
class Solve:
    """A solve whose span is open."""

    span: Span
    context: Context
    """In which the span is the current one, for its children."""
    ahead: int
    """Nanoseconds by which the wall clock was ahead of the loop's clock when it began."""
    began: float
    labels: Attributes
    """What all its metrics carry."""
    server: Attributes
    """What the spans of its requests carry."""
    accepted: bool = False

    def wall(self, moment: float) -> int:
        """Return a moment of the loop's clock in the wall clock's nanoseconds."""
        return self.ahead + round(moment * 1e9)


def server_of(service: Service) -> Attributes:
    """Return the attributes of a service's address; user and password of a URL are left out."""
    parts = urlsplit(service.base_url)
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return {
        "server.address": parts.hostname or "",
        "server.port": port,
        "http.request.method": "POST",
    }


def describe(error: BaseException | None) -> Attributes:
    """Return the attributes of an error."""
    if error is None:
        return {}
    said: Attributes = {"error.type": type(error).__name__}
    code, status = getattr(error, "code", None), getattr(error, "http_status", None)
    if isinstance(code, str):
        said["captcha.error.code"] = code
    if isinstance(status, int):
        said["http.response.status_code"] = status
    return said


def failure_status(error: Exception) -> Status:
    """Return a span's status; of errors that are not the library's only the kind is told."""
    text = str(error) if isinstance(error, CaptchaError) else type(error).__name__
    return Status(StatusCode.ERROR, text)


def give_up_outcome(error: CaptchaError | None, otherwise: Outcome) -> Outcome:
    """Return the outcome of a solve that ended before its task."""
    if error is None:
        return "cancelled"
    return "timed_out" if isinstance(error, SolveTimeout) else otherwise
