"""Whatever becomes of the callbacks, each task ends exactly once, with its own answer."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

import anyio
import attrs
import orjson
from callback_calls import called_back
from hypothesis import given, settings
from hypothesis import strategies as st
from local import TOKEN_TASK

from captcha_async import Solved
from captcha_async.emulator import Emulator, Latency

SHARES = st.sampled_from([0.0, 0.1, 0.5, 1.0])
BODIES = st.sampled_from(
    [
        b"",
        b"<html>",
        b'{"errorId": 0, "status": "processing"}',
        b'{"errorId": 0, "status": "ready"}',
        b'{"errorId": 0, "status": "ready", "taskId": 1, "solution": {"token": "another\'s"}}',
        b'{"errorId": 1, "errorCode": "ERROR_ZERO_BALANCE"}',
    ]
)


@attrs.frozen
class Orders:
    """What goes wrong: any mix of lost, late, repeated, early and spoiled callbacks."""

    dropped: float
    early: float
    delay: tuple[float, float]
    times: tuple[int, float]
    body: tuple[bytes, float]

    def __call__(self, emulator: Emulator) -> None:
        emulator.drop_callbacks(self.dropped)
        emulator.call_back_before_reply(self.early)
        emulator.delay_callbacks(*self.delay)
        emulator.repeat_callbacks(*self.times)
        emulator.spoil_callbacks(*self.body)


ORDERS = st.builds(
    Orders,
    dropped=SHARES,
    early=SHARES,
    delay=st.tuples(st.sampled_from([0.5, 4.0, 30.0, 400.0]), SHARES),
    times=st.tuples(st.integers(2, 4), SHARES),
    body=st.tuples(BODIES, SHARES),
)


class Forger:
    """Posts what no service sends, with the tokens of other tasks or with none at all."""

    def __init__(self, emulator: Emulator, poster: Any) -> None:
        self.emulator = emulator
        self.poster = poster

    async def run(self) -> None:
        """Forge until cancelled."""
        while True:
            await anyio.sleep(1.7)
            tasks = list(self.emulator.tasks.values())
            for task, other in pairwise(tasks):
                forged = {"status": "ready", "taskId": other.task_id, "solution": {"token": "x"}}
                if task.callback_url is not None:
                    await self.poster.send(task.callback_url, content=orjson.dumps(forged))
                    await self.poster.send(f"{task.callback_url[:-1]}_", json=forged)


@settings(max_examples=40)
@given(
    ORDERS,
    st.booleans(),
    st.booleans(),
    st.sampled_from([Latency.fixed(0), Latency(median=6), Latency(median=25, sigma=0.6)]),
)
async def test_each_task_ends_once_with_its_own_answer(
    order: Orders, verify: bool, forged: bool, latency: Latency
) -> None:
    """Lost, late, repeated, reordered, early, spoiled and forged in every mix."""
    ended: Counter[Any] = Counter()
    async with called_back(order, verify=verify, latency=latency) as (client, emulator, poster):
        async with anyio.create_task_group() as group:
            if forged:
                group.start_soon(Forger(emulator, poster).run)
            async with client.batch([TOKEN_TASK] * 12) as outcomes:
                async for outcome in outcomes:
                    assert isinstance(outcome, Solved), outcome
                    ended[outcome.key] += 1
                    assert outcome.solution.raw == emulator.tasks[outcome.task_id].solution
            group.cancel_scope.cancel()
        await anyio.sleep(500)
        assert ended == Counter(range(12))
        numbers = client.statistics()
        assert (numbers.submitted, numbers.solved, numbers.orphans) == (12, 12, 0)
        assert numbers.callbacks is not None
        assert numbers.callbacks.by_callback + numbers.callbacks.by_poll == 12
