"""A cap on spending holds across clients with one journal: what was spent before counts."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_files import change, journalled, quick_emulator
from local import TOKEN_TASK

from captcha_async import Failed, Journal, JournalError, Limits, Solved, SpendLimitReached
from captcha_async._account._spending import Spending

PRICE = Decimal("0.01")


def cap(most: str, per: float | None = 3600.0) -> Limits:
    """Make limits with a cap on spending, and a price that is known."""
    return Limits(max_spend=Decimal(most), per=per, prices={"RecaptchaV2Task": PRICE})


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Return where the journal is to be."""
    return tmp_path / "captchas.db"


@pytest.mark.real_time
@pytest.mark.parametrize("per", [3600.0, None])
async def test_what_an_earlier_client_has_spent_counts(path: Path, per: Any) -> None:
    """The next one spends no more than is left of the cap."""
    emulator = quick_emulator(price=PRICE)
    solved = 0
    for left in (2, 1, 0):
        async with journalled(emulator, path, limits=cap("0.03", per)) as client:
            jobs = [TOKEN_TASK] * (1 if left else 4)
            for outcome in await client.solve_all(jobs):
                solved += isinstance(outcome, Solved)
                if isinstance(outcome, Failed):
                    assert isinstance(outcome.error, SpendLimitReached)
    assert solved == 3
    assert len(emulator.tasks) == 3


@pytest.mark.real_time
async def test_what_was_spent_before_the_window_does_not_count(path: Path) -> None:
    """By the wall clock, which alone goes on while no process runs."""
    emulator = quick_emulator(price=PRICE)
    async with journalled(emulator, path, limits=cap("0.02")) as client:
        await client.solve_all([TOKEN_TASK] * 2)
    change(path, "UPDATE submission SET made = made - 3700 WHERE number = 1")
    async with journalled(emulator, path, limits=cap("0.02")) as client:
        await client.solve(TOKEN_TASK)
        with pytest.raises(SpendLimitReached):
            await client.solve(TOKEN_TASK)


@pytest.mark.real_time
async def test_what_is_in_flight_counts_before_and_after_it_is_collected(path: Path) -> None:
    """Once: with what was set aside for it, and then with its cost."""
    emulator = quick_emulator(price=PRICE)
    limits = cap("0.03")
    async with journalled(emulator, path, limits=limits) as client:
        for _ in range(2):
            await client.submit(TOKEN_TASK)
    async with journalled(emulator, path, limits=limits) as client:
        await client.solve(TOKEN_TASK)
        with pytest.raises(SpendLimitReached):
            await client.solve(TOKEN_TASK)
        assert len([await pending async for pending in client.resume()]) == 2
        with pytest.raises(SpendLimitReached):
            await client.solve(TOKEN_TASK)
    async with journalled(emulator, path, limits=cap("0.04")) as client:
        await client.solve(TOKEN_TASK)
        with pytest.raises(SpendLimitReached):
            await client.solve(TOKEN_TASK)


@pytest.mark.real_time
async def test_an_answer_of_before_is_not_spent_again(path: Path) -> None:
    """It was paid for when it came."""
    emulator = quick_emulator(price=PRICE)
    journal = Journal(path, keep_solutions=True)
    limits = cap("0.03")
    async with journalled(emulator, journal, limits=limits) as client:
        emulator.answer_at_once()
        await client.submit(TOKEN_TASK)
        await client.solve_all({"a": TOKEN_TASK}, name="b")
    async with journalled(emulator, journal, limits=limits) as client:
        assert len([await pending async for pending in client.resume()]) == 1
        await client.solve_all({"a": TOKEN_TASK}, name="b", resume=True)
        assert client.statistics().spent == 0
        await client.solve(TOKEN_TASK)
        with pytest.raises(SpendLimitReached):
            await client.solve(TOKEN_TASK)


@pytest.mark.real_time
async def test_a_result_that_is_gone_was_paid_for(path: Path) -> None:
    """As far as anybody knows; it counts as long as it would have."""
    emulator = quick_emulator(price=PRICE)
    async with journalled(emulator, path, limits=cap("0.02")) as client:
        await client.submit(TOKEN_TASK)
    change(path, "UPDATE submission SET made = made - 1800")
    for number in range(2):
        async with journalled(emulator, path, limits=cap("0.02")) as client:
            async for pending in client.resume():
                with pytest.raises(Exception, match="not asked for"):
                    await pending
            if not number:
                await client.solve(TOKEN_TASK)
            with pytest.raises(SpendLimitReached):
                await client.solve(TOKEN_TASK)


@pytest.mark.real_time
async def test_a_journal_that_cannot_be_read_stops_nobody_who_wants_to_go_on(path: Path) -> None:
    """With warnings the cap holds for this client alone."""
    path.write_text("no database " * 100)  # noqa: ASYNC240 (nothing else runs yet)
    limits = cap("0.01")
    async with journalled(
        quick_emulator(price=PRICE), Journal(path, on_error="warn"), limits=limits
    ) as client:
        await client.solve(TOKEN_TASK)
        with pytest.raises(SpendLimitReached):
            await client.solve(TOKEN_TASK)
    with pytest.raises(JournalError):
        async with journalled(quick_emulator(), path, limits=limits):
            raise AssertionError("unreachable")


COSTS = st.lists(st.tuples(st.floats(0, 200), st.integers(1, 5).map(Decimal)), max_size=10)


@given(COSTS, COSTS)
async def test_what_is_recalled_leaves_the_window_in_its_time(
    recalled: list[tuple[float, Decimal]], taken_over: list[tuple[float, Decimal]]
) -> None:
    """And what is taken over is never counted for less than what was set aside."""
    spending = Spending(Decimal(1000), 100.0, {})
    spending.recall(sorted([*recalled, *taken_over], reverse=True))
    for ago, reserved in taken_over:
        spending.take_over(reserved, ago)
    spending._drop_old()
    in_window = sum((cost for ago, cost in recalled if ago < 100), Decimal(0))
    in_flight = sum((cost for _, cost in taken_over), Decimal(0))
    late = sum((cost for ago, cost in taken_over if 98 <= ago < 100), Decimal(0))
    assert spending._sum + spending._reserved == in_window + in_flight + late


async def test_what_this_account_has_spent_itself_is_not_recalled() -> None:
    """Another client of it may have written that into the same journal."""
    spending = Spending(Decimal(1000), 100.0, {})
    spending.spend("RecaptchaV2Task", Decimal(0), Decimal(3))
    spending.recall([(50.0, Decimal(7)), (0.0, Decimal(3))])
    assert spending._sum == 10
