"""Keys and callbacks of a shared account under cancellation: wherever it strikes, nothing is paid
twice, nothing paid is lost, and nobody waits for what is not there.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from typing import Any

import anyio
import httpx
import pytest
from callback_calls import PUBLIC
from local import TOKEN_TASK
from sharing_fleet import Fleet, fleet, jobs, run, tokens

from captcha_async import CallbackReceiver, CaptchaClient
from captcha_async._sharing._store import Change
from captcha_async.emulator import Emulator, Latency

STEP = 0.013
"""Seconds from one moment of cancellation to the next; each call takes 0.02 to 0.1."""


def slow() -> Emulator:
    """A service that takes its time for every answer."""
    emulator = Emulator(latency=Latency.fixed(0.2))
    emulator.delay(0.1)
    return emulator


async def slow_processes(processes: Fleet, **options: Any) -> list[CaptchaClient]:
    """Two processes whose way to the store takes its time, in both directions."""

    async def wait(changes: Sequence[Change]) -> None:
        await anyio.sleep(0.02)

    clients = [await processes.start(**options) for _ in range(2)]
    for client in clients:
        view = processes.views[client]
        view.lag, view.after = 0.03, wait
    return clients


async def batch(client: CaptchaClient) -> None:
    """Run a batch."""
    await run(client, jobs(2))


async def single(client: CaptchaClient) -> None:
    """Submit, look up and await keys."""
    for key in jobs(2):
        await client.submit(jobs(2)[key], key=key)
    for key in jobs(2):
        found = await client.lookup(key)
        assert found is not None
        await found.peek()
        await found


async def solve(client: CaptchaClient) -> None:
    """Solve keys, each by two at the same time, the second of them in a hurry."""

    async def solve_in(key: str, seconds: float | None) -> None:
        with anyio.move_on_after(seconds):
            await client.solve(jobs(2)[key], key=key)

    async with anyio.create_task_group() as group:
        for key in jobs(2):
            group.start_soon(solve_in, key, None)
            group.start_soon(solve_in, key, 0.35)


async def solve_all(client: CaptchaClient) -> dict[Any, Any]:
    """What a second process gets of the keys, in the same way."""
    return {key: await client.solve(task, key=key) for key, task in jobs(2).items()}


async def everything(client: CaptchaClient) -> dict[Any, Any]:
    """What a second process gets of the keys, in the same way."""
    found: dict[Any, Any] = {}
    for key, task in jobs(2).items():
        found[key] = await (await client.submit(task, key=key))
    return found


@pytest.mark.parametrize(
    ("work", "again"),
    [(batch, lambda client: run(client, jobs(2))), (single, everything), (solve, solve_all)],
    ids=["batch", "single", "solve"],
)
async def test_a_cancellation_anywhere_pays_nothing_twice(
    work: Callable[[CaptchaClient], Awaitable[None]],
    again: Callable[[CaptchaClient], Awaitable[dict[Any, Any]]],
) -> None:
    """The process lives on, and another one runs the same keys: each is paid for once."""
    moment, cancelled = 0.0, True
    while cancelled:
        async with fleet(slow()) as processes:
            first, second = await slow_processes(processes)
            with anyio.move_on_after(moment) as scope:
                await work(first)
            cancelled = scope.cancelled_caught
            with anyio.fail_after(60):
                assert len(tokens(await again(second))) == 2
            assert processes.paid == 2, moment
            # Nothing is left that somebody would have to look at, here or there.
            assert await first.uncertain() == ()
            assert first._solver.records is not None
            assert first._solver.records.unsaved == 0
            for client in (first, second):
                assert client.account.gates.slots.semaphore.statistics().borrowed == 0
        moment += STEP * 3


async def test_a_cancellation_of_who_takes_over_loses_nothing() -> None:
    """The first is gone; the second is cut off while it collects, and the third has all."""
    moment, cancelled = 0.0, True
    while cancelled:
        async with fleet(slow()) as processes:
            first, second = await slow_processes(processes)
            third = await processes.start()
            with anyio.move_on_after(0.5):
                await run(first, jobs(2))
            await anyio.sleep(0.2)
            with anyio.move_on_after(moment) as scope:
                await run(second, jobs(2))
            cancelled = scope.cancelled_caught
            with anyio.fail_after(60):
                assert len(tokens(await run(third, jobs(2)))) == 2
            assert processes.paid == 2, moment
        moment += STEP * 3


async def test_a_cancelled_resume_leaves_the_rest_to_the_next_one() -> None:
    """Of this process or, when it is gone, of another."""
    moment, cancelled = 0.0, True
    while cancelled:
        async with fleet(Emulator(latency=Latency.fixed(60))) as processes:
            first, second = await slow_processes(processes)
            async with anyio.create_task_group() as group:
                group.start_soon(run, first, jobs(3))
                await anyio.sleep(5)
                processes.kill(first)
                group.cancel_scope.cancel()
            await anyio.sleep(12)
            got: list[Any] = []
            with anyio.move_on_after(moment) as scope:
                async with aclosing(second.resume()) as resumed:
                    async for pending in resumed:
                        got.append(pending.task_id)
                        await anyio.sleep(STEP)
            cancelled = scope.cancelled_caught
            await anyio.sleep(1)
            got += [pending.task_id async for pending in second.resume()]
            assert sorted(got) == sorted(processes.emulator.tasks), moment
        moment += STEP


async def test_a_service_that_hangs_up_leaves_nothing_behind() -> None:
    """The hand-over of its callback is cut off anywhere; it sends again, and the answer comes."""
    moment, cancelled = 0.0, True
    while cancelled:
        receivers = [CallbackReceiver(PUBLIC) for _ in range(2)]

        async def nowhere(url: str, body: bytes) -> None:
            raise OSError("no way")

        async with fleet(Emulator(latency=Latency.fixed(5), deliver=nowhere)) as processes:
            first = await processes.start(callbacks=receivers[0])
            second = await processes.start(callbacks=receivers[1])
            view = processes.views[second]
            post = view.post

            async def slowly(posts: Any, post: Any = post) -> None:
                await anyio.sleep(0.03)
                await post(posts)
                await anyio.sleep(0.03)

            view.post = slowly  # type: ignore[method-assign]
            pending = await first.submit(TOKEN_TASK)
            url = pending._solve.told_url
            assert url is not None
            body = b'{"status":"ready","solution":{"gRecaptchaResponse":"x"}}'
            transport = httpx.ASGITransport(app=receivers[1])
            async with httpx.AsyncClient(transport=transport) as http:
                with anyio.move_on_after(moment) as scope:
                    await http.post(url, content=body)
                cancelled = scope.cancelled_caught
                assert (await http.post(url, content=body)).status_code == 200
            begun = anyio.current_time()
            assert (await pending).solution.token == "x"
            assert anyio.current_time() - begun < 1
            assert first.statistics().polls == 0
        moment += STEP
