"""What the journal knows of a batch, key by key."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from ..errors import InvalidArgument, invalid
from ..tasks._model import Task
from ._entry import Entry
from ._keys import dump_key, dump_old_key, load_key
from ._record import Place, Record, mark_of

__all__ = ["BatchRecord", "OtherTasks"]


TABLES = 64
NEW, SEEN = "new", "seen"
"""What is known of a key: nothing; that it has come in this run."""


class OtherTasks(InvalidArgument):
    """The journal has other tasks under the name of the batch: none of it is to be sent."""


class _Keys:
    """What is known of many keys, in few bytes for each: by the hash of a key's text.

    In many small tables, since one that grows to a million keys would hold up the event loop.
    """

    def __init__(self) -> None:
        # {hash: the mark of a task whose answer was taken, if it has one; or SEEN}
        self._tables: tuple[dict[int, bytes | str | None], ...] = tuple({} for _ in range(TABLES))

    def get(self, text: str) -> bytes | str | None:
        """Return what is known of a key; NEW if nothing is."""
        number = hash(text)
        return self._tables[number % TABLES].get(number, NEW)

    def put(self, text: str, known: bytes | str | None) -> None:
        """Note what is known of a key."""
        number = hash(text)
        self._tables[number % TABLES][number] = known


class BatchRecord:
    """One batch, as it was left and as it goes on.

    A batch may have millions of keys. So only those of which nothing is left to do are read before,
    as hashes; what there is of another key is looked up when the key comes.

    Args:
        name: the batch's name.
        find: asks the file for a place.
    """

    def __init__(
        self, name: str, find: Callable[[Place], Awaitable[tuple[Record, Entry] | None]]
    ) -> None:
        self._name = name
        self._find = find
        # Whole numbers from 0 on that have come so far, without a gap; only goes up.
        self._numbers = 0
        self._keys = _Keys()

    @property
    def name(self) -> str:
        """The batch's name."""
        return self._name

    def note_taken(self, rows: Iterable[tuple[str, bytes | None]]) -> None:
        """Note keys whose answer was taken and is not stored (in the thread, before any comes)."""
        for text, mark in rows:
            self._keys.put(text, mark)

    def is_taken(self, key: Any, task: Task[Any], *, indexed: bool) -> bool:
        """Tell whether there is certainly nothing to do for a key; then it counts as seen."""
        try:
            text = dump_key(key)
            there = self._keys.get(text)
            mark = self._mark(task, indexed=indexed) if isinstance(there, bytes) else None
            if there == mark:
                self._see(key, text)
                return True
        except InvalidArgument:
            pass  # told by `place`
        return False

    def place(self, key: Any, task: Task[Any], *, indexed: bool) -> Place:
        """Return where the task stands.

        Args:
            key: its key.
            task: the task.
            indexed: whether the key is only its index, so that the task has to tell what it is.

        Raises:
            InvalidArgument: the key could not be recognised later, or was there before.
        """
        text = dump_key(key)
        self._see(key, text)
        old = dump_old_key(key)
        mark = self._mark(task, indexed=indexed)
        return Place(self._name, text, mark, None if old == text else old)

    def _mark(self, task: Task[Any], *, indexed: bool) -> bytes | None:
        # Without a name the keys may be those of another job.
        return mark_of(task) if indexed or not self._name else None

    def _see(self, key: Any, text: str) -> None:
        """Refuse a key that comes again: one answer would be taken for the other's."""
        if type(key) is int and 0 <= key <= self._numbers:
            if key < self._numbers:
                raise _twice(key)
            self._numbers += 1
            return
        if self._keys.get(text) == SEEN:
            raise _twice(key)
        self._keys.put(text, SEEN)

    async def find(self, place: Place) -> tuple[Record, Entry] | None:
        """Return what there is of a key, unless it has to be solved anew.

        Raises:
            InvalidArgument: it is that of another task; `OtherTasks` if the batch is.
            JournalError: the file cannot be read.
        """
        found = await self._find(place)
        if found is None or found[0].state in ("failed", "expired"):
            return None
        there = found[0].place
        if there is None:
            return found
        if place.mark and there.mark and there.mark != place.mark:
            raise self._other_task(load_key(place.key))
        if there.key != place.key:
            # Of a file that did not tell a path from a string: it is the one or the other.
            self._see(None, there.key)
        return found

    def _other_task(self, key: Any) -> InvalidArgument:
        if self._name:
            return invalid(
                "tasks",
                key,
                f"the key of the task that the journal has under it in the batch {self._name!r}: "
                "give this batch a name of its own, or a mapping with keys that stay the same",
            )
        return OtherTasks(
            f"The journal has another task under the key {key!r} of the batch without a name: give "
            "this batch a name, such as batch(tasks, name='shop', resume=True), or forget the "
            "earlier one by `await client.forget_batch()`; nothing of it is sent.",
            field="name",
            rule="given, since the journal has other tasks of a batch without one",
        )


def _twice(key: Any) -> InvalidArgument:
    return invalid("key", key, "that of one task of the batch: it was there before")
