"""The results of `batch`: one JSON object a line, and what an earlier run has written."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from ... import Solved
from ...errors import CaptchaError
from . import _json as json
from ._keys import Key
from ._lines import Job
from ._packed import GZIP, Packer, is_packed, repair_packed, unpacked
from ._pipes import CHUNK, Writer, unbuffered

__all__ = [
    "Earlier",
    "NotResults",
    "Results",
    "check_first",
    "describe_failed",
    "describe_solved",
    "read_costs",
    "read_earlier",
]

# What a result begins with: the rest of the line is on its way to the file when a process dies.
START = b'{"key":'


class NotResults(ValueError):
    """The file is none of ours; the message tells why."""


class Earlier:
    """The keys that an earlier run has solved."""

    def __init__(self) -> None:
        # {key, of a string its hash: digest of the task, 0 if the key was the task's own}
        self._solved: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._solved)

    def add(self, key: Key, digest: str | None) -> None:
        """Note a solved key."""
        number = key if isinstance(key, int) else hash(key)
        self._solved[number] = int(digest, 16) if digest else 0

    def __call__(self, key: Key) -> str | bool:
        """Tell whether a key was solved: the digest of its task, or just True."""
        found = self._solved.get(key if isinstance(key, int) else hash(key))
        return f"{found:024x}" if found else found is not None


def read_costs(path: Path) -> dict[str, Decimal]:
    """Return what tasks have cost in an earlier run, by type: the dearest of each.

    Raises:
        OSError: the file cannot be read.
    """
    costs: dict[str, Decimal] = {}
    for line in _lines(path):
        result = _parse(line) or {}
        try:
            cost = Decimal(result["cost"])
        except (KeyError, TypeError, ValueError, InvalidOperation):
            continue
        name = str(result.get("type"))
        costs[name] = max(cost, costs.get(name, cost))
    return costs


def read_earlier(path: Path, *, repair: bool = True) -> Earlier:
    """Read what an earlier run has written, and repair a line that it could not finish.

    Raises:
        NotResults: the file is something else; it is left as it was.
        OSError: it cannot be read or repaired.
    """
    earlier = Earlier()
    if not path.exists():
        return earlier
    if repair and is_packed(path):
        repair_packed(path)
    end, cut, result = 0, False, None
    for number, line in enumerate(_lines(path), 1):
        result = _parse(line)
        # Only the last line can lack its end.
        cut = not line.endswith(b"\n")
        if result is None and not (cut and (line.startswith(START) or START.startswith(line))):
            raise NotResults(f"line {number} of {path} is no result: give another file")
        if result is not None and result["status"] == "solved":
            earlier.add(result["key"], result.get("task_digest"))
        end += 0 if cut else len(line)
    if cut and repair:
        _repair(path, end, whole=result is not None)
    return earlier


def check_first(path: Path) -> None:
    """Look whether the first line of a file is a result.

    Raises:
        NotResults: it is something else.
        OSError: it cannot be read.
    """
    with open(path, "rb") as file:
        first = file.readline(len(START))
    if is_packed(path) and first.startswith(GZIP):
        first = next(unpacked(path), b"")[: len(START)]
    if not START.startswith(first):
        raise NotResults(f"{path} holds no results: give another file")


def _lines(path: Path) -> Iterator[bytes]:
    if is_packed(path):
        yield from unpacked(path)
        return
    with open(path, "rb", buffering=CHUNK) as file:
        yield from file


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        result = json.read(line)
    except ValueError:
        return None
    return result if isinstance(result, dict) and {"key", "status"} <= result.keys() else None


def _repair(path: Path, end: int, *, whole: bool) -> None:
    """Give the last line its end, or remove it: its answer was not counted as taken."""
    with open(path, "r+b") as file:
        if whole:
            file.seek(0, os.SEEK_END)
            file.write(b"\n")
        else:
            file.truncate(end)


class Results:
    """Writes results, each at once.

    Args:
        path: the file to append to; None for standard output.

    Raises:
        OSError: the file cannot be written.
    """

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else open(path, "ab", buffering=0)  # noqa: SIM115
        self._writer = Writer(self._file or unbuffered(sys.stdout))
        self._packer = Packer() if path is not None and is_packed(path) else None

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            try:
                if self._packer is not None:
                    self._file.write(self._packer.end())
            finally:
                self._file.close()

    async def write(self, result: dict[str, Any]) -> None:
        """Write a line; when this returns, it is safe from the end of this process.

        Raises:
            OSError: it could not be written.
        """
        line = json.dump(result) + b"\n"
        await self._writer.write(line if self._packer is None else self._packer.pack(line))


# -- what a line says -----------------------------------------------------------------------------


def describe_solved(job: Job, solved: Solved[Any]) -> dict[str, Any]:
    """Return the line of an answer."""
    solution = solved.solution
    return {
        **_head(job, "solved"),
        "answer": getattr(solution, "text", None) or getattr(solution, "token", None),
        "solution": dict(solution.raw),
        "task_id": solved.task_id,
        "cost": None if solved.cost is None else str(solved.cost),
        "elapsed": round(solved.elapsed, 3),
        "polls": solved.polls,
    }


def describe_failed(job: Job, error: CaptchaError) -> dict[str, Any]:
    """Return the line of a failure."""
    return {
        **_head(job, "failed"),
        "error": type(error).__name__,
        "code": getattr(error, "code", None),
        "message": str(error),
        "task_id": error.task_id,
        "retryable": error.retryable,
    }


def _head(job: Job, status: str) -> dict[str, Any]:
    head = {"key": job.key, "line": job.line, "status": status, "type": job.task.type}
    return head if job.digest is None else {**head, "task_digest": job.digest}
