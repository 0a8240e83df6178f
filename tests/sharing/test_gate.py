"""The gate of one process: it keeps to its share, in order, and asks when the share is used up."""

from __future__ import annotations

import anyio
import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async._sharing._gate import Gate
from captcha_async._sharing._messages import Ask


class Asked:
    """Counts how often a gate has asked."""

    def __init__(self) -> None:
        self.times = 0
        self.valid = True

    def __call__(self) -> None:
        self.times += 1

    def in_force(self, now: float) -> bool:
        """Whether the share holds."""
        return self.valid


def gate(share: int, window: float | None = None) -> tuple[Gate, Asked]:
    """A gate with a share."""
    asked = Asked()
    made = Gate(asked.in_force, asked, window)
    made.resize(share)
    return made, asked


async def test_within_the_share_nobody_is_asked() -> None:
    """The uncontended path is synchronous and needs no store."""
    made, asked = gate(2)
    made.acquire_nowait()
    await made.acquire()
    made.release()
    made.acquire_nowait()
    assert (asked.times, made.statistics().borrowed) == (0, 2)
    with pytest.raises(anyio.WouldBlock):
        made.acquire_nowait()


async def test_who_waits_asks_once_and_enters_in_order() -> None:
    """What the store knows already is not told again; a share that grows lets in one after one."""
    made, asked = gate(0)
    entered: list[int] = []

    async def enter(number: int) -> None:
        await made.acquire()
        entered.append(number)

    async with anyio.create_task_group() as group:
        for number in range(3):
            group.start_soon(enter, number)
            await anyio.wait_all_tasks_blocked()
        told = made.ask(anyio.current_time())
        assert (told, asked.times) == (Ask(used=0, firm=3, spare=8, had=0), 3)
        made.grant(1, told)
        await anyio.wait_all_tasks_blocked()
        assert entered == [0]
        group.start_soon(enter, 3)
        await anyio.wait_all_tasks_blocked()
        assert asked.times == 3
        made.resize(4)
    assert entered == [0, 1, 2, 3]


async def test_a_cancelled_waiter_takes_nothing_with_it() -> None:
    """The one behind it enters, and the store is told of one fewer."""
    made, _ = gate(1)
    await made.acquire()
    entered = anyio.Event()

    async def enter() -> None:
        await made.acquire()
        entered.set()

    async with anyio.create_task_group() as group:
        with anyio.CancelScope() as first:
            async with anyio.create_task_group() as inner:
                inner.start_soon(made.acquire)
                await anyio.wait_all_tasks_blocked()
                group.start_soon(enter)
                await anyio.wait_all_tasks_blocked()
                assert made.ask(anyio.current_time()).firm == 3
                first.cancel()
        assert made.ask(anyio.current_time()).firm == 2
        made.release()
        with anyio.fail_after(1):
            await entered.wait()
    assert made.statistics().borrowed == 1


async def test_a_share_that_is_not_in_force_lets_nobody_in() -> None:
    """After the lease what the share was is no more; those inside stay."""
    made, asked = gate(5)
    made.acquire_nowait()
    asked.valid = False
    with pytest.raises(anyio.WouldBlock):
        made.acquire_nowait()
    assert made.ask(0.0) == Ask(used=1, firm=1, spare=8, had=0)
    asked.valid = True
    made.acquire_nowait()


async def test_what_is_over_the_share_is_told_when_it_comes_free() -> None:
    """Others wait for what a smaller share has left over."""
    made, asked = gate(3)
    for _ in range(3):
        made.acquire_nowait()
    assert made.grant(1, made.ask(0.0))
    asked.times = 0
    made.release()
    made.release()
    assert asked.times == 2
    made.release()
    assert asked.times == 2


async def test_when_others_wait_a_free_slot_is_told() -> None:
    """Who has something to give back asks; who has only what it uses does not."""
    made, asked = gate(3)
    made.others_wait(5)
    assert asked.times == 1
    assert made.ask(0.0).spare == 0
    for _ in range(3):
        made.acquire_nowait()
    made.others_wait(5)
    assert asked.times == 1
    made.others_wait(2)
    assert asked.times == 2
    made.release()
    assert asked.times == 3


async def test_a_turn_counts_for_its_window() -> None:
    """Turns come free by themselves, exactly one window after they were taken."""
    made, _ = gate(2, window=10.0)
    start = anyio.current_time()
    moments: list[float] = []
    for _ in range(5):
        await made.acquire()
        made.release()
        moments.append(anyio.current_time() - start)
    assert moments == pytest.approx([0, 0, 10, 10, 20], abs=1e-3)
    made.hungry = True
    # The turn of before is counted until then.
    assert made.due() - start == pytest.approx(30, abs=1e-3)


async def test_without_a_limit_all_enter() -> None:
    """-1 stands for no limit."""
    made, asked = gate(-1, window=1.0)
    for _ in range(1000):
        made.acquire_nowait()
    assert (asked.times, made.statistics().capacity, made.statistics().entered) == (0, None, 1000)


async def test_release_without_acquire_is_a_fault() -> None:
    """A slot that nobody has taken cannot be given back."""
    made, _ = gate(1)
    with pytest.raises(RuntimeError, match="without acquire"):
        made.release()


@given(
    st.lists(st.floats(0, 3), min_size=1, max_size=30),
    st.integers(1, 4),
    st.lists(st.integers(0, 5), max_size=5),
)
async def test_no_window_sees_more_than_the_share(
    pauses: list[float], share: int, changes: list[int]
) -> None:
    """Whenever callers come, and however the share changes, the largest share is never exceeded."""
    made, _ = gate(share, window=2.0)
    moments: list[float] = []

    async def enter(after: float) -> None:
        await anyio.sleep(after)
        await made.acquire()
        moments.append(anyio.current_time())

    async def change() -> None:
        for new in changes:
            await anyio.sleep(1.0)
            made.resize(new)
        await anyio.sleep(1.0)
        made.resize(max(1, share))

    async with anyio.create_task_group() as group:
        group.start_soon(change)
        for pause in pauses:
            group.start_soon(enter, pause)
    most = max([share, *changes])
    moments.sort()
    for first, later in zip(moments, moments[most:], strict=False):
        assert later - first >= 2.0 - 1e-9


async def test_a_share_that_shrinks_is_waited_out() -> None:
    """The timer of a turn that comes free lets nobody in above the smaller share."""
    made, _ = gate(3, window=10.0)
    for _ in range(3):
        await made.acquire()
        await anyio.sleep(1)
    entered: list[float] = []
    start = anyio.current_time()

    async def enter() -> None:
        await made.acquire()
        entered.append(anyio.current_time() - start)

    async with anyio.create_task_group() as group:
        group.start_soon(enter)
        await anyio.wait_all_tasks_blocked()
        made.resize(1)
    # All three have to be out of the window; the last entry was a second ago.
    assert entered == [pytest.approx(9.0)]
