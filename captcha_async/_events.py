"""What happens to a client's tasks, told as it happens to whoever wants to know.

Events hold no secret that a repr would show. A handler runs inside of the client's work, so it has
to be quick and cannot wait; what it raises is logged and changes nothing.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import attrs

from ._outcome import Solved
from ._ref import TaskRef
from .errors import AccountError, CaptchaError

__all__ = [
    "Event",
    "Events",
    "FuseBlown",
    "TaskFailed",
    "TaskPolled",
    "TaskSolved",
    "TaskSubmitted",
]

logger = logging.getLogger("captcha_async")


@attrs.frozen
class TaskSubmitted:
    """The service has accepted a task."""

    ref: TaskRef
    task: Any


@attrs.frozen
class TaskPolled:
    """A poll was answered."""

    ref: TaskRef
    status: str
    """What the service said, such as `processing` or `ready`."""


@attrs.frozen
class TaskSolved:
    """A task's answer has come."""

    ref: TaskRef
    solved: Solved[Any]


@attrs.frozen
class TaskFailed:
    """A task has ended without an answer."""

    ref: TaskRef
    error: CaptchaError


@attrs.frozen
class FuseBlown:
    """An account error has stopped the client's requests."""

    error: AccountError


Event = TaskSubmitted | TaskPolled | TaskSolved | TaskFailed | FuseBlown
"""What a handler is called with."""


class Events:
    """The way to the user's handler; false without one, so that no event need be made."""

    def __init__(self, handler: Callable[[Event], None] | None) -> None:
        self._handler = handler

    def __bool__(self) -> bool:
        return self._handler is not None

    def emit(self, event: Event) -> None:
        """Call the handler."""
        if self._handler is None:
            return
        try:
            self._handler(event)
        except Exception:
            logger.exception("on_event raised for a %s", type(event).__name__)
