"""Two accounts that share a place are as one: slots, rate, money, fuse, pause, outages.

In virtual time, with a store in memory: each account is what one process has.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from local import KEY, TOKEN_TASK

from captcha_async import (
    Account,
    AccountBack,
    AccountLost,
    AccountUnavailable,
    CaptchaClient,
    CaptchaError,
    FuseBlown,
    FuseClosed,
    InsufficientBalance,
    InvalidArgument,
    KeyRejected,
    Limits,
    QueueTimeout,
    RateLimited,
    Solved,
    SpendLimitReached,
)
from captcha_async._sharing import _open
from captcha_async._sharing._memory import MemoryStore
from captcha_async._sharing._messages import Grant, Report
from captcha_async._sharing._store import StoreUnreachable
from captcha_async.emulator import Emulator, Latency

TIMES = Latency.fixed(10)


class Patchy(MemoryStore):
    """A store that can be out of reach."""

    def __init__(self) -> None:
        super().__init__()
        self.away = False

    @asynccontextmanager
    async def opened(self, me: str) -> AsyncIterator[None]:
        self._check()
        async with super().opened(me):
            yield

    async def exchange(self, me: str, report: Report) -> Grant:
        self._check()
        return await super().exchange(me, report)

    def _check(self) -> None:
        if self.away:
            raise StoreUnreachable("it is away")


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> Patchy:
    """Have all shared accounts meet in one store in memory."""
    made = Patchy()

    def make_store(share: str, name: str) -> Patchy:
        return made

    monkeypatch.setattr(_open, "make_store", make_store)
    return made


Make = Callable[..., CaptchaClient]


@asynccontextmanager
async def processes(emulator: Emulator, **options: Any) -> AsyncIterator[Make]:
    """Make clients of *emulator*, each with an account of its own that shares the place."""
    transport = httpx.ASGITransport(app=emulator)
    async with emulator, httpx.AsyncClient(transport=transport) as http_client:

        def make(limits: Limits | None = None, **more: Any) -> CaptchaClient:
            given = {**options, **more}
            names = [name for name in given if name in ("on_outage", "egress", "api_key")]
            own = {name: given.pop(name) for name in names}
            account = Account(
                own.pop("api_key", KEY),
                service=emulator.service,
                limits=limits,
                http_client=http_client,
                share="account.db",
                **own,
            )
            return CaptchaClient(account=account, **given)

        yield make


async def solve_many(client: CaptchaClient, count: int, wait: float = 3000) -> list[str]:
    """Solve tasks at once; return the names of the errors."""
    failed: list[str] = []

    async def solve() -> None:
        try:
            await client.solve(TOKEN_TASK, timeout=wait)
        except CaptchaError as error:
            failed.append(type(error).__name__)

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(solve)
    return failed


async def solve_on(client: CaptchaClient) -> None:
    """Solve one task after the other, until one fails."""
    while True:
        await client.solve(TOKEN_TASK)


def most_in_flight(emulator: Emulator) -> int:
    """How many tasks were in flight at once, at the service."""
    changes = [(task.created, 1) for task in emulator.tasks.values()]
    changes += [(task.created + 10, -1) for task in emulator.tasks.values()]
    now = most = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


# -- what holds over both -------------------------------------------------------------------------


async def test_slots_hold_over_processes(store: Patchy) -> None:
    """Two with 6 slots have 6 together, use all of them, and the service never refuses."""
    emulator = Emulator(latency=TIMES, slots=6)
    async with (
        processes(emulator) as make,
        make(Limits(in_flight=6)) as one,
        make(Limits(in_flight=6)) as two,
    ):

        async def work(client: CaptchaClient) -> None:
            assert not await solve_many(client, 18)

        async with anyio.create_task_group() as group:
            group.start_soon(work, one)
            group.start_soon(work, two)
        numbers = one.statistics()
        assert numbers.retries == two.statistics().retries == 0
        assert numbers.share is not None
        assert (numbers.share.members, numbers.share.capacity) == (2, 6)
        assert numbers.share.reachable
    assert len(emulator.tasks) == 36
    assert most_in_flight(emulator) == 6


async def test_slots_hold_over_batches(store: Patchy) -> None:
    """A batch counts among the tasks in flight of all processes, as single solves do."""
    emulator = Emulator(latency=TIMES, slots=5)
    limits = Limits(in_flight=5)
    solved: list[object] = []
    async with processes(emulator) as make, make(limits) as one, make(limits) as two:

        async def run(client: CaptchaClient) -> None:
            solved.extend(await client.solve_all([TOKEN_TASK] * 15))

        async with anyio.create_task_group() as group:
            group.start_soon(run, one)
            group.start_soon(run, two)
        assert one.statistics().retries == two.statistics().retries == 0
    assert [type(outcome) for outcome in solved] == [Solved] * 30
    assert most_in_flight(emulator) == 5


async def test_what_another_process_submitted_is_collected_as_the_first_thing(
    store: Patchy,
) -> None:
    """A poll joins the others, too, for the rate of requests is shared."""
    emulator = Emulator(latency=TIMES)
    limits = Limits(requests_per_second=2)
    async with processes(emulator) as make, make(limits) as one:
        pending = await one.submit(TOKEN_TASK)
        other = make(limits)
        solved = await other.attach(pending.ref).result()
        assert solved.ref.task_id == pending.task_id
        share = other.statistics().share
        assert share is not None
        assert share.members == 2
        await other.aclose()


async def test_a_refusal_lowers_the_slots_of_all(store: Patchy) -> None:
    """What one process learns of the account's room, the other need not find out."""
    emulator = Emulator(latency=TIMES, slots=4)
    async with (
        processes(emulator) as make,
        make(Limits(in_flight=40)) as one,
        make(Limits(in_flight=40)) as two,
    ):
        assert not await solve_many(one, 12)
        assert one.statistics().retries
        share = two.statistics().share
        assert share is not None
        assert share.capacity < 40
        assert not await solve_many(two, 4)
        assert two.statistics().retries == 0


