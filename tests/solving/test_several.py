"""Several accounts in one client: where a task goes, and that nothing is paid for twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import attrs
import httpx
import pytest
from local import IMAGE_TASK, KEY, TOKEN_TASK, several

from captcha_async import (
    Account,
    AccountBlocked,
    AlibabaCookiesTask,
    CaptchaClient,
    CaptchaError,
    FixedPolling,
    InsufficientBalance,
    InvalidArgument,
    KeyRejected,
    Limits,
    NoSlotAvailable,
    Offer,
    Retries,
    Solved,
    SolveTimeout,
    SubmitUncertain,
    TaskRef,
)
from captcha_async.emulator import Emulator, Latency

QUICK = FixedPolling(first=1, interval=2)


def pair(**options: Any) -> tuple[Emulator, Emulator]:
    """Make two services."""
    options.setdefault("latency", Latency.fixed(5))
    return Emulator("capmonster", **options), Emulator("2captcha", **options)


def paid(*emulators: Emulator) -> list[int]:
    """Return how many tasks each has created."""
    return [emulator.statistics().created for emulator in emulators]


async def wait_until(holds: Callable[[], bool]) -> None:
    """Wait in real time until something holds."""
    while not holds():  # noqa: ASYNC110 (what it waits for tells nobody)
        await anyio.sleep(0.01)


def asked(*emulators: Emulator) -> list[int]:
    """Return how often each was asked to create one."""
    return [len(emulator.requests_to("createTask")) for emulator in emulators]


# -- the matrix -----------------------------------------------------------------------------------


class Unreachable(httpx.AsyncBaseTransport):
    """No connection can be opened."""

    def __init__(self) -> None:
        self.tried = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.tried += 1
        await anyio.lowlevel.checkpoint()
        raise httpx.ConnectError("refused", request=request)


@attrs.frozen
class Fault:
    """What is wrong with the first of two accounts, and what that leads to."""

    arrange: Callable[[Emulator], Any] = lambda _: None
    settings: dict[str, Any] = attrs.field(factory=dict)
    client: dict[str, Any] = attrs.field(factory=dict)
    first_asked: int = 1
    """createTask calls that the first one gets for three tasks, one after the other."""
    first_paid: int = 0
    second_paid: int = 3
    error: type[CaptchaError] | None = None
    """What a caller gets for the first task, which the first account may have accepted."""
    within: float = 8
    """Seconds in which each of them is solved."""


FAULTS = {
    "refused": Fault(
        lambda e: e.refuse("ERROR_TASK_NOT_SUPPORTED"),
    ),
    "refused for its fields": Fault(lambda e: e.refuse("ERROR_BAD_PARAMETERS"), first_asked=3),
    "unknown code": Fault(lambda e: e.refuse("ERROR_OF_TOMORROW")),
    "banned": Fault(lambda e: e.refuse("ERROR_IP_BANNED")),
    "empty": Fault(lambda e: setattr(e, "balance", 0)),
    "wrong key": Fault(settings={"api_key": "not-the-key"}),
    "no slot": Fault(lambda e: e.refuse("ERROR_NO_SLOT_AVAILABLE"), first_asked=3),
    "down with a word": Fault(lambda e: e.refuse("ERROR_SERVICE_NOT_AVAILABLE"), first_asked=3),
    "too fast": Fault(
        lambda e: e.refuse("ERROR_RATE_LIMIT", http_status=429, retry_after=30), first_asked=1
    ),
    "no money by our own cap": Fault(
        settings={"limits": Limits(max_spend="0.0001", prices={"RecaptchaV2Task": "0.001"})},
        first_asked=0,
    ),
    "slow": Fault(
        lambda e: e.delay(20, "createTask"), first_asked=3, first_paid=3, second_paid=0, within=40
    ),
    "slow in solving": Fault(
        lambda e: e.answer_with({"gRecaptchaResponse": "t"}, after=50),
        first_asked=3, first_paid=3, second_paid=0, within=60,
    ),
    "uncertain": Fault(
        lambda e: e.break_http("createTask", times=None, status=502, effect=True),
        first_paid=1, second_paid=2, error=SubmitUncertain,
    ),
    "no reply": Fault(
        lambda e: e.hang("createTask", times=None, effect=True),
        first_paid=1, second_paid=2, error=SubmitUncertain, within=40,
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=list(FAULTS))
async def test_what_is_wrong_with_the_first_account(fault: Fault) -> None:
    """Nothing is paid for twice; an outage costs one refused call, and it is remembered."""
    first, second = pair()
    fault.arrange(first)
    async with several(
        first, second, accounts=[{"polling": QUICK, **fault.settings}, {"polling": QUICK}],
        **fault.client,
    ) as client:  # fmt: skip
        for number in range(3):
            started = anyio.current_time()
            if fault.error is not None and number == 0:
                with pytest.raises(fault.error):
                    await client.solve(TOKEN_TASK, timeout=100)
            else:
                solved = await client.solve(TOKEN_TASK, timeout=100)
                expected = "2captcha" if fault.second_paid else "capmonster"
                assert (solved.account, solved.ref.service) == (expected, expected)
            assert anyio.current_time() - started < fault.within
        statistics = client.statistics()
    assert asked(first, second) == [fault.first_asked, fault.second_paid]
    assert paid(first, second) == [fault.first_paid, fault.second_paid]
    assert statistics.moved == (0 if fault.first_paid else fault.first_asked)
    assert statistics.uncertain == (fault.error is SubmitUncertain)


async def test_an_unreachable_account_costs_one_try_and_is_probed_again() -> None:
    """No retries there, and no waiting; when it is back, it is used again."""
    first, second = pair()
    way = Unreachable()
    async with several(first, second, accounts=[{"transport": way}]) as client:
        started = anyio.current_time()
        pending = await client.submit(TOKEN_TASK)
        assert anyio.current_time() - started < 0.5
        assert way.tried == 1
        assert (await pending).account == "2captcha"
        for _ in range(10):
            await client.solve(TOKEN_TASK)
        # Over 50 s; it is asked once more after half a minute, and then at growing intervals.
        assert 1 < way.tried < 6
    assert paid(first, second) == [0, 11]


@pytest.mark.parametrize("code", ["ERROR_IP_BANNED", "ERROR_ZERO_BALANCE"])
async def test_a_ban_is_remembered_for_its_window_and_then_probed(code: str) -> None:
    """Ten minutes without a request; then one task finds out, and the others follow it."""
    first, second = pair()
    first.refuse(code, times=1)
    async with several(first, second) as client:
        assert (await client.solve(TOKEN_TASK)).account == "2captcha"
        await anyio.sleep(500)
        assert (await client.solve(TOKEN_TASK)).account == "2captcha"
        assert asked(first) == [1]
        await anyio.sleep(120)
        assert (await client.solve(TOKEN_TASK)).account == "capmonster"
        assert (await client.solve(TOKEN_TASK)).account == "capmonster"


async def test_refusals_are_remembered_for_a_growing_time_and_probed_by_one_task() -> None:
    """A service without slots is asked by one task after 2, 4, 8 … seconds, not by each."""
    first, second = pair(latency=Latency.fixed(1))
    first.refuse("ERROR_NO_SLOT_AVAILABLE")
    async with several(first, second) as client:
        await client.solve(TOKEN_TASK)
        for _ in range(60):
            async with anyio.create_task_group() as group:
                for _ in range(5):
                    group.start_soon(client.solve, TOKEN_TASK)
    assert paid(first, second) == [0, 301]
    moments = [request.at for request in first.requests_to("createTask")]
    gaps = [later - earlier for earlier, later in pairwise(moments)]
    assert 4 <= len(moments) <= 10
    assert gaps[0] >= 2
    assert gaps[-1] >= 2 * gaps[0]


# -- the choice -----------------------------------------------------------------------------------


async def test_the_first_account_is_used_while_it_can_be() -> None:
    """In order of preference, and nothing goes to the second."""
    first, second = pair()
    async with several(first, second) as client:
        solved = await client.solve(TOKEN_TASK)
        assert solved.account == "capmonster"
        assert client.account is client.accounts[0]
    assert paid(first, second) == [1, 0]


async def test_a_type_goes_to_the_account_that_takes_it() -> None:
    """What the first service does not know goes to the second; what neither knows is refused."""
    task = AlibabaCookiesTask(website_url="https://example.com")
    first, second = Emulator("2captcha"), Emulator("capmonster")
    async with several(first, second) as client:
        assert (await client.solve(task)).account == "capmonster"
        assert (await client.solve(TOKEN_TASK)).account == "2captcha"
    async with several(first, Emulator("anti-captcha")) as client:
        with pytest.raises(InvalidArgument, match="2captcha takes"):
            await client.solve(task)
    assert asked(first, second) == [1, 1]


async def test_what_finds_no_slot_goes_elsewhere_unless_one_is_free_soon() -> None:
    """The first account's slots are full with slow tasks: the next task does not wait for them."""
    first, second = pair(latency=Latency.fixed(60))
    limits = Limits(in_flight=3)
    accounts = [{"limits": limits, "polling": QUICK}, {"polling": QUICK}]
    async with (
        several(first, second, accounts=accounts) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(5):
            group.start_soon(client.solve, TOKEN_TASK)
        await anyio.sleep(30)
        assert paid(first, second) == [3, 2]


async def test_one_deadline_holds_over_all_accounts() -> None:
    """Waiting at one, being refused there and solving at the other come out of the same time."""
    first, second = pair(latency=Latency.fixed(60))
    first.delay(10, "createTask")
    first.refuse("ERROR_ZERO_BALANCE")
    async with several(first, second) as client:
        with pytest.raises(SolveTimeout) as caught:
            await client.solve(TOKEN_TASK, timeout=30)
        assert anyio.current_time() == pytest.approx(30, abs=0.1)
        assert caught.value.ref is not None
        assert caught.value.ref.service == "2captcha"
        assert (await client.attach(caught.value.ref)).account == "2captcha"
    assert paid(first, second) == [0, 1]


async def test_when_all_have_refused_the_task_waits_and_begins_again() -> None:
    """A passing refusal of both is waited for, `Retries` times; then the error names both."""
    first, second = pair()
    for emulator in (first, second):
        emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=2)
    async with several(first, second) as client:
        assert (await client.solve(TOKEN_TASK)).account == "capmonster"
    assert paid(first, second) == [1, 0]
    first, second = pair()
    first.refuse("ERROR_NO_SLOT_AVAILABLE")
    second.refuse("ERROR_ZERO_BALANCE")
    async with several(first, second, retries=Retries(attempts=3)) as client:
        with pytest.raises(NoSlotAvailable) as caught:
            await client.solve(TOKEN_TASK)
        (note,) = caught.value.__notes__[:1]
        assert note.startswith("2captcha: ")
    assert asked(first, second) == [3, 1]


