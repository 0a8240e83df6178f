"""One call of the emulated service: the request, what it is about, and the reply to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from ._ledger import EmulatedTask
from ._record import Breach, Violation
from ._replies import Reply

__all__ = ["Exchange", "Request"]


@attrs.frozen
class Request:
    """A request as it arrived."""

    verb: str
    path: str
    headers: Mapping[str, str]
    content: bytes


@attrs.define(eq=False)
class Exchange:
    """One request, what it is about, and the reply to it."""

    request: Request
    now: float
    method: str
    value: Any
    """The body's JSON value, or the bytes where they are no JSON."""
    fields: Mapping[str, Any]
    """The body where it is a JSON object; else empty."""
    task: EmulatedTask | None
    """The task that the request asks about, or the one that it created."""
    names: frozenset[str]
    """What the type of the task may be called."""
    breach: Breach | None = None
    """What is wrong with a poll."""
    violations: list[Violation] = attrs.field(factory=list)
    reply: Reply = attrs.field(default=Reply(None))
