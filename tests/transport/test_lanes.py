"""The lane pool by itself, on lanes that play a part: order, age, and what is sent again."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import anyio
import httpx
import pytest
from anyio import wait_all_tasks_blocked
from anyio.abc import TaskGroup
from anyio.lowlevel import checkpoint

from captcha_async._transport._heads import head_of, json_head
from captcha_async._transport._lane_errors import ConnectError, ReadError
from captcha_async._transport._lanes import APART, FEW, PATIENCE, LanePool
from captcha_async._transport._messages import (
    KEEP_ALIVE,
    Call,
    NothingSent,
    Origin,
    RawReply,
)

HEAD = json_head("http://service.example/createTask")
ELSEWHERE = json_head("https://mirror.example:8443/createTask")
REPLY = RawReply(200, [], b"", b"HTTP/1.1", b"OK")


class FakeLane:
    """Answers at once unless told otherwise."""

    def __init__(self) -> None:
        self.origin: Origin | None = None
        self.alive = self.reusable = True
        self.closed = False
        self.errors: deque[BaseException] = deque()
        self.hold: anyio.Event | None = None

    def is_ready_for(self, origin: Origin) -> bool:
        return self.alive and self.origin == origin

    async def exchange(self, call: Call) -> RawReply:
        assert not self.closed
        self.origin = call.head.origin
        await checkpoint()
        if self.hold is not None:
            await self.hold.wait()
        if self.errors:
            raise self.errors.popleft()
        return REPLY

    async def aclose(self) -> None:
        await checkpoint()
        self.closed = True

    def abandon(self) -> None:
        self.closed = True


class Lanes(list[FakeLane]):
    """Makes lanes and remembers them."""

    def __init__(self, prepare: Callable[[FakeLane], None] = lambda _: None) -> None:
        super().__init__()
        self._prepare = prepare

    def __call__(self) -> FakeLane:
        self.append(FakeLane())
        self._prepare(self[-1])
        return self[-1]


async def test_the_newest_lane_is_used_first() -> None:
    """Lanes that are not needed age, and so can be dropped."""
    lanes = Lanes()
    pool = LanePool(lanes, 5)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(pool.exchange, Call(HEAD, b""))
    assert len(lanes) == 3
    await anyio.sleep(KEEP_ALIVE * 0.6)
    await pool.exchange(Call(HEAD, b""))
    await anyio.sleep(KEEP_ALIVE * 0.6)
    await pool.exchange(Call(HEAD, b""))
    assert len(lanes) == 3
    assert sum(lane.closed for lane in lanes) == 2
    assert repr(pool) == "<LanePool 0 busy, 1 idle>"


async def test_an_aged_lane_is_not_used() -> None:
    """The server has probably closed it, or is about to."""
    lanes = Lanes()
    pool = LanePool(lanes, 2)
    await pool.exchange(Call(HEAD, b""))
    await anyio.sleep(KEEP_ALIVE + 1)
    await pool.exchange(Call(HEAD, b""))
    assert [lane.closed for lane in lanes] == [True, False]
    assert pool.statistics().discarded == 0


async def test_a_dead_lane_is_not_used() -> None:
    """What the server closed meanwhile is dropped without a word."""
    lanes = Lanes()
    pool = LanePool(lanes, 2)
    await pool.exchange(Call(HEAD, b""))
    lanes[0].alive = False
    await pool.exchange(Call(HEAD, b""))
    assert [lane.closed for lane in lanes] == [True, False]


async def test_a_lane_that_cannot_go_on_is_closed() -> None:
    """After `Connection: close` there is no second request."""
    pool = LanePool(lanes := Lanes(lambda lane: setattr(lane, "reusable", False)), 2)
    await pool.exchange(Call(HEAD, b""))
    assert lanes[0].closed
    assert repr(pool) == "<LanePool 0 busy, 0 idle>"


async def test_a_lane_leads_to_one_origin() -> None:
    """Another service's request never goes to this one; the lane makes room."""
    lanes = Lanes()
    pool = LanePool(lanes, 2)
    await pool.exchange(Call(HEAD, b""))
    await pool.exchange(Call(ELSEWHERE, b""))
    assert [lane.closed for lane in lanes] == [True, False]
    assert lanes[1].origin == Origin(True, "mirror.example", 8443)


