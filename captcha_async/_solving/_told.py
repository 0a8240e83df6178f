"""What another process tells of a task that it has collected, made an outcome of ours."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

import anyio
import attrs

from .. import errors
from .._clock import utc_at
from .._journal._record import load_solution_text
from .._outcome import Solved
from .._ref import TaskRef
from ..errors import CaptchaError, TaskExpired, UnreadableSolution
from ..wire import load_solution
from ..wire._models import spec_of
from ._solve import Solve

if TYPE_CHECKING:
    from .._sharing._record import TaskRecord

__all__ = ["failure_of", "polled_elsewhere", "told_by"]


def told_by(solve: Solve, record: TaskRecord) -> Solved[Any] | CaptchaError:
    """Return the outcome of a task as the record of its key has it, as old as it is."""
    if record.state != "solved" or record.solution is None:
        return failure_of(record.error, solve.ref)
    model = solve.type if solve.task is None else type(solve.task)
    try:
        solution = load_solution(model, load_solution_text(record.solution))
    except (UnreadableSolution, ValueError) as error:
        return error if isinstance(error, CaptchaError) else failure_of(None, solve.ref)
    life = spec_of(solve.type).token_life
    born = anyio.current_time() - record.age
    return Solved(
        solution=solution,
        task=solve.task,
        cost=None if record.cost is None else Decimal(record.cost),
        elapsed=record.elapsed or 0.0,
        polls=record.polls,
        ref=attrs.evolve(solve.ref, polls=record.polls),
        account=solve.tenant.name,
        key=solve.key,
        # The token may have been made right after the service last said that there is none.
        expires_at=None if life is None else born + (record.since or 0.0) + life,
        replayed=True,
        arrived=utc_at(born + (record.elapsed or 0.0)),
    )


def failure_of(name: str | None, ref: TaskRef) -> CaptchaError:
    """Make the error anew that ended a task in another process."""
    known = name in errors.__all__
    kind: type[CaptchaError] = getattr(errors, name or "") if known else TaskExpired
    why = f"it failed ({name})" if known else "its result is gone"
    error = kind(f"Task {ref.task_id} of another process has no answer: {why}; submit it again.")
    error.ref = ref
    return error


def polled_elsewhere(solve: Solve, record: TaskRecord) -> None:
    """Keep to the gap and the cap of a task that another process may have polled up to now."""
    now = anyio.current_time()
    service = solve.account.service
    if record.polled_at is not None:
        since = max(0.0, record.age - (record.polled_at - record.at))
        solve.polled_before(record.polls, now + max(0.0, service.min_poll_gap - since))
        return
    # At most one in each gap; but an answer that is paid for is not given up for a guess.
    most = int(record.age / service.min_poll_gap) + 1 if service.min_poll_gap else 1
    polls = max(record.polls, min(most, service.max_polls // 2))
    solve.polled_before(polls, now + service.min_poll_gap)