@pytest.mark.parametrize("limits", [{"submits_per_second": 4}, {"requests_per_second": 4}])
async def test_rates_hold_over_processes(store: Patchy, limits: dict[str, Any]) -> None:
    """No second sees more createTask calls, or more requests, than the rate."""
    emulator = Emulator(latency=TIMES)
    async with (
        processes(emulator) as make,
        make(Limits(**limits)) as one,
        make(Limits(**limits)) as two,
        anyio.create_task_group() as group,
    ):
        group.start_soon(solve_many, one, 12)
        group.start_soon(solve_many, two, 12)
    limited = "createTask" if "submits_per_second" in limits else None
    requests = emulator.requests_to(limited) if limited else emulator.requests
    moments = sorted(request.at for request in requests)
    assert len(moments) >= 24
    assert min(b - a for a, b in zip(moments, moments[4:], strict=False)) >= 0.999


async def test_the_cap_holds_over_processes(store: Patchy) -> None:
    """What both have spent never exceeds one cap, and all of it can be spent."""
    emulator = Emulator(latency=TIMES, price=1, balance=100)
    limits = Limits(max_spend=20, prices={"RecaptchaV2Task": 1})
    failed: list[str] = []
    async with processes(emulator) as make, make(limits) as one, make(limits) as two:

        async def work(client: CaptchaClient) -> None:
            failed.extend(await solve_many(client, 20))

        async with anyio.create_task_group() as group:
            group.start_soon(work, one)
            group.start_soon(work, two)
        # What was lent to the other and not used comes back when it is asked for.
        await anyio.sleep(10)
        failed.extend(await solve_many(one, 20))
        share = one.statistics().share
        assert share is not None
        assert share.spent == len(emulator.tasks)
    assert set(failed) == {"SpendLimitReached"}
    assert len(emulator.tasks) == 20


async def test_the_price_is_found_out_one_at_a_time(store: Patchy) -> None:
    """As without a share: of a type without a price one task goes, then what is affordable."""
    emulator = Emulator(latency=TIMES, price=1, balance=100)
    async with processes(emulator) as make, make(Limits(max_spend=5)) as client:
        failed = await solve_many(client, 12)
        assert failed == ["SpendLimitReached"] * 7
        moments = sorted(task.created for task in emulator.tasks.values())
        assert moments[1] - moments[0] >= 10


