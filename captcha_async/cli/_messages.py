"""Standard error, for progress and messages: a reader who goes away ends no run."""

from __future__ import annotations

import os
import re
import sys
from contextlib import suppress
from typing import TYPE_CHECKING, Any, TextIO, cast

if TYPE_CHECKING:
    from rich.console import Console

__all__ = ["messages", "output", "say", "sentence"]

# What ASCII has for the signs that are used here and in tables.
PLAIN = str.maketrans({"…": "...", "·": ".", "†": "+", "─": "-", "–": "-", "×": "x"})  # noqa: RUF001


def _is_plain() -> bool:
    """Tell whether only ASCII was asked for; Python itself would write UTF-8 all the same."""
    return os.environ.get("LC_ALL") in ("C", "POSIX")


class _Readable:
    """A stream that writes what its encoding lacks in other words."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.encoding: str = "ascii" if _is_plain() else stream.encoding or "utf-8"

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write *text*.

        Raises:
            OSError: it cannot be written.
        """
        try:
            text.encode(self.encoding)
        except UnicodeEncodeError:
            text = text.translate(PLAIN).encode(self.encoding, "backslashreplace").decode()
        return self._stream.write(text)


class _Forgiving(_Readable):
    """One that goes on when nobody takes what is written, or its disk is full."""

    def write(self, text: str) -> int:
        """Write *text*, or drop it."""
        try:
            return super().write(text)
        except OSError as error:
            self._give_up(error)
            return len(text)

    def flush(self) -> None:
        """Write what was kept, or drop it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        if isinstance(error, BlockingIOError):
            return
        # What the stream still keeps would fail again at the end, and change the exit code.
        with suppress(OSError):
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


def say(text: str) -> None:
    """Print a line on standard error, whole and as it is."""
    stream = _Forgiving(sys.stderr)
    stream.write(f"{text}\n")
    stream.flush()


def sentence(error: BaseException) -> str:
    """Return an error's message as it goes on after a colon: the first word is a small one."""
    text = str(error)
    return text[:1].lower() + text[1:] if re.match("[A-Z][a-z]*[ ,]", text) else text


def output(*, highlight: bool = True) -> Console:
    """Return a console on standard output."""
    from rich.console import Console

    return Console(file=cast("TextIO", _Readable(sys.stdout)), highlight=highlight)


def messages(*, soft_wrap: bool = False, highlight: bool = True) -> Console:
    """Return a console on standard error."""
    from rich.console import Console

    stream = cast("TextIO", _Forgiving(sys.stderr))
    return Console(file=stream, stderr=True, soft_wrap=soft_wrap, highlight=highlight)
