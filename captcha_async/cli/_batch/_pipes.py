"""Reading and writing files and pipes without keeping the event loop, or the end, waiting.

A thread that hangs in a pipe would stop the program from ending, so pipes are waited for by the
event loop. Regular files never keep anybody waiting for long.
"""

from __future__ import annotations

import os
import select
import stat
import sys
from typing import Any, Protocol

import anyio
import anyio.to_thread

__all__ = ["CHUNK", "RawFile", "Reader", "Writer", "unbuffered"]

CHUNK = 256 * 1024
# What a pipe that is ready takes without waiting.
MOST_AT_ONCE = getattr(select, "PIPE_BUF", 512)


class RawFile(Protocol):
    """A file without a buffer."""

    def read(self, size: int, /) -> bytes | None:
        """Return at most *size* bytes; none at the end."""
        ...

    def write(self, data: Any, /) -> int | None:
        """Write as much as there is room for, and return how much that was."""
        ...


def unbuffered(stream: Any) -> RawFile:
    """Return the file under standard input or output."""
    raw: RawFile = getattr(stream.buffer, "raw", stream.buffer)
    return raw


def _pipe_of(file: Any) -> int | None:
    """Return the descriptor of what may keep its reader or writer waiting; None for the rest."""
    try:
        number: int = file.fileno()
    except (AttributeError, OSError):
        return None
    mode = os.fstat(number).st_mode
    waits = stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(number)
    # Windows has no way to wait for a pipe.
    return number if waits and sys.platform != "win32" else None


class Reader:
    """Reads a file or pipe.

    Args:
        file: what to read.
    """

    def __init__(self, file: RawFile) -> None:
        self._file = file
        self._pipe = _pipe_of(file)

    async def read(self) -> bytes | None:
        """Return what there is, as soon as there is something; nothing at the end.

        Raises:
            OSError: it cannot be read.
        """
        if self._pipe is None:
            return await anyio.to_thread.run_sync(self._file.read, CHUNK)
        await anyio.wait_readable(self._pipe)
        return self._file.read(CHUNK)


class Writer:
    """Writes a file or pipe.

    Args:
        file: what to write to.
    """

    def __init__(self, file: RawFile) -> None:
        self._file = file
        self._pipe = _pipe_of(file)

    async def write(self, data: bytes) -> None:
        """Write all of *data*; cancelled, only a part of it may be written.

        Raises:
            OSError: it could not be written.
        """
        left = memoryview(data)
        while left:
            if self._pipe is None:
                written = self._file.write(left)
            else:
                await anyio.wait_writable(self._pipe)
                written = self._file.write(left[:MOST_AT_ONCE])
            left = left[written or 0 :]
