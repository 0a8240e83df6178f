"""Events: told as they happen, typed, and harmless."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from local import TOKEN_TASK, joined

from captcha_async import (
    Event,
    FuseBlown,
    KeyRejected,
    TaskFailed,
    TaskPolled,
    TaskSolved,
    TaskSubmitted,
    Unsolvable,
)
from captcha_async.emulator import Emulator, Latency


async def test_a_solve_is_told_from_submission_to_answer() -> None:
    """Submitted, polled until ready, solved: in this order, with the same task id."""
    events: list[Event] = []
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator, on_event=events.append) as client:
        solved = await client.solve(TOKEN_TASK)
    kinds = [type(event) for event in events]
    assert kinds == [TaskSubmitted, *[TaskPolled] * solved.polls, TaskSolved]
    assert {event.ref.task_id for event in events if not isinstance(event, FuseBlown)} == {
        solved.task_id
    }
    statuses = [event.status for event in events if isinstance(event, TaskPolled)]
    assert statuses == ["processing"] * (solved.polls - 1) + ["ready"]
    assert solved.solution.token not in repr(events)


async def test_failures_and_the_fuse_are_told() -> None:
    """A failed task, and the first account error of several."""
    events: list[Event] = []
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    async with joined(emulator, on_event=events.append) as client:
        with pytest.raises(Unsolvable):
            await client.solve(TOKEN_TASK)
        failed = events[-1]
        assert isinstance(failed, TaskFailed)
        assert isinstance(failed.error, Unsolvable)
        emulator.refuse("ERROR_KEY_DOES_NOT_EXIST")
        await client.solve_all([TOKEN_TASK] * 5)
    blown = [event for event in events if isinstance(event, FuseBlown)]
    assert len(blown) == 1
    assert isinstance(blown[0].error, KeyRejected)


async def test_a_handler_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged, and the paid answer arrives."""

    def handler(event: Any) -> None:
        raise RuntimeError("a bug of the user's")

    with caplog.at_level(logging.ERROR, "captcha_async"):
        async with joined(Emulator(latency=Latency.fixed(1)), on_event=handler) as client:
            await client.solve(TOKEN_TASK)
    assert "on_event raised for a TaskSolved" in caplog.text
