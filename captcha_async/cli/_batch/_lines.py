"""The tasks of `batch`: a file, pipe or images, read as there is room."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio.to_thread
import attrs

from ...tasks import Task
from ...wire import dump_task
from . import _json as json
from ._bad import BadLine, BadLines
from ._formats import LONGEST, Parser, Piece
from ._keys import Key, Keys, handle_of
from ._pipes import CHUNK, RawFile, Reader
from ._tasks import Reading, image_task, parse, parse_row

__all__ = ["Job", "Key", "Source", "TaskLines", "count_pieces", "moved", "pieces_of"]

Source = RawFile | Sequence[Path]
"""A file or pipe, or images."""

# Keys of what may be another in the next run, although the task is the same.
CHANGING = ("proxy", "cookie", "useragent")


@attrs.frozen
class Job:
    """A task of the file."""

    line: int
    """Number of its line, from 1; of an image, its place among the arguments."""
    key: Key
    task: Task[Any]
    digest: str | None = None
    """Tells the task from others, where its key is only the number of its line."""


def digest_of(task: Task[Any]) -> str:
    """Return what tells the task from others, whatever proxy and browser it uses."""
    return hashlib.blake2b(json.dump(_steady(dump_task(task))), digest_size=12).hexdigest()


def _steady(value: Any) -> Any:
    if not isinstance(value, Mapping):
        return value
    return {
        key: _steady(inner)
        for key, inner in sorted(value.items())
        if not any(word in key.lower() for word in CHANGING)
    }


async def pieces_of(file: RawFile) -> AsyncGenerator[Piece]:
    """Yield the pieces of a file or pipe.

    Raises:
        WrongFormat: it holds no tasks.
        OSError: it cannot be read.
    """
    parser, reader = Parser(), Reader(file)
    while data := await reader.read():
        for piece in parser.feed(data):
            yield piece
    for piece in parser.end():
        yield piece


def count_pieces(path: Path) -> int:
    """Return how many pieces a file has, for those who want to know how far it is."""
    parser, count = Parser(), 0
    with open(path, "rb", buffering=0) as file:
        while data := file.read(CHUNK):
            count += sum(1 for _ in parser.feed(data))
    return count + sum(1 for _ in parser.end())


@attrs.define(eq=False)
class TaskLines:
    """Reads the tasks, and remembers the lines of those that are under way."""

    reading: Reading
    bad: BadLines = attrs.field(factory=BadLines)
    solved: Callable[[Key], str | bool] = lambda _: False
    """Tells whether a key was solved in an earlier run: by the task's digest, if it is known."""
    stop_at_bad: bool = False
    read: int = attrs.field(default=0, init=False)
    """Lines so far, empty ones among them."""
    empty: int = attrs.field(default=0, init=False)
    skipped: int = attrs.field(default=0, init=False)
    """Lines whose task was solved in an earlier run."""
    finished: bool = attrs.field(default=False, init=False)
    """Whether all was read."""
    _keys: Keys = attrs.field(factory=Keys, init=False)
    # By what the key is called in a batch.
    _under_way: dict[Key, Job] = attrs.field(factory=dict, init=False)

    async def pairs(self, source: Source) -> AsyncGenerator[tuple[Key, Task[Any]]]:
        """Yield (key, task).

        Raises:
            WrongFormat: the source holds no tasks.
            OSError: it cannot be read.
        """
        async for job in self.jobs(source):
            handle = handle_of(job.key)
            self._under_way[handle] = job
            yield handle, job.task

    async def jobs(self, source: Source) -> AsyncGenerator[Job]:
        """Yield what there is to do."""
        pieces: AsyncIterator[tuple[int, Any]]
        pieces = _paths(source) if isinstance(source, Sequence) else pieces_of(source)
        async for number, piece in pieces:
            self.read = number
            try:
                job = await self._job(number, piece)
            except BadLine as error:
                self.bad.add(number, error)
                if self.stop_at_bad:
                    return
                continue
            if job is not None:
                yield job
        self.finished = True

    def ended(self, handle: Key) -> Job:
        """Return the job of a key, as `pairs` gave it, that is under way no more."""
        return self._under_way.pop(handle)

    async def _job(self, number: int, piece: bytes | Path | Mapping[str, str] | None) -> Job | None:
        """Return the job of a line; None if there is nothing to do."""
        if piece is None:
            raise BadLine(f"it is longer than {LONGEST} bytes")
        if isinstance(piece, Path):
            own: Key | None = str(piece)
            task = await anyio.to_thread.run_sync(image_task, piece, self.reading)
        elif _is_blank(piece):
            self.empty += 1
            return None
        elif not isinstance(piece, bytes):
            own, task = await anyio.to_thread.run_sync(parse_row, piece, self.reading)
        elif b'"file' in piece:
            # It reads files.
            own, task = await anyio.to_thread.run_sync(parse, piece, self.reading)
        else:
            own, task = parse(piece, self.reading)
        return self._known(number, own, task)

    def _known(self, number: int, own: Key | None, task: Task[Any]) -> Job | None:
        key = self._keys.add(own, number)
        digest = digest_of(task) if own is None else None
        known = self.solved(key)
        if not known:
            return Job(number, key, task, digest)
        if isinstance(known, str) and digest not in (None, known):
            raise moved()
        self.skipped += 1
        return None


async def _paths(paths: Sequence[Path]) -> AsyncGenerator[tuple[int, Path]]:
    for pair in enumerate(paths, 1):
        yield pair


def _is_blank(piece: bytes | Mapping[str, str]) -> bool:
    return isinstance(piece, bytes) and not piece.strip()


def moved() -> BadLine:
    """Make the error for a line that stands for another task than before."""
    return BadLine(
        "it is not the task that the earlier run had on this line: leave the lines where they "
        "were, or give the tasks keys",
        "another task than the earlier run had on the line",
    )
