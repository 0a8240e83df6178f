"""What earlier clients and other processes have left: what was paid for, and what nobody knows."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing
from typing import TYPE_CHECKING

from .._journal import UncertainSubmission, dump_key
from .._solving._solve import Solve
from .._solving._solver import Solver
from .._solving._stored import take_up
from ..errors import invalid

if TYPE_CHECKING:
    from .._solving._shared import SharedKeys

__all__ = ["forget", "left_open", "shared_keys", "uncertain"]


def shared_keys(solver: Solver) -> SharedKeys | None:
    """Return the keys that other processes know as well; None if no account is shared."""
    if solver.records is None:
        return None
    # Only who shares an account pays for this import.
    from .._solving._shared import SharedKeys

    return SharedKeys(solver, solver.records)


async def left_open(solver: Solver, shared: SharedKeys | None) -> AsyncGenerator[Solve]:
    """Take up what is paid for and not collected: of the journal, then of other processes.

    Raises:
        InvalidArgument: there is no journal, and the account is not shared.
        AccountUnavailable: the shared account's store does not answer.
        JournalError: the journal cannot be read.
    """
    journal = solver.books.journal
    if journal.journal is not None or shared is None:
        found = await journal.left_open()
        places = [record.place for record, _ in found if record.place is not None]
        theirs = set() if shared is None or not places else await shared.not_ours(places)
        for record, entry in found:
            if record.place is not None and record.place in theirs:
                # It is collected there, and the journal hears of it when its key comes again.
                continue
            solve = await take_up(solver, record, entry)
            if shared is not None and record.place is not None:
                shared.give(solve, record.place, record)
            yield solve
    if shared is not None:
        async with aclosing(shared.left_open()) as solves:
            async for solve in solves:
                yield solve


async def uncertain(solver: Solver, shared: SharedKeys | None) -> tuple[UncertainSubmission, ...]:
    """Return the submissions of which nobody knows whether they have created a task.

    Raises:
        InvalidArgument: there is no journal, and the account is not shared.
        AccountUnavailable: the shared account's store does not answer.
        JournalError: the journal cannot be read.
    """
    journal = solver.books.journal
    found: tuple[UncertainSubmission, ...] = ()
    if journal.journal is not None or shared is None:
        found = await journal.uncertain()
    if shared is None:
        return found
    ours = {(one.batch, dump_key(one.key)) for one in found if one.key is not None}
    there = await shared.uncertain()
    return (*found, *(one for one in there if (one.batch, dump_key(one.key)) not in ours))


async def forget(
    solver: Solver, shared: SharedKeys | None, submission: UncertainSubmission
) -> None:
    """Forget an uncertain submission, wherever it is known.

    Raises:
        InvalidArgument: it is none, or there is no journal, and the account is not shared.
        AccountUnavailable: the shared account's store does not answer.
        JournalError: the journal cannot be written.
    """
    if not isinstance(submission, UncertainSubmission):
        raise invalid("submission", submission, "one of those that uncertain() returns")
    journal = solver.books.journal
    if journal.journal is not None or shared is None:
        await journal.forget(submission.number)
    if shared is not None and (submission.key is not None or submission.unread):
        await shared.forget(submission)
