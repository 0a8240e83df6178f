"""The files of `batch`: tasks, results and journal, and whether they may be used together."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from pathlib import Path

from rich.console import Console

from .._exits import USAGE, fail
from .._messages import messages
from ._lines import TaskLines, count_lines
from ._pipes import RawFile, unbuffered
from ._results import NotResults, Results, check_first, read_earlier

__all__ = ["Files"]


class Files:
    """Where tasks come from, and where results and the record of the money go.

    Args:
        tasks: the file of the tasks; `-` for standard input.
        output: the file of the results; `-` or None for standard output.
        resume: whether an earlier run is to be gone on with.
        journal: the journal; by default a file beside the output.
        no_journal: whether there is none.
    """

    def __init__(
        self,
        tasks: Path,
        output: Path | None,
        resume: bool,
        journal: Path | None,
        no_journal: bool,
    ) -> None:
        self._tasks = None if str(tasks) == "-" else tasks
        self.output: Path | None = None if output is None or str(output) == "-" else output
        self.resume: bool = resume
        self._given_journal = journal
        self._no_journal = no_journal

    @property
    def journal(self) -> Path | None:
        """The file that knows what is paid for."""
        if self._no_journal or self._given_journal is not None or self.output is None:
            return self._given_journal
        return self.output.parent / f"{self.output.name}.journal"

    @property
    def name(self) -> str:
        """Under which the journal knows the batch."""
        return "-" if self.output is None else self.output.name

    @property
    def results(self) -> str:
        """What to call the place of the results."""
        return "standard output" if self.output is None else str(self.output)

    @cached_property
    def console(self) -> Console:
        """Standard error, for progress and messages."""
        return messages()

    @property
    def live(self) -> bool:
        """Whether progress can be drawn: not on a terminal that shows the results as well."""
        able = self.console.is_terminal and not self.console.is_dumb_terminal
        return able and (self.output is not None or not sys.stdout.isatty())

    def check(self, *, json_output: bool) -> None:
        """End the command if the files cannot be used, before anything is sent or written."""
        if self._no_journal and self._given_journal is not None:
            fail("--no-journal and --journal exclude each other", USAGE)
        if json_output and self.output is None:
            fail("--json needs -o: results and summary would mix on standard output", USAGE)
        if self.resume and self.output is None and self.journal is None:
            fail("--resume needs -o or --journal: nothing else knows what was solved", USAGE)
        self._check_streams()
        self._check_places()
        if not self.resume:
            self._check_new()
        elif self.output is not None and self.output.is_file():
            self._check_ours(self.output)

    def _check_streams(self) -> None:
        """Python has None for a standard stream that was closed."""
        if self._tasks is None and sys.stdin is None:
            fail("the tasks cannot be read: standard input is closed", USAGE)
        if self.output is None and sys.stdout is None:
            fail("the results cannot be written: standard output is closed", USAGE)

    def _check_places(self) -> None:
        """Each file is where a file can be, and none serves for two things."""
        if self._tasks is not None and not self._tasks.exists():
            fail(f"{self._tasks}: there is no such file", USAGE)
        taken: dict[str, str] = {}
        uses = {"tasks": self._tasks, "results": self.output, "journal": self.journal}
        for use, path in uses.items():
            if path is None:
                continue
            if path.is_dir():
                fail(f"{path} cannot be the {use}: it is a folder", USAGE)
            if not path.parent.is_dir():
                fail(f"{path} cannot be the {use}: there is no folder {path.parent}", USAGE)
            other = taken.setdefault(os.path.realpath(path), use)
            if other != use and (path.is_file() or not path.exists()):
                fail(f"{path} cannot be both the {other} and the {use}", USAGE)

    def _check_new(self) -> None:
        """Nothing that an earlier run has left is overwritten or added to by mistake."""
        if self.output is not None and _size(self.output):
            fail(f"{self.output} is not empty: go on with it by --resume, or give another", USAGE)
        if self.journal is not None and _size(self.journal):
            fail(
                f"{self.journal} is left from an earlier run: go on with that by --resume, or "
                "remove the file",
                USAGE,
            )

    def _check_ours(self, output: Path) -> None:
        """A file of another kind is told from results before a journal is put beside it."""
        try:
            check_first(output)
        except NotResults as error:
            fail(str(error), USAGE)

    def open_tasks(self) -> AbstractContextManager[RawFile]:
        """Open the tasks, in a context that closes them.

        Raises:
            OSError: they cannot be read.
        """
        if self._tasks is not None:
            return open(self._tasks, "rb", buffering=0)
        return nullcontext(unbuffered(sys.stdin))

    def open_results(self, lines: TaskLines) -> Results:
        """Open the results, and let *lines* know what an earlier run has solved.

        Raises:
            NotResults: the file holds something else.
            OSError: it cannot be read or written.
        """
        if self.resume and self.output is not None:
            lines.solved = read_earlier(self.output)
        return Results(self.output)

    def counter(self) -> Callable[[], int] | None:
        """Return what counts the lines; None if that takes reading a pipe."""
        if self._tasks is None or not stat.S_ISREG(self._tasks.stat().st_mode):
            return None
        return partial(count_lines, str(self._tasks))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
