"""What ends a task and what does not: doubtful replies, firewalls' pages, answers of odd form."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anyio
import httpx
import pytest
from local import TOKEN_TASK, answered_by

from captcha_async import (
    CaptchaError,
    FixedPolling,
    Limits,
    SubmitUncertain,
    UnknownServiceError,
    UnreadableSolution,
    Unsolvable,
)

ANSWER = {"gRecaptchaResponse": "TOKEN"}
READY = {"errorId": 0, "status": "ready", "solution": ANSWER}
NOT_YET = {"errorId": 0, "status": "processing"}


def service(
    *polls: Any, created: Any = None, asked: list[Any] | None = None
) -> Callable[[httpx.Request], httpx.Response]:
    """Answer polls with these replies in turn, the last one for ever."""
    replies = list(polls)

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/createTask":
            reply = created or {"errorId": 0, "taskId": 5}
        else:
            reply = replies.pop(0) if len(replies) > 1 else replies[0]
            if asked is not None:
                asked.append(request)
        return reply if isinstance(reply, httpx.Response) else httpx.Response(200, json=reply)

    return handler


DOUBTFUL: dict[str, tuple[Any, type[CaptchaError]]] = {
    "ready without solution": ({"errorId": 0, "status": "ready"}, UnreadableSolution),
    "ready with null": ({"status": "ready", "solution": None}, UnreadableSolution),
    "ready with nothing": ({"status": "ready", "solution": {}}, UnreadableSolution),
    "error": ({"errorId": 0, "status": "error"}, UnknownServiceError),
    "unheard of": ({"errorId": 0, "status": "lost", "solution": {}}, UnknownServiceError),
    "no status": ({"errorId": 0}, UnknownServiceError),
}


@pytest.mark.parametrize("name", DOUBTFUL)
async def test_a_doubtful_reply_is_final_when_it_comes_again(name: str) -> None:
    """Two polls, and not one to the deadline; what the service said is in the error."""
    reply, kind = DOUBTFUL[name]
    asked: list[Any] = []
    async with answered_by(service(reply, asked=asked)) as client:
        start = anyio.current_time()
        with pytest.raises(kind) as caught:
            await client.solve(TOKEN_TASK, timeout=60)
        assert anyio.current_time() - start < 20
        assert caught.value.task_id == 5
    assert len(asked) == 2
    if isinstance(caught.value, UnreadableSolution):
        assert caught.value.raw == reply


@pytest.mark.parametrize("name", DOUBTFUL)
async def test_a_doubtful_reply_that_does_not_come_again_changes_nothing(name: str) -> None:
    """Processing before and after, and the answer in the end."""
    reply, _ = DOUBTFUL[name]
    async with answered_by(service(NOT_YET, reply, NOT_YET, READY)) as client:
        solved = await client.solve(TOKEN_TASK, timeout=60)
        assert (solved.solution.token, solved.polls) == ("TOKEN", 4)


async def test_failed_ends_a_task_at_once() -> None:
    """One poll; a new task may work."""
    asked: list[Any] = []
    async with answered_by(service({"errorId": 0, "status": "failed"}, asked=asked)) as client:
        with pytest.raises(Unsolvable) as caught:
            await client.solve(TOKEN_TASK)
        assert caught.value.retryable
    assert len(asked) == 1


@pytest.mark.parametrize("status", [401, 402, 403, 407, 511])
async def test_a_page_on_a_poll_is_a_fault_of_the_way(status: int) -> None:
    """Neither the fuse blows nor the task ends; only the service's own codes do that."""
    page = httpx.Response(status, html="<h1>Attention required</h1>")
    bare = httpx.Response(status)
    async with answered_by(service(page, bare, page, READY)) as client:
        solved = await client.solve(TOKEN_TASK)
        assert solved.polls == 4
        assert client.statistics().fuse == "closed"


async def test_a_page_in_place_of_create_task_blows_no_fuse() -> None:
    """Nothing was created by what a firewall refused, so the same task is sent again."""
    replies = [httpx.Response(403, html="<h1>Attention</h1>"), {"errorId": 0, "taskId": 5}]

    def handler(request: httpx.Request) -> httpx.Response:
        reply = replies.pop(0) if request.url.path == "/createTask" else READY
        return reply if isinstance(reply, httpx.Response) else httpx.Response(200, json=reply)

    async with answered_by(handler) as client:
        assert (await client.solve(TOKEN_TASK)).solution.token == "TOKEN"
        assert (client.statistics().fuse, client.statistics().uncertain) == ("closed", 0)


async def test_an_answer_without_an_id_is_solved() -> None:
    """It was paid for with createTask's reply, and no poll is made."""
    asked: list[Any] = []
    async with answered_by(service(READY, created=READY, asked=asked)) as client:
        first, second = await client.solve(TOKEN_TASK), await client.solve(TOKEN_TASK)
        assert first.solution.token == "TOKEN"
        assert not first.ref.named
        assert first.task_id != second.task_id
        assert client.statistics().in_flight == 0
    assert asked == []


@pytest.mark.parametrize("solution", [["ANSWER"], [4711], {"odd": "ANSWER"}])
@pytest.mark.parametrize("task_id", [5, None])
async def test_an_answer_of_another_form_is_kept_wherever_it_came(
    solution: Any, task_id: int | None
) -> None:
    """In createTask's reply with an id and without, and in a poll's."""
    reply = {"errorId": 0, "status": "ready", "solution": solution, "taskId": task_id}
    for handler in (service(reply, created=reply), service(reply)):
        async with answered_by(handler) as client:
            with pytest.raises(UnreadableSolution) as caught:
                await client.solve(TOKEN_TASK)
            assert caught.value.raw == solution


async def test_a_placeholder_is_no_answer() -> None:
    """The task is polled for."""
    created = {"errorId": 0, "taskId": 5, "status": "processing", "solution": {"token": ""}}
    async with answered_by(service(READY, created=created)) as client:
        solved = await client.solve(TOKEN_TASK)
        assert (solved.solution.token, solved.polls) == ("TOKEN", 1)


async def test_an_odd_number_ends_one_solve_of_a_batch_at_most() -> None:
    """A cost without bound is no cost."""
    reply = httpx.Response(
        200, content=b'{"status":"ready","solution":{"token":"T"},"cost":"1E+1000000"}'
    )
    async with answered_by(service(reply), polling=FixedPolling(first=1, interval=2)) as client:
        outcomes = await client.solve_all([TOKEN_TASK] * 5)
        assert [getattr(outcome, "cost", "failed") for outcome in outcomes] == [None] * 5
        assert client.statistics().spent == 0


async def test_a_submission_that_stays_uncertain_tells_the_wait_that_was_asked_for() -> None:
    """So that the account can pause."""
    busy = httpx.Response(503, text="busy", headers=[("retry-after", "5"), ("retry-after", "17")])
    async with answered_by(service(READY, created=busy), limits=Limits()) as client:
        with pytest.raises(SubmitUncertain) as caught:
            await client.solve(TOKEN_TASK)
        assert caught.value.retry_after == 17
