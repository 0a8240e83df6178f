"""One client's use of a journal: entries for its submissions, and what earlier clients left."""

from __future__ import annotations

from contextlib import suppress

import orjson

from .._ref import TaskRef
from ..errors import InvalidArgument, JournalError, invalid
from ._batch import BatchRecord
from ._entry import Entry
from ._options import Journal
from ._record import Owner, Place, Record, UncertainSubmission, load_key
from ._writer import Writer

__all__ = ["JournalUse"]


class JournalUse:
    """The journal as one client has it.

    Args:
        journal: the client's journal; None if it has none.
        service: name of its service.
        api_key: its key, of which a digest is kept.
    """

    def __init__(self, journal: Journal | None, service: str, api_key: str) -> None:
        self._journal = journal
        self._writer = None if journal is None else Writer(journal)
        self._owner = Owner.of(service, api_key)

    @property
    def journal(self) -> Journal | None:
        """Where it is kept, and how."""
        return self._journal

    async def open(self) -> None:
        """Open the file, so that trouble shows at once.

        Raises:
            JournalError: it cannot be used, and the user wants to know.
        """
        journal = self._journal
        if self._writer is not None and journal is not None and journal.on_error == "raise":
            await self._writer.ask(lambda _: None)

    async def settled(self) -> None:
        """Wait until all that was recorded is safe."""
        if self._writer is not None:
            # Trouble is told by the writer, which tries again.
            with suppress(JournalError):
                await self._writer.ask(lambda _: None)

    async def aclose(self) -> None:
        """Write everything and close the file."""
        if self._writer is not None:
            await self._writer.aclose()

    def entry(self, task_type: str, place: Place | None = None) -> Entry:
        """Make the entry of a submission."""
        return self._entry(Record(self._owner, task_type, place))

    def attached(self, ref: TaskRef) -> Entry:
        """Make the entry of a task that is taken up by its id."""
        record = Record(self._owner, ref.task_type, state="open", task_id=ref.task_id)
        record.polls = ref.polls
        return self._entry(record)

    def _entry(self, record: Record) -> Entry:
        journal = self._journal
        if journal is None:
            return Entry(None, record)
        return Entry(
            self._writer,
            record,
            strict=journal.on_error == "raise",
            keep_solutions=journal.keep_solutions,
        )

    # -- what was left ----------------------------------------------------------------------------

    async def left_open(self) -> list[tuple[Record, Entry]]:
        """Return what earlier clients have paid for and not collected.

        Raises:
            InvalidArgument: there is no journal.
            JournalError: it cannot be read.
        """
        records = await self._at_hand().ask(lambda store: store.left_open(self._owner))
        return [(record, self._entry(record)) for record in records]

    async def solution(self, record: Record) -> object:
        """Return the solution that was stored, as the service sent it; None if none was."""
        number = record.number
        if not record.has_solution or number is None:
            return None
        text = await self._at_hand().ask(lambda store: store.solution(number))
        return None if text is None else orjson.loads(text)

    async def uncertain(self) -> tuple[UncertainSubmission, ...]:
        """Return the submissions whose outcome is unknown.

        Raises:
            InvalidArgument: there is no journal.
            JournalError: it cannot be read.
        """
        records = await self._at_hand().ask(lambda store: store.uncertain(self._owner))
        return tuple(map(_as_uncertain, records))

    async def forget(self, number: int) -> None:
        """Remove an uncertain submission.

        Raises:
            InvalidArgument: there is no journal.
            JournalError: it cannot be written.
        """
        await self._at_hand().ask(lambda store: store.forget(self._owner, number))

    async def batch(self, name: str) -> BatchRecord:
        """Return what is known of a batch.

        Raises:
            JournalError: it cannot be read.
        """
        records = await self._at_hand().ask(lambda store: store.batch(self._owner, name))
        return BatchRecord(name, [(record, self._entry(record)) for record in records])

    def _at_hand(self) -> Writer:
        if self._writer is None:
            raise self.missing()
        return self._writer

    @staticmethod
    def missing() -> InvalidArgument:
        """Make the error for asking a client without a journal."""
        return invalid("journal", None, "given to the client for this, such as 'captchas.db'")


def _as_uncertain(record: Record) -> UncertainSubmission:
    place = record.place
    return UncertainSubmission(
        number=record.number or 0,
        task_type=record.task_type,
        age=record.age,
        batch=None if place is None else place.batch,
        key=None if place is None else load_key(place.key),
    )