async def test_what_was_not_sent_goes_to_another_lane() -> None:
    """A lane found dead before the first byte costs nothing, however many there are."""
    lanes = Lanes()
    pool = LanePool(lanes, 5)
    async with anyio.create_task_group() as group:
        for _ in range(3):
            group.start_soon(pool.exchange, Call(HEAD, b""))
    for lane in lanes:
        lane.errors.append(NothingSent())
    assert await pool.exchange(Call(HEAD, b"")) is REPLY
    assert [lane.closed for lane in lanes] == [True, True, True, False]


async def test_what_may_have_been_sent_is_not_sent_again() -> None:
    """After a byte was written nobody knows what the service did with it."""
    lanes = Lanes()
    pool = LanePool(lanes, 5)
    await pool.exchange(Call(HEAD, b""))
    lanes[0].errors.append(ReadError("reset"))
    with pytest.raises(ReadError):
        await pool.exchange(Call(HEAD, b""))
    assert len(lanes) == 1
    assert lanes[0].closed


async def test_a_new_lane_that_ends_at_once_is_not_tried_for_ever() -> None:
    """A service that hangs up on everybody is one that cannot be reached."""
    pool = LanePool(lanes := Lanes(lambda lane: lane.errors.append(NothingSent())), 5)
    with pytest.raises(ConnectError):
        await pool.exchange(Call(HEAD, b""))
    assert len(lanes) == 1


async def test_cancelled_requests_give_everything_back() -> None:
    """No lane is lost, wherever the cancellation hits; of many no more are kept than the size."""
    lanes = Lanes()
    pool = LanePool(lanes, 3)
    for steps in range(8):
        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(pool.exchange, Call(HEAD, b""))
            for _ in range(steps):
                await checkpoint()
            group.cancel_scope.cancel()
        assert pool.statistics().busy == 0
        assert pool.statistics().idle == sum(not lane.closed for lane in lanes)
    async with anyio.create_task_group() as group:
        for _ in range(10):
            group.start_soon(pool.exchange, Call(HEAD, b""))
    assert pool.statistics().idle == 3
    await pool.aclose()
    assert all(lane.closed for lane in lanes)


async def test_a_lane_that_will_not_close_holds_nobody_up() -> None:
    """Closing is bounded, and its errors are nobody's."""

    class Stubborn(FakeLane):
        async def aclose(self) -> None:
            await anyio.sleep_forever()

    pool = LanePool(Stubborn, 1)
    await pool.exchange(Call(HEAD, b""))
    started = anyio.current_time()
    await pool.aclose()
    assert anyio.current_time() - started < 5


@pytest.mark.parametrize("url", ["ftp://service.example/", "/createTask"])
def test_only_http_is_spoken(url: str) -> None:
    """Another scheme is refused before anything happens."""
    with pytest.raises(httpx.UnsupportedProtocol) as caught:
        head_of(httpx.Request("GET", url))
    assert caught.value.request.method == "GET"


def test_a_header_cannot_bring_in_another() -> None:
    """A line end inside of a header's value is refused."""
    request = httpx.Request("GET", "http://x/", headers={"a": "b\r\nc: d"})
    with pytest.raises(httpx.LocalProtocolError):
        head_of(request)


async def test_lanes_of_an_event_loop_that_has_ended_are_let_go() -> None:
    """Nobody can wait for their end any more."""
    pool = LanePool(lanes := Lanes(), 1)
    await pool.exchange(Call(HEAD, b""))
    pool.abandon()
    assert lanes[0].closed
    assert pool.statistics().idle == 0


async def _busy_pool(lanes: Lanes, group: TaskGroup) -> LanePool:
    """Return a pool of which as many lanes are in use as are opened without waiting."""
    pool = LanePool(lanes, 64)
    for _ in range(FEW):
        group.start_soon(pool.exchange, Call(HEAD, b""))
    await wait_all_tasks_blocked()
    assert len(lanes) == FEW
    return pool


async def test_of_a_burst_most_find_a_lane_that_somebody_else_has_opened() -> None:
    """A handshake costs more than a moment's wait."""
    lanes = Lanes(lambda lane: setattr(lane, "hold", anyio.Event()))
    async with anyio.create_task_group() as group:
        pool = await _busy_pool(lanes, group)
        for _ in range(5):
            group.start_soon(pool.exchange, Call(HEAD, b""))
        await wait_all_tasks_blocked()
        assert pool.statistics().busy == FEW
        for lane in lanes:
            assert lane.hold is not None
            lane.hold.set()
    assert len(lanes) == FEW


