"""Rules 1 to 4: nothing is paid twice, no id is lost, no answer is thrown away."""

from __future__ import annotations

import random
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import anyio
import httpx
import pytest
from local import TOKEN_TASK, answered_by, joined

from captcha_async import (
    CaptchaClient,
    CaptchaError,
    InvalidArgument,
    Limits,
    NoSlotAvailable,
    ProtocolError,
    RateLimited,
    Retries,
    ServiceUnavailable,
    SolveTimeout,
    SubmitUncertain,
    TaskRejected,
    TransportError,
    UnreadableSolution,
)
from captcha_async.emulator import Emulator, Latency


def ready(solution: Any, **more: Any) -> httpx.Response:
    """Make a reply that a task is ready."""
    return httpx.Response(200, json={"errorId": 0, "status": "ready", "solution": solution} | more)


def created(task_id: Any = 1) -> httpx.Response:
    """Make a reply that a task was created."""
    return httpx.Response(200, json={"errorId": 0, "taskId": task_id})


# -- rule 1: createTask is sent again only when it certainly was not accepted ---------------------


@pytest.mark.parametrize(
    "code", ["ERROR_NO_SLOT_AVAILABLE", "ERROR_SERVICE_NOT_AVAILABLE", "ERROR_TOO_MUCH_REQUESTS"]
)
async def test_a_refusal_for_lack_of_capacity_is_followed_by_another_attempt(code: str) -> None:
    """The service said that it took nothing, so the same may be sent again."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.refuse(code, times=3)
    async with joined(emulator) as client:
        await client.solve(TOKEN_TASK)
        assert client.statistics().retries == 3
    assert len(emulator.tasks) == 1


async def test_attempts_are_bounded_and_spaced() -> None:
    """When there is no slot for good the error comes, after growing waits."""
    emulator = Emulator()
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE")
    async with joined(emulator, retries=Retries(attempts=4, backoff=2)) as client:
        with pytest.raises(NoSlotAvailable) as caught:
            await client.solve(TOKEN_TASK)
    assert caught.value.retryable
    moments = [request.at for request in emulator.requests]
    gaps = [b - a for a, b in pairwise(moments)]
    assert len(gaps) == 3
    for gap, longest in zip(gaps, (2, 4, 8), strict=True):
        assert longest / 2 <= gap <= longest + 0.01


async def test_what_stood_in_the_way_until_the_deadline_is_told() -> None:
    """Not that there were too many tasks, if the service could not be reached."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with answered_by(handler, retries=Retries(attempts=100)) as client:
        with pytest.raises(
            SolveTimeout, match="nothing was paid: the last attempt failed: "
        ) as late:
            await client.solve(TOKEN_TASK, timeout=30)
    assert "ConnectError: refused" in str(late.value)
    assert isinstance(late.value.__cause__, TransportError)


async def test_what_submitting_met_is_no_cause_of_what_comes_later() -> None:
    """A task that was accepted in the end has its own troubles."""
    emulator = Emulator(latency=Latency.fixed(60))
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=1)
    async with joined(emulator) as client:
        with pytest.raises(SolveTimeout) as late:
            await client.solve(TOKEN_TASK, timeout=30)
    assert late.value.ref is not None
    assert late.value.__cause__ is None


async def test_a_request_that_was_never_sent_is_followed_by_another_attempt() -> None:
    """No connection, no task."""
    attempts: Iterator[int] = iter(range(10))

    def handler(request: httpx.Request) -> httpx.Response:
        if next(attempts) < 2:
            raise httpx.ConnectError("refused", request=request)
        return created()

    async with answered_by(handler) as client:
        pending = await client.submit(TOKEN_TASK)
        assert pending.task_id == 1
        assert client.statistics().retries == 2


