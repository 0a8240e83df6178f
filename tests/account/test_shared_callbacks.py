"""Callbacks of a shared account: any process takes any callback, and its owner has it at once."""

from __future__ import annotations

import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from callback_calls import PUBLIC
from local import TOKEN_TASK
from sharing_fleet import Fleet, fleet, jobs, run, tokens

from captcha_async import CallbackReceiver, CaptchaClient, Solved
from captcha_async._sharing._store import Post, post_key
from captcha_async.emulator import Emulator, Latency


class Balancer:
    """Posts each callback to one of several processes; called as the emulator calls it."""

    def __init__(self, choose: Any = None) -> None:
        self.receivers: list[CallbackReceiver] = []
        self.urls: list[str] = []
        self.statuses: list[int] = []
        self.choose = choose or random.Random(4).choice

    async def __call__(self, url: str, body: bytes) -> None:
        self.urls.append(url)
        self.statuses.append(await self.post(self.choose(self.receivers), url, body))

    async def post(self, receiver: CallbackReceiver, url: str, body: bytes) -> int:
        """Post to one, and return the status."""
        transport = httpx.ASGITransport(app=receiver)
        async with httpx.AsyncClient(transport=transport) as http:
            return (await http.post(url, content=body)).status_code


def never_the_first(receivers: Sequence[CallbackReceiver]) -> CallbackReceiver:
    """Send everything to a process that has submitted nothing."""
    return receivers[-1]


async def start(processes: Fleet, balancer: Balancer, **options: Any) -> CaptchaClient:
    """Start a process with a receiver."""
    receiver = CallbackReceiver(PUBLIC)
    balancer.receivers.append(receiver)
    return await processes.start(callbacks=receiver, **options)


def made(balancer: Balancer, seconds: float = 5.0) -> Emulator:
    """A service that posts by way of the balancer."""
    return Emulator(latency=Latency.fixed(seconds), deliver=balancer)


def kept(processes: Fleet) -> list[str]:
    """Keys under which callbacks are kept."""
    return [key for key in processes.place._records if key.startswith("post:")]


async def test_callbacks_to_random_processes_all_arrive() -> None:
    """Three of them: nobody polls, each answer is there at once, and afterwards none is kept."""
    balancer = Balancer()
    async with fleet(made(balancer)) as processes:
        clients = [await start(processes, balancer) for _ in range(3)]
        begun = anyio.current_time()
        solved: list[Solved[Any]] = []

        async def solve(client: CaptchaClient) -> None:
            solved.append(await client.solve(TOKEN_TASK))

        async with anyio.create_task_group() as group:
            for client in clients:
                for _ in range(20):
                    group.start_soon(solve, client)
        assert anyio.current_time() - begun <= 5.5
        assert len(solved) == 60
        assert sum(client.statistics().polls for client in clients) == 0
        assert balancer.statuses == [200] * 60
        counts = [receiver.statistics() for receiver in balancer.receivers]
        assert sum(count.by_callback for count in counts) == 60
        assert sum(count.handed_over for count in counts) > 20
        await anyio.sleep(1)
        assert kept(processes) == []
        posts = await processes.place.posts()
        assert (posts.handed_over, posts.kept) == (sum(c.handed_over for c in counts), 0)


async def test_a_batch_and_a_watch_take_them_too() -> None:
    """As single solves do."""
    balancer = Balancer(never_the_first)
    async with fleet(made(balancer)) as processes:
        client = await start(processes, balancer)
        await start(processes, balancer)
        assert len(tokens(await run(client, jobs(30)))) == 30
        assert client.statistics().polls == 0


async def test_a_callback_that_comes_before_createtask_s_reply() -> None:
    """Elsewhere, even: it waits for its task."""
    balancer = Balancer(never_the_first)
    emulator = made(balancer, 0)
    emulator.call_back_before_reply()
    async with fleet(emulator) as processes:
        client = await start(processes, balancer)
        await start(processes, balancer)
        solved = await client.solve(TOKEN_TASK)
        assert solved.polls == 0