async def test_nobody_waits_long_for_a_lane() -> None:
    """Where none becomes free another one is opened, one after the other."""
    lanes = Lanes(lambda lane: setattr(lane, "hold", anyio.Event()))
    async with anyio.create_task_group() as group:
        pool = await _busy_pool(lanes, group)
        for _ in range(2):
            group.start_soon(pool.exchange, Call(HEAD, b""))
        await anyio.sleep(PATIENCE + APART / 2)
        assert len(lanes) == FEW + 1
        await anyio.sleep(APART)
        assert len(lanes) == FEW + 2
        group.cancel_scope.cancel()


async def test_the_place_of_a_lane_that_is_gone_is_free_at_once() -> None:
    """Where no lane can be used twice, waiting for one is in vain."""

    def prepare(lane: FakeLane) -> None:
        lane.hold, lane.reusable = anyio.Event(), False

    lanes = Lanes(prepare)
    async with anyio.create_task_group() as group:
        pool = await _busy_pool(lanes, group)
        group.start_soon(pool.exchange, Call(HEAD, b""))
        await wait_all_tasks_blocked()
        assert lanes[0].hold is not None
        lanes[0].hold.set()
        await wait_all_tasks_blocked()
        assert len(lanes) == FEW + 1
        group.cancel_scope.cancel()


@pytest.mark.parametrize("first", ["given", "cancelled"])
async def test_a_lane_that_was_given_to_a_cancelled_request_is_not_lost(first: str) -> None:
    """It is kept for the next one, or closed if the request was begun; nothing is left open."""
    lanes = Lanes(lambda lane: setattr(lane, "hold", anyio.Event()))
    extra = FakeLane()
    extra.origin = HEAD.origin
    async with anyio.create_task_group() as group:
        pool = await _busy_pool(lanes, group)
        with anyio.CancelScope() as scope:
            async with anyio.create_task_group() as seeking:
                seeking.start_soon(pool.exchange, Call(HEAD, b""))
                await wait_all_tasks_blocked()
                if first == "cancelled":
                    scope.cancel()
                assert pool._hand_over(extra, anyio.current_time())
                scope.cancel()
        assert pool.statistics().busy == FEW
        assert pool.statistics().idle == (not extra.closed)
        group.cancel_scope.cancel()


async def test_a_wait_for_a_lane_ends_with_the_time_of_its_request() -> None:
    """Also where others that have more time wait before it; theirs goes on."""
    lanes = Lanes(lambda lane: setattr(lane, "hold", anyio.Event()))
    async with anyio.create_task_group() as group:
        pool = await _busy_pool(lanes, group)
        group.start_soon(pool.exchange, Call(HEAD, b""))
        group.start_soon(pool.exchange, Call(HEAD, b""), PATIENCE / 2)
        await anyio.sleep(PATIENCE * 0.6)
        assert len(lanes) == FEW + 1
        await anyio.sleep(PATIENCE * 0.6)
        assert len(lanes) == FEW + 2
        group.cancel_scope.cancel()


async def test_each_has_its_own_patience() -> None:
    """One who comes later waits as long as one who was given a lane meanwhile might have."""
    lanes = Lanes(lambda lane: setattr(lane, "hold", anyio.Event()))
    async with anyio.create_task_group() as group:
        pool = await _busy_pool(lanes, group)
        group.start_soon(pool.exchange, Call(HEAD, b""))
        await anyio.sleep(PATIENCE / 2)
        assert lanes[0].hold is not None
        lanes[0].hold.set()
        await wait_all_tasks_blocked()
        lanes[0].hold = anyio.Event()
        group.start_soon(pool.exchange, Call(HEAD, b""))
        await wait_all_tasks_blocked()
        # The first is over, a second takes its lane, and so a third has to wait.
        group.start_soon(pool.exchange, Call(HEAD, b""))
        await anyio.sleep(PATIENCE * 0.9)
        assert len(lanes) == FEW
        await anyio.sleep(PATIENCE * 0.2)
        assert len(lanes) == FEW + 1
        group.cancel_scope.cancel()
