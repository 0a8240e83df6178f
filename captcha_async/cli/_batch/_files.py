"""The files of `batch`: tasks, results and journal, and whether they may be used together."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from pathlib import Path

from rich.console import Console

from .._exits import USAGE, fail
from .._images import image_kind, looks_like
from .._messages import messages
from ._formats import HEAD, Parser, WrongFormat
from ._keys import handle_of
from ._lines import Source, TaskLines, count_pieces
from ._pipes import unbuffered
from ._results import Earlier, NotResults, Results, check_first, read_earlier

__all__ = ["Files"]


class Files:
    """Where tasks come from, and where results and the record of the money go.

    Args:
        tasks: the file of the tasks, `-` for standard input; or images.
        output: the file of the results; `-` or None for standard output.
        resume: whether an earlier run is to be gone on with.
        journal: the journal; by default a file beside the output.
        no_journal: whether there is none.
    """

    def __init__(
        self,
        tasks: Sequence[Path],
        output: Path | None,
        resume: bool,
        journal: Path | None,
        no_journal: bool,
    ) -> None:
        self._given = tuple(tasks)
        # The one file of the tasks; None for standard input, and for images.
        self._tasks = tasks[0] if len(tasks) == 1 and str(tasks[0]) != "-" else None
        self._images: tuple[Path, ...] = ()
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
        return "-" if self.output is None else str(handle_of(self.output.name))

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
        self.check_tasks()
        self._check_streams()
        self._check_places()
        if not self.resume:
            self._check_new()
        elif self.output is not None and self.output.is_file():
            self._check_ours(self.output)

    def check_tasks(self) -> None:
        """See what the files of the tasks are; end the command if they are of no use."""
        for path in self._given if len(self._given) > 1 or self._tasks is not None else ():
            if not path.exists():
                fail(f"{path}: there is no such file", USAGE)
            if path.is_dir():
                fail(f"{path} cannot be the tasks: it is a folder", USAGE)
        if self._tasks is None and len(self._given) == 1:
            return
        heads = {path: _head(path) for path in self._given}
        odd = next((path for path, head in heads.items() if not image_kind(head)), None)
        if odd is None:
            self._images, self._tasks = self._given, None
        elif len(self._given) > 1:
            fail(
                f"{odd} is no image but {looks_like(heads[odd])}: give one file of tasks, or only "
                "images",
                USAGE,
            )
        elif heads[odd]:
            self._check_format(odd)

    def _check_format(self, path: Path) -> None:
        parser = Parser()
        try:
            for _ in parser.feed(_head(path)):
                return
            if path.stat().st_size <= HEAD:
                for _ in parser.end():
                    return
        except WrongFormat as error:
            fail(f"{path}: {error}", USAGE)

    def _check_streams(self) -> None:
        """Python has None for a standard stream that was closed."""
        if not self._images and self._tasks is None and sys.stdin is None:
            fail("the tasks cannot be read: standard input is closed", USAGE)
        if self.output is None and sys.stdout is None:
            fail("the results cannot be written: standard output is closed", USAGE)

    def _check_places(self) -> None:
        """Each file is where a file can be, and none serves for two things."""
        taken: dict[str, str] = {}
        uses = [("tasks", path) for path in (*self._images, self._tasks)]
        for use, path in (*uses, ("results", self.output), ("journal", self.journal)):
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

    @property
    def folder(self) -> Path:
        """Where the images are that the tasks name."""
        return Path() if self._tasks is None else self._tasks.parent

    @property
    def tasks_name(self) -> str:
        """What to call the place of the tasks."""
        return "standard input" if self._tasks is None else str(self._tasks)

    def open_tasks(self) -> AbstractContextManager[Source]:
        """Open the tasks, in a context that closes them.

        Raises:
            OSError: they cannot be read.
        """
        if self._images:
            return nullcontext(self._images)
        if self._tasks is not None:
            return open(self._tasks, "rb", buffering=0)
        return nullcontext(unbuffered(sys.stdin))

    def read_earlier(self) -> Earlier:
        """Return what an earlier run has solved.

        Raises:
            NotResults: the file of the results holds something else.
            OSError: it cannot be read.
        """
        return Earlier() if self.output is None else read_earlier(self.output, repair=False)

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
        """Return what counts the tasks; None if that takes reading a pipe."""
        if self._images:
            return self._images.__len__
        if self._tasks is None or not stat.S_ISREG(self._tasks.stat().st_mode):
            return None
        return partial(count_pieces, self._tasks)


def _head(path: Path) -> bytes:
    """Return how a file begins; nothing of a pipe, which can be read only once."""
    if not path.is_file():
        return b""
    with open(path, "rb") as file:
        return file.read(HEAD)


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0
