"""Journal: where the record is kept, and how."""

from __future__ import annotations

import os
from typing import Any, Literal, get_args

import attrs

from ..errors import invalid

__all__ = ["Journal", "shown"]

OnError = Literal["raise", "warn"]
WEEK = 7 * 86_400.0


def _to_path(path: Any) -> str:
    if not isinstance(path, str | os.PathLike) or not os.fspath(path):
        raise invalid("journal", path, "the path of a file, or a Journal")
    try:
        possible = b"\0" not in os.fsencode(path)
    except UnicodeEncodeError:
        possible = False
    if not possible:
        raise invalid("journal", path, "a path that a file can have")
    # Absolute, so that a later change of the working directory does not matter.
    return os.path.abspath(os.fsdecode(path))


def shown(path: str) -> str:
    """Return a path as it can be printed: file names may hold bytes that are no text."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _check_on_error(_: object, __: object, value: object) -> None:
    if value not in get_args(OnError):
        raise invalid("on_error", value, "'raise' or 'warn'")


def _check_keep(_: object, __: object, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 3600 <= value < 1e10:
        raise invalid("keep", value, "a number of seconds, at least 3600")


@attrs.frozen
class Journal:
    """A file that outlives a crash: what was submitted, and what became of it.

    One client at a time has the file; a second one, also in another process, is refused. The file
    is made with mode 0600 and holds no API key, no proxy and no task; of solutions see below.

    Raises:
        InvalidArgument: a value is certainly wrong. Whether the file can be used shows at opening.
    """

    path: str = attrs.field(converter=_to_path)
    """The file; it has to be on a local disk."""
    keep_solutions: bool = attrs.field(default=False, kw_only=True)
    """Whether solutions are stored: they can be handed out again, and be read in the file."""
    on_error: OnError = attrs.field(default="raise", kw_only=True, validator=_check_on_error)
    """What happens when the file cannot be written: with `raise` no further task is created, with
    `warn` solving goes on and a warning is logged. What was paid for is collected either way."""
    keep: float = attrs.field(default=WEEK, kw_only=True, validator=_check_keep)
    """Seconds after which a submission is forgotten: `resume=True` skips keys only until then, and
    a cap on spending counts what earlier clients have spent only so far back."""
