"""An id that the service gives twice: each task has its own end, and the service sees one."""

from __future__ import annotations

import json
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from journal_files import GAP
from local import TOKEN_TASK, answered_by

from captcha_async import CAPMONSTER, Event, FixedPolling, Solved, SolveTimeout, TaskSubmitted

ANSWER = {"errorId": 0, "status": "ready", "solution": {"gRecaptchaResponse": "03AF" * 10}}
PROCESSING = {"errorId": 0, "status": "processing"}


def service(
    poll: Callable[[int], dict[str, Any]], moments: list[float]
) -> Callable[[httpx.Request], httpx.Response]:
    """Answer as a service that gives the id 7 to all; *poll* answers by the number of the poll."""

    def answer(request: httpx.Request) -> httpx.Response:
        if "task" in json.loads(request.content):
            return httpx.Response(200, json={"errorId": 0, "taskId": 7})
        moments.append(anyio.current_time())
        return httpx.Response(200, json=poll(len(moments)))

    return answer


async def test_a_reference_of_the_first_is_polled_with_the_second() -> None:
    """The first one has ended and the second one is open: the gap holds for the id."""
    moments: list[float] = []
    handler = service(lambda number: PROCESSING if 1 < number < 9 else ANSWER, moments)
    async with answered_by(handler, polling=FixedPolling(first=1, interval=2)) as client:
        first, second = await client.submit(TOKEN_TASK), await client.submit(TOKEN_TASK)
        solved = await first
        again = client.attach(solved.ref)

        async def wait_for_both() -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(second.result)
                await anyio.sleep(0.7)
                await again

        await wait_for_both()
        late = client.attach(solved.ref)
        await anyio.sleep(0.1)
        await late
    gaps = [after - before for before, after in pairwise(moments)]
    assert min(gaps) >= CAPMONSTER.min_poll_gap - 1e-6
    assert not client._books._twins


async def test_a_later_one_does_not_displace_an_answer_that_nobody_took() -> None:
    """Both are orphans then, and each can be had."""
    moments: list[float] = []
    handler = service(lambda number: ANSWER if number == 1 else PROCESSING, moments)
    async with answered_by(handler) as client:
        first = await client.submit(TOKEN_TASK)
        await client._solver.drain(10)
        assert client.orphans == (first,)
        assert first.has_answer
        second = await client.submit(TOKEN_TASK)
        with pytest.raises(SolveTimeout):
            await second.result(timeout=10)
        assert client.orphans == (first, second)
        assert isinstance(await first, Solved)
        assert client.orphans == (second,)


@pytest.mark.real_time
async def test_a_resumed_batch_has_an_outcome_for_each(tmp_path: Path) -> None:
    """Two lines of the journal are two tasks, whatever their ids; no key is lost, none waits."""
    path, moments = tmp_path / "captchas.db", list[float]()
    options: dict[str, Any] = {
        "journal": path,
        "service": CAPMONSTER.evolve(min_poll_gap=GAP),
        "polling": FixedPolling(first=0, interval=GAP),
    }
    tasks = dict.fromkeys("abc", TOKEN_TASK)

    all_submitted, submitted = anyio.Event(), list[TaskSubmitted]()

    def note(event: Event) -> None:
        if isinstance(event, TaskSubmitted):
            submitted.append(event)
            if len(submitted) == len(tasks):
                all_submitted.set()

    handler = service(lambda _: PROCESSING, moments)
    async with answered_by(handler, on_event=note, **options) as client:
        with anyio.fail_after(20):
            async with client.batch(tasks):
                await all_submitted.wait()
    async with answered_by(service(lambda _: ANSWER, moments), **options) as client:
        keys = []
        with anyio.fail_after(20):
            more = {**tasks, "d": TOKEN_TASK}
            async with client.batch(more, resume=True, max_in_flight=2) as outcomes:
                async for outcome in outcomes:
                    assert isinstance(outcome, Solved)
                    keys.append(outcome.key)
        assert sorted(keys) == ["a", "b", "c", "d"]
        assert client.statistics().submitted == 1
