"""Tokens in advance: at once if one is ready, never an expired one, and no more than are used."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from journal_files import rows
from local import IMAGE_TASK, TOKEN_TASK, joined, several

from captcha_async import (
    CaptchaClient,
    ClientClosed,
    FixedPolling,
    InvalidArgument,
    KeyRejected,
    Limits,
    QueueTimeout,
    RecaptchaV2Task,
    Unsolvable,
)
from captcha_async.emulator import Emulator, Latency

LIFE = 60
"""Seconds that a reCAPTCHA token can be used."""


def made(latency: float = 5, **options: Any) -> Emulator:
    """Make a service."""
    return Emulator(latency=Latency.fixed(latency), **options)


def created(emulator: Emulator) -> int:
    """Return how many tasks were paid for."""
    return emulator.statistics().created


async def timed_get(tokens: Any, *key: Any) -> float:
    """Take a token, and return how long that took."""
    begun = anyio.current_time()
    solved = await tokens.get(*key)
    assert solved.expires_in > 0
    return anyio.current_time() - begun


# -- taking ---------------------------------------------------------------------------------------


async def test_a_token_is_there_at_once_when_the_stock_could_keep_up() -> None:
    """Three are kept ready; each that is taken is replaced."""
    emulator = made()
    async with joined(emulator) as client, client.stock(TOKEN_TASK, ready=3) as tokens:
        await anyio.sleep(10)
        assert tokens.statistics().ready == 3
        for _ in range(10):
            assert await timed_get(tokens) == 0
            await anyio.sleep(10)
        numbers = tokens.statistics()
        assert (numbers.asked, numbers.at_once, numbers.wasted) == (10, 10, 0)
        assert (numbers.bought, numbers.ready, numbers.target) == (13, 3, 3)
        assert repr(tokens) == "<Stock: 3 ready, 0 on the way>"
    assert emulator.violations == []


async def test_whoever_finds_none_waits_as_for_a_solve() -> None:
    """In the order of their coming, and each for a token of its own."""
    emulator = made()
    polling = FixedPolling(first=6, interval=2)
    async with (
        joined(emulator, polling=polling) as client,
        client.stock(TOKEN_TASK, ready=2) as tokens,
    ):
        got_at: dict[int, float] = {}
        answers = set[str]()

        async def take(number: int) -> None:
            answers.add((await tokens.get()).solution.token)
            got_at[number] = anyio.current_time()

        async with anyio.create_task_group() as group:
            for number in range(6):
                group.start_soon(take, number)
                await anyio.sleep(0.01)
        # Who came later had none earlier; trio wakes at random whom it wakes at one moment.
        moments = [got_at[number] for number in range(6)]
        assert moments == sorted(moments)
        assert len(answers) == 6
        assert anyio.current_time() < 12
        await anyio.sleep(10)
        assert created(emulator) == 8


async def test_no_expired_token_is_ever_handed_out() -> None:
    """One with less than the margin is thrown away, counted with its cost, and replaced before."""
    emulator = made(price=Decimal("0.5"), balance=100)
    stock: dict[str, Any] = {"ready": 2, "margin": 20, "idle": 1000, "max_waste": 1}
    polling = FixedPolling(first=6, interval=2)
    async with (
        joined(emulator, polling=polling) as client,
        client.stock(TOKEN_TASK, **stock) as tokens,
    ):
        for _ in range(40):
            await anyio.sleep(17)
            assert tokens.statistics().ready >= 2, "replaced before the old one goes"
        assert ((await tokens.get()).expires_in or 0) >= 20
        wasted = tokens.statistics().wasted
        assert wasted > 8
        assert client.statistics().wasted == wasted
        assert client.statistics().wasted_cost == wasted * Decimal("0.5")
        assert tokens.statistics().wasted_cost == client.statistics().wasted_cost
        assert client.statistics().accounts["capmonster"].wasted == wasted


async def test_an_idle_stock_stops_buying() -> None:
    """One stock expires unused, and no other; the next who comes waits, and wakes it."""
    emulator = made()
    async with joined(emulator) as client, client.stock(TOKEN_TASK, ready=3) as tokens:
        await anyio.sleep(5000)
        assert created(emulator) == 3
        assert tokens.statistics().wasted == 3
        assert await timed_get(tokens) > 4
        await anyio.sleep(20)
        assert tokens.statistics().ready == 3


async def test_waste_is_bounded() -> None:
    """Beyond the share a token is bought only for who waits."""
    emulator = made()
    stock: dict[str, Any] = {"ready": 5, "idle": 10_000, "max_waste": 0.1}
    async with joined(emulator) as client, client.stock(TOKEN_TASK, **stock) as tokens:
        for _ in range(50):
            await anyio.sleep(100)
            await tokens.get()
        numbers = tokens.statistics()
        assert numbers.bought >= 50
        assert numbers.wasted <= 0.1 * numbers.bought + 2 * 5


async def test_several_tasks_have_a_shelf_each() -> None:
    """By key, or by the task itself."""
    other = RecaptchaV2Task(website_url="https://example.com", website_key="other")
    emulator = made()
    async with joined(emulator) as client:
        async with client.stock({"login": TOKEN_TASK, "shop": other}, ready=2) as tokens:
            await anyio.sleep(10)
            assert (await tokens.get("login")).task is TOKEN_TASK
            assert (await tokens.get("shop")).task is other
            for wrong in ("nobody", None):
                with pytest.raises(InvalidArgument, match="'login', 'shop'"):
                    await tokens.get(wrong)
        async with client.stock([TOKEN_TASK, other], ready=1) as tokens:
            assert (await tokens.get(other)).task == other


# -- sizing ---------------------------------------------------------------------------------------


async def demand(client: CaptchaClient, gaps: Sequence[float], **stock: Any) -> Any:
    """Take tokens with these pauses before each; return the numbers of the second half."""
    async with client.stock(TOKEN_TASK, ready="auto", **stock) as tokens:
        for gap in gaps[: len(gaps) // 2]:
            await anyio.sleep(gap)
            await tokens.get()
        before = tokens.statistics()
        for gap in gaps[len(gaps) // 2 :]:
            await anyio.sleep(gap)
            await tokens.get()
        after = tokens.statistics()
    return after.at_once - before.at_once, after.wasted - before.wasted, after


async def test_auto_keeps_up_with_a_steady_demand() -> None:
    """Two tokens a second, solved in 12 s: about 24 on their way, found out by itself."""
    async with joined(made(12)) as client:
        at_once, wasted, numbers = await demand(client, [0.5] * 400)
    assert at_once >= 190
    assert wasted == 0
    assert 20 <= numbers.target <= 40


async def test_auto_keeps_up_with_bursts() -> None:
    """Ten at once each minute find ten ready, and few are wasted in between."""
    async with joined(made(12)) as client:
        at_once, wasted, _ = await demand(client, ([60] + [0] * 9) * 20, life=120)
    assert at_once >= 95
    assert wasted == 0


async def test_auto_buys_little_where_little_is_asked_for() -> None:
    """A token in five minutes would expire: nearly none is bought in advance."""
    emulator = made(12)
    async with joined(emulator) as client:
        await demand(client, [300] * 40, least=0)
    assert created(emulator) <= 42


async def test_auto_stays_within_its_bounds() -> None:
    """From least to most, whatever the demand."""
    emulator = made(12)
    async with joined(emulator) as client:
        async with client.stock(TOKEN_TASK, ready="auto", least=4, most=6) as tokens:
            await anyio.sleep(20)
            assert tokens.statistics().ready == 4
        _, _, numbers = await demand(client, [0.1] * 200, most=6)
        assert numbers.target == 6


# -- trouble --------------------------------------------------------------------------------------


async def test_a_failure_is_told_to_whoever_waits_and_slows_the_buying_down() -> None:
    """The stock is not bought again and again while tasks fail."""
    emulator = made()
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE")
    async with joined(emulator) as client, client.stock(TOKEN_TASK, ready=2) as tokens:
        with pytest.raises(Unsolvable):
            await tokens.get()
        await anyio.sleep(100)
        assert created(emulator) < 20
        emulator.reset()
        await anyio.sleep(130)
        assert await timed_get(tokens) < 10
        assert tokens.statistics().waiting == 0


async def test_a_wrong_key_is_told_at_once_and_asked_once() -> None:
    """The fuse holds for the stock as well."""
    emulator = made()
    async with joined(emulator, api_key="wrong") as client:
        async with client.stock(TOKEN_TASK, ready=3) as tokens:
            with pytest.raises(KeyRejected):
                await tokens.get()
            await anyio.sleep(300)
        assert len(emulator.requests) <= 4


async def test_a_wait_ends_at_its_timeout() -> None:
    """The token that is on its way stays for the next."""
    emulator = made(20)
    async with joined(emulator) as client, client.stock(TOKEN_TASK, ready=1) as tokens:
        with pytest.raises(QueueTimeout):
            await tokens.get(timeout=3)
        assert await timed_get(tokens) < 25
        assert created(emulator) <= 3


async def test_a_stock_is_shared_out_by_the_account_s_slots() -> None:
    """It counts among the tasks in flight."""
    emulator = made()
    async with (
        joined(emulator, limits=Limits(in_flight=2)) as client,
        client.stock(TOKEN_TASK, ready=6) as tokens,
    ):
        await anyio.sleep(2)
        assert emulator.statistics().processing == 2
        await anyio.sleep(30)
        assert tokens.statistics().ready == 6


async def test_a_stock_uses_the_account_that_can_be_used() -> None:
    """The first is empty: the tokens come from the second."""
    first, second = Emulator("capmonster", balance=0), Emulator("2captcha")
    async with several(first, second) as client, client.stock(TOKEN_TASK) as tokens:
        assert (await tokens.get()).account == "2captcha"


# -- ending ---------------------------------------------------------------------------------------


async def test_what_nobody_has_taken_is_an_orphan() -> None:
    """Ready ones with their answers, and those on their way; a waiting caller is told."""
    emulator = made()
    async with joined(emulator) as client:
        caught: list[Exception] = []

        async def wait(tokens: Any) -> None:
            try:
                await tokens.get()
            except ClientClosed as error:
                caught.append(error)

        async with (
            anyio.create_task_group() as group,
            client.stock(TOKEN_TASK, ready=3) as tokens,
        ):
            await anyio.sleep(10)
            for _ in range(4):
                group.start_soon(wait, tokens)
            await anyio.sleep(2)
        assert len(caught) == 1
        with pytest.raises(ClientClosed):
            await tokens.get()
        orphans = client.orphans
        assert len(orphans) == created(emulator) - 3
        for orphan in orphans:
            assert (await orphan).solution.token
        assert client.account.gates.slots.semaphore.statistics().borrowed == 0


async def test_an_exception_in_the_block_comes_out_as_itself() -> None:
    """It is not wrapped into a group."""
    async with joined(made()) as client:

        async def stumble() -> None:
            async with client.stock(TOKEN_TASK):
                await anyio.sleep(3)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await stumble()


async def test_a_cancellation_at_any_moment_loses_nothing() -> None:
    """Of a caller of `get`, and of the block: every task was taken, or is an orphan."""
    emulator = made()
    for method in ("createTask", "getTaskResult"):
        emulator.delay(0.4, method)
    async with joined(emulator) as client:
        taken = list[Any]()
        for step in range(40):
            with anyio.move_on_after(2 + step * 0.3):
                async with client.stock(TOKEN_TASK, ready=2) as tokens:
                    while True:
                        with anyio.move_on_after(0.7):
                            taken.append((await tokens.get()).task_id)
        known = taken + [orphan.task_id for orphan in client.orphans]
        assert len(known) == len(set(known))
        assert set(known) == set(emulator.tasks)
        assert client.account.gates.slots.semaphore.statistics().borrowed == 0


async def test_a_token_whose_receiver_is_cancelled_goes_to_the_next() -> None:
    """In the very moment in which it is handed over."""
    emulator = made()
    async with joined(emulator) as client, client.stock(TOKEN_TASK, ready=1) as tokens:
        got: list[str] = []

        async def take(scope: anyio.CancelScope) -> None:
            with scope:
                got.append((await tokens.get()).solution.token)

        await tokens.get()
        scopes = [anyio.CancelScope() for _ in range(2)]
        async with anyio.create_task_group() as group:
            for scope in scopes:
                group.start_soon(take, scope)
            await anyio.wait_all_tasks_blocked()
            while tokens.statistics().waiting == 2:  # noqa: ASYNC110 (nobody tells)
                await anyio.sleep(0.1)
            scopes[0].cancel()
        assert len(got) >= 1
        await anyio.sleep(15)
        numbers = tokens.statistics()
        assert numbers.bought == 1 + len(got) + numbers.ready


@pytest.mark.real_time
async def test_a_journal_knows_what_became_of_the_tokens(tmp_path: Path) -> None:
    """Taken ones are solved, those that nobody took are open and can be resumed."""
    path = tmp_path / "captchas.db"
    emulator = made(0)
    async with (
        joined(emulator, journal=path) as client,
        client.stock(TOKEN_TASK, ready=2) as tokens,
    ):
        await tokens.get()
        while tokens.statistics().ready < 2:  # noqa: ASYNC110 (nobody tells)
            await anyio.sleep(0.01)
    states = sorted(rows(path))
    assert states == ["open", "open", "solved"]
    async with joined(emulator, journal=path) as client:
        assert len([await pending async for pending in client.resume()]) == 2


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"ready": 0}, "ready"),
        ({"ready": "much"}, "ready"),
        ({"least": -1}, "least"),
        ({"least": 5, "most": 4}, "most"),
        ({"margin": -1}, "margin"),
        ({"margin": LIFE}, "margin"),
        ({"max_waste": 2}, "max_waste"),
        ({"max_waste": None}, "max_waste"),
        ({"idle": 0}, "idle"),
        ({"life": "long"}, "life"),
        ({"task": []}, "task"),
        ({"task": ["task"]}, "task"),
        ({"task": 5}, "task"),
        ({"task": IMAGE_TASK}, "life"),
    ],
)
async def test_wrong_settings_are_named(options: dict[str, Any], field: str) -> None:
    """Before anything is bought."""
    async with joined(made()) as client:
        given: dict[str, Any] = {"task": TOKEN_TASK, **options}
        with pytest.raises(InvalidArgument) as caught:
            client.stock(**given)
        assert caught.value.field == field


async def test_a_stock_is_opened_first_and_once() -> None:
    """Whoever forgets is told what to write."""
    async with joined(made()) as client:
        tokens = client.stock(TOKEN_TASK)
        with pytest.raises(RuntimeError, match="async with"):
            await tokens.get()
        async with tokens:
            pass
        with pytest.raises(RuntimeError, match="once"):
            await tokens.__aenter__()
        async with client.stock(IMAGE_TASK, life=60, ready=1) as images:
            assert (await images.get()).solution.text
