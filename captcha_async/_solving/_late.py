"""What is told of a wait that ended at its deadline. Pure."""

from __future__ import annotations

from ..errors import QueueTimeout, SolveTimeout
from ._solve import Solve

__all__ = ["late"]


def late(solve: Solve, wait: float) -> SolveTimeout:
    """Make the error of a wait of *wait* seconds: what stands in the way, and what can be done."""
    error: SolveTimeout
    if solve.accepted:
        error = SolveTimeout(
            f"Task {solve.task_id} has no answer after {wait:g} s (polls: {solve.polls}, last"
            f" status: {solve.status or 'none'}); it is paid: await it again, or attach its ref.",
            ref=solve.ref,
            polls=solve.polls,
            last_status=solve.status,
        )
    else:
        advice = "allow more time, or have fewer tasks in flight."
        if solve.trouble is not None:
            advice = f"the last attempt failed: {solve.trouble}"
        assert solve.task is not None
        error = QueueTimeout(
            f"{solve.task.type} was not accepted within {wait:g} s; nothing was paid: {advice}"
        )
    error.__cause__ = solve.trouble
    return error
