"""The spending cap: what may not be spent is not sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anyio
import pytest
from local import TOKEN_TASK, joined

from captcha_async import (
    Failed,
    InvalidArgument,
    Limits,
    Solved,
    SolveTimeout,
    SpendLimitReached,
    SubmitUncertain,
    TaskExpired,
    TaskRejected,
)
from captcha_async._account._spending import Spending
from captcha_async.emulator import Emulator, Latency

PRICES = {"RecaptchaV2Task": Decimal("0.01")}


def cap(most: str, **more: Any) -> Limits:
    """Make limits with a spending cap and a price table."""
    return Limits(max_spend=Decimal(most), prices=PRICES, **more)


async def test_no_more_is_sent_than_the_cap_allows() -> None:
    """Tasks in flight count with their price, so that a burst does not overshoot."""
    emulator = Emulator(price=Decimal("0.01"), latency=Latency.fixed(5))
    async with joined(emulator, limits=cap("0.055")) as client:
        outcomes = await client.solve_all([TOKEN_TASK] * 20)
        assert client.statistics().spent == Decimal("0.05")
    assert sum(isinstance(outcome, Solved) for outcome in outcomes) == 5
    errors = [outcome.error for outcome in outcomes if isinstance(outcome, Failed)]
    assert all(isinstance(error, SpendLimitReached) for error in errors)
    assert "nothing was sent" in str(errors[0])
    assert len(emulator.requests_to("createTask")) == 5


async def test_the_window_moves_on() -> None:
    """What was spent long ago does not count."""
    emulator = Emulator(price=Decimal("0.01"), latency=Latency.fixed(1))
    async with joined(emulator, limits=cap("0.01", per=60)) as client:
        await client.solve(TOKEN_TASK)
        with pytest.raises(SpendLimitReached) as caught:
            await client.solve(TOKEN_TASK)
        assert caught.value.spent == Decimal("0.01")
        await anyio.sleep(61)
        await client.solve(TOKEN_TASK)
        assert client.statistics().spent == Decimal("0.02")


async def test_costs_are_learned_without_a_price_table() -> None:
    """What the service said a task cost is what the next one is taken to cost."""
    emulator = Emulator(price=Decimal("0.02"), latency=Latency.fixed(1))
    async with joined(emulator, limits=Limits(max_spend=Decimal("0.05"))) as client:
        await client.solve(TOKEN_TASK)
        outcomes = await client.solve_all([TOKEN_TASK] * 10)
    assert sum(isinstance(outcome, Solved) for outcome in outcomes) == 1


async def test_what_is_free_is_given_back() -> None:
    """Refused and failed tasks do not use the cap up."""
    emulator = Emulator(price=Decimal("0.01"), latency=Latency.fixed(1))
    emulator.refuse("ERROR_RECAPTCHA_INVALID_SITEKEY", times=3)
    async with joined(emulator, limits=cap("0.01")) as client:
        for _ in range(3):
            with pytest.raises(TaskRejected):
                await client.solve(TOKEN_TASK)
        emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
        outcomes = await client.solve_all([TOKEN_TASK])
        assert isinstance(outcomes[0], Failed)
        await client.solve(TOKEN_TASK)


async def test_an_uncertain_submission_counts_as_spent() -> None:
    """What may have been paid for stays set aside."""
    emulator = Emulator()
    emulator.break_http("createTask", status=502, effect=True)
    async with joined(emulator, limits=cap("0.01")) as client:
        with pytest.raises(SubmitUncertain):
            await client.solve(TOKEN_TASK)
        with pytest.raises(SpendLimitReached):
            await client.solve(TOKEN_TASK)


async def test_services_that_tell_no_cost_are_counted_by_the_table() -> None:
    """capsolver does not tell what a task cost."""
    emulator = Emulator("capsolver", latency=Latency.fixed(1))
    async with joined(emulator, limits=cap("10")) as client:
        await client.solve(TOKEN_TASK)
        assert client.statistics().spent == Decimal("0.01")


@pytest.mark.parametrize("value", [0, 1.5, Decimal(0), Decimal(-1), Decimal("NaN")])
def test_a_bad_cap_is_named(value: Any) -> None:
    """Money is a positive Decimal."""
    with pytest.raises(InvalidArgument, match="max_spend"):
        Limits(max_spend=value)


async def test_what_may_have_been_spent_ages_like_what_was() -> None:
    """Neither an uncertain submission nor a task that nobody awaits takes from the cap for ever."""
    emulator = Emulator(price=Decimal("0.01"), latency=Latency.fixed(1))
    emulator.break_http("createTask", status=502, effect=True, times=1)
    async with joined(emulator, limits=cap("0.02", per=7200)) as client:
        with pytest.raises(SubmitUncertain):
            await client.solve(TOKEN_TASK)
        await client.submit(TOKEN_TASK)
        with pytest.raises(SpendLimitReached):
            await client.solve(TOKEN_TASK)
        await anyio.sleep(7201)
        # The one that nobody awaits is forgotten now, and counts from now on.
        await client.solve(TOKEN_TASK)
        with pytest.raises(SpendLimitReached):
            await client.solve(TOKEN_TASK)
        await anyio.sleep(7201)
        await client.solve(TOKEN_TASK)
        await client.solve(TOKEN_TASK)


async def test_a_forgotten_task_is_counted_once() -> None:
    """Awaited after all it costs what the service says, and sets nothing free twice."""
    emulator = Emulator(price=Decimal("0.01"), latency=Latency.fixed(1))
    async with joined(emulator, limits=cap("0.03")) as client:
        forgotten = await client.submit(TOKEN_TASK)
        await anyio.sleep(3700)
        await client.solve(TOKEN_TASK)
        with pytest.raises(TaskExpired):
            await forgotten
        await client.solve(TOKEN_TASK)
        with pytest.raises(SpendLimitReached):
            await client.solve(TOKEN_TASK)


async def test_nobody_waits_for_ever_for_a_price() -> None:
    """The task that was to tell it may never end: the others fail, and what comes later at once."""
    emulator = Emulator(latency=Latency.fixed(10_000))
    async with joined(emulator, limits=Limits(max_spend=1)) as client:
        with anyio.fail_after(2000):
            first, *others = await client.solve_all([TOKEN_TASK] * 5)
        assert isinstance(first, Failed)
        assert isinstance(first.error, SolveTimeout)
        assert [type(other.error) for other in others if isinstance(other, Failed)] == [
            SpendLimitReached
        ] * 4
        begun = anyio.current_time()
        with pytest.raises(SpendLimitReached, match="prices"):
            await client.solve(TOKEN_TASK)
        assert anyio.current_time() == begun
    assert len(emulator.tasks) == 1


async def test_a_task_that_nobody_awaits_tells_no_price() -> None:
    """`submit` without a price, twice in a row: the second one says what is missing."""
    emulator = Emulator(latency=Latency.fixed(1))
    async with joined(emulator, limits=Limits(max_spend=1)) as client:
        pending = await client.submit(TOKEN_TASK)
        with anyio.fail_after(2000), pytest.raises(SpendLimitReached, match="await that one"):
            await client.submit(TOKEN_TASK)
        await pending
        await client.submit(TOKEN_TASK)


async def test_what_was_uncertain_without_a_price_counts_once_it_is_told() -> None:
    """It may have cost as much as the next one."""
    emulator = Emulator(price=Decimal("0.01"), latency=Latency.fixed(1))
    emulator.break_http("createTask", status=502, effect=True, times=1)
    async with joined(emulator, limits=Limits(max_spend=Decimal("0.025"))) as client:
        with pytest.raises(SubmitUncertain):
            await client.solve(TOKEN_TASK)
        await client.solve(TOKEN_TASK)
        with pytest.raises(SpendLimitReached) as caught:
            await client.solve(TOKEN_TASK)
        assert caught.value.spent == Decimal("0.02")
    assert len(emulator.requests_to("createTask")) == 2


async def test_what_is_taken_up_without_a_price_is_the_one_at_a_time() -> None:
    """One of an earlier client may cost as much as one of ours; and its end is not the end of
    ours."""
    spending = Spending(Decimal(1), None, {})
    kind = "RecaptchaV2Task"
    earlier = spending.take_over(kind, Decimal(0), 5.0)
    assert spending.reserve_nowait(kind) is None
    spending.release(kind, earlier)
    ours = spending.reserve_nowait(kind)
    assert ours == 0
    later = spending.take_over(kind, Decimal(0), 5.0)
    spending.release(kind, later)
    assert spending.reserve_nowait(kind) is None
    spending.spend(kind, ours, Decimal("0.3"))
    assert spending.reserve_nowait(kind) == Decimal("0.3")
