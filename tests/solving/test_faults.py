"""The fault matrix: each fault at each step, over real sockets.

Whatever goes wrong once: createTask is carried out at most once, no id and no answer is lost, the
journal tells the truth, and the next solve works.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from fault_cases import CASES, STEPS, Case, Outcome, World, world
from journal_files import rows
from local import TOKEN_TASK

from captcha_async import (
    AccountBlocked,
    CaptchaError,
    PendingTask,
    Reported,
    Solved,
    SubmitUncertain,
)


async def attempt(action: Callable[[], Any]) -> Any:
    """Return what the user gets: a value or an error."""
    try:
        return await action()
    except CaptchaError as error:
        return error


def check(outcome: Any, expected: Outcome, kind: type[Any] = object) -> None:
    """Compare what the user got with the table."""
    if expected is None:
        assert isinstance(outcome, kind), repr(outcome)
        assert not isinstance(outcome, CaptchaError), repr(outcome)
    else:
        assert type(outcome) is expected, repr(outcome)
        assert "the-key" not in str(outcome)


async def check_the_rest(place: World, known: set[Any], *, uncertain: int) -> None:
    """The next solve works, the books are right, and nothing is left behind."""
    client, server = place.client, place.server
    assert not server.armed
    assert not place.names.failures
    client.reset_fuse()
    # A server that is coming up again is nothing new.
    solved = await client.solve(TOKEN_TASK, timeout=10)
    assert solved.solution.token == f"token of {solved.task_id}"
    known |= {solved.task_id} | {orphan.task_id for orphan in client.orphans}
    unknown = set(server.created) - known
    assert len(unknown) <= uncertain
    assert client.statistics().uncertain == uncertain
    assert len(await client.uncertain()) == uncertain
    assert client.statistics().in_flight == 0
    await client.aclose()
    assert rows(place.journal).count("uncertain") == uncertain
    assert not {"sending", "open"} & set(rows(place.journal))


REAL = ["asyncio-real", "trio-real"]
matrix = pytest.mark.parametrize(
    ("case", "anyio_backend"),
    [
        pytest.param(case, backend, id=f"{name}-{backend}")
        for name, case in CASES.items()
        for backend in REAL
    ],
    indirect=["anyio_backend"],
)


@pytest.mark.real_time
@pytest.mark.parametrize("step", STEPS)
@matrix
async def test_each_fault_at_each_step(
    case: Case, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user gets what the table says, and nothing is lost or paid twice."""
    async with world(case, tmp_path, monkeypatch) as place:
        await STEP[step](place, getattr(case, step))
        if case.pause:
            first, second = place.server.arrivals[:2]
            assert second - first >= case.pause


@pytest.mark.real_time
@pytest.mark.parametrize("step", ["submit", "poll"])
@matrix
async def test_each_fault_with_a_client_of_the_users(
    case: Case, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same over an httpx client that follows redirects, and raises for every bad status."""
    async with world(case, tmp_path, monkeypatch, users=True) as place:
        await STEP[step](place, getattr(case, step))


async def fault_in_submit(place: World, expected: Outcome) -> None:
    """createTask goes wrong."""
    await place.break_once()
    outcome = await attempt(lambda: place.client.submit(TOKEN_TASK))
    check(outcome, expected, PendingTask)
    assert place.server.requests["createTask"] <= 1
    known: set[Any] = set()
    if expected is None:
        assert place.server.requests["createTask"] == 1
        known.add((await outcome).task_id)
    await check_the_rest(place, known, uncertain=int(expected is SubmitUncertain))


async def fault_in_poll(place: World, expected: Outcome) -> None:
    """A poll goes wrong."""
    pending = await place.client.submit(TOKEN_TASK)
    await place.break_once()
    outcome = await attempt(lambda: pending.result(timeout=10))
    check(outcome, expected, Solved)
    if expected is AccountBlocked:
        # The id is not lost: after the ban its answer comes.
        assert outcome.ref == pending.ref
        assert place.client.orphans == (pending,)
        place.client.reset_fuse()
        outcome = await pending
    if isinstance(outcome, Solved):
        assert outcome.solution.token == f"token of {pending.task_id}"
    else:
        assert outcome.task_id == pending.task_id
    await check_the_rest(place, {pending.task_id}, uncertain=0)
    assert place.server.requests["createTask"] == 2


async def fault_in_report(place: World, expected: Outcome) -> None:
    """A report goes wrong."""
    solved = await place.client.solve(TOKEN_TASK)
    await place.break_once()
    reported = await place.client.report_incorrect(solved)
    check(reported.error or reported, expected, Reported)
    await check_the_rest(place, {solved.task_id}, uncertain=0)
    assert place.server.requests["createTask"] == 2


async def fault_in_balance(place: World, expected: Outcome) -> None:
    """A question for the balance goes wrong."""
    await place.break_once()
    outcome = await attempt(place.client.balance)
    check(outcome, expected, Decimal)
    await check_the_rest(place, set(), uncertain=0)


STEP: dict[str, Callable[[World, Outcome], Awaitable[None]]] = dict(
    zip(STEPS, (fault_in_submit, fault_in_poll, fault_in_report, fault_in_balance), strict=True)
)