async def test_account_errors_of_all_are_told_at_once() -> None:
    """Where no account can be used nothing is waited for, and no request is sent any more."""
    first, second = pair()
    first.refuse("ERROR_KEY_DOES_NOT_EXIST")
    second.refuse("ERROR_IP_BANNED")
    async with several(first, second) as client:
        for error in (KeyRejected, KeyRejected):
            with pytest.raises(error):
                await client.solve(TOKEN_TASK)
        assert anyio.current_time() < 1
        assert client.statistics().fuse == "open"
        client.reset_fuse()
        assert client.statistics().fuse == "closed"
    assert asked(first, second) == [1, 1]


# -- strategies -----------------------------------------------------------------------------------


async def test_the_cheapest_account_is_tried_first() -> None:
    """By prices that were given or learned; an account of unknown prices comes last."""
    first, second = pair(price=Decimal("0.002"))
    dear, cheap = Limits(prices={"RecaptchaV2Task": "0.002"}), Limits(
        prices={"RecaptchaV2Task": "0.001"}
    )  # fmt: skip
    accounts = [{"limits": dear}, {"limits": cheap}]
    async with several(first, second, accounts=accounts, strategy="cheapest") as client:
        assert (await client.solve(TOKEN_TASK)).account == "2captcha"
        assert (await client.solve(IMAGE_TASK)).account == "capmonster"
    async with several(*pair(), strategy="cheapest", accounts=[{}, {"limits": dear}]) as client:
        assert (await client.solve(TOKEN_TASK)).account == "2captcha"


