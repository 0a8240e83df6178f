"""Taking up single tasks that an earlier client has left, as the journal has them."""

from __future__ import annotations

from typing import Any

import anyio
import attrs

from .._clock import utc_at
from .._journal import Entry, Record
from .._outcome import Solved
from .._ref import TaskRef
from ..errors import TaskExpired, UnreadableSolution
from ..tasks._model import Solution, Task
from ..wire._models import spec_of
from ._solve import Solve
from ._solver import Solver

__all__ = ["is_too_old", "stored_answer", "take_up"]


async def take_up(
    solver: Solver, record: Record, entry: Entry, task: Task[Any] | None = None
) -> Solve:
    """Return the task of a record that is open; makes no request.

    Raises:
        JournalError: its stored answer cannot be read.
    """
    solution = await solver.books.journal.solution(record)
    solve = solver.take_up(_ref_of(solver, record), entry, task)
    if solve.done:
        return solve
    if solution is None and entry.token:
        await _recall(solver, solve, entry.token)
    elif solution is not None:
        try:
            read = solver.collector.read(solve, solution)
        except UnreadableSolution as error:
            solver.books.failed(solve, error)
        else:
            solver.books.solved(solve, stored_answer(solver, record, read, task), "journal")
    if not solve.done and is_too_old(solver, record):
        # Asking for ids that are long gone gets an account banned.
        solver.books.failed(
            solve,
            TaskExpired(
                f"Task {record.task_id} was submitted {record.age:.0f} s ago: its result is not "
                "kept that long, so it was not asked for; create a new task."
            ),
        )
    return solve


async def _recall(solver: Solver, solve: Solve, token: str) -> None:
    """Take the callback that another process has kept meanwhile."""
    await solver.collector.recall(solve, token)
    solver.collector.read_callback(solve)


def is_too_old(solver: Solver, record: Record) -> bool:
    """Tell whether the service has certainly dropped the result."""
    if record.has_solution:
        return False
    service = solver.seats.of_owner(record.owner).account.service
    solving = service.poll_times(record.task_type).timeout
    return record.age > solving + service.result_retention


def stored_answer(
    solver: Solver, record: Record, solution: Solution, task: Task[Any] | None
) -> Solved[Any]:
    """Make an answer anew of what the journal has of it, as old as it is."""
    life = spec_of(record.task_type).token_life
    born = anyio.current_time() - record.age
    return Solved(
        solution=solution,
        task=task,
        cost=record.decimal_cost,
        elapsed=record.elapsed or 0.0,
        polls=record.polls,
        ref=attrs.evolve(_ref_of(solver, record), polls=record.polls),
        account=_account_of(solver, record),
        key=record.key if task is None else None,
        # The token may have been made right after the service last said that there is none.
        expires_at=None if life is None else born + (record.since or 0.0) + life,
        replayed=True,
        arrived=utc_at(born + (record.elapsed or 0.0)),
    )


def _ref_of(solver: Solver, record: Record) -> TaskRef:
    tenant = solver.seats.of_owner(record.owner).tenant
    return attrs.evolve(record.ref(), account=tenant.mark)


def _account_of(solver: Solver, record: Record) -> str:
    """Name the account that a record is of; by its service if the client has it no more."""
    seat = solver.seats.of_owner(record.owner)
    return seat.tenant.name if seat.account.owner == record.owner else record.owner.service