async def test_a_task_that_nobody_awaits_tells_no_price(store: Patchy) -> None:
    """As without a share: the next one of an unknown price waits a while, and says what to do."""
    emulator = Emulator(latency=TIMES, price=1, balance=100)
    async with processes(emulator) as make, make(Limits(max_spend=5)) as client:
        pending = await client.submit(TOKEN_TASK)
        with anyio.fail_after(2000), pytest.raises(SpendLimitReached, match="await that one"):
            await client.submit(TOKEN_TASK)
        await pending
        await client.submit(TOKEN_TASK)
    assert len(emulator.tasks) == 2


async def test_what_was_uncertain_without_a_price_counts_for_all(store: Patchy) -> None:
    """Once its type's price is told, it is spent of the cap of both."""
    emulator = Emulator(latency=TIMES, price=1, balance=100)
    emulator.break_http("createTask", status=502, effect=True, times=1)
    limits = Limits(max_spend=3)
    async with processes(emulator) as make, make(limits) as one, make(limits) as two:
        assert await solve_many(one, 1) == ["SubmitUncertain"]
        assert await solve_many(one, 1) == []
        await anyio.sleep(10)
        assert await solve_many(two, 2) == ["SpendLimitReached"]
        share = two.statistics().share
        assert share is not None
        assert share.spent == 3
    assert len(emulator.requests_to("createTask")) == 3


async def test_a_failed_task_gives_its_money_back(store: Patchy) -> None:
    """What the service does not charge for is not spent of the shared cap either."""
    emulator = Emulator(latency=TIMES, price=1, balance=100)
    emulator.refuse("ERROR_CAPTCHA_UNSOLVABLE", method="getTaskResult", times=3)
    limits = Limits(max_spend=2, prices={"RecaptchaV2Task": 1})
    async with processes(emulator) as make, make(limits) as client:
        for _ in range(3):
            assert await solve_many(client, 1) == ["Unsolvable"]
        assert await solve_many(client, 3) == ["SpendLimitReached"]
        assert client.statistics().spent == 2


async def test_members_with_other_limits_follow_the_newest(store: Patchy) -> None:
    """A rolling deploy changes the cap for those that are there, too."""
    emulator = Emulator(latency=TIMES, price=1, balance=100)
    async with processes(emulator) as make, make() as old:
        assert not await solve_many(old, 1)
        async with make(Limits(max_spend=3, prices={"RecaptchaV2Task": 1})):
            await anyio.sleep(2)
            failed = await solve_many(old, 8)
            assert failed == ["SpendLimitReached"] * 6 or failed == ["SpendLimitReached"] * 5


# -- fuse and pause -------------------------------------------------------------------------------


async def test_a_fuse_that_blows_in_one_stops_the_others(store: Patchy) -> None:
    """Both are told, nothing is sent by the other, and a reset in one closes both."""
    emulator = Emulator(latency=TIMES)
    events: list[Any] = []
    async with processes(emulator, on_event=events.append) as make, make() as one, make() as two:
        emulator.refuse("ERROR_KEY_DOES_NOT_EXIST", times=1)
        assert await solve_many(one, 1) == ["KeyRejected"]
        await anyio.sleep(0.1)
        with pytest.raises(KeyRejected, match="No request was sent"):
            await two.solve(TOKEN_TASK)
        assert two.statistics().fuse == "open"
        two.reset_fuse()
        await anyio.sleep(0.1)
        assert one.statistics().fuse == "closed"
        await one.solve(TOKEN_TASK)
    assert len(emulator.requests_to("createTask")) == 2
    kinds = [type(event) for event in events]
    assert (kinds.count(FuseBlown), kinds.count(FuseClosed)) == (2, 2)


async def test_what_waits_fails_when_the_fuse_blows_elsewhere(store: Patchy) -> None:
    """A queue does not outlive the other process's account error."""
    emulator = Emulator(latency=Latency.fixed(100))
    async with (
        processes(emulator) as make,
        make(Limits(in_flight=2)) as one,
        make(Limits(in_flight=2)) as two,
        anyio.create_task_group() as group,
    ):
        group.start_soon(solve_many, two, 2, 90)
        await anyio.sleep(1)
        failed: list[str] = []

        async def wait() -> None:
            failed.extend(await solve_many(two, 3, 60))

        group.start_soon(wait)
        await anyio.sleep(3)
        emulator.refuse("ERROR_ZERO_BALANCE", times=1)
        with pytest.raises(InsufficientBalance):
            # It needs no slot of the two that are taken.
            await one.submit(TOKEN_TASK)
        await anyio.sleep(0.1)
        assert failed == ["InsufficientBalance"] * 3
        group.cancel_scope.cancel()


