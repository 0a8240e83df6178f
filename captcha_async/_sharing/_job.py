"""Something that the store is to do for somebody who waits, until it is done or refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar

import anyio
import attrs

from ..errors import AccountUnavailable

__all__ = ["Job"]

T = TypeVar("T")


@attrs.define(eq=False)
class Job(Generic[T]):
    """One thing to be done."""

    what: T
    done: anyio.Event = attrs.field(factory=anyio.Event)
    """Set by `end`, once."""
    found: Any = None
    error: AccountUnavailable | None = None
    waiters: int = 0
    tried: bool = False
    """Whether it may have been done."""
    then: Callable[[], object] | None = None
    """Called at the end, if nothing was in the way."""

    def end(self, found: Any = None, error: AccountUnavailable | None = None) -> None:
        """Tell who waits what came of it."""
        self.found, self.error = found, error
        if found is None and error is None and self.then is not None:
            self.then()
        self.done.set()

    async def wait(self, patience: float) -> bool:
        """Wait for the end, so many seconds at most; tell whether it has come.

        Raises:
            AccountUnavailable: the store refuses.
        """
        with anyio.move_on_after(patience):
            await self.done.wait()
        if self.error is not None:
            raise self.error
        return self.done.is_set()
