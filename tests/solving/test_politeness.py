"""Rules 5 to 7: gap, cap, fuse, dead ids and Retry-After, as the service sees them."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import anyio
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from local import TOKEN_TASK, answered_by, joined

from captcha_async import (
    CAPMONSTER,
    AccountError,
    FixedPolling,
    InsufficientBalance,
    KeyRejected,
    PollLimitReached,
    TaskExpired,
    TaskRef,
)
from captcha_async.emulator import Emulator, Latency

# -- rule 5: gap and cap --------------------------------------------------------------------------


@settings(max_examples=25)
@given(
    first=st.floats(0, 3),
    interval=st.floats(0, 3),
    latency=st.floats(0, 60),
    delay=st.floats(0, 1.5),
)
async def test_no_setting_makes_polls_come_too_fast(
    first: float, interval: float, latency: float, delay: float
) -> None:
    """Whatever schedule the user sets and however slow the network, the service sees the gap."""
    emulator = Emulator(latency=Latency.fixed(latency))
    emulator.delay(delay)
    async with joined(emulator, polling=FixedPolling(first, interval)) as client:
        await client.solve(TOKEN_TASK, timeout=200)
    assert emulator.violations == []


async def test_the_poll_cap_is_kept() -> None:
    """The 121st poll is not sent: the error comes from us, not from a ban."""
    emulator = Emulator(latency=Latency.fixed(100_000))
    async with joined(emulator, polling=FixedPolling(0, 0)) as client:
        with pytest.raises(PollLimitReached) as caught:
            await client.solve(TOKEN_TASK, timeout=10_000)
        assert caught.value.ref is not None
        assert caught.value.polls == 120
        # Neither a stale reference nor a full one starts the count anew.
        for polls in (0, 120):
            ref = TaskRef("capmonster", caught.value.ref.task_id, "RecaptchaV2Task", polls)
            with pytest.raises(PollLimitReached):
                await client.attach(ref)
    assert len(emulator.requests_to("getTaskResult")) == 120
    assert emulator.violations == []


async def test_the_cap_holds_across_clients() -> None:
    """A reference brings the polls along."""
    emulator = Emulator(latency=Latency.fixed(100_000))
    async with joined(emulator, polling=FixedPolling(0, 0)) as client:
        pending = await client.submit(TOKEN_TASK)
        with pytest.raises(TimeoutError):
            await pending.result(timeout=100)
        ref = pending.ref
    async with joined(emulator, polling=FixedPolling(0, 0)) as client:
        with pytest.raises(PollLimitReached):
            await client.attach(ref).result(timeout=1000)
    assert len(emulator.requests_to("getTaskResult")) == 120
    assert emulator.violations == []


async def test_a_service_that_complains_about_polls_is_given_time() -> None:
    """ERROR_TOO_MUCH_REQUESTS does not end the solve."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.refuse("ERROR_TOO_MUCH_REQUESTS", "getTaskResult", times=2, retry_after=9)
    async with joined(emulator) as client:
        await client.solve(TOKEN_TASK)
    moments = [request.at for request in emulator.requests_to("getTaskResult")]
    assert all(b - a >= 9 - 1e-3 for a, b in pairwise(moments))


# -- rule 6: the fuse -----------------------------------------------------------------------------


