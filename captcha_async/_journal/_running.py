"""Whether a batch may run beside those that do."""

from __future__ import annotations

from ..errors import invalid

__all__ = ["Running"]


class Running:
    """The batches of one client that are under way, by name.

    The file belongs to one client at a time, so these are all of the file.
    """

    def __init__(self) -> None:
        # Of each name how many run; a batch that must be alone counts as -1. A name leaves with
        # its last batch.
        self._running: dict[str, int] = {}

    def enter(self, name: str, *, alone: bool) -> None:
        """Note that a batch begins.

        Args:
            name: its name.
            alone: whether no other one of that name may run at the same time.

        Raises:
            InvalidArgument: one does.
        """
        others = self._running.get(name, 0)
        if others < 0 or (others and alone):
            raise invalid(
                "name", name, "that of no other batch that is running: each has a name of its own"
            )
        self._running[name] = -1 if alone else others + 1

    def leave(self, name: str) -> None:
        """Note that a batch has ended."""
        others = self._running.pop(name)
        if others > 1:
            self._running[name] = others - 1

    def __contains__(self, name: str) -> bool:
        return name in self._running