async def test_the_fastest_account_is_found_out() -> None:
    """A few go to each; then all to the one that was faster."""
    first, second = pair()
    second.answer_with({"gRecaptchaResponse": "t"}, after=1)
    first.answer_with({"gRecaptchaResponse": "t"}, after=20)
    async with several(first, second, strategy="fastest") as client:
        for _ in range(30):
            await client.solve(TOKEN_TASK)
    assert paid(first, second) == [5, 25]


async def test_a_function_decides() -> None:
    """It gets the task and an offer of each account, and leaves out what is not to be tried."""
    seen: list[list[str]] = []

    def images_second(task: Any, offers: Sequence[Offer]) -> list[Offer]:
        seen.append([offer.account for offer in offers])
        assert all(offer.hold == offer.queue == 0 for offer in offers)
        return [offers[1 if task is IMAGE_TASK else 0]]

    first, second = pair()
    first.refuse("ERROR_IP_BANNED")
    async with several(first, second, strategy=images_second) as client:
        assert (await client.solve(IMAGE_TASK)).account == "2captcha"
        with pytest.raises(AccountBlocked):
            await client.solve(TOKEN_TASK)
    assert seen == [["capmonster", "2captcha"]] * 2
    async with several(*pair(), strategy=lambda task, offers: []) as client:
        with pytest.raises(InvalidArgument, match="strategy"):
            await client.solve(TOKEN_TASK)


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"accounts": []}, "accounts"),
        ({"accounts": 5}, "accounts"),
        ({"accounts": ["key"]}, "accounts"),
        ({"accounts": [Account(KEY), Account(KEY)], "api_key": KEY}, "api_key"),
        ({"accounts": [Account(KEY)], "limits": Limits()}, "limits"),
        ({"accounts": [Account(KEY)], "account": Account(KEY)}, "account"),
        ({"accounts": [Account(KEY, name="a"), Account(KEY, name="a")]}, "accounts"),
        ({"api_key": KEY, "strategy": "best"}, "strategy"),
        ({"api_key": KEY, "strategy": []}, "strategy"),
        ({"api_key": KEY, "hedge": 1}, "hedge"),
        ({"api_key": KEY, "hedge": "0.9"}, "hedge"),
    ],
)
def test_wrong_settings_are_named(options: dict[str, Any], field: str) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidArgument) as caught:
        CaptchaClient(**options)
    assert caught.value.field == field


