"""The way to the user's handlers of events; the events themselves are made where there is one."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

__all__ = ["Events", "each"]

logger = logging.getLogger("captcha_async")
# Silent until the program sets logging up, as libraries are.
logger.addHandler(logging.NullHandler())

T = TypeVar("T")


def each(step: Callable[[T], object], items: Iterable[T]) -> None:
    """Do *step* for all *items*, whatever one of them raises; then the first of that comes out."""
    raised: BaseException | None = None
    for item in items:
        try:
            step(item)
        except BaseException as error:
            raised = raised or error
    if raised is not None:
        raise raised


class Events:
    """The way to the user's handlers; false without one, so that no event need be made."""

    def __init__(self, handlers: tuple[Callable[[Any], None], ...]) -> None:
        self._handlers = handlers

    def __bool__(self) -> bool:
        return bool(self._handlers)

    def emit(self, event: object) -> None:
        """Call each handler, whatever the others do."""
        interrupt: BaseException | None = None
        for handler in self._handlers:
            try:
                handler(event)
            except Exception:
                logger.exception("on_event raised for a %s", type(event).__name__)
            except BaseException as error:
                interrupt = interrupt or error
        if interrupt is not None:
            raise interrupt