async def test_one_probe_goes_over_all_processes(store: Patchy) -> None:
    """After the window one request finds out for all; when it is accepted, all go on."""
    emulator = Emulator(latency=TIMES)
    async with processes(emulator) as make, make() as one, make() as two:
        emulator.refuse("ERROR_KEY_DOES_NOT_EXIST", times=2)
        assert await solve_many(one, 1) == ["KeyRejected"]
        await anyio.sleep(emulator.service.ban_window + 1)
        before = len(emulator.requests_to("createTask"))
        failed: list[str] = []

        async def work(client: CaptchaClient) -> None:
            failed.extend(await solve_many(client, 5))

        async with anyio.create_task_group() as group:
            group.start_soon(work, one)
            group.start_soon(work, two)
        assert failed == ["KeyRejected"] * 10
        assert len(emulator.requests_to("createTask")) == before + 1
        await anyio.sleep(emulator.service.ban_window + 1)
        await two.solve(TOKEN_TASK)
        assert one.statistics().fuse == "closed"
        assert not await solve_many(one, 3)


async def test_a_handler_that_interrupts_keeps_nothing_from_the_others(store: Patchy) -> None:
    """The others hear of the fuse, though the one that tells its own client of it is stopped."""

    def interrupt(event: object) -> None:
        if isinstance(event, FuseBlown):
            raise KeyboardInterrupt

    emulator = Emulator(latency=TIMES)
    emulator.refuse("ERROR_ZERO_BALANCE", method="createTask", times=1)
    async with processes(emulator) as make, make(on_event=interrupt) as one, make() as two:
        with pytest.raises(KeyboardInterrupt):
            await one.submit(TOKEN_TASK)
        await anyio.sleep(1)
        with pytest.raises(InsufficientBalance, match="No request was sent"):
            await two.submit(TOKEN_TASK)


async def test_a_pause_holds_for_all(store: Patchy) -> None:
    """What the service asked of one, the other process does, too."""
    emulator = Emulator(latency=TIMES)
    async with processes(emulator) as make, make() as one, make() as two:
        emulator.break_http("createTask", status=429, headers=[("Retry-After", "40")])
        with pytest.raises(QueueTimeout):
            await one.solve(TOKEN_TASK, timeout=20)
        with pytest.raises(RateLimited, match="no request was sent"):
            await two.solve(TOKEN_TASK, timeout=10)
    assert len(emulator.requests) == 1


# -- coming and going -----------------------------------------------------------------------------


async def test_who_closes_gives_its_share_back_at_once(store: Patchy) -> None:
    """The slots of a process that ended well are the others', before any lease has ended."""
    emulator = Emulator(latency=TIMES)
    async with processes(emulator) as make, make(Limits(in_flight=4)) as one:
        async with make(Limits(in_flight=4)) as two, anyio.create_task_group() as group:
            group.start_soon(solve_many, one, 8)
            group.start_soon(solve_many, two, 8)
        begun = anyio.current_time()
        assert not await solve_many(one, 4, 15)
        moments = [task.created for task in list(emulator.tasks.values())[-4:]]
        assert max(moments) - min(moments) < 5
        assert anyio.current_time() - begun < 20
        share = one.statistics().share
        assert share is not None
        assert share.members == 1


async def test_a_client_that_was_not_entered_joins_at_its_first_use(store: Patchy) -> None:
    """`async with` is not needed; and an account is joined again by its next client."""
    emulator = Emulator(latency=TIMES)
    async with processes(emulator) as make:
        client = make()
        share = client.statistics().share
        assert share is not None
        assert not share.reachable
        await client.solve(TOKEN_TASK)
        share = client.statistics().share
        assert share is not None
        assert (share.reachable, share.members) == (True, 1)
        account = client.account
        await client.aclose()
        async with CaptchaClient(account=account) as again:
            await again.solve(TOKEN_TASK)
        share = again.statistics().share
        assert share is not None
        assert not share.reachable
    assert (await store.state()).live == 0


