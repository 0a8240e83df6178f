"""A thousand solves over real lanes, cancelled at random moments: nothing is lost or stuck."""

from __future__ import annotations

import random
from typing import Any

import anyio
import pytest
from anyio.from_thread import start_blocking_portal
from local import KEY, TOKEN_TASK

from captcha_async import CaptchaClient, Limits
from captcha_async.emulator import Emulator, Latency, serve

SOLVES = 1000


@pytest.mark.real_time
async def test_a_thousand_cancelled_solves_lose_no_lane_no_slot_and_no_id() -> None:
    """Every task at the service is solved or an orphan; all lanes and slots are free again."""
    chance = random.Random(7)
    emulator = Emulator(latency=Latency(0.3, 0.5), balance=100)
    emulator.delay(0.02, "createTask")
    solved: list[Any] = []
    with start_blocking_portal() as portal:
        server = portal.wrap_async_context_manager(serve(emulator))
        with server as url:
            limits = Limits(in_flight=300, connections=40)
            async with CaptchaClient(KEY, base_url=url, limits=limits) as client:

                async def solve(patience: float) -> None:
                    with anyio.move_on_after(patience):
                        solved.append(await client.solve(TOKEN_TASK))

                async with anyio.create_task_group() as group:
                    for _ in range(SOLVES):
                        group.start_soon(solve, chance.uniform(0, 3))

                known = {answer.task_id for answer in solved}
                known |= {pending.task_id for pending in client.orphans}
                assert known == set(portal.call(lambda: list(emulator.tasks)))
                assert len(known) == len(solved) + len(client.orphans)
                numbers = client.statistics()
                assert (numbers.queued, numbers.uncertain) == (0, 0)
                assert numbers.in_flight == len(client.orphans)
                assert numbers.lanes is not None
                assert numbers.lanes.busy == 0
                assert numbers.lanes.idle <= 40
                assert (await client.solve(TOKEN_TASK)).solution.token
            assert portal.call(lambda: emulator.violations) == []
