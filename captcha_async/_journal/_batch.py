"""What the journal knows of a batch, key by key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import invalid
from ..tasks._model import Task
from ._entry import Entry
from ._record import Place, Record, dump_key, mark_of

__all__ = ["BatchRecord"]


class BatchRecord:
    """One named batch as it was left.

    Args:
        name: the batch's name.
        known: what there is of it, the latest of a key last.
    """

    def __init__(self, name: str, known: Iterable[tuple[Record, Entry]] = ()) -> None:
        self._name = name
        # By key as JSON. An answer is not replaced by a later attempt that brought none.
        self._known: dict[str, tuple[Record, Entry]] = {}
        for record, entry in known:
            key = "" if record.place is None else record.place.key
            before = self._known.get(key)
            if before is None or before[0].state != "solved":
                self._known[key] = record, entry

    def place(self, key: Any, task: Task[Any], *, indexed: bool) -> Place:
        """Return where the task stands.

        Args:
            key: its key.
            task: the task.
            indexed: whether the key is only its index, so that the task has to tell what it is.

        Raises:
            InvalidArgument: the key could not be recognised later.
        """
        return Place(self._name, dump_key(key), mark_of(task) if indexed else None)

    def find(self, place: Place) -> tuple[Record, Entry] | None:
        """Return what there is of a key, unless it has to be solved anew.

        Raises:
            InvalidArgument: it is that of another task.
        """
        found = self._known.get(place.key)
        if found is None or found[0].state in ("failed", "expired"):
            return None
        there = found[0].place
        if there is not None and place.mark and there.mark and there.mark != place.mark:
            raise invalid(
                "tasks",
                int(place.key),
                f"the index of the task that the journal has under it in the batch {self._name!r}: "
                "give this batch a name of its own, or a mapping with keys that stay the same",
            )
        return found