async def solve_many(client: Any, count: int) -> list[BaseException]:
    """Solve as many tasks at once, and return the errors."""
    errors: list[BaseException] = []

    async def solve() -> None:
        try:
            await client.solve(TOKEN_TASK)
        except AccountError as error:
            errors.append(error)

    async with anyio.create_task_group() as group:
        for _ in range(count):
            group.start_soon(solve)
    return errors


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("ERROR_ZERO_BALANCE", InsufficientBalance),
        ("ERROR_KEY_DOES_NOT_EXIST", KeyRejected),
        ("ERROR_IP_BANNED", AccountError),
    ],
)
async def test_an_account_error_stops_the_queue(code: str, error: type[AccountError]) -> None:
    """Of 500 tasks only those on the wire reach the service; the rest fails at once, unsent."""
    from captcha_async import Limits

    emulator = Emulator()
    emulator.refuse(code)
    emulator.delay(1)
    async with joined(emulator, limits=Limits(connections=8)) as client:
        start = anyio.current_time()
        errors = await solve_many(client, 500)
        assert anyio.current_time() - start == pytest.approx(1, abs=0.1)
    assert len(errors) == 500
    assert {type(one) for one in errors} <= {error, *error.__subclasses__()}
    assert len(emulator.requests) == 8
    assert sum("No request was sent" in str(one) for one in errors) == 492


async def test_a_wrong_key_stops_the_polls_too() -> None:
    """With tasks in flight the service sees no more than what was on the wire."""
    emulator = Emulator(latency=Latency.fixed(60))
    async with joined(emulator) as client:
        pending = [await client.submit(TOKEN_TASK) for _ in range(20)]
        emulator.refuse("ERROR_KEY_DOES_NOT_EXIST", "getTaskResult")
        errors: list[AccountError] = []

        async def wait(one: Any) -> None:
            with pytest.raises(AccountError) as caught:
                await one
            errors.append(caught.value)

        async with anyio.create_task_group() as group:
            for index, one in enumerate(pending):
                group.start_soon(wait, one)
                await anyio.sleep(0.01 * index)
    assert len(emulator.requests_to("getTaskResult")) == 1
    assert {error.task_id for error in errors} == {one.task_id for one in pending}


async def test_without_money_paid_tasks_are_still_collected() -> None:
    """Zero balance stops new tasks, but not the polls of those that are paid for."""
    emulator = Emulator(latency=Latency.fixed(10))
    async with joined(emulator) as client:
        pending = await client.submit(TOKEN_TASK)
        emulator.refuse("ERROR_ZERO_BALANCE", http_status=402)
        with pytest.raises(InsufficientBalance) as caught:
            await client.submit(TOKEN_TASK)
        assert caught.value.http_status == 402
        await pending
        assert client.statistics().fuse == "open"


async def test_a_balance_above_zero_closes_the_fuse() -> None:
    """After topping up, asking for the balance is enough to go on."""
    emulator = Emulator(balance=0, latency=Latency.fixed(1))
    async with joined(emulator) as client:
        with pytest.raises(InsufficientBalance):
            await client.solve(TOKEN_TASK)
        assert await client.balance() == 0
        with pytest.raises(InsufficientBalance, match="No request was sent"):
            await client.solve(TOKEN_TASK)
        emulator.balance = 5
        await client.balance()
        await client.solve(TOKEN_TASK)


async def test_after_the_ban_one_probe_decides() -> None:
    """When the window is over one solve goes first, and the next ones follow."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.refuse("ERROR_IP_BANNED", times=1)
    async with joined(emulator) as client:
        with pytest.raises(AccountError):
            await client.solve(TOKEN_TASK)
        await anyio.sleep(CAPMONSTER.ban_window - 1)
        with pytest.raises(AccountError, match="No request was sent"):
            await client.solve(TOKEN_TASK)
        await anyio.sleep(2)
        assert client.statistics().fuse == "half-open"
        await client.solve(TOKEN_TASK)
        assert client.statistics().fuse == "closed"


async def test_the_fuse_can_be_reset_by_hand() -> None:
    """Whoever knows better may go on at once."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.refuse("ERROR_ZERO_BALANCE", times=1)
    async with joined(emulator) as client:
        with pytest.raises(InsufficientBalance):
            await client.solve(TOKEN_TASK)
        client.reset_fuse()
        await client.solve(TOKEN_TASK)


