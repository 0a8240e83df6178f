"""Which async library runs a task, told to anyio once instead of found out at each call."""

from __future__ import annotations

from functools import cache
from types import ModuleType

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
    sniffio = _sniffio()
    if sniffio is not None:
        library = name or sniffio.current_async_library()
        sniffio.current_async_library_cvar.set(library)


@cache
def _sniffio() -> ModuleType | None:
    """Look for it once: what is not there is searched for in all of the path at each import."""
    try:
        import sniffio
    except ImportError:
        return None
    return sniffio