async def test_repeats_and_late_ones_change_nothing() -> None:
    """They are taken for granted wherever they come, and not kept."""
    balancer = Balancer(never_the_first)
    emulator = made(balancer)
    emulator.repeat_callbacks(3)
    async with fleet(emulator) as processes:
        client = await start(processes, balancer)
        await start(processes, balancer)
        await client.solve(TOKEN_TASK)
        await anyio.sleep(10)
        count = balancer.receivers[0].statistics()
        assert (count.by_callback, count.refused) == (1, 0)
        assert count.duplicate + count.late >= 1
        assert set(balancer.statuses) == {200}
        assert kept(processes) == []


async def test_forged_and_unknown_tokens_are_refused() -> None:
    """As without sharing: only who has the key can make a token."""
    balancer = Balancer()
    async with fleet(made(balancer)) as processes:
        client = await start(processes, balancer)
        receiver = balancer.receivers[0]
        pending = await client.submit(TOKEN_TASK)
        url = pending._solve.told_url
        assert url is not None
        token = url.rpartition("/")[2]
        # Of a genuine one also every other spelling that base64 has.
        others = (f"{token[:5]}!{token[5:]}", f"{token}=", token[:-1] + chr(ord(token[-1]) + 1))
        for bad in ("", "x", "A" * 72, token[:-2] + "AA", *others):
            assert await balancer.post(receiver, f"{PUBLIC}/{bad}", b'{"status":"ready"}') == 404
        assert receiver.statistics().handed_over == 0
        assert (await processes.place.posts()).handed_over == 0


async def test_a_body_that_cannot_be_read_is_not_handed_over() -> None:
    """Nor one that is too large; the owner's task is none the worse for it."""
    balancer = Balancer(never_the_first)
    async with fleet(made(balancer)) as processes:
        client = await start(processes, balancer)
        await start(processes, balancer)
        pending = await client.submit(TOKEN_TASK)
        url = pending._solve.told_url
        assert url is not None
        other = balancer.receivers[1]
        assert await balancer.post(other, url, b"<html>") == 400
        assert await balancer.post(other, url, b"{" + b" " * 300_000) == 413
        assert other.statistics().refused == 2
        assert (await pending).polls == 0


async def test_a_receiver_whose_store_is_away_asks_for_it_again() -> None:
    """The service is told 503 at once; should it not come again, the task is polled."""
    balancer = Balancer(never_the_first)
    async with fleet(made(balancer)) as processes:
        client, other = await start(processes, balancer), await start(processes, balancer)
        processes.kill(other)
        await anyio.sleep(2)
        solved = await client.solve(TOKEN_TASK)
        assert solved.polls >= 1
        assert set(balancer.statuses) == {503}
        assert balancer.receivers[1].statistics().undelivered == len(balancer.statuses)


async def test_a_store_that_hangs_holds_no_service_up() -> None:
    """The answer comes within the two seconds that services wait."""
    balancer = Balancer(never_the_first)
    async with fleet(made(balancer)) as processes:
        client, other = await start(processes, balancer), await start(processes, balancer)
        pending = await client.submit(TOKEN_TASK)
        url = pending._solve.told_url
        assert url is not None
        view = processes.views[other]

        async def hang(posts: Sequence[Post]) -> None:
            await anyio.sleep_forever()

        view.post = hang  # type: ignore[method-assign]
        begun = anyio.current_time()
        body = b'{"status":"ready","solution":{"gRecaptchaResponse":"x"}}'
        assert await balancer.post(balancer.receivers[1], url, body) == 503
        assert anyio.current_time() - begun < 2


async def test_an_owner_that_was_cut_off_has_its_callback_when_it_is_back() -> None:
    """It was kept meanwhile, and its mailbox is read on."""
    balancer = Balancer(never_the_first)
    async with fleet(made(balancer, 5)) as processes:
        client = await start(processes, balancer)
        await start(processes, balancer)
        pending = await client.submit(TOKEN_TASK)
        view = processes.views[client]

        async def not_now(keys: Sequence[str]) -> list[Any]:
            view.away = True
            await view._check("look")
            return []

        look, view.look = view.look, not_now  # type: ignore[method-assign]
        await anyio.sleep(6)
        assert kept(processes)
        view.look = look  # type: ignore[method-assign]
        view.away = False
        await anyio.sleep(1)
        begun = anyio.current_time()
        assert (await pending).polls == 0
        assert anyio.current_time() == begun