@pytest.mark.parametrize(
    ("status", "error"), [(401, KeyRejected), (402, InsufficientBalance), (403, KeyRejected)]
)
async def test_a_bare_http_status_blows_the_fuse_as_well(
    status: int, error: type[AccountError]
) -> None:
    """Some services refuse with a status and no JSON."""
    sent: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        return httpx.Response(status)

    async with answered_by(handler) as client:
        for _ in range(3):
            with pytest.raises(error, match="capmonster"):
                await client.solve(TOKEN_TASK)
    assert len(sent) == 1


# -- rule 7: dead ids and Retry-After -------------------------------------------------------------


@pytest.mark.parametrize("code", ["ERROR_NO_SUCH_CAPCHA_ID", "WRONG_CAPTCHA_ID"])
async def test_an_expired_id_is_never_polled_again(code: str) -> None:
    """Neither the pending task nor a new attachment asks again."""
    emulator = Emulator()
    emulator.refuse(code, "getTaskResult")
    async with joined(emulator) as client:
        pending = await client.submit(TOKEN_TASK)
        await anyio.sleep(15)
        with pytest.raises(TaskExpired, match="collect its answer sooner"):
            await pending
        with pytest.raises(TaskExpired):
            await pending
        with pytest.raises(TaskExpired):
            await client.attach(pending.ref)
        with pytest.raises(TaskExpired):
            await client.attach(pending.ref).peek()
    assert len(emulator.requests_to("getTaskResult")) == 1


@pytest.mark.parametrize("times", [1, 2])
async def test_a_new_id_is_doubted_once_before_it_is_believed_to_be_unknown(times: int) -> None:
    """Within seconds of createTask the service may not know the task everywhere yet."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.refuse("ERROR_NO_SUCH_CAPCHA_ID", "getTaskResult", times=times)
    async with joined(emulator) as client:
        if times == 1:
            assert (await client.solve(TOKEN_TASK)).polls == 2
        else:
            with pytest.raises(TaskExpired):
                await client.solve(TOKEN_TASK)
            assert len(emulator.requests_to("getTaskResult")) == 2


async def test_retry_after_holds_everything_back() -> None:
    """When the service asks to wait, no task of the client sends anything meanwhile."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.break_http("createTask", times=1, status=429, headers=[("retry-after", "30")])
    async with joined(emulator) as client, anyio.create_task_group() as group:
        for delay in (0.0, 1.0, 2.0):
            group.start_soon(client.solve, TOKEN_TASK)
            await anyio.sleep(delay)
    moments = [request.at - emulator.requests[0].at for request in emulator.requests]
    assert [moment for moment in moments if 0.1 < moment < 30] == []
    assert len(emulator.tasks) == 3


async def test_retry_after_may_be_a_date() -> None:
    """A date counts from the reply's own date, not from our clock."""
    headers = {
        "date": "Wed, 21 Oct 2026 07:28:00 GMT",
        "retry-after": "Wed, 21 Oct 2026 07:28:20 GMT",
    }
    replies = iter(
        [
            httpx.Response(
                503, json={"errorId": 1, "errorCode": "ERROR_SERVICE_UNAVALIABLE"}, headers=headers
            )
        ]
    )
    moments: list[float] = []

    def handler(request: httpx.Request) -> httpx.Response:
        moments.append(anyio.current_time())
        return next(replies, httpx.Response(200, json={"errorId": 0, "taskId": 1}))

    async with answered_by(handler) as client:
        await client.submit(TOKEN_TASK)
    assert moments[1] - moments[0] >= 20


async def test_a_retry_after_that_makes_no_sense_is_ignored() -> None:
    """Garbage in a header delays nothing for ever."""
    headers = {"retry-after": "soon"}
    replies = iter([httpx.Response(429, headers=headers)] * 2)

    def handler(request: httpx.Request) -> httpx.Response:
        return next(replies, httpx.Response(200, json={"errorId": 0, "taskId": 1}))

    async with answered_by(handler) as client:
        start = anyio.current_time()
        await client.submit(TOKEN_TASK)
        assert anyio.current_time() - start < 10
