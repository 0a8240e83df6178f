"""A context in a task of its own: who may enter and leave it, and what an end of any kind does."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from contextvars import ContextVar

import anyio
import pytest

from captcha_async._serving._own_task import OwnTask

on_asyncio = pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)


class Room:
    """A context that notes what happens; a task group in it makes the tasks matter."""

    def __init__(
        self, *, enters: Exception | None = None, takes: float = 0, leaves: Exception | None = None
    ) -> None:
        self.enters = enters
        self.takes = takes
        self.leaves = leaves
        self.notes: list[str] = []

    def own(self) -> OwnTask[str]:
        """Return it in a task of its own."""
        return OwnTask(self.open(), "the room")

    @asynccontextmanager
    async def open(self) -> AsyncGenerator[str]:
        """Enter and leave."""
        try:
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.sleep_forever)
                await anyio.sleep(self.takes)
                if self.enters is not None:
                    raise self.enters
                self.notes.append("in")
                try:
                    yield "key"
                finally:
                    group.cancel_scope.cancel()
        finally:
            self.notes.append("out")
            if self.leaves is not None:
                raise self.leaves


async def in_another_task(manager: AbstractAsyncContextManager[str]) -> None:
    """Leave *manager* in a new task."""
    async with anyio.create_task_group() as group:
        group.start_soon(manager.__aexit__, None, None, None)


async def test_one_task_enters_and_another_leaves() -> None:
    """As fixtures and start-up hooks do; each of them may have ended since."""
    room = Room()
    own = room.own()
    given: list[str] = []

    async def enter() -> None:
        given.append(await own.__aenter__())

    async with anyio.create_task_group() as group:
        group.start_soon(enter)
    assert (given, room.notes) == (["key"], ["in"])
    await in_another_task(own)
    assert room.notes == ["in", "out"]


def test_it_may_be_made_outside_of_an_event_loop() -> None:
    """A fixture makes it before there is a loop to enter it in."""
    own = Room().own()

    async def use() -> str:
        async with own as key:
            return key

    assert anyio.run(use) == "key"


async def test_it_is_entered_once_and_left_as_often_as_one_likes() -> None:
    """A second entry is refused and harms nothing; a second exit has nothing to do."""
    room = Room()
    own = room.own()
    with pytest.raises(RuntimeError, match="the room was never entered"):
        await own.__aexit__(None, None, None)
    async with own:
        with pytest.raises(RuntimeError, match="the room was entered already"):
            await own.__aenter__()
        assert room.notes == ["in"]
    await own.__aexit__(None, None, None)
    with pytest.raises(RuntimeError, match="entered already"):
        await own.__aenter__()
    assert room.notes == ["in", "out"]


async def test_both_of_two_who_leave_at_once_wait_for_the_end() -> None:
    """Neither goes on before all is undone."""
    room = Room()
    own = room.own()
    await own.__aenter__()
    notes: list[list[str]] = []

    async def leave() -> None:
        await own.__aexit__(None, None, None)
        notes.append(list(room.notes))

    async with anyio.create_task_group() as group:
        group.start_soon(leave)
        group.start_soon(leave)
    assert notes == [["in", "out"]] * 2


async def test_an_error_on_the_way_in_comes_to_who_enters() -> None:
    """Once, and nothing is left behind."""
    room = Room(enters=LookupError("mine"))
    own = room.own()
    with pytest.raises(ExceptionGroup) as caught:
        await own.__aenter__()
    assert caught.group_contains(LookupError, match="mine")
    assert room.notes == ["out"]
    await own.__aexit__(None, None, None)


async def test_an_error_on_the_way_out_comes_to_who_leaves() -> None:
    """Once; and an error of the block hides it, as it is the one to see."""
    own = Room(leaves=LookupError("mine")).own()
    await own.__aenter__()
    with pytest.raises(LookupError, match="mine"):
        await own.__aexit__(None, None, None)
    await own.__aexit__(None, None, None)


async def test_the_error_of_the_block_is_the_one_to_see(caplog: pytest.LogCaptureFixture) -> None:
    """It comes out as it is; what the way out raised beside it is told in the log."""
    with pytest.raises(KeyError):
        async with Room(leaves=LookupError("mine")).own():
            raise KeyError
    assert "the room ended with LookupError('mine')" in caplog.text


async def test_cancelled_while_it_enters_it_undoes_what_was_begun() -> None:
    """The cancellation goes on when all is undone."""
    room = Room(takes=10)
    with anyio.move_on_after(1) as scope:
        await room.own().__aenter__()
    assert scope.cancelled_caught
    assert room.notes == ["out"]
    assert anyio.current_time() < 10


async def test_cancelled_while_it_leaves_it_waits_for_the_end() -> None:
    """No part of it outlives its block."""
    room = Room()
    with anyio.CancelScope() as scope:
        async with room.own():
            scope.cancel()
    assert room.notes == ["in", "out"]


async def test_the_cancellation_of_who_entered_does_not_reach_it() -> None:
    """Only leaving ends it: the scope around the entry is the entering task's alone."""
    room = Room()
    own = room.own()
    with anyio.CancelScope() as scope:
        await own.__aenter__()
        scope.cancel()
    await anyio.lowlevel.checkpoint()
    assert room.notes == ["in"]
    await own.__aexit__(None, None, None)
    assert room.notes == ["in", "out"]


