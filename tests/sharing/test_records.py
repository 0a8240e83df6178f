"""Shared records: a key is paid for once, whoever runs it, and whoever is killed meanwhile."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async import AccountUnavailable, TaskRef
from captcha_async._sharing._memory import MemoryStore
from captcha_async._sharing._messages import Report
from captcha_async._sharing._records import Records, TaskRecord
from captcha_async._sharing._store import RESULT_LIFE, StoreUnreachable

REF = TaskRef("capmonster", 7, "TurnstileTask")


class Away(MemoryStore):
    """A store that may not answer."""

    away = False

    def _check(self) -> None:
        if self.away:
            raise StoreUnreachable("it is gone")

    async def claim(self, key: str, value: bytes, seconds: float, owner: str = "") -> bytes | None:
        self._check()
        return await super().claim(key, value, seconds, owner)

    async def write(self, key: str, value: bytes, seconds: float, owner: str = "") -> None:
        self._check()
        await super().write(key, value, seconds, owner)

    async def read(self, key: str) -> bytes | None:
        self._check()
        return await super().read(key)

    async def remove(self, key: str) -> None:
        self._check()
        await super().remove(key)

    async def adopt(self, me: str) -> list[tuple[str, bytes]]:
        self._check()
        return await super().adopt(me)


@asynccontextmanager
async def two() -> AsyncGenerator[tuple[Away, Records, Records]]:
    """A store, and the records of two members of it."""
    store = Away()
    for name in ("a", "b"):
        await store.exchange(name, Report())
    yield store, Records(store, lambda: "a"), Records(store, lambda: "b")


async def test_a_key_is_sent_once() -> None:
    """Who comes second learns that it is on its way, then its task, then its answer."""
    async with two() as (_, first, second):
        assert await first.begin("order-17") is None
        known = await second.begin("order-17")
        assert known == TaskRecord(key="order-17", state="sending", member="a")
        await first.accepted("order-17", REF, "token")
        known = await second.begin("order-17")
        assert known is not None
        assert (known.state, known.ref, known.token) == ("open", REF, "token")
        await second.solved("order-17", REF, b'{"token": "x"}')
        known = await first.look("order-17")
        assert known is not None
        assert (known.state, known.answer) == ("solved", b'{"token": "x"}')


async def test_two_at_once_send_one() -> None:
    """Of many who begin at the same moment one sends."""
    async with two() as (store, *_):
        begun: list[TaskRecord | None] = []

        async def begin(number: int) -> None:
            begun.append(await Records(store, lambda: str(number)).begin("key"))

        async with anyio.create_task_group() as group:
            for number in range(20):
                group.start_soon(begin, number)
        assert begun.count(None) == 1


async def test_what_was_refused_may_be_sent_again() -> None:
    """A key is free again when its task was certainly not accepted."""
    async with two() as (_, first, second):
        await first.begin("key")
        await first.drop("key")
        assert await second.begin("key") is None


async def test_a_record_lives_as_long_as_a_result() -> None:
    """Afterwards the service knows nothing of the task either."""
    async with two() as (_, first, second):
        await first.begin("key")
        await first.accepted("key", REF)
        await anyio.sleep(RESULT_LIFE - 1)
        assert await second.look("key") is not None
        await anyio.sleep(2)
        assert await second.look("key") is None
        assert await second.begin("key") is None


async def test_what_a_dead_member_left_is_adopted_by_one() -> None:
    """Open tasks and those of unknown outcome; solved ones need nobody."""
    async with two() as (store, first, second):
        for key in ("open", "sending", "solved"):
            await first.begin(key)
        await first.accepted("open", REF)
        await first.solved("solved", REF, b"{}")
        assert await second.adopt() == []
        await store.exchange("a", Report(leaving=True))
        found = {record.key: record.state for record in await second.adopt()}
        assert found == {"open": "open", "sending": "sending"}
        assert await second.adopt() == []


async def test_in_an_outage_nothing_is_sent_and_nothing_is_lost() -> None:
    """What was paid for is written down when the store is back, the last word on each key."""
    async with two() as (store, first, second):
        await first.begin("key")
        await first.begin("refused")
        store.away = True
        with pytest.raises(AccountUnavailable, match="nothing was sent"):
            await second.begin("other")
        with pytest.raises(AccountUnavailable):
            await second.adopt()
        assert await second.look("key") is None
        await first.accepted("key", REF)
        await first.drop("refused")
        await first.solved("key", REF, b"{}")
        assert first.unsaved == 2
        store.away = False
        await first.flush()
        assert first.unsaved == 0
        known = await second.look("key")
        assert known is not None
        assert known.state == "solved"
        assert await second.begin("refused") is None


@given(st.text())
async def test_any_text_is_a_key(key: str) -> None:
    """Keys are told apart whatever is in them, and do not show in the store's keys."""
    store = MemoryStore()
    records = Records(store, lambda: "a")
    assert await records.begin(key) is None
    assert await records.begin(key + "x") is None
    assert all(len(name) == 37 for name in store._records)
