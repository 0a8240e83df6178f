"""Results in a file that is packed by gzip: each line is safe as soon as it is written."""

from __future__ import annotations

import os
import zlib
from collections.abc import Iterator
from pathlib import Path

from ._pipes import CHUNK

__all__ = ["GZIP", "Packer", "is_packed", "repair_packed", "unpacked"]

GZIP = b"\x1f\x8b"
"""What a packed file begins with."""
WINDOW = 31
"""What zlib calls the format, with its largest window."""


def is_packed(path: Path) -> bool:
    """Tell whether a file of results is, or is to be, packed: its name says so."""
    return path.suffix.lower() == ".gz"


class Packer:
    """Packs line by line; what it returns can be unpacked up to its last byte."""

    def __init__(self) -> None:
        self._pack = zlib.compressobj(6, zlib.DEFLATED, WINDOW)

    def pack(self, line: bytes) -> bytes:
        """Return the bytes of a line."""
        return self._pack.compress(line) + self._pack.flush(zlib.Z_SYNC_FLUSH)

    def end(self) -> bytes:
        """Return the last bytes, behind which another packed part may stand."""
        return self._pack.flush()


def _unpack(path: Path) -> Iterator[tuple[bytes, bool]]:
    """Yield (bytes, whether all that was begun has ended), as far as they can be read."""
    unpack = zlib.decompressobj(WINDOW)
    with open(path, "rb") as file:
        while data := file.read(CHUNK):
            while data:
                if unpack.eof:
                    unpack = zlib.decompressobj(WINDOW)
                try:
                    got = unpack.decompress(data)
                except zlib.error:
                    # Something was cut, and written behind.
                    yield b"", False
                    return
                data = unpack.unused_data
                yield got, unpack.eof


def unpacked(path: Path) -> Iterator[bytes]:
    """Yield the lines of a packed file, as far as they can be read."""
    rest = b""
    for data, _ in _unpack(path):
        *lines, rest = (rest + data).split(b"\n")
        yield from (line + b"\n" for line in lines)
    if rest:
        yield rest


def repair_packed(path: Path) -> None:
    """Give a file that a killed process has left its end; half a line in it is dropped.

    Raises:
        OSError: it cannot be read or written.
    """
    whole, last = True, b"\n"
    for data, ended in _unpack(path):
        whole, last = ended, data[-1:] or last
    if whole and last == b"\n":
        return
    packer, beside = Packer(), path.with_name(f"{path.name}.repaired")
    with open(beside, "wb") as file:
        for line in unpacked(path):
            if line.endswith(b"\n"):
                file.write(packer.pack(line))
        file.write(packer.end())
    os.replace(beside, path)
