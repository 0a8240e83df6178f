"""Which async library runs a task, told to anyio once instead of found out at each call."""

from __future__ import annotations

__all__ = ["name_library"]


def name_library(name: str | None = None) -> None:
    """Have anyio know what runs this context, and those that are copied from it.

    Where sniffio is installed, anyio asks it at each call. It finds out that it is asyncio by the
    current task, which takes a tenth of a solve's CPU in all, and where no task is current, in the
    callbacks of the event loop, it finds nothing; unless this variable says so. To be called only
    in a context of our own: elsewhere it would tell a user's thread what holds for us.

    Args:
        name: the library; the one that runs the current task without it.
    """
    try:
        from sniffio import current_async_library, current_async_library_cvar
    except ImportError:
        return
    current_async_library_cvar.set(name or current_async_library())