@on_asyncio
async def test_a_native_cancellation_waits_for_the_end_too() -> None:
    """asyncio's own passes every shield of anyio's, again and again."""
    room = Room()
    entered = asyncio.Event()

    async def use() -> None:
        async with room.own():
            entered.set()
            await asyncio.Event().wait()

    using = asyncio.create_task(use())
    await entered.wait()
    using.cancel()
    await anyio.lowlevel.checkpoint()
    using.cancel()
    with pytest.raises(asyncio.CancelledError):
        await using
    assert room.notes == ["in", "out"]


async def cancel_others() -> None:
    """Cancel all tasks of the loop but this one, as some programs do at their end."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.wait(others)


def test_left_after_all_other_tasks_were_cancelled() -> None:
    """Its own was one of them: it has undone all by itself, and leaving finds nothing to do."""
    room = Room()

    async def use() -> None:
        async with room.own():
            await cancel_others()
            assert room.notes == ["in", "out"]

    asyncio.run(use())
    assert room.notes == ["in", "out"]


def test_all_other_tasks_cancelled_while_it_enters() -> None:
    """Whoever enters is told, instead of going on with nothing."""
    room = Room(takes=10)

    async def use() -> None:
        entering = asyncio.current_task()

        def cancel_its_task() -> None:
            for task in asyncio.all_tasks() - {entering}:
                task.cancel()

        # The room's tasks are there two rounds of the loop later.
        loop = asyncio.get_running_loop()
        loop.call_soon(lambda: loop.call_soon(lambda: loop.call_soon(cancel_its_task)))
        with pytest.raises(RuntimeError, match="the room was cancelled while it started"):
            await room.own().__aenter__()

    asyncio.run(use())
    assert room.notes == ["out"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_never_left_it_ends_with_the_loop(backend: str) -> None:
    """The event loop owns the task; leaving it afterwards, in another loop, does nothing."""
    room = Room()
    own = room.own()
    anyio.run(own.__aenter__, backend=backend)
    assert room.notes == ["in", "out"]

    async def leave() -> None:
        await own.__aexit__(None, None, None)

    anyio.run(leave, backend=backend)
    assert room.notes == ["in", "out"]


def test_left_in_another_loop_while_its_own_still_waits() -> None:
    """A loop that stands still cannot end it, so waiting for that would be for ever."""
    room = Room()
    own = room.own()
    with asyncio.Runner() as first, asyncio.Runner() as second:
        first.run(own.__aenter__())
        with pytest.raises(RuntimeError, match="must be left in the event loop"):
            second.run(own.__aexit__(None, None, None))
        assert room.notes == ["in"]
        first.run(own.__aexit__(None, None, None))
    assert room.notes == ["in", "out"]


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_variables_of_the_context_are_those_of_who_enters(backend: str) -> None:
    """As in a task group."""
    variable: ContextVar[str] = ContextVar("variable", default="none")

    @asynccontextmanager
    async def tell() -> AsyncGenerator[str]:
        yield variable.get()

    async def use() -> str:
        variable.set("mine")
        async with OwnTask(tell(), "it") as value:
            return value

    assert anyio.run(use, backend=backend) == "mine"