async def test_slots_of_tasks_that_outlive_their_client_are_given_back_once(
    store: Patchy,
) -> None:
    """A solve that ends after the account was closed and opened again frees no slot twice."""
    emulator = Emulator(latency=TIMES)
    async with processes(emulator) as make:
        client = make(Limits(in_flight=2))
        async with anyio.create_task_group() as group:
            group.start_soon(solve_many, client, 2)
            await anyio.sleep(3)
            await client.aclose()
            async with CaptchaClient(account=client.account) as again:
                assert not await solve_many(again, 6)
                slots = again.account.gates.slots.semaphore.statistics()
                assert (slots.borrowed, slots.waiting) == (0, 0)


async def test_other_keys_are_other_accounts() -> None:
    """The name in the store is made of service and key, and shows neither."""
    names = {
        _open.account_name(service, key)
        for service in ("capmonster", "capsolver")
        for key in ("a-secret-key", "another-key")
    }
    assert len(names) == 4
    assert not any("key" in name or "cap" in name for name in names)


# -- outages --------------------------------------------------------------------------------------


async def test_a_wait_in_an_outage_ends_with_why(store: Patchy) -> None:
    """With `stop` a solve that had no share in time says that the store was away; then it works."""
    emulator = Emulator(latency=TIMES)
    events: list[Any] = []
    async with (
        processes(emulator, on_outage="stop", on_event=events.append) as make,
        make(Limits(in_flight=4)) as client,
    ):
        assert not await solve_many(client, 1)
        store.away = True
        await anyio.sleep(_open.LEASE + 5)
        with pytest.raises(AccountUnavailable) as caught:
            await client.solve(TOKEN_TASK, timeout=20)
        assert caught.value.retryable
        share = client.statistics().share
        assert share is not None
        assert not share.reachable
        store.away = False
        assert not await solve_many(client, 2)
    kinds = [type(event) for event in events]
    assert (kinds.count(AccountLost), kinds.count(AccountBack)) == (1, 1)


async def test_a_full_queue_is_no_outage(store: Patchy) -> None:
    """While the store answers, the time-out of the queue is what it was."""
    emulator = Emulator(latency=Latency.fixed(100))
    async with processes(emulator) as make, make(Limits(in_flight=1)) as client:
        failed: list[str] = []
        async with anyio.create_task_group() as group:
            group.start_soon(solve_many, client, 1)
            await anyio.sleep(1)
            with pytest.raises(QueueTimeout):
                await client.solve(TOKEN_TASK, timeout=20)
            failed.append("QueueTimeout")
        assert failed


async def test_a_share_is_kept_in_an_outage_and_money_is_not_made(store: Patchy) -> None:
    """With `keep` tasks go on, but only for what was lent."""
    emulator = Emulator(latency=TIMES, price=1, balance=1000)
    limits = Limits(in_flight=4, max_spend=500, prices={"RecaptchaV2Task": 1})
    async with processes(emulator) as make, make(limits) as client:
        assert not await solve_many(client, 1)
        store.away = True
        await anyio.sleep(_open.LEASE + 5)
        assert not await solve_many(client, 4)
        with pytest.raises(SpendLimitReached, match="cannot be reached"):
            await solve_on(client)
    assert len(emulator.tasks) <= 500


# -- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "named"),
    [
        ({"share": ""}, "share"),
        ({"share": 3}, "share"),
        ({"share": "http://redis"}, "share"),
        ({"share": "a.db", "on_outage": "wait"}, "on_outage"),
        ({"share": "a.db", "egress": "a b"}, "egress"),
        ({"on_outage": "stop"}, "on_outage"),
        ({"egress": "nat-1"}, "egress"),
    ],
)
def test_wrong_arguments_are_named(settings: dict[str, Any], named: str) -> None:
    """Before anything is opened or sent."""
    with pytest.raises(InvalidArgument, match=named):
        Account(KEY, **settings)


def test_nothing_of_sharing_is_imported_without_a_share() -> None:
    """An account of one process has no member, and its gates are the semaphores of before."""
    account = Account(KEY)
    assert account.gates.member is None
    assert type(account.gates.slots).__name__ == "Slots"