@pytest.mark.real_time
async def test_a_process_that_restarts_with_its_journal_has_the_callback_that_came_meanwhile(
    tmp_path: Path,
) -> None:
    """Its tasks come back with `resume`, and need no poll."""
    balancer = Balancer(never_the_first)
    path = tmp_path / "captchas.db"
    async with fleet(made(balancer, 0.2)) as processes:
        first = await start(processes, balancer, journal=path)
        await start(processes, balancer)
        pending = await first.submit(TOKEN_TASK)
        # Its process is gone: nothing that comes for it is read any more.
        await first._books.journal.aclose()
        processes.kill(first)
        with anyio.fail_after(10):
            while not kept(processes):  # noqa: ASYNC110 (the service does it)
                await anyio.sleep(0.01)
        again = await processes.start(callbacks=CallbackReceiver(PUBLIC), journal=path)
        (resumed,) = [one async for one in again.resume()]
        assert resumed.task_id == pending.task_id
        solved = await resumed
        assert again.statistics().polls == 0
        assert solved.solution.raw == processes.emulator.tasks[solved.task_id].solution
        with anyio.fail_after(10):
            while kept(processes):  # noqa: ASYNC110 (the background writer does it)
                await anyio.sleep(0.01)


@pytest.mark.real_time
async def test_a_callback_that_comes_after_the_restart_saves_the_poll(tmp_path: Path) -> None:
    """It reaches another process, and is kept for the process that is gone; its heir looks there
    before it asks the service.
    """
    balancer = Balancer(never_the_first)
    path = tmp_path / "captchas.db"
    async with fleet(made(balancer, 0.5)) as processes:
        first = await start(processes, balancer, journal=path)
        await start(processes, balancer)
        await first.submit(TOKEN_TASK)
        await first._books.journal.aclose()
        processes.kill(first)
        again = await processes.start(callbacks=CallbackReceiver(PUBLIC), journal=path)
        (resumed,) = [one async for one in again.resume()]
        assert not resumed.done
        await resumed
        assert again.statistics().polls == 0


async def test_whoever_takes_over_a_key_has_its_callback() -> None:
    """The record of the key tells its token; what comes here later is taken as well."""
    balancer = Balancer(lambda receivers: receivers[1])
    async with fleet(made(balancer, 30)) as processes:
        first, second = await start(processes, balancer), await start(processes, balancer)
        async with anyio.create_task_group() as group:
            group.start_soon(run, first, jobs(3))
            await anyio.sleep(5)
            processes.kill(first)
            group.cancel_scope.cancel()
        balancer.receivers.pop(0)
        balancer.choose = lambda receivers: receivers[0]
        assert len(tokens(await run(second, jobs(3)))) == 3
        assert balancer.statuses == [200] * 3
        assert balancer.receivers[0].statistics().by_callback == 3
        assert processes.paid == 3


async def test_one_receiver_serves_several_accounts_and_clients() -> None:
    """Each callback finds its own; a client that is closed takes its part with it."""
    balancer = Balancer()
    receiver = CallbackReceiver(PUBLIC)
    balancer.receivers.append(receiver)
    async with fleet(made(balancer)) as processes:
        one = await processes.start(callbacks=receiver)
        two = await processes.start(callbacks=receiver)
        plain = CaptchaClient(
            one.account._key,
            service=processes.emulator.service,
            http_client=processes._http_client,
            callbacks=receiver,
        )
        for client in (one, two, plain):
            assert (await client.solve(TOKEN_TASK)).polls == 0
        assert receiver.statistics().by_callback == 3
        assert receiver.statistics().handed_over == 0
        assert len(receiver._reception.relays) == 2
        await plain.aclose()
        await one.aclose()
        await one.aclose()
        assert len(receiver._reception.relays) == 1
        assert (await two.solve(TOKEN_TASK)).polls == 0


async def test_a_closed_client_s_callbacks_are_kept_for_who_resumes() -> None:
    """Its process goes on, and receives for others."""
    balancer = Balancer(never_the_first)
    async with fleet(made(balancer)) as processes:
        first = await start(processes, balancer)
        await start(processes, balancer)
        await first.submit(TOKEN_TASK)
        await first.aclose()
        await anyio.sleep(6)
        assert balancer.statuses == [200]
        (key,) = kept(processes)
        assert key == post_key(balancer.urls[0].rpartition("/")[2])
        await anyio.sleep(600)
        assert (await processes.place.look([key])) == [None]