def test_one_account_twice_is_refused() -> None:
    """It would be asked twice for the same."""
    account = Account(KEY)
    with pytest.raises(InvalidArgument, match="accounts"):
        CaptchaClient(accounts=[account, account])
    with pytest.raises(InvalidArgument, match="name"):
        Account(KEY, name="")


# -- whatever follows, follows the account --------------------------------------------------------


async def test_reports_and_numbers_follow_the_account() -> None:
    """A wrong answer is reported where it came from; statistics and balances are told for each."""
    first, second = pair(price=Decimal("0.5"))
    first.refuse("ERROR_IP_BANNED", times=1)
    async with several(first, second) as client:
        solved = await client.solve(TOKEN_TASK)
        await client.report_incorrect(solved)
        assert second.tasks[solved.task_id].reported
        numbers = client.statistics()
        assert (numbers.submitted, numbers.solved, numbers.spent) == (1, 1, Decimal("0.5"))
        assert set(numbers.accounts) == {"capmonster", "2captcha"}
        assert numbers.accounts["capmonster"].submitted == 0
        assert numbers.accounts["capmonster"].fuse == "open"
        assert numbers.accounts["2captcha"].spent == Decimal("0.5")
        assert numbers.latencies.count == 1
        assert numbers.fuse == "closed"
        balances = await client.balances()
        assert isinstance(balances["capmonster"], AccountBlocked)
        assert balances["2captcha"] == Decimal("9.5")


async def test_two_keys_of_one_service_are_told_apart() -> None:
    """By their names, also in references: a task is polled with the key that has paid for it."""
    keys = [Emulator(api_keys=key) for key in ("first-key", "second-key")]
    keys[0].refuse("ERROR_ZERO_BALANCE")
    async with several(*keys) as client:
        pending = await client.submit(TOKEN_TASK)
        assert pending.ref.account == "capmonster-2"
        again = TaskRef.from_json(pending.ref.to_json())
        solved = await client.attach(again)
        assert solved.account == "capmonster-2"
        with pytest.raises(InvalidArgument, match=r"ref\.account"):
            client.attach(attrs.evolve(again, account="nobody"))
    async with several(keys[1]) as client:
        assert (await client.attach(again)).solution.token == solved.solution.token
    names = [{"name": "main"}, {"name": "spare"}]
    async with several(*pair(), accounts=names) as client:
        assert (await client.solve(TOKEN_TASK)).account == "main"
        assert set(client.statistics().accounts) == {"main", "spare"}


