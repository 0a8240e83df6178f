"""What comes out of a task group, as itself."""

from __future__ import annotations

__all__ = ["single"]


def single(several: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return the one exception in a group, or the group if it has more."""
    error: BaseException = several
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
