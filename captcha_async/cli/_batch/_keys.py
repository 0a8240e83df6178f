"""The keys of a batch so far, to tell when one comes again."""

from __future__ import annotations

from bisect import bisect_right

from ._bad import BadLine, shown

__all__ = ["Key", "Keys", "handle_of"]

Key = int | str
"""A task's own key, or the number of its line."""


def handle_of(key: Key) -> Key:
    """Return a key as journals take it: text that no encoding has is spelled out."""
    if isinstance(key, str) and not key.isascii():
        try:
            key.encode()
        except UnicodeEncodeError:
            return "\0" + key.encode("utf-8", "backslashreplace").decode()
    return key


class Keys:
    """The keys so far."""

    def __init__(self) -> None:
        # Keys of the tasks' own; of a string its hash, so that long ones do not add up.
        self._own: set[int] = set()
        # Runs of lines without one: the first of each, and the one after its last.
        self._starts: list[int] = []
        self._stops: list[int] = []

    def add(self, own: Key | None, line: int) -> Key:
        """Return the key of a line.

        Raises:
            BadLine: there was such a key before.
        """
        key = line if own is None else own
        if self._known(key):
            raise BadLine(f"key {shown(key)} was there before", "a key that was there before")
        if own is not None:
            self._own.add(_number(own))
        elif self._stops and self._stops[-1] == line:
            self._stops[-1] = line + 1
        else:
            self._starts.append(line)
            self._stops.append(line + 1)
        return key

    def _known(self, key: Key) -> bool:
        if _number(key) in self._own:
            return True
        run = bisect_right(self._starts, key) - 1 if isinstance(key, int) else -1
        return run >= 0 and isinstance(key, int) and key < self._stops[run]


def _number(key: Key) -> int:
    return key if isinstance(key, int) else hash(key)