async def test_ids_of_two_services_are_not_mixed_up() -> None:
    """Two services may give the same number; each task gets its own answer."""
    first = Emulator(api_keys="first-key", slots=1, seed=1)
    second = Emulator(api_keys="second-key", seed=2)
    async with several(first, second) as client:
        tasks = [await client.submit(TOKEN_TASK) for _ in range(2)]
        assert tasks[0].task_id == tasks[1].task_id
        answers = [await task for task in tasks]
        assert [answer.account for answer in answers] == ["capmonster", "capmonster-2"]
        assert answers[0].solution.token != answers[1].solution.token


async def test_a_batch_goes_on_at_the_second_account_when_the_first_is_empty() -> None:
    """Half of it is paid for at the first, the rest at the second, and each once."""
    first, second = pair(price=Decimal("0.5"), balance=Decimal(10))
    async with several(first, second) as client:
        outcomes = await client.solve_all([TOKEN_TASK] * 30, max_in_flight=4)
    assert all(isinstance(outcome, Solved) for outcome in outcomes)
    accounts = [outcome.account for outcome in outcomes if isinstance(outcome, Solved)]
    assert accounts.count("capmonster") == 20
    assert paid(first, second) == [20, 10]
    assert first.violations == [] or {found.rule for found in first.violations} == {"no-money"}
    assert second.violations == []


async def test_a_large_batch_uses_the_slots_of_both() -> None:
    """Neither service takes more than its slots, and nothing fails for it."""
    first, second = pair(slots=10, latency=Latency.fixed(5))
    async with several(first, second) as client:
        outcomes = await client.solve_all([TOKEN_TASK] * 300)
    assert all(isinstance(outcome, Solved) for outcome in outcomes)
    assert sum(paid(first, second)) == 300
    assert min(paid(first, second)) > 60


@pytest.mark.real_time
async def test_a_journal_knows_at_which_account_each_task_is(tmp_path: Path) -> None:
    """After a restart every task is resumed with the key that has paid for it."""
    emulators = [Emulator(api_keys="first-key"), Emulator(api_keys="second-key", seed=5)]
    emulators[0].refuse("ERROR_ZERO_BALANCE", times=1)
    path = tmp_path / "captchas.db"
    async with several(*emulators, journal=path) as client:
        refs = [(await client.submit(TOKEN_TASK)).ref]
        client.reset_fuse()
        refs.append((await client.submit(TOKEN_TASK)).ref)
    assert [ref.account for ref in refs] == ["capmonster-2", "capmonster"]
    async with several(*emulators, journal=path) as client:
        found = [await pending async for pending in client.resume()]
    assert sorted(solved.account for solved in found) == ["capmonster", "capmonster-2"]
    assert paid(*emulators) == [1, 1]
    async with several(*emulators, journal=path) as client:
        assert [pending async for pending in client.resume()] == []


@pytest.mark.real_time
async def test_a_batch_is_resumed_at_the_accounts_where_it_was(tmp_path: Path) -> None:
    """What the second account was paid for is collected there, and nothing is paid again."""
    first, second = pair(latency=Latency.fixed(0.5))
    path = tmp_path / "captchas.db"
    limits = Limits(in_flight=2)
    # The first client does not come to collect anything.
    late = {"limits": limits, "polling": FixedPolling(first=60, interval=60)}
    async with (
        several(first, second, journal=path, accounts=[dict(late), dict(late)]) as client,
        client.batch([TOKEN_TASK] * 4, name="shop"),
    ):
        await wait_until(lambda: sum(paid(first, second)) == 4)
    assert paid(first, second) == [2, 2]
    async with (
        several(first, second, journal=path) as client,
        client.batch([TOKEN_TASK] * 4, name="shop", resume=True) as again,
    ):
        found = [outcome async for outcome in again]
    assert all(isinstance(outcome, Solved) for outcome in found)
    assert paid(first, second) == [2, 2]


# -- hedging --------------------------------------------------------------------------------------


async def test_a_slow_task_gets_a_second_one_elsewhere() -> None:
    """Only when it is slower than its kind has been; the first answer wins, and it is counted."""
    first, second = pair(latency=Latency.fixed(5))
    async with several(first, second, hedge=0.9) as client:
        for _ in range(20):
            await client.solve(TOKEN_TASK)
        assert paid(first, second) == [20, 0]
        first.answer_with({"gRecaptchaResponse": "late"}, times=1, after=100)
        started = anyio.current_time()
        solved = await client.solve(TOKEN_TASK)
        assert solved.account == "2captcha"
        assert anyio.current_time() - started < 25
        assert client.statistics().hedged == 1
        # What was paid for and not needed can still be had.
        (orphan,) = client.orphans
        assert (await orphan).solution.token == "late"
    assert paid(first, second) == [21, 1]
    assert first.violations == second.violations == []


