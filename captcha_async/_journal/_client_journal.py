"""ClientJournal: the journal as one client has it.

It makes the entries of the client's submissions, answers what earlier clients have left, and knows
which batches are under way. All questions go to the journal's thread, in pages where there may be
many answers, so that the event loop stays punctual.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from anyio.lowlevel import checkpoint

from .._ref import TaskRef
from ..errors import InvalidArgument, JournalError, invalid
from ._running import Running

if TYPE_CHECKING:
    # Imported late, where they are made, and SQLite with them: most clients have no journal.
    from ._batch import BatchRecord
    from ._entry import Entry
    from ._options import Journal
    from ._owner import Owner
    from ._record import Place, Record, UncertainSubmission
    from ._store import Store
    from ._writer import Writer

__all__ = ["ClientJournal"]

logger = logging.getLogger("captcha_async")

PAGE = 500
"""Rows that are taken from the thread at a time."""
RANKS = ("solved", "open", "sending", "uncertain")
"""Which state of a key counts most, where several accounts have tried it."""
KEYS_PAGE = 2_000
"""Keys that the thread reads at a time, between other jobs."""


class ClientJournal:
    """One client's part of a journal.

    Args:
        journal: the client's journal; None if it has none.
        whose: tells whose tasks it has.
    """

    def __init__(self, journal: Journal | None, whose: Callable[[], Owner]) -> None:
        self._journal = journal
        self._writer = None if journal is None else _writer_of(journal)
        self._whose = whose
        # The client's further accounts; `add` appends to it before any is used.
        self._others: list[Owner] = []
        # The client's batches from their beginning to their end.
        self._running = Running()

    @property
    def journal(self) -> Journal | None:
        """Where it is kept, and how."""
        return self._journal

    @property
    def owner(self) -> Owner:
        """Whose tasks are recorded, where nobody else is named."""
        return self._whose()

    @property
    def _owners(self) -> list[Owner]:
        """The client's accounts, in order of preference."""
        return [self.owner, *self._others]

    def add(self, owner: Owner) -> None:
        """Have the client use another account as well."""
        self._others.append(owner)

    async def open(self) -> None:
        """Open the file, so that trouble shows at once.

        Raises:
            JournalError: it cannot be used, and the user wants to know.
        """
        if self._journal is not None and self._journal.on_error == "raise":
            await self.check()

    async def check(self) -> None:
        """Look whether the file can be used.

        Raises:
            InvalidArgument: there is no journal.
            JournalError: it cannot be used.
        """
        await self._at_hand().ask(lambda _: None)

    async def settled(self) -> None:
        """Wait until all that was recorded is safe, or as long as that can be waited for."""
        if self._writer is not None:
            # Trouble is told by the writer, which tries again.
            with suppress(JournalError):
                await self._writer.flush()

    async def aclose(self) -> None:
        """Write everything and close the file, within a time that is bounded."""
        if self._writer is not None:
            await self._writer.aclose()

    def entry(
        self,
        task_type: str,
        place: Place | None = None,
        reserved: Decimal | None = None,
        owner: Owner | None = None,
    ) -> Entry:
        """Make the entry of a submission.

        Args:
            task_type: name of the task model.
            place: where it stands in a batch.
            reserved: the money set aside for it.
            owner: the account that it goes to; the first one without.
        """
        record = self._new(owner, task_type, place)
        record.reserved = None if reserved is None else str(reserved)
        return self._entry(record)

    def taken_over(self, ref: TaskRef, place: Place, owner: Owner | None = None) -> Entry:
        """Make the entry of a task that another process has submitted under a key."""
        record = self._new(owner, ref.task_type, place, state="open", task_id=ref.task_id)
        record.polls = ref.polls
        return self._entry(record)

    def attached(self, ref: TaskRef, owner: Owner | None = None) -> Entry:
        """Make the entry of a task that is taken up by its id."""
        record = self._new(owner, ref.task_type, state="open", task_id=ref.task_id)
        record.polls = ref.polls
        return self._entry(record)

    def _new(
        self, owner: Owner | None, task_type: str, place: Place | None = None, **known: Any
    ) -> Record:
        from ._record import Record

        return Record(owner or self.owner, task_type, place, **known)

    def _entry(self, record: Record) -> Entry:
        from ._entry import Entry

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
        records = await self._all(lambda store, *page: store.left_open(*page))
        # A row that is damaged is told as uncertain.
        return [(record, self._entry(record)) for record in records if record.state == "open"]

    async def uncertain(self) -> tuple[UncertainSubmission, ...]:
        """Return the submissions whose outcome is unknown.

        Raises:
            InvalidArgument: there is no journal.
            JournalError: it cannot be read.
        """
        records = await self._all(lambda store, *page: store.uncertain(*page))
        return tuple(_as_uncertain(record) for record in records if record.state == "uncertain")

    async def _all(self, read: Callable[[Store, Owner, int, int], list[Record]]) -> list[Record]:
        """Read page after page, of one account after the other."""
        found: list[Record] = []
        for owner in self._owners:
            found += await self._all_of(owner, read)
        return found

    async def _all_of(
        self, owner: Owner, read: Callable[[Store, Owner, int, int], list[Record]]
    ) -> list[Record]:
        writer, after = self._at_hand(), 0
        found: list[Record] = []

        def next_page(store: Store) -> list[Record]:
            return read(store, owner, after, PAGE)

        while True:
            page = await writer.ask(next_page)
            found += page
            if len(page) < PAGE:
                return found
            after = page[-1].number or 0
            await checkpoint()

    async def forget(self, number: int) -> None:
        """Remove an uncertain submission.

        Raises:
            InvalidArgument: there is no journal.
            JournalError: it cannot be written.
        """

        def forget(store: Store) -> None:
            for owner in self._owners:
                store.forget(owner, number)

        await self._at_hand().ask(forget)

    async def solution(self, record: Record) -> object:
        """Return the solution that was stored, as the service sent it.

        None if none was, or if it is damaged: then the task has to be asked for, or solved, again.

        Raises:
            JournalError: the file cannot be read.
        """
        from ._record import load_solution_text

        number, text = record.number, record.stored
        if not record.has_solution or number is None:
            return None
        if text is None:
            text = await self._at_hand().ask(lambda store: store.solution(number))
        try:
            return None if text is None else load_solution_text(text)
        except ValueError:
            logger.warning("The answer of task %s in the journal is damaged.", record.task_id)
            record.has_solution = False
            return None

    # -- batches ----------------------------------------------------------------------------------

    def enter_batch(self, name: str, *, alone: bool) -> BatchRecord:
        """Begin a batch: return what is known of it; `leave_batch` ends it.

        Args:
            name: its name.
            alone: whether no other one of that name may run at the same time.

        Raises:
            InvalidArgument: one does.
        """
        from ._batch import BatchRecord

        self._running.enter(name, alone=alone)
        return BatchRecord(name, self.find)

    async def read_taken(self, record: BatchRecord) -> None:
        """Let a batch know the keys of which nothing is left to do.

        Raises:
            InvalidArgument: there is no journal.
            JournalError: the file cannot be read.
        """
        writer, after = self._at_hand(), ""

        def next_page(store: Store) -> str | None:
            rows = store.taken(record.name, after, KEYS_PAGE)
            record.note_taken(rows)
            return rows[-1][0] if len(rows) == KEYS_PAGE else None

        while (last := await writer.ask(next_page)) is not None:
            after = last

    def leave_batch(self, name: str) -> None:
        """Note the end of a batch."""
        self._running.leave(name)

    async def find(self, place: Place) -> tuple[Record, Entry] | None:
        """Return what there is of a key: an answer, by whomever, or the last attempt.

        Raises:
            InvalidArgument: there is no journal.
            JournalError: the file cannot be read.
        """

        def find(store: Store) -> Record | None:
            found = (store.find(owner, place) for owner in self._owners)
            return min(filter(None, found), key=_worth, default=None)

        record = await self._at_hand().ask(find)
        return None if record is None else (record, self._entry(record))

    async def forget_batch(self, name: str) -> int:
        """Forget what is known of a batch that has ended, so that its keys are solved anew.

        Returns:
            How many keys it was.

        Raises:
            InvalidArgument: there is no journal; or the batch runs, or something of it is paid for
                and not collected, or uncertain.
            JournalError: the file cannot be written.
        """
        writer = self._at_hand()
        if name in self._running:
            raise invalid("name", name, "that of a batch that has ended")
        done, still_open, uncertain = await writer.ask(
            lambda store: store.forget_batch(self._owners, name)
        )
        if still_open or uncertain:
            raise invalid(
                "name",
                name,
                f"that of a batch of which nothing is left: {still_open} tasks are paid for and "
                f"not collected (run it with resume=True), {uncertain} are uncertain (look at "
                "`await client.uncertain()`, then forget them)",
            )
        return done

    # -- money ------------------------------------------------------------------------------------

    async def spent(
        self, within: float | None, owner: Owner | None = None
    ) -> list[tuple[float, Decimal]]:
        """Return what an account has paid, by all clients that had the file.

        What may have cost something counts with what was set aside for it. The file knows no more
        than `Journal.keep` says.

        Args:
            within: seconds up to now, of the wall clock; None for all that the file knows.
            owner: the account; the first one without.

        Returns:
            (seconds ago, cost), the oldest first; nothing without a journal.

        Raises:
            JournalError: the file cannot be read.
        """
        if self._writer is None:
            return []

        def question(store: Store) -> list[tuple[float, Decimal]]:
            moment = 0.0 if within is None else store.now() - within
            return store.spent_since(owner or self.owner, moment)

        return await self._writer.ask(question)

    def _at_hand(self) -> Writer:
        if self._writer is None:
            raise self.missing()
        return self._writer

    @staticmethod
    def missing() -> InvalidArgument:
        """Make the error for asking a client without a journal."""
        return invalid("journal", None, "given to the client for this, such as 'captchas.db'")


def _worth(record: Record) -> int:
    """Tell which of several accounts' records of one key counts: the one with the smallest."""
    return RANKS.index(record.state) if record.state in RANKS else len(RANKS)


def _as_uncertain(record: Record) -> UncertainSubmission:
    from ._record import BY_KEY, UncertainSubmission

    place = record.place
    return UncertainSubmission(
        number=record.number or 0,
        task_type=record.task_type,
        age=record.age,
        batch=None if place is None or place.batch == BY_KEY else place.batch,
        key=record.key,
    )


def _writer_of(journal: Journal) -> Writer:
    from ._writer import Writer

    return Writer(journal)