@pytest.mark.parametrize(
    "error", [httpx.ReadTimeout, httpx.ReadError, httpx.RemoteProtocolError, httpx.WriteError]
)
async def test_a_request_without_a_reply_is_never_sent_again(error: type[Exception]) -> None:
    """A time-out or a reset after sending leaves it open whether a task exists."""
    sent: list[httpx.Request] = []

    def handler(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        raise error("gone")

    async with answered_by(handler) as client:
        with pytest.raises(SubmitUncertain, match="a task may exist") as caught:
            await client.solve(TOKEN_TASK)
        assert client.statistics().uncertain == 1
    assert len(sent) == 1
    assert not caught.value.retryable
    assert isinstance(caught.value.__cause__, TransportError)


@pytest.mark.parametrize("status", [200, 201, 408, 500, 502, 503, 504, 524])
@pytest.mark.parametrize("body", [b"", b"<html>Bad gateway</html>", b'{"errorId": 0', b"[]", b"{}"])
async def test_a_reply_that_tells_nothing_is_never_followed_by_another_attempt(
    status: int, body: bytes
) -> None:
    """A gateway's page does not tell whether the service took the task."""
    emulator = Emulator()
    emulator.break_http("createTask", status=status, body=body, times=None, effect=True)
    async with joined(emulator) as client:
        with pytest.raises(SubmitUncertain, match="no task id") as caught:
            await client.solve(TOKEN_TASK)
        assert caught.value.http_status == status
        assert client.statistics().uncertain == 1
    assert len(emulator.requests_to("createTask")) == 1


@pytest.mark.parametrize("status", [301, 400, 404, 405, 413])
async def test_a_page_that_refuses_the_request_is_a_protocol_error(status: int) -> None:
    """A wrong address has created no task: the error tells to check it."""
    emulator = Emulator()
    emulator.break_http("createTask", status=status, body=b"<html>", times=None)
    async with joined(emulator) as client:
        with pytest.raises(ProtocolError, match=f"HTTP {status} .* check the base URL"):
            await client.solve(TOKEN_TASK)
    assert len(emulator.requests_to("createTask")) == 1


async def test_a_service_that_hangs_leaves_the_submission_uncertain() -> None:
    """The request time-out ends the wait, and nothing is sent again."""
    emulator = Emulator()
    emulator.hang("createTask")
    async with joined(emulator, limits=Limits(request_timeout=7)) as client:
        start = anyio.current_time()
        with pytest.raises(SubmitUncertain):
            await client.solve(TOKEN_TASK)
        assert anyio.current_time() - start == pytest.approx(7, abs=0.1)
    assert len(emulator.requests_to("createTask")) == 1


async def test_a_rejected_task_is_not_sent_again() -> None:
    """A wrong site key does not get better by repetition."""
    emulator = Emulator()
    emulator.refuse("ERROR_RECAPTCHA_INVALID_SITEKEY")
    async with joined(emulator) as client:
        with pytest.raises(TaskRejected, match="correct the task's fields"):
            await client.solve(TOKEN_TASK)
    assert len(emulator.requests) == 1


async def test_a_deadline_ends_the_attempts() -> None:
    """With a timeout the wait for a slot is over when it is over."""
    emulator = Emulator()
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE")
    async with joined(emulator, retries=Retries(attempts=1000)) as client:
        start = anyio.current_time()
        with pytest.raises(SolveTimeout, match="nothing was paid"):
            await client.solve(TOKEN_TASK, timeout=20)
        assert anyio.current_time() - start == pytest.approx(20, abs=0.1)


# -- rule 2: an id is never lost ------------------------------------------------------------------


async def test_a_cancelled_submit_waits_for_the_reply_and_files_the_task() -> None:
    """The task is paid for: it is kept under `client.orphans`, and the cancellation goes on."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.delay(3, "createTask")
    async with joined(emulator) as client:
        start = anyio.current_time()
        with anyio.move_on_after(1) as scope:
            await client.submit(TOKEN_TASK)
        assert scope.cancelled_caught
        assert anyio.current_time() - start == pytest.approx(3, abs=0.1)
        (orphan,) = client.orphans
        assert orphan.task_id in emulator.tasks
        solved = await orphan
        assert solved.task is TOKEN_TASK
        assert client.orphans == ()


async def test_a_deadline_during_createtask_keeps_the_task() -> None:
    """The timeout error of `solve` carries the reference of a task whose reply came too late."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.delay(3, "createTask")
    async with joined(emulator) as client:
        with pytest.raises(SolveTimeout) as caught:
            await client.solve(TOKEN_TASK, timeout=1)
        assert caught.value.ref is not None
        assert client.orphans[0].task_id == caught.value.task_id
        await client.attach(caught.value.ref)


async def test_a_deadline_during_createtask_without_reply_is_uncertain() -> None:
    """Nothing may be called unpaid when nobody knows."""
    emulator = Emulator()
    emulator.hang("createTask", effect=True)
    async with joined(emulator, limits=Limits(request_timeout=5)) as client:
        with pytest.raises(SubmitUncertain, match="deadline of 1 s"):
            await client.solve(TOKEN_TASK, timeout=1)
        assert client.statistics().uncertain == 1


async def test_a_cancelled_submit_whose_reply_is_an_account_error_blows_the_fuse() -> None:
    """What a cancelled request learns is not lost for the others."""
    emulator = Emulator()
    emulator.refuse("ERROR_KEY_DOES_NOT_EXIST")
    emulator.delay(3, "createTask")
    async with joined(emulator) as client:
        with anyio.move_on_after(1):
            await client.submit(TOKEN_TASK)
        assert client.statistics().fuse == "open"


@pytest.mark.parametrize("seed", range(10))
async def test_random_cancellations_lose_no_task(seed: int) -> None:
    """Whenever solves are cancelled: every task is solved, orphaned, or reported as uncertain."""
    chance = random.Random(seed)
    emulator = Emulator(latency=Latency(median=5, sigma=0.5), seed=seed)
    emulator.delay(0.5, "createTask")
    solved: list[Any] = []
    async with joined(emulator, limits=Limits(in_flight=30, connections=10)) as client:

        async def solve(patience: float) -> None:
            with anyio.move_on_after(patience):
                solved.append(await client.solve(TOKEN_TASK))

        async with anyio.create_task_group() as group:
            for _ in range(100):
                group.start_soon(solve, chance.uniform(0, 25))
        known = {answer.task_id for answer in solved} | {task.task_id for task in client.orphans}
        assert known == set(emulator.tasks)
        assert len(known) == len(solved) + len(client.orphans)
        assert client.statistics().submitted == len(emulator.tasks)
        assert client.statistics().queued == 0
        await client.solve(TOKEN_TASK)
    assert emulator.violations == []


# -- rule 3: an answer that arrived is never thrown away ------------------------------------------


@pytest.mark.parametrize(
    "reply",
    [
        {"errorId": 0, "status": "ready", "solution": {"gRecaptchaResponse": "T"}},
        {"status": "ready", "solution": {"gRecaptchaResponse": "T"}},
        {"errorId": None, "errorCode": None, "status": "READY", "solution": {"token": "T"}},
        {"errorId": 0, "errorCode": "", "status": "completed", "solution": {"token": "T"}},
        {"errorId": 0, "solution": {"gRecaptchaResponse": "T", "new": [1]}, "new": {}},
        {"ErrorId": 0, "Status": "ready", "Solution": {"GRecaptchaResponse": "T"}},
        {"errorId": "0", "status": "ready", "solution": {"token": "T"}, "cost": "free"},
        {"errorId": 0, "status": "ready", "solution": "T"},
    ],
)
async def test_odd_replies_still_bring_the_answer(reply: dict[str, Any]) -> None:
    """Missing errorId, unknown status and fields, letter case: all tolerated."""

    def handler(request: httpx.Request) -> httpx.Response:
        return created() if request.url.path == "/createTask" else httpx.Response(200, json=reply)

    async with answered_by(handler) as client:
        solved = await client.solve(TOKEN_TASK)
    assert solved.solution.token == "T"


@pytest.mark.parametrize(
    "task_id", [1, 74372499131, 2**63 - 1, "61138bb6-19fb-11ec-a9c8-0242ac110006", "17"]
)
async def test_ids_of_every_kind_are_kept(task_id: int | str) -> None:
    """Integers beyond 32 bits and strings go back as they came."""
    asked: list[Any] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/createTask":
            return created(task_id)
        asked.append(request.read().decode())
        return ready({"token": "T"})

    async with answered_by(handler) as client:
        solved = await client.solve(TOKEN_TASK)
    assert solved.task_id == task_id
    assert (f'"{task_id}"' if isinstance(task_id, str) else f":{task_id}") in asked[0]


async def test_odd_content_types_and_encodings_are_read() -> None:
    """A byte order mark, text/plain and non-standard JSON do not hide an answer."""
    body = b'\xef\xbb\xbf{"status": "ready", "solution": {"token": "T\\ud800", "x": NaN}}'

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/createTask":
            return created()
        return httpx.Response(200, content=body, headers={"content-type": "text/plain"})

    async with answered_by(handler) as client:
        assert (await client.solve(TOKEN_TASK)).solution.token.startswith("T")


async def test_an_unreadable_solution_is_kept_in_the_error() -> None:
    """An answer of an unknown shape is not lost, and not polled for again."""
    polls: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/createTask":
            return created()
        polls.append(1)
        return ready({"surprise": "secret-token"})

    async with answered_by(handler) as client:
        pending = await client.submit(TOKEN_TASK)
        for _ in range(2):
            with pytest.raises(UnreadableSolution) as caught:
                await pending
            assert caught.value.raw == {"surprise": "secret-token"}
            assert caught.value.task_id == 1
            assert "secret-token" not in str(caught.value)
    assert len(polls) == 1


@pytest.mark.parametrize("status", ["idle", "queued", "Processing", "in_progress"])
async def test_not_yet_in_other_words_counts_as_processing(status: str) -> None:
    """A status that plainly says so is none the worse for being undocumented."""
    replies = iter([{"errorId": 0, "status": status, "solution": None}] * 2)

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/createTask":
            return created()
        reply = next(replies, None)
        return ready({"token": "T"}) if reply is None else httpx.Response(200, json=reply)

    async with answered_by(handler) as client:
        assert (await client.solve(TOKEN_TASK)).polls == 3


TROUBLE: dict[str, Any] = {
    "500": httpx.Response(500),
    "502": httpx.Response(502, html="<h1>Bad gateway</h1>"),
    "503": httpx.Response(503, json={"message": "overloaded"}),
    "504": httpx.Response(504, text="timeout"),
    "429": httpx.Response(429),
    "html with 200": httpx.Response(200, html="<h1>Maintenance</h1>"),
    "empty": httpx.Response(200),
    "truncated": httpx.Response(200, content=b'{"errorId": 0, "sta'),
    "a list": httpx.Response(200, json=[]),
    "a firewall's page": httpx.Response(403, html="<h1>Attention required</h1>"),
    "403": httpx.Response(403),
    "not ready": httpx.Response(200, json={"errorId": 1, "errorCode": "CAPTCHA_NOT_READY"}),
    "no slot": httpx.Response(200, json={"errorId": 1, "errorCode": "ERROR_NO_SLOT_AVAILABLE"}),
    "reset": httpx.ReadError("reset"),
    "refused": httpx.ConnectError("refused"),
}


@pytest.mark.parametrize("trouble", TROUBLE.values(), ids=TROUBLE.keys())
async def test_a_transient_failure_of_a_poll_does_not_lose_the_task(trouble: Any) -> None:
    """The next poll brings the answer."""
    polls: list[int] = []

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/createTask":
            return created()
        polls.append(1)
        if len(polls) > 2:
            return ready({"token": "T"})
        if isinstance(trouble, Exception):
            raise trouble
        return trouble  # type: ignore[no-any-return]

    async with answered_by(handler) as client:
        solved = await client.solve(TOKEN_TASK)
    assert solved.solution.token == "T"
    assert len(polls) == 3


async def test_lasting_trouble_is_told_as_the_cause_of_the_timeout() -> None:
    """A service that is down for good ends in a timeout that says why."""
    emulator = Emulator()
    emulator.break_http("getTaskResult", status=502, times=None)
    async with joined(emulator) as client:
        with pytest.raises(SolveTimeout) as caught:
            await client.solve(TOKEN_TASK, timeout=30)
        assert isinstance(caught.value.__cause__, ServiceUnavailable)
        await anyio.sleep(5)
        with pytest.raises(ServiceUnavailable) as peeked:
            await client.orphans[0].peek()
        assert peeked.value.task_id == caught.value.task_id


# -- other requests -------------------------------------------------------------------------------


async def test_balance_is_asked_for_again_after_trouble() -> None:
    """Asking costs nothing, so a network error is followed by another attempt."""
    emulator = Emulator(balance=3)
    emulator.break_http("getBalance", times=2, status=503)
    async with joined(emulator) as client:
        assert await client.balance() == 3
    assert len(emulator.requests) == 3


async def test_a_balance_that_cannot_be_read_is_a_protocol_error() -> None:
    """There is no balance in such a reply."""
    async with answered_by(lambda _: httpx.Response(200, json={"errorId": 0})) as client:
        with pytest.raises(ProtocolError):
            await client.balance()


async def test_a_refused_report_tells_why() -> None:
    """Without money... or with an unknown id the service refuses a report."""
    from captcha_async import TaskExpired, TaskRef

    async with joined(Emulator()) as client:
        refused = await client.report_incorrect(TaskRef("capmonster", 4711, "RecaptchaV2Task"))
        assert isinstance(refused.error, TaskExpired)
        assert refused.why == str(refused.error)
    async with answered_by(lambda _: httpx.Response(404, html="no")) as client:
        refused = await client.report_incorrect(TaskRef("capmonster", 4711, "RecaptchaV2Task"))
        assert isinstance(refused.error, ProtocolError)


async def test_a_user_agent_page_that_is_none_is_a_protocol_error() -> None:
    """An error page is not taken for a user agent."""
    async with answered_by(lambda _: httpx.Response(200, text="<html>\n" * 500)) as client:
        with pytest.raises(ProtocolError):
            await client.user_agent()


async def test_rate_errors_carry_what_the_service_asked_for() -> None:
    """Retry-After is in the error when the attempts are used up."""
    reply = httpx.Response(429, headers={"retry-after": "3"})
    async with answered_by(lambda _: reply, retries=Retries(attempts=1)) as client:
        with pytest.raises(RateLimited) as caught:
            await client.submit(TOKEN_TASK)
        assert caught.value.retry_after == 3.0


async def test_any_error_of_a_users_transport_is_one_of_ours() -> None:
    """Whatever a foreign httpx client raises, `except CaptchaError` catches it."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise ValueError("a bug of theirs")

    async with answered_by(handler) as client:
        with pytest.raises(CaptchaError):
            await client.balance()
    async with httpx.AsyncClient() as http_client:
        pass
    async with CaptchaClient("k", http_client=http_client) as client:
        with pytest.raises(CaptchaError):
            await client.submit(TOKEN_TASK)


def test_invalid_argument_is_a_value_error() -> None:
    """Callers who know only the standard library catch it too."""
    assert issubclass(InvalidArgument, ValueError)
    assert issubclass(SolveTimeout, TimeoutError)
