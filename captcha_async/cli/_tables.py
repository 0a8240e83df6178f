"""The look of tables: columns, with a line below the titles and one above the sums."""

from __future__ import annotations

from rich.box import SIMPLE, Box
from rich.console import ConsoleOptions
from rich.table import Table

__all__ = ["ruled_table"]


class _Ruled(Box):
    """Lines without crossings, also where only ASCII can be shown."""

    def substitute(self, options: ConsoleOptions, safe: bool = True) -> Box:
        """Return what the console can show."""
        return _PLAIN if options.ascii_only else SIMPLE.substitute(options, safe=safe)


_LINES = str(SIMPLE)
_PLAIN = Box(_LINES.replace("─", "-"), ascii=True)
_RULED = _Ruled(_LINES)


def ruled_table(*, gap: int = 1, footer: bool = False) -> Table:
    """Return a table that has no columns yet; *gap* is the space behind each of them."""
    return Table(box=_RULED, padding=(0, gap, 0, 0), show_edge=False, show_footer=footer)
