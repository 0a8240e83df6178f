"""Where a batch takes its tasks from: any iterable, of tasks or of pairs, or a mapping."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Mapping
from contextlib import aclosing, nullcontext
from typing import Any, TypeVar

from ..tasks._model import Solution, Task

__all__ = ["Pairs", "Source", "keyed"]

S = TypeVar("S", bound=Solution)

Source = Iterable[Task[S]] | AsyncIterable[Task[S]] | Mapping[Any, Task[S]]
"""Where a batch takes its tasks from."""

Pairs = Iterable[tuple[Any, Task[S]]] | AsyncIterable[tuple[Any, Task[S]]]
"""The same with keys: (key, task)."""


async def keyed(source: Source[S] | Pairs[S]) -> AsyncGenerator[tuple[Any, Any], None]:
    """Yield (key, task) from any kind of source; what has no key gets its index."""
    if isinstance(source, Mapping):
        for key, task in source.items():
            yield key, task
    elif isinstance(source, AsyncIterable):
        index = 0
        # Left to the garbage collector, a half-read generator would complain.
        async with aclosing(source) if isinstance(source, AsyncGenerator) else nullcontext():
            async for item in source:
                yield _pair(index, item)
                index += 1
    else:
        for index, item in enumerate(source):
            yield _pair(index, item)


def _pair(index: int, item: Any) -> tuple[Any, Any]:
    """Return (key, task); what is neither a task nor a pair is told of as the task that it is not.

    So it fails for itself, and what comes after it is read.
    """
    return item if isinstance(item, tuple) and len(item) == 2 else (index, item)
