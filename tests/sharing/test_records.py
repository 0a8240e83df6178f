"""Shared records: a key is paid for once, whoever runs it, and whoever is killed meanwhile."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import anyio
import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sharing_views import View

from captcha_async import AccountUnavailable, TaskRef
from captcha_async._journal import BY_KEY, Place
from captcha_async._sharing._keyed import KeyedEntry
from captcha_async._sharing._member import Member
from captcha_async._sharing._memory import MemoryStore
from captcha_async._sharing._messages import Mail, Terms
from captcha_async._sharing._record import LONG, TaskRecord, key_of, new_tag
from captcha_async._sharing._store import NOBODY, RESULT_LIFE, Change, Found, StoreRefused

REF = TaskRef("capmonster", 7, "TurnstileTask")
PLACE = Place("shop", '"order-17"', None)


class Party:
    """Members of one account, each with its own way to the store."""

    def __init__(self, stack: AsyncExitStack) -> None:
        self.place = MemoryStore()
        self._stack = stack

    async def join(self) -> tuple[Member, View]:
        """Have one more."""
        view = View(self.place)
        member = Member(view, Terms(in_flight=10), "key")
        await member.open()
        self._stack.push_async_callback(member.aclose)
        return member, view


@asynccontextmanager
async def party() -> AsyncGenerator[Party]:
    """Members, to be made."""
    async with AsyncExitStack() as stack:
        yield Party(stack)


def entry(member: Member, place: Place = PLACE, **options: Any) -> KeyedEntry:
    """A submission of a key by a member."""
    return KeyedEntry(member.records, place, **options)


async def state_of(member: Member, place: Place = PLACE) -> str | None:
    """What a member sees of a key, when all is written."""
    await member.records.settle(5)
    seen = await member.records.look(place)
    return None if seen is None else seen.record.state


async def test_a_key_is_sent_once() -> None:
    """Who comes second learns that it is on its way, then its task, then its answer."""
    async with party() as members:
        (one, _), (two, _) = await members.join(), await members.join()
        first, second = entry(one), entry(two)
        assert await first.begin("TurnstileTask")
        assert not await second.begin("TurnstileTask")
        seen = await two.records.look(PLACE)
        assert seen is not None
        assert (seen.record.state, seen.record.type, seen.living) == (
            "sending",
            "TurnstileTask",
            True,
        )
        await first.accepted(REF)
        seen = await two.records.look(PLACE)
        assert seen is not None
        assert (seen.record.state, seen.record.ref, seen.record.free) == ("open", REF, False)
        first.answered({"token": "x"}, None, 3, 10.0, 9.0)
        assert await state_of(one) == "solved"
        seen = await two.records.look(PLACE)
        assert seen is not None
        assert (seen.record.solution, seen.record.elapsed) == (b'{"token":"x"}', 10.0)


async def test_of_many_who_begin_at_once_one_sends() -> None:
    """Whichever members they are of."""
    async with party() as members:
        joined = [(await members.join())[0] for _ in range(4)]
        begun: list[bool] = []

        async def begin(number: int) -> None:
            begun.append(await entry(joined[number % 4]).begin("TurnstileTask"))

        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(begin, number)
        assert begun.count(True) == 1


async def test_a_single_task_is_free_until_somebody_waits_for_it() -> None:
    """Whoever asks first collects it; the others follow, and take over who stops."""
    place = Place("\x1fby key", '"order-17"', None)
    async with party() as members:
        (one, _), (two, _) = await members.join(), await members.join()
        first = entry(one, place)
        assert await first.begin("TurnstileTask")
        await first.accepted(REF)
        assert not first.ours
        seen = await two.records.look(place)
        assert seen is not None
        second = entry(two, place, found=seen.record)
        record = await second.follow()
        assert second.ours
        assert record is not None
        assert await first.follow() is None
        second.let_go(polls=3)
        await two.records.settle(5)
        record = await first.follow()
        assert first.ours
        assert record is not None
        assert record.polls == 3
        # The other has lost it, and cannot write over it.
        second.failed("Unsolvable")
        assert await state_of(two, place) == "open"


async def test_what_was_refused_may_be_sent_again() -> None:
    """A key is free again when its task was certainly not accepted."""
    async with party() as members:
        (one, _), (two, _) = await members.join(), await members.join()
        first = entry(one)
        assert await first.begin("TurnstileTask")
        first.drop()
        assert await state_of(one) is None
        assert await entry(two).begin("TurnstileTask")


async def test_a_record_lives_as_long_as_a_result_and_a_doubt_for_a_day() -> None:
    """Afterwards the service knows nothing of the task either."""
    doubtful = Place("shop", '"doubtful"', None)
    async with party() as members:
        (one, _), (two, _) = await members.join(), await members.join()
        first, second = entry(one), entry(one, doubtful)
        assert await first.begin("TurnstileTask")
        assert await second.begin("TurnstileTask")
        await first.accepted(REF)
        second.uncertain()
        await anyio.sleep(RESULT_LIFE - 1)
        assert await state_of(two) == "open"
        await anyio.sleep(2)
        assert await state_of(two) is None
        assert await state_of(two, doubtful) == "uncertain"
        _, end, owner = members.place._records[key_of(doubtful)]
        assert end - anyio.current_time() == pytest.approx(LONG - RESULT_LIFE, abs=5)
        assert owner == NOBODY


async def test_what_a_dead_member_left_is_adopted_by_one() -> None:
    """Open tasks; of those on their way it is noted that nobody knows. Solved ones need nobody."""
    async with party() as members:
        (dead, view), (one, _), (two, _) = [await members.join() for _ in range(3)]
        places = {name: Place("shop", f'"{name}"', None) for name in ("open", "sending", "solved")}
        entries = {name: entry(dead, place) for name, place in places.items()}
        for made in entries.values():
            assert await made.begin("TurnstileTask")
        await entries["open"].accepted(REF)
        await entries["solved"].accepted(REF)
        entries["solved"].answered({}, None, 1, 1.0, 0.0)
        await dead.records.settle(5)
        await one.records.adopt()
        assert not one.records.adopted
        view.away = True
        await anyio.sleep(15)
        async with anyio.create_task_group() as group:
            group.start_soon(one.records.adopt)
            group.start_soon(two.records.adopt)
        adopted = [record.key for member in (one, two) for record in member.records.adopted]
        assert adopted == ['"open"']
        assert await state_of(one, places["sending"]) == "uncertain"
        assert [record.key for _, record in await two.records.left()] == ['"sending"']


async def test_in_an_outage_nothing_is_sent_and_nothing_is_lost() -> None:
    """What was paid for is written down when the store is back, the last word on each key."""
    async with party() as members:
        (one, view), (two, _) = await members.join(), await members.join()
        first, second = entry(one), entry(one, Place("shop", '"refused"', None))
        assert await first.begin("TurnstileTask")
        assert await second.begin("TurnstileTask")
        view.away = True
        await anyio.sleep(2)
        begun = anyio.current_time()
        await first.accepted(REF)
        assert anyio.current_time() == begun
        second.drop()
        first.answered({"token": "x"}, None, 1, 5.0, 0.0)
        other = Place("shop", '"other"', None)
        with pytest.raises(AccountUnavailable, match="nothing was sent"):
            await entry(one, other).begin("TurnstileTask")
        with pytest.raises(AccountUnavailable):
            await entry(one, other).ready()
        with pytest.raises(AccountUnavailable):
            await one.records.look(other)
        with pytest.raises(AccountUnavailable):
            await one.records.left()
        assert one.records.unsaved >= 2
        view.away = False
        await anyio.sleep(2)
        assert one.records.unsaved == 0
        assert await state_of(two) == "solved"
        assert await state_of(two, Place("shop", '"refused"', None)) is None
        # A claim that was given up is not made later.
        assert await state_of(two, other) is None


async def test_a_store_that_refuses_is_told_at_once() -> None:
    """Waiting would not help, and is not advised."""
    async with party() as members:
        one, view = await members.join()

        async def refuse(changes: Sequence[Change]) -> None:
            raise StoreRefused("it has no rights")

        view.before = refuse
        with pytest.raises(AccountUnavailable, match="no rights") as caught:
            await entry(one).begin("TurnstileTask")
        assert not caught.value.retryable


@pytest.mark.parametrize("wait", [0.0, 0.005, 0.015, 0.025, 0.1])
async def test_a_cancelled_claim_leaves_the_key_free(wait: float) -> None:
    """Before it is sent, on its way, and when its reply is under way."""
    async with party() as members:
        (one, view), (two, _) = await members.join(), await members.join()
        view.lag = 0.01

        async def slowly(changes: Sequence[Change]) -> None:
            await anyio.sleep(0.01)

        view.after = slowly
        made = entry(one)
        with anyio.move_on_after(wait) as scope:
            await made.begin("TurnstileTask")
        await one.records.settle(5)
        assert await state_of(two) == (None if scope.cancelled_caught else "sending")


@pytest.mark.parametrize("wait", [0.0, 0.005, 0.015, 0.025, 0.035, 0.045, 0.1])
async def test_a_cancelled_take_over_loses_no_task(wait: float) -> None:
    """It is paid for: whoever is cut off while it takes it over leaves it to the next."""
    async with party() as members:
        (one, _), (two, view), (three, _) = [await members.join() for _ in range(3)]
        first = entry(one)
        assert await first.begin("TurnstileTask")
        await first.accepted(REF)
        first.let_go(polls=1)
        await one.records.settle(5)
        seen = await two.records.look(PLACE)
        assert seen is not None
        view.lag = 0.01

        async def slowly(changes: Sequence[Change]) -> None:
            await anyio.sleep(0.01)

        view.after = slowly
        second = entry(two, found=seen.record)
        with anyio.move_on_after(wait) as scope:
            await second.follow()
        await two.records.settle(5)
        third = entry(three, found=seen.record)
        record = await third.follow()
        assert third.ours is scope.cancelled_caught
        assert (record is not None) is scope.cancelled_caught


async def test_a_take_over_in_a_store_that_forgot_leaves_the_task_to_who_polls_it() -> None:
    """Who asks before its collector has written it again must not write in its place."""
    async with party() as members:
        (one, _), (two, _) = await members.join(), await members.join()
        first = entry(one)
        assert await first.begin("TurnstileTask")
        await first.accepted(REF)
        seen = await two.records.look(PLACE)
        assert seen is not None
        second = entry(two, found=seen.record)
        members.place._records.clear()
        members.place._state = type(members.place._state)()
        with pytest.raises(AccountUnavailable):
            await second.follow()
        await anyio.sleep(30)
        assert await second.follow() is None
        assert not second.ours
        first.answered({"token": "x"}, None, 1, 1.0, 0.0)
        await one.records.settle(5)
        assert await state_of(two) == "solved"


async def test_what_was_left_to_others_is_not_kept_for_ever() -> None:
    """Of a task that another member collects, its sender never hears the end."""
    async with party() as members:
        (one, _) = await members.join()
        for number in range(20):
            place = Place(BY_KEY, str(number), None)
            made = entry(one, place)
            assert await made.begin("TurnstileTask")
            await made.accepted(REF)
            assert not made.ours
        assert len(one.records._unfinished) == 20
        await anyio.sleep(RESULT_LIFE + 1)
        assert await entry(one).begin("TurnstileTask")
        assert len(one.records._unfinished) == 1


def test_nothing_shows_a_callback_s_token() -> None:
    """Who holds it may post an answer; a repr may stand in a log or a trace."""
    record = TaskRecord(
        tag=new_tag(), batch="shop", key='"order-17"', state="open", ref=REF, token="secret-token"
    )
    changed = Change(key=key_of(PLACE), value=record.dump(), tag=record.tag)
    for shown in (record, changed, Found(record.dump(), True), Mail("a", "post secret-token")):
        assert "secret-token" not in repr(shown)


UNREADABLE = [
    b"x",
    b"\xff" * 40,
    b"a" * 16 + b"[1]",
    b"a" * 16 + b'{"batch":"\\"shop\\"","key":"\\"order-17\\"","state":"of a newer version"}',
    b"a" * 16 + b'{"batch":"\\"shop\\"","key":"\\"order-17\\"","state":"solved"}',
    b"a" * 16 + b'{"batch":"\\"shop\\"","key":"\\"order-17\\"","state":"open","ref":"{}"}',
    b"a" * 16 + b'{"batch":"\\"shop\\"","key":"\\"order-17\\"","state":"sending","at":"now"}',
]


@pytest.mark.parametrize("text", UNREADABLE)
async def test_a_record_that_cannot_be_read_is_a_doubt(text: bytes) -> None:
    """Nobody knows whether the key was paid for; it may be sent again, and others go on."""
    async with party() as members:
        one, _ = await members.join()
        assert await entry(one, Place("shop", '"other"', None)).begin("TurnstileTask")
        members.place._put(key_of(PLACE), text, RESULT_LIFE, NOBODY)
        seen = await one.records.look(PLACE)
        assert seen is not None
        assert seen.record.state == "uncertain"
        ((key, left),) = await one.records.left()
        assert (key, left.state) == (key_of(PLACE), "uncertain")
        # Its place is known as far as it is there.
        assert (left.batch, left.key) == (("shop", PLACE.key) if b"order" in text else ("", ""))
        assert 0 <= left.age < 1
        await one.records.adopt()
        assert not await entry(one).begin("TurnstileTask")
        assert await entry(one, expected=seen.record.tag).begin("TurnstileTask")
        assert await state_of(one) == "sending"


async def test_a_reply_that_was_lost_takes_nothing_twice() -> None:
    """The claim is repeated over the next connection, and found to be its own."""
    async with party() as members:
        one, view = await members.join()
        lost: list[int] = []

        async def lose(changes: Sequence[Change]) -> None:
            if not lost:
                lost.append(1)
                view.away = True
                await view._check("reply")

        view.after = lose
        begun: list[bool] = []

        async def begin() -> None:
            begun.append(await entry(one).begin("TurnstileTask"))

        async with anyio.create_task_group() as group:
            group.start_soon(begin)
            await anyio.sleep(0.5)
            view.away = False
        assert begun == [True]


TEXT = st.text(st.characters(codec=None), max_size=20)


@given(TEXT, st.binary(max_size=20) | st.none(), st.binary(max_size=9) | st.none())
def test_a_record_comes_back_as_it_was(
    batch: str, mark: bytes | None, solution: bytes | None
) -> None:
    """Whatever is in the name of a batch; the user's key shows in no key of the store."""
    record = TaskRecord(
        tag=new_tag(),
        batch=batch,
        key='"order-17"',
        mark=mark,
        state="open",
        ref=REF,
        solution=None if solution is None else solution.hex().encode(),
        cost="0.001",
        since=2.5,
        free=True,
    )
    assert TaskRecord.load(record.dump()) == record
    assert TaskRecord.load(attrs.evolve(record, state="sending", ref=None).dump()).ref is None
    key = key_of(record.place)
    assert len(key) == 37
    assert key != key_of(Place(batch + "x", '"order-17"', None))
