"""What a file of tasks may be, found by its first bytes: lines, an array, a table; packed or not.

Sans-IO: bytes are fed in as they come, and pieces come out. A piece is (number, what stands there):
the JSON text of a task, the cells of a table's row, or None for one that is too long.
"""

from __future__ import annotations

import csv
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

from .._images import image_kind, looks_like

__all__ = ["HEAD", "LONGEST", "Parser", "Piece", "WrongFormat"]

Piece = tuple[int, bytes | Mapping[str, str] | None]

LONGEST = 32 * 1024 * 1024
"""Bytes of a piece; the services take no images of that size."""
MOST_AT_ONCE = 1024 * 1024
"""Bytes that are unpacked at once, however well they were packed."""
HEAD = 64 * 1024
"""Bytes that are looked at, at most, before the format has to be known."""

GZIP = b"\x1f\x8b"
BOM = b"\xef\xbb\xbf"
FORMATS = "JSON lines, a JSON array, CSV with a header, or images; each may be packed by gzip"
TOKEN = re.compile(rb'"(?:[^"\\]+|\\.)*"|[\[\]{},"]', re.DOTALL)
COLUMN = re.compile(r"[A-Za-z_][\w.]*")


class WrongFormat(ValueError):
    """The bytes hold no tasks; the message says what they look like."""


class Lines:
    """A task on each line."""

    unit = "line"

    def __init__(self) -> None:
        self._number = 1
        self._rest = b""
        # Whether the line is given up: it is longer than anything that is kept.
        self._skipping = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield what is whole."""
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            yield self._number, None if self._skipping else line
            self._number, self._skipping = self._number + 1, False
        if len(self._rest) > LONGEST:
            self._rest, self._skipping = b"", True

    def end(self) -> Iterator[Piece]:
        """Yield a last line that has no end."""
        if self._rest or self._skipping:
            yield self._number, None if self._skipping else self._rest


class Items:
    """The items of a JSON array, however they are laid out."""

    unit = "item"

    def __init__(self) -> None:
        self._number = 0
        self._rest = b""
        # Where in the rest to look on, and how many brackets are open there.
        self._place = 0
        self._depth = 0
        self._over = False

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield what is whole.

        Raises:
            WrongFormat: an item is too long.
        """
        self._rest += data
        start = 0
        while not self._over and (token := TOKEN.search(self._rest, self._place)):
            mark = token[0]
            if mark == b'"':
                # A string whose end is not here yet.
                self._place = token.start()
                break
            self._place = token.end()
            ended = self._count(mark)
            if ended:
                yield from self._item(self._rest[start : token.start()], last=mark == b"]")
            if ended or (mark == b"[" and self._depth == 1):
                start = token.end()
        self._place = max(self._place - start, 0)
        self._rest = self._rest[start:]
        if len(self._rest) > LONGEST:
            raise WrongFormat(f"item {self._number + 1} is longer than {LONGEST} bytes")

    def _count(self, mark: bytes) -> bool:
        """Count the brackets, and tell whether an item has ended."""
        if mark in (b"[", b"{"):
            self._depth += 1
        elif mark in (b"]", b"}"):
            self._depth -= 1
            self._over = self._depth <= 0
            return self._over
        return mark == b"," and self._depth == 1

    def _item(self, text: bytes, *, last: bool) -> Iterator[Piece]:
        text = text.strip()
        if text or not last:
            self._number += 1
            # A line end in it is no end of a task.
            yield self._number, text

    def end(self) -> Iterator[Piece]:
        """Yield what is left where the array was cut, or stands behind it; it is no task."""
        text = self._rest.strip()
        if not self._over or text:
            # Never a task, also where it looks like one.
            why = b"(behind the array)" if self._over else b"(the array has no end)"
            yield self._number + 1, (text + b" " + why).strip()


