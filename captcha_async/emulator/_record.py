"""What the emulator remembers of its callers, for assertions and reports."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Literal

import attrs

from .._ref import TaskId

__all__ = ["Breach", "EmulatorStatistics", "RecordedRequest", "Violation"]

Breach = Literal[
    "poll-gap", "poll-cap", "unknown-id", "wrong-key", "no-money", "banned", "unreadable"
]
"""Which rule of the service was broken."""

# In lower case, as users send keys in any.
SECRET_KEYS = frozenset(
    {"clientkey", "proxy", "proxylogin", "proxypassword", "callbackurl", "solution"}
)
SHOWN = 60


def redact(value: Any) -> Any:
    """Return a copy for display: secrets blanked out, long texts cut."""
    if isinstance(value, Mapping):
        return {
            key: "***" if str(key).lower() in SECRET_KEYS else redact(inner)
            for key, inner in value.items()
        }
    if isinstance(value, list):
        return [redact(inner) for inner in value]
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    if isinstance(value, str) and len(value) > SHOWN:
        return f"{value[:SHOWN]}…"
    return value


def _show(value: Any) -> str:
    return repr(redact(value))


@attrs.frozen
class Violation:
    """A call that breaks a rule of the service."""

    rule: Breach
    """Which rule."""
    task_id: TaskId | None
    """The task that the call was about, if it named one."""
    at: float
    """Moment on the event loop's clock."""
    detail: str
    """What was wrong, in a few words."""


@attrs.frozen
class RecordedRequest:
    """A request as it arrived, and what it was answered; the repr shows no secrets."""

    method: str
    """Wire name of the method, such as `createTask`; the path where there is no such method."""
    path: str
    """Path of the URL."""
    verb: str
    """HTTP method."""
    headers: Mapping[str, str] = attrs.field(repr=False)
    """By name in lower case."""
    body: Any = attrs.field(repr=_show)
    """The JSON value, or the bytes where they are no JSON."""
    at: float
    """Moment of arrival on the event loop's clock."""
    status: int | None
    """HTTP status of the reply; None if there was none."""
    reply: Any = attrs.field(repr=_show)
    """The JSON value of the reply, or its bytes; None if there was none."""
    violations: tuple[Violation, ...] = ()
    """The rules of the service that it broke."""


@attrs.frozen
class EmulatorStatistics:
    """What happened so far."""

    requests: int
    """Requests of every kind."""
    polls: int
    """Calls of getTaskResult."""
    created: int
    """Tasks."""
    processing: int
    """Tasks that are not ready yet."""
    solved: int
    """Tasks that ended with a solution."""
    failed: int
    """Tasks that ended with an error."""
    callbacks: int
    """Callbacks that were accepted."""
    callbacks_failed: int
    """Callbacks that nobody accepted in time."""
    violations: int
    """Calls that broke a rule of the service."""
    spent: Decimal
    """What the solved tasks cost."""