async def test_a_hedge_that_fails_changes_nothing() -> None:
    """The second account refuses, or fails: the first one's answer comes all the same."""
    first, second = pair(latency=Latency.fixed(5))
    async with several(first, second, hedge=0.9) as client:
        for _ in range(20):
            await client.solve(TOKEN_TASK)
        for order in (second.refuse, second.fail_with):
            order("ERROR_CAPTCHA_UNSOLVABLE", times=1)
            first.answer_with({"gRecaptchaResponse": "late"}, times=1, after=60)
            assert (await client.solve(TOKEN_TASK)).solution.token == "late"
        first.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1, after=40)
        second.answer_with({"gRecaptchaResponse": "saved"}, times=1, after=60)
        assert (await client.solve(TOKEN_TASK, timeout=150)).solution.token == "saved"
        assert client.statistics().accounts["2captcha"].hedged == 2


async def test_without_hedge_nothing_is_paid_for_twice() -> None:
    """It is off unless asked for."""
    first, second = pair(latency=Latency.fixed(5))
    async with several(first, second) as client:
        for _ in range(20):
            await client.solve(TOKEN_TASK)
        first.answer_with({"gRecaptchaResponse": "late"}, times=1, after=60)
        assert (await client.solve(TOKEN_TASK)).solution.token == "late"
    assert paid(first, second) == [21, 0]


# -- cancellation ---------------------------------------------------------------------------------


@pytest.mark.parametrize("hedge", [None, 0.9])
async def test_a_cancellation_at_any_moment_loses_nothing(hedge: float | None) -> None:
    """Every created task is with the caller or an orphan, and no slot is kept."""
    first, second = pair(latency=Latency.fixed(5))
    first.refuse("ERROR_NO_SLOT_AVAILABLE", times=40)
    for emulator in (first, second):
        emulator.delay(0.4, "createTask")
        emulator.delay(0.3, "getTaskResult")
    async with several(first, second, hedge=hedge) as client:
        taken = set[Any]()
        for step in range(60):
            with anyio.move_on_after(step * 0.2):
                solved = await client.solve(TOKEN_TASK)
                taken.add((solved.account, solved.task_id))
        left = {(orphan.ref.service, orphan.task_id) for orphan in client.orphans}
        created = {
            (emulator.service.name, task_id)
            for emulator in (first, second)
            for task_id in emulator.tasks
        }
        assert created == taken | left
        assert not taken & left
        for account in client.accounts:
            assert account.gates.slots.semaphore.statistics().borrowed == 0


async def test_an_empty_balance_can_be_topped_up() -> None:
    """A balance above zero closes the fuse of just that account."""
    first, second = pair()
    first.refuse("ERROR_ZERO_BALANCE", times=1)
    async with several(first, second) as client:
        assert (await client.solve(TOKEN_TASK)).account == "2captcha"
        assert isinstance(client.account.gates.fuse.error, InsufficientBalance)
        await client.balances()
        assert (await client.solve(TOKEN_TASK)).account == "capmonster"


# -- the environment ------------------------------------------------------------------------------


@pytest.mark.parametrize("made", [CaptchaClient, Account])
def test_service_and_address_come_from_the_environment(
    monkeypatch: pytest.MonkeyPatch, made: Callable[..., CaptchaClient | Account]
) -> None:
    """The address is only for the service that the environment names: no key goes astray."""
    monkeypatch.setenv("CAPTCHA_API_KEY", KEY)
    monkeypatch.setenv("CAPTCHA_SERVICE", "2captcha")
    monkeypatch.setenv("CAPTCHA_BASE_URL", "https://mirror.example")
    assert made().service.name == "2captcha"
    assert made().service.base_url == "https://mirror.example"
    assert made(service="2captcha").service.base_url == "https://mirror.example"
    assert made(service="capmonster").service.base_url != "https://mirror.example"
    assert made(base_url="https://other.example").service.base_url.endswith("other.example")
    monkeypatch.setenv("CAPTCHA_SERVICE", "nobody")
    with pytest.raises(InvalidArgument, match="service"):
        made()
