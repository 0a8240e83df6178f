"""The spending cap: what may not be spent is not sent."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anyio
import pytest
from local import TOKEN_TASK, joined

from captcha_async import (
    CaptchaClient,
    Failed,
    InvalidArgument,
    Limits,
    RecaptchaV2Task,
    Solved,
    SolveTimeout,
    SpendLimitReached,
    SubmitUncertain,
    TaskExpired,
    TaskRejected,
    Unsolvable,
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


async def test_of_an_unknown_price_one_task_goes_at_a_time() -> None:
    """A burst before the first cost is known cannot pass the cap by more than that cost."""
    emulator = Emulator(price=Decimal("0.02"), latency=Latency.fixed(10))
    async with joined(emulator, limits=Limits(max_spend="0.06", per=None)) as client:
        outcomes: list[Any] = []

        async def run() -> None:
            outcomes.extend(await client.solve_all([TOKEN_TASK] * 10))

        async with anyio.create_task_group() as group:
            group.start_soon(run)
            await anyio.sleep(5)
            assert len(emulator.tasks) == 1
        assert sum(isinstance(outcome, Solved) for outcome in outcomes) == 3
        assert client.statistics().spent == Decimal("0.06")


async def test_the_dearest_cost_of_a_type_is_its_price() -> None:
    """What was cheap once may be dear again: the cap is kept in the worst case."""
    spending = Spending(Decimal(1), None, {"Any": Decimal("0.5")})
    for told in ("0.02", "0.001"):
        reserved = spending.reserve_nowait("Any")
        assert reserved is not None
        spending.spend("Any", reserved, Decimal(told))
        # What the service tells goes before the table, also where it is less.
        assert spending.price_of("Any") == Decimal("0.02")
    assert spending.total == Decimal("0.021")


async def test_a_cap_without_a_window_is_for_all_time() -> None:
    """A day later nothing has come free."""
    emulator = Emulator(price=Decimal("0.01"), latency=Latency.fixed(1))
    async with joined(emulator, limits=cap("0.01", per=None)) as client:
        await client.solve(TOKEN_TASK)
        await anyio.sleep(86_400)
        with pytest.raises(SpendLimitReached, match=r"cap of 0\.01 in all is reached"):
            await client.solve(TOKEN_TASK)


@pytest.mark.parametrize("name", [RecaptchaV2Task, "RecaptchaV2Task", "ReCaptchaV2TaskProxyLess"])
async def test_a_price_is_given_by_any_name_of_the_type(name: Any) -> None:
    """Its class, the class's name, or what the service calls it."""
    emulator = Emulator("capsolver", latency=Latency.fixed(1))
    limits = Limits(max_spend=1, prices={name: "0.6"})
    async with joined(emulator, limits=limits) as client:
        await client.solve(TOKEN_TASK)
        with pytest.raises(SpendLimitReached):
            await client.solve(TOKEN_TASK)


def test_a_price_of_no_type_is_named() -> None:
    """With what may have been meant; else the cap would silently not know the price."""
    with pytest.raises(InvalidArgument, match=r"prices must be .*RecaptchaV2Task\?"):
        CaptchaClient("key", limits=Limits(max_spend=1, prices={"RecaptchaV2Tusk": 1}))


async def test_a_failure_that_the_service_charges_for_counts() -> None:
    """anti-captcha charges for what it did not solve; most others do not."""
    spent: dict[str, Decimal] = {}
    for service in ("anti-captcha", "2captcha"):
        emulator = Emulator(service, latency=Latency.fixed(1))
        emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE")
        async with joined(emulator, limits=cap("1")) as client:
            with pytest.raises(Unsolvable):
                await client.solve(TOKEN_TASK)
            spent[service] = client.statistics().spent
    assert spent == {"anti-captcha": Decimal("0.01"), "2captcha": Decimal(0)}