class Rows:
    """The rows of a table whose first line names the columns."""

    unit = "line"

    def __init__(self, delimiter: str) -> None:
        self._delimiter = delimiter
        self._columns: list[str] | None = None
        self._lines = Lines()
        # Lines of a row that is not whole: a quoted cell may hold line ends.
        self._open: list[bytes] = []
        self._first = 0

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield what is whole."""
        for number, line in self._lines.feed(data):
            yield from self._line(number, line if isinstance(line, bytes) else b"")

    def end(self) -> Iterator[Piece]:
        """Yield a last row that has no end."""
        for number, line in self._lines.end():
            yield from self._line(number, line if isinstance(line, bytes) else b"")
        if self._open:
            yield from self._row(b"\n".join(self._open))

    def _line(self, number: int, line: bytes) -> Iterator[Piece]:
        self._first = self._first if self._open else number
        self._open.append(line)
        text = b"\n".join(self._open)
        if text.count(b'"') % 2 == 0 or len(text) > LONGEST:
            self._open.clear()
            yield from self._row(text)

    def _row(self, text: bytes) -> Iterator[Piece]:
        decoded = text.decode("utf-8", "surrogateescape").rstrip("\r")
        csv.field_size_limit(LONGEST)
        cells = next(csv.reader([decoded], delimiter=self._delimiter), [])
        if self._columns is None:
            self._columns = [cell.strip() for cell in cells]
        elif any(cell.strip() for cell in cells):
            names = [*self._columns, *("" for _ in cells[len(self._columns) :])]
            yield self._first, dict(zip(names, cells, strict=False))
        else:
            yield self._first, b""


class Parser:
    """Finds the format by the first bytes, and reads it."""

    def __init__(self) -> None:
        self._head = b""
        self._unpack: Any = None  # a decompression object of zlib, whose class has no name
        self._packed = False
        self._format: Lines | Items | Rows | None = None

    @property
    def unit(self) -> str:
        """What a piece is called, such as `line`."""
        return "line" if self._format is None else self._format.unit

    def feed(self, data: bytes) -> Iterator[Piece]:
        """Yield the pieces that are whole now.

        Raises:
            WrongFormat: it is none of the formats.
        """
        if not self._packed and self._format is None:
            data, self._head = self._head + data, b""
            if len(data) < len(GZIP):
                self._head = data
                return
            self._packed = data.startswith(GZIP)
        for part in self._unpacked(data) if self._packed else (data,):
            yield from self._feed(part)

    def end(self) -> Iterator[Piece]:
        """Yield what is left at the end.

        Raises:
            WrongFormat: it is none of the formats, or was cut while packed.
        """
        if self._unpack is not None and not self._unpack.eof:
            raise WrongFormat("its gzip data end too early")
        if self._format is None and self._head.strip():
            head, self._head = self._head, b""
            self._format = _choose(head)
            yield from self._format.feed(head.removeprefix(BOM))
        if self._format is not None:
            yield from self._format.end()

    def _feed(self, data: bytes) -> Iterator[Piece]:
        if self._format is None:
            data, self._head = self._head + data, b""
            if not _enough(data):
                self._head = data
                return
            self._format = _choose(data)
            data = data.removeprefix(BOM)
        yield from self._format.feed(data)

    def _unpacked(self, data: bytes) -> Iterator[bytes]:
        # A file may hold several packed parts, one behind the other.
        while data:
            if self._unpack is None or self._unpack.eof:
                data = data.lstrip(b"\0")
                self._unpack = zlib.decompressobj(31)
            try:
                yield self._unpack.decompress(data, MOST_AT_ONCE)
            except zlib.error as error:
                raise WrongFormat(f"its gzip data are damaged: {error}") from None
            data = self._unpack.unconsumed_tail or self._unpack.unused_data


def _enough(head: bytes) -> bool:
    """Tell whether the format can be known: by the first line, or a bracket."""
    text = head.removeprefix(BOM).lstrip()
    return text[:1] in (b"{", b"[") or b"\n" in text or len(head) >= HEAD


def _choose(head: bytes) -> Lines | Items | Rows:
    text = head.removeprefix(BOM).lstrip()
    if text[:1] == b"[":
        return Items()
    first = text.partition(b"\n")[0]
    if not text.startswith(b"{") and (delimiter := _delimiter(first)):
        return Rows(delimiter)
    if any(line.lstrip().startswith(b"{") for line in text.split(b"\n")):
        return Lines()
    kind = image_kind(head)
    seen = f"an image ({kind}) among other tasks" if kind else looks_like(head)
    raise WrongFormat(f"this looks like {seen}, and tasks are {FORMATS}")


def _delimiter(header: bytes) -> str | None:
    """Return what stands between the columns of a table; None if this is the header of none."""
    try:
        line = header.decode("utf-8").strip()
    except UnicodeDecodeError:
        return None
    for delimiter in (",", ";", "\t"):
        cells = [cell.strip().strip('"') for cell in line.split(delimiter)]
        if len(cells) > 1 and all(COLUMN.fullmatch(cell) for cell in cells):
            return delimiter
    return "," if line in ("file", "website_url", "websiteURL") else None
