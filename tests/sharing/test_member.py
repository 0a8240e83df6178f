"""Members of one account, in virtual time: shares, money, fuse, outages, callbacks."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal
from typing import Any

import anyio
import pytest

from captcha_async import errors
from captcha_async._sharing._fuse_side import read_error
from captcha_async._sharing._member import Member
from captcha_async._sharing._memory import MemoryStore
from captcha_async._sharing._messages import NANO, SECOND, Grant, Report, Terms
from captcha_async._sharing._store import StoreRefused, StoreUnreachable

ONE = Decimal(1)


class Patchy(MemoryStore):
    """A store that can be out of reach, or slow, or refuse."""

    def __init__(self) -> None:
        super().__init__()
        self.failure: Exception | None = None
        self.cut: set[str] = set()
        self.calls = 0

    def _check(self, me: str) -> None:
        if self.failure is not None:
            raise self.failure
        if me in self.cut:
            raise StoreUnreachable("cut off")

    @asynccontextmanager
    async def opened(self, me: str) -> AsyncGenerator[None]:
        self._check(me)
        async with super().opened(me):
            yield

    async def exchange(self, me: str, report: Report) -> Grant:
        self._check(me)
        self.calls += 1
        return await super().exchange(me, report)

    async def messages(self, me: str) -> list[str]:
        self._check(me)
        texts = await super().messages(me)
        self._check(me)
        return texts


def member(store: MemoryStore, *, key: str = "key", **options: Any) -> Member:
    """A member that is not open yet."""
    settings = {name: options.pop(name) for name in ("on_outage", "egress") if name in options}
    return Member(store, Terms(**{"in_flight": 10, **options}), key, **settings)


@asynccontextmanager
async def opened(*members: Member) -> AsyncGenerator[None]:
    """Have members open meanwhile."""
    async with AsyncExitStack() as stack:
        for one in members:
            await one.open()
            stack.push_async_callback(one.aclose)
        yield


def fill(one: Member) -> int:
    """Take all slots that can be had at once, and return how many."""
    taken = 0
    while True:
        try:
            one.slots.acquire_nowait()
        except anyio.WouldBlock:
            return taken
        taken += 1


async def settle(seconds: float = 3.0) -> None:
    """Let a few exchanges pass."""
    await anyio.sleep(seconds)


# -- slots ----------------------------------------------------------------------------------------


async def test_members_never_have_more_than_there_is() -> None:
    """Two members that want all share the slots evenly, and never exceed them; none lies idle."""
    store = MemoryStore()
    first, second = member(store), member(store)
    async with opened(first, second), anyio.create_task_group() as group:
        most = inside = 0
        done = {first: 0, second: 0}

        async def work(one: Member) -> None:
            nonlocal most, inside
            while True:
                async with one.slots:
                    inside += 1
                    most = max(most, inside)
                    await anyio.sleep(0.5)
                    inside -= 1
                done[one] += 1

        for one in (first, second):
            for _ in range(20):
                group.start_soon(work, one)
        await settle(10.2)
        assert most == 10
        assert 90 <= done[second] <= done[first] <= 110
        assert first.statistics().members == 2
        group.cancel_scope.cancel()


async def test_more_members_than_slots_all_get_their_turn() -> None:
    """Slots go round: nobody starves, and hand-over takes messages, not beats."""
    store = MemoryStore()
    members = [member(store, in_flight=2) for _ in range(6)]
    done = dict.fromkeys(members, 0)
    async with opened(*members), anyio.create_task_group() as group:

        async def work(one: Member) -> None:
            while True:
                async with one.slots:
                    await anyio.sleep(1.0)
                done[one] += 1

        for one in members:
            group.start_soon(work, one)
        await settle(30)
        group.cancel_scope.cancel()
    assert min(done.values()) >= 7
    # 60 slot-seconds; a hand-over costs two exchanges, a few hundredths of a second.
    assert sum(done.values()) >= 50


async def test_a_solve_costs_no_exchange() -> None:
    """A member with room makes one exchange a second, however much it does."""
    store = Patchy()
    one = member(store, in_flight=1000)
    async with opened(one):
        await settle(2)
        before = store.calls
        for _ in range(1000):
            async with one.slots, one.submits, one.requests:
                one.reserve_nowait(ONE)
                one.spend(ONE, ONE)
            await anyio.sleep(0.01)
        assert store.calls - before <= 14


async def test_a_refusal_lowers_the_capacity_of_all() -> None:
    """What the service refuses one, the others do not try; solves raise it again."""
    store = MemoryStore()
    first, second = member(store), member(store)
    async with opened(first, second):
        for _ in range(4):
            await first.slots.acquire()
        epoch = first.epoch
        first.refused(epoch, 4)
        first.refused(epoch, 4)
        await settle()
        assert (first.capacity, second.capacity, second.epoch) == (4, 4, epoch + 1)
        for _ in range(30):
            second.succeeded()
        await settle()
        assert first.capacity > 4


async def test_what_a_member_leaves_is_free_at_once() -> None:
    """Closing gives back what is not used."""
    store = MemoryStore()
    first, second = member(store), member(store)
    async with opened(second):
        async with opened(first):
            for _ in range(10):
                with anyio.fail_after(2):
                    await first.slots.acquire()
            for _ in range(10):
                first.slots.release()
        for _ in range(10):
            with anyio.fail_after(2):
                await second.slots.acquire()


async def test_opening_and_closing_may_happen_in_different_tasks() -> None:
    """The background task belongs to the account, not to who opened it."""
    one = member(MemoryStore())

    async def close() -> None:
        await one.aclose()

    async with anyio.create_task_group() as group:
        group.start_soon(one.open)
    assert fill(one) >= 5
    async with anyio.create_task_group() as group:
        group.start_soon(close)
    assert one.statistics().reachable is False


async def test_an_account_opens_again() -> None:
    """After closing it may be opened again, as another member."""
    one = member(MemoryStore())
    ids: set[str] = set()
    for _ in range(2):
        async with opened(one):
            ids.add(one.id)
            for _ in range(fill(one)):
                one.slots.release()
            assert one.slots.statistics().entered >= 5
    assert len(ids) == 2


async def test_who_opens_and_is_cancelled_leaves_nothing_behind() -> None:
    """No task, no member stays."""
    store = Patchy()
    one = member(store)
    with anyio.CancelScope() as scope:
        scope.cancel()
        await one.open()
    assert (await store.state()).live == 0


async def test_a_hundred_members_share_one_account() -> None:
    """Slots are used, evenly, with about one exchange a second for each member."""
    store = Patchy()
    members = [member(store, in_flight=300) for _ in range(100)]
    inside = most = 0
    done = dict.fromkeys(members, 0)
    async with AsyncExitStack() as stack:
        async with anyio.create_task_group() as opening:
            for one in members:
                opening.start_soon(one.open)
        for one in members:
            stack.push_async_callback(one.aclose)

        async def work(one: Member) -> None:
            nonlocal inside, most
            while True:
                async with one.slots:
                    inside += 1
                    most = max(most, inside)
                    await anyio.sleep(4.0)
                    inside -= 1
                done[one] += 1

        async with anyio.create_task_group() as group:
            for one in members:
                for _ in range(4):
                    group.start_soon(work, one)
            await settle(10)
            used, calls = inside, store.calls
            await settle(6.3)
            group.cancel_scope.cancel()
    assert most <= 300
    assert used >= 290
    assert 6 <= min(done.values()) <= max(done.values()) <= 16
    assert store.calls - calls <= 3 * 100 * 6.3


# -- rates ----------------------------------------------------------------------------------------


async def test_a_rate_is_exact_over_all_members() -> None:
    """No window of a second sees more submits than the rate, and nearly as many are made."""
    store = MemoryStore()
    members = [member(store, submits=8) for _ in range(3)]
    moments: list[float] = []
    async with opened(*members), anyio.create_task_group() as group:

        async def submit(one: Member) -> None:
            while True:
                await one.submits.acquire()
                one.submits.release()
                moments.append(anyio.current_time())

        start = anyio.current_time()
        for one in members:
            group.start_soon(submit, one)
            group.start_soon(submit, one)
        await settle(20)
        group.cancel_scope.cancel()
    moments.sort()
    assert all(b - a >= 1 - 1e-6 for a, b in zip(moments, moments[8:], strict=False))
    assert len([moment for moment in moments if moment > start + 5]) >= 8 * 14


# -- money ----------------------------------------------------------------------------------------


async def test_money_is_never_spent_above_the_cap() -> None:
    """Members together reserve no more than there is, and nearly all of it."""
    store = MemoryStore()
    members = [member(store, cap=100 * NANO) for _ in range(3)]
    spent = 0
    told: list[Decimal] = []
    async with opened(*members), anyio.create_task_group() as group:

        async def buy(one: Member) -> None:
            nonlocal spent
            while True:
                try:
                    await one.reserve(ONE)
                except errors.SpendLimitReached as error:
                    told.append(error.spent)
                    return
                await anyio.sleep(0.1)
                one.spend(ONE, ONE)
                spent += 1

        for one in members:
            group.start_soon(buy, one)
    assert 90 <= spent <= 100
    assert all(80 <= amount <= 100 for amount in told)


async def test_money_that_one_does_not_need_another_gets() -> None:
    """After a refusal who has some to spare gives it back, so that a later try succeeds."""
    store = MemoryStore()
    rich, poor = member(store, cap=10 * NANO), member(store, cap=10 * NANO)
    async with opened(rich, poor):
        for _ in range(3):
            await rich.reserve(Decimal(2))
            rich.release(Decimal(2))
        await poor.reserve(Decimal(1))
        with pytest.raises(errors.SpendLimitReached):
            await poor.reserve(Decimal(9))
        rest = Decimal(4)
        await settle()
        await poor.reserve(rest)


async def test_what_was_set_aside_comes_back() -> None:
    """A task that costs nothing frees its price."""
    one = member(MemoryStore(), cap=3 * NANO)
    async with opened(one):
        for _ in range(10):
            await one.reserve(Decimal(1))
            one.release(Decimal(1))
        assert one.statistics().spent == 0


async def test_without_a_cap_money_is_only_counted() -> None:
    """What all have spent is in the statistics."""
    store = MemoryStore()
    one, other = member(store), member(store)
    async with opened(one, other):
        await settle()
        one.reserve_nowait(Decimal("0.0006"))
        one.spend(Decimal("0.0006"), Decimal("0.0007"))
        await settle()
        assert other.statistics().spent == Decimal("0.0007")


# -- fuse and pause -------------------------------------------------------------------------------


def hear(one: Member) -> list[tuple[str | None, float]]:
    """Note what a member hears of the fuse."""
    heard: list[tuple[str | None, float]] = []

    def listen(error: errors.ServiceError | None, seconds: float) -> None:
        heard.append((None if error is None else f"{type(error).__name__} {error.code}", seconds))

    one.listener.fuse = listen
    return heard


async def test_a_fuse_blown_in_one_stops_the_others_at_once() -> None:
    """One exchange and one message, no beat; the error keeps its kind and code."""
    store = MemoryStore()
    first, second = member(store), member(store)
    heard = hear(second)
    async with opened(first, second):
        await settle()
        start = anyio.current_time()
        first.blow(errors.InsufficientBalance("No money.", code="ERROR_ZERO_BALANCE"), 60.0)
        while not heard:  # noqa: ASYNC110 (heard in a callback)
            await anyio.sleep(0.001)
        assert anyio.current_time() - start < 0.05
        name, seconds = heard[0]
        assert name == "InsufficientBalance ERROR_ZERO_BALANCE"
        assert 59 < seconds <= 60


async def test_a_blow_waits_for_no_exchange_of_just_now() -> None:
    """Else one in a hundred blows would be heard of ten milliseconds later."""
    store = Patchy()
    first, second = member(store), member(store)
    heard = hear(second)
    async with opened(first, second):
        await settle()
        calls = store.calls
        first.kick()
        while store.calls == calls:  # noqa: ASYNC110 (the member's own task makes it)
            await anyio.sleep(0.0001)
        start = anyio.current_time()
        first.blow(errors.KeyRejected("No."), 60.0)
        # Those of requests that were on the wire follow at leisure, for nobody waits for them.
        calls = store.calls
        for _ in range(20):
            first.blow(errors.KeyRejected("No."), 60.0)
        while not heard:  # noqa: ASYNC110 (heard in a callback)
            await anyio.sleep(0.0001)
        assert anyio.current_time() - start < 0.005
        await settle(0.05)
        assert store.calls - calls < 10


async def test_one_probe_over_all_and_its_success_lets_all_go_on() -> None:
    """After the window one of three may probe; when it passes the others hear it."""
    store = MemoryStore()
    members = [member(store) for _ in range(3)]
    heard = hear(members[2])
    async with opened(*members):
        members[0].blow(errors.KeyRejected("No."), 5.0)
        await settle(1)
        assert not any([await one.may_probe(5.0) for one in members])
        await settle(5)
        allowed = [await one.may_probe(5.0) for one in members]
        assert allowed == [True, False, False]
        members[0].mend(by_hand=False)
        await settle(1)
        assert heard[-1][0] is None
        assert await members[1].may_probe(5.0)


async def test_an_outage_of_the_service_stops_all() -> None:
    """Also what is no account error; what this version does not know stops requests, too."""
    store = MemoryStore()
    first, second = member(store), member(store)
    heard = hear(second)
    async with opened(first, second):
        first.blow(errors.ServiceUnavailable("Ten in a row brought no reply."), 60.0)
        await settle(0.5)
        assert [name for name, _ in heard] == ["ServiceUnavailable None"]
    for text in ('{"kind": "NewError", "message": "?"}', '{"kind": "SolveTimeout"}', "{}"):
        assert type(read_error(text)) is errors.ServiceUnavailable


async def test_who_joins_hears_of_the_blown_fuse() -> None:
    """A new process does not find out by itself what the others know."""
    store = MemoryStore()
    first, late = member(store), member(store)
    heard = hear(late)
    async with opened(first):
        first.blow(errors.KeyRejected("No."), 60.0)
        await settle()
        async with opened(late):
            assert [name for name, _ in heard] == ["KeyRejected None"]


async def test_a_ban_stops_only_those_of_its_egress() -> None:
    """A ban is an address's; an empty account is everybody's."""
    store = MemoryStore()
    here, near, far = (member(store, egress=name) for name in ("a", "a", "b"))
    heard_near, heard_far = hear(near), hear(far)
    async with opened(here, near, far):
        here.blow(errors.AccountBlocked("Banned."), 60.0)
        await settle()
        assert [name for name, _ in heard_near] == ["AccountBlocked None"]
        assert heard_far == []
        here.blow(errors.InsufficientBalance("No money."), 60.0)
        await settle()
        assert heard_far[-1][0] == "InsufficientBalance None"


async def test_a_pause_is_everybodys() -> None:
    """What the service asked one to wait, all wait."""
    store = MemoryStore()
    first, second = member(store), member(store)
    paused: list[float] = []
    second.listener.pause = paused.append
    async with opened(first, second):
        first.pause(30.0)
        await settle(0.5)
        assert paused
        assert 29 < max(paused) <= 30


# -- outages --------------------------------------------------------------------------------------


async def test_in_an_outage_the_last_share_is_kept() -> None:
    """Work goes on with what the member had, never more, also after the lease; told once."""
    store = Patchy()
    first, second = member(store), member(store)
    lost: list[errors.CaptchaError] = []
    back: list[float] = []
    first.listener.lost = lost.append
    first.listener.back = lambda: back.append(anyio.current_time())
    async with opened(first, second):
        for one in (first, second):
            for _ in range(4):
                await one.slots.acquire()
        await settle()
        had = {one: one.slots.statistics().capacity or 0 for one in (first, second)}
        store.failure = StoreUnreachable("it is gone")
        await settle(30)
        for one in (first, second):
            fill(one)
            assert one.slots.statistics().borrowed == had[one]
            assert one.statistics().reachable is False
        assert [type(error) for error in lost] == [errors.AccountUnavailable]
        assert lost[0].retryable
        assert first.unavailable() is None
        with pytest.raises(anyio.WouldBlock):
            first.slots.acquire_nowait()
        store.failure = None
        await settle()
        assert len(back) == 1
        assert first.statistics().reachable


async def test_in_an_outage_stop_waits_when_the_lease_has_ended() -> None:
    """Within the lease the share is good; afterwards nothing is sent, and the error says why."""
    store = Patchy()
    one = member(store, on_outage="stop")
    async with opened(one):
        await settle()
        store.failure = StoreUnreachable("it is gone")
        await settle(5)
        one.slots.acquire_nowait()
        await settle(10)
        with pytest.raises(anyio.WouldBlock):
            one.slots.acquire_nowait()
        error = one.unavailable()
        assert isinstance(error, errors.AccountUnavailable)
        assert "it is gone" in str(error)
        # What is paid for is collected all the same.
        one.requests.acquire_nowait()
        store.failure = None
        with anyio.fail_after(3):
            await one.slots.acquire()
        assert one.unavailable() is None


async def test_opening_during_an_outage_waits_for_the_store() -> None:
    """The client opens, work waits; polls go on slowly; when the store is back all goes."""
    store = Patchy()
    store.failure = StoreUnreachable("it is gone")
    one = member(store, requests=5)
    async with opened(one):
        with pytest.raises(anyio.WouldBlock):
            one.slots.acquire_nowait()
        assert isinstance(one.unavailable(), errors.AccountUnavailable)
        one.requests.acquire_nowait()
        with pytest.raises(anyio.WouldBlock):
            one.requests.acquire_nowait()
        store.failure = None
        with anyio.fail_after(3):
            await one.slots.acquire()


async def test_a_store_that_refuses_is_told_at_opening() -> None:
    """A wrong password will not get better by waiting."""
    store = Patchy()
    store.failure = StoreRefused("redis://host refuses the user")
    with pytest.raises(errors.AccountUnavailable, match="refuses the user") as caught:
        await member(store).open()
    assert not caught.value.retryable


async def test_a_member_that_is_cut_off_and_stops_is_never_above_the_limit() -> None:
    """Its share is given to others only when it has stopped using it."""
    store = Patchy()
    cut, other = member(store, on_outage="stop"), member(store, on_outage="stop")
    async with opened(cut, other):
        assert fill(cut) >= 5
        while cut.slots.statistics().borrowed:
            cut.slots.release()
        store.cut.add(cut.id)

        async def greedy() -> None:
            await other.slots.acquire()

        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(greedy)
            for _ in range(150):
                await anyio.sleep(0.1)
                fill(cut)
                used = cut.slots.statistics().borrowed, other.slots.statistics().borrowed
                assert sum(used) <= 10
                while cut.slots.statistics().borrowed:
                    cut.slots.release()
        assert other.slots.statistics().borrowed == 10
        store.cut.clear()
        await settle()
        assert fill(cut) == 0


async def test_money_beyond_what_was_lent_is_refused_in_an_outage() -> None:
    """What was lent may be spent; more cannot be asked for."""
    store = Patchy()
    one = member(store, cap=1000 * NANO)
    async with opened(one):
        await one.reserve(Decimal(1))
        store.failure = StoreUnreachable("it is gone")
        await settle()
        for _ in range(49):
            await one.reserve(Decimal(1))
        with pytest.raises(errors.SpendLimitReached, match="cannot be reached"):
            await one.reserve(Decimal(1))


async def test_an_emptied_store_learns_all_from_the_members() -> None:
    """Shares, fuse and money are there again, and nobody has had more meanwhile."""
    store = Patchy()
    first, second = member(store, cap=100 * NANO), member(store, cap=100 * NANO)
    async with opened(first, second):
        assert fill(first) >= 5
        await settle()
        fill(second)
        await first.reserve(Decimal(5))
        first.spend(Decimal(5), Decimal(5))
        first.blow(errors.KeyRejected("No."), 60.0)
        await settle()
        store._state = type(store._state)()
        await settle(20)
        state = await store.state()
        assert state.members.keys() == {first.id, second.id}
        assert state.fuses[""].error
        assert sum(state.spent.values()) == 5 * NANO
        assert state.pools[0].total <= 10


# -- callbacks ------------------------------------------------------------------------------------


def token_of(one: Member) -> str:
    """A new token of an open member."""
    token = one.callbacks.make_token()
    assert token is not None
    return token


async def test_any_member_takes_any_callback() -> None:
    """The token tells whose it is; the owner has the body at once, and it is kept for a while."""
    store = MemoryStore()
    owner, receiver, stranger = member(store), member(store), member(MemoryStore(), key="other")
    came: list[tuple[str, bytes]] = []
    owner.listener.posted = lambda token, body: came.append((token, body))
    async with opened(owner, receiver, stranger):
        assert member(store).callbacks.make_token() is None
        token = token_of(owner)
        assert receiver.callbacks.owner(token) == owner.id
        assert await receiver.callbacks.hand_over(token, b"body")
        await settle(0.1)
        assert came == [(token, b"body")]
        assert await receiver.callbacks.kept(token) == b"body"
        assert not await receiver.callbacks.hand_over(token_of(stranger), b"forged")
        for bad in ("", "x", token[:-1] + "!", token[::-1], "é" * 54):
            assert receiver.callbacks.owner(bad) is None
        other = token_of(owner)
        assert await receiver.callbacks.hand_over(other, b"body")
        owner.callbacks.forget(other)
        await settle(0.1)
        assert await receiver.callbacks.kept(other) is None
        await settle(700)
        assert await receiver.callbacks.kept(token) is None


async def test_callbacks_in_an_outage_are_to_be_sent_again() -> None:
    """The service is not told that a callback was taken when it was not."""
    store = Patchy()
    one = member(store)
    async with opened(one):

        async def fail(*_: object) -> None:
            raise StoreUnreachable("it is gone")

        store.post = fail  # type: ignore[method-assign]
        with pytest.raises(errors.AccountUnavailable):
            await one.callbacks.hand_over(token_of(one), b"body")


# -- what was learned -----------------------------------------------------------------------------


async def test_what_one_has_learned_the_others_get() -> None:
    """News are added up twice a minute; each gets the sum."""
    store = MemoryStore()
    first, second = member(store), member(store)
    got: dict[str, list[int]] = {}
    first.listener.take_learned = lambda: {"turnstile": [1, 2]}
    second.listener.take_learned = lambda: {"turnstile": [0, 0]}
    second.listener.learned = got.__setitem__
    async with opened(first, second):
        await settle(65)
        assert got["turnstile"][0] >= 1


async def test_a_repr_shows_no_secret() -> None:
    """Neither the key nor what is derived from it."""
    one = member(MemoryStore(), key="very-secret-key")
    async with opened(one):
        assert "very-secret" not in repr(one)
        assert one.callbacks._secret.hex() not in repr(one)
    assert SECOND == 1_000_000
