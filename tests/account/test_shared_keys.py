"""Keys that several processes share: whoever runs one again collects what was paid for.

In virtual time, with a store in memory: each client is what one process has, with its own way to
the store. A process that is killed loses that way, and its client does no more.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from local import TOKEN_TASK
from sharing_fleet import fleet, jobs, run, tokens

from captcha_async import (
    AccountUnavailable,
    CaptchaClient,
    Failed,
    InvalidArgument,
    Limits,
    QueueTimeout,
    Solved,
    SubmitUncertain,
    TaskExpired,
    UncertainSubmission,
    Unsolvable,
)
from captcha_async._clock import wall_time
from captcha_async._journal import BY_KEY, Place, dump_key
from captcha_async._sharing._record import TaskRecord, key_of, new_tag
from captcha_async._sharing._store import NOBODY
from captcha_async.emulator import Emulator, Latency

TIMES = Latency.fixed(10)
LEASE = 12.0
"""Seconds after which a process that is gone is known to be."""


# -- batches --------------------------------------------------------------------------------------


async def test_a_batch_that_is_run_again_elsewhere_gets_the_same_answers() -> None:
    """An engine does not know how far a worker came: what was answered is handed out again."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        first, second = await processes.start(), await processes.start()
        done = tokens(await run(first, jobs()))
        assert processes.paid == 5
        again = await run(second, jobs())
        assert tokens(again) == done
        assert all(outcome.replayed for outcome in again.values())
        assert {outcome.task for outcome in again.values()} == set(jobs().values())
        assert processes.paid == 5
        assert second.statistics().polls == 0


async def test_what_a_dead_worker_had_in_flight_is_collected() -> None:
    """Once its lease is over; until then nobody polls, and nothing is paid again."""
    async with fleet(Emulator(latency=Latency.fixed(30))) as processes:
        first, second = await processes.start(), await processes.start()
        async with anyio.create_task_group() as group:
            group.start_soon(run, first, jobs())
            await anyio.sleep(5)
            processes.kill(first)
            group.cancel_scope.cancel()
        begun = anyio.current_time()
        outcomes = await run(second, jobs())
        assert len(tokens(outcomes)) == 5
        assert 24 <= anyio.current_time() - begun <= 40
        assert processes.paid == 5


async def test_the_same_batch_in_two_workers_at_once_is_paid_once() -> None:
    """Each key by the one or the other; both get all answers, and each task has one poller."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        first, second = await processes.start(), await processes.start()
        got: list[dict[Any, Any]] = []

        async def work(client: CaptchaClient) -> None:
            got.append(await run(client, jobs(20)))

        async with anyio.create_task_group() as group:
            group.start_soon(work, first)
            group.start_soon(work, second)
        assert tokens(got[0]) == tokens(got[1])
        assert processes.paid == 20


async def test_the_same_keys_in_two_batches_of_one_client() -> None:
    """As in an actor that is given shards that overlap: both have all, in their places."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        client = await processes.start()
        both = list(jobs(8).items())
        got: dict[str, list[Any]] = {}

        async def work(name: str, pairs: list[Any], wait: float) -> None:
            await anyio.sleep(wait)
            got[name] = await client.solve_all(pairs, resume=True)

        async with anyio.create_task_group() as group:
            group.start_soon(work, "one", both[:6], 0)
            group.start_soon(work, "two", list(reversed(both)), 3)
            group.start_soon(work, "three", both[2:], 9.9)
        assert [one.key for one in got["one"]] == [key for key, _ in both[:6]]
        assert [one.key for one in got["two"]] == [key for key, _ in reversed(both)]
        assert [one.key for one in got["three"]] == [key for key, _ in both[2:]]
        every = tokens({one.key: one for one in got["two"]})
        for name in ("one", "three"):
            assert all(one.solution.token == every[one.key] for one in got[name])
        assert processes.paid == 8
        assert client.statistics().in_flight == 0


async def test_more_keys_than_slots_in_two_workers() -> None:
    """What waits for a slot is not taken yet, so that nobody waits for what is not sent."""
    async with fleet(Emulator(latency=TIMES, slots=4)) as processes:
        limits = Limits(in_flight=4)
        first = await processes.start(limits=limits)
        second = await processes.start(limits=limits)
        got: list[dict[Any, Any]] = []

        async def work(client: CaptchaClient, tasks: Any) -> None:
            got.append(await run(client, tasks, max_in_flight=50))

        both = jobs(20)
        async with anyio.create_task_group() as group:
            group.start_soon(work, first, both)
            group.start_soon(work, second, dict(reversed(both.items())))
        assert tokens(got[0]) == tokens(got[1])
        assert processes.paid == 20


async def test_a_batch_that_was_cancelled_in_a_living_worker_goes_on_elsewhere() -> None:
    """Nobody there waits for its tasks any more, so that any other worker may collect them."""
    async with fleet(Emulator(latency=Latency.fixed(30))) as processes:
        first, second = await processes.start(), await processes.start()
        with anyio.move_on_after(5):
            await run(first, jobs())
        assert len(first.orphans) == 5
        begun = anyio.current_time()
        outcomes = await run(second, jobs())
        assert len(tokens(outcomes)) == 5
        assert anyio.current_time() - begun <= 30
        # Whoever comes back to them gets the same answers, without a poll.
        polls = first.statistics().polls
        orphans = [await pending for pending in first.orphans]
        assert sorted(one.solution.token for one in orphans) == sorted(tokens(outcomes).values())
        assert first.statistics().polls == polls
        assert processes.paid == 5


async def test_a_createtask_that_a_dead_worker_had_on_its_way_is_uncertain() -> None:
    """It is not sent again without a word: the key fails, until the user says so."""
    emulator = Emulator(latency=TIMES)
    emulator.hang("createTask", times=1)
    async with fleet(emulator) as processes:
        first, second = await processes.start(), await processes.start()
        async with anyio.create_task_group() as group:
            group.start_soon(run, first, jobs(1))
            await anyio.sleep(1)
            processes.kill(first)
            group.cancel_scope.cancel()
        outcomes = await run(second, jobs(1))
        assert isinstance(outcomes["page 0"], Failed)
        assert isinstance(outcomes["page 0"].error, SubmitUncertain)
        paid = processes.paid
        assert len(tokens(await run(second, jobs(1), resend_uncertain=True))) == 1
        assert processes.paid == paid + 1


async def test_what_is_on_its_way_in_a_living_worker_is_waited_for() -> None:
    """Its createTask takes a while; the other has its answer, and pays nothing."""
    emulator = Emulator(latency=TIMES)
    emulator.delay(8, "createTask")
    async with fleet(emulator) as processes:
        first, second = await processes.start(), await processes.start()
        got: list[dict[Any, Any]] = []

        async def work(client: CaptchaClient, wait: float) -> None:
            await anyio.sleep(wait)
            got.append(await run(client, jobs(3)))

        async with anyio.create_task_group() as group:
            group.start_soon(work, first, 0)
            group.start_soon(work, second, 1)
        assert tokens(got[0]) == tokens(got[1])
        assert processes.paid == 3


async def test_what_has_failed_is_solved_anew() -> None:
    """A task without an answer ends nothing: the key may be paid for again."""
    emulator = Emulator(latency=TIMES)
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    async with fleet(emulator) as processes:
        first, second = await processes.start(), await processes.start()
        outcomes = await run(first, jobs(1))
        assert isinstance(outcomes["page 0"].error, Unsolvable)
        assert len(tokens(await run(second, jobs(1)))) == 1
        assert processes.paid == 2


async def test_indexes_of_a_batch_without_a_name_are_refused() -> None:
    """Another process could take its answers for those of its own; with a name they are told
    apart, and a list is complete.
    """
    async with fleet(Emulator(latency=TIMES)) as processes:
        first, second = await processes.start(), await processes.start()
        with pytest.raises(InvalidArgument, match="name"):
            await run(first, [TOKEN_TASK] * 3)
        assert processes.paid == 0
        done = await first.solve_all([TOKEN_TASK] * 3, name="shop", resume=True)
        again = await second.solve_all([TOKEN_TASK] * 3, name="shop", resume=True)
        assert [type(outcome) for outcome in again] == [Solved] * 3
        assert [a.solution for a in done] == [b.solution for b in again]  # type: ignore[union-attr]
        assert processes.paid == 3
        other = TOKEN_TASK.evolve(website_url="https://example.com/other")
        (refused, *_) = await second.solve_all([other], name="shop", resume=True)
        assert isinstance(refused, Failed)
        assert isinstance(refused.error, InvalidArgument)


async def test_without_keys_the_store_is_not_asked() -> None:
    """Single solves, and batches that resume nothing, cost no round trip more than before."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        client = await processes.start()
        await client.solve(TOKEN_TASK)
        await client.solve_all([TOKEN_TASK] * 5)
        async with client.batch(jobs(), name="shop") as outcomes:
            assert len([outcome async for outcome in outcomes]) == 5
        assert not {"change", "look", "left"} & processes.views[client].calls.keys()


async def test_records_of_many_keys_go_together() -> None:
    """A batch of a thousand needs no call for each: what goes at once goes together."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        client = await processes.start()
        processes.views[client].lag = 0.02
        assert len(tokens(await run(client, jobs(1000)))) == 1000
        calls = processes.views[client].calls
        assert calls["change"] + calls["look"] <= 250


# -- the store is away ----------------------------------------------------------------------------


async def test_in_an_outage_no_key_is_paid_for_unasked() -> None:
    """A key fails within its time, and may be tried again; what has none goes on."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        client = await processes.start()
        view = processes.views[client]
        view.away = True
        await anyio.sleep(2)
        begun = anyio.current_time()
        with pytest.raises(AccountUnavailable, match="paid for before") as caught:
            await client.submit(TOKEN_TASK, key="order-17", timeout=3)
        assert caught.value.retryable
        assert anyio.current_time() - begun <= 3
        with pytest.raises(AccountUnavailable):
            await client.submit(TOKEN_TASK, key="order-17")
        with pytest.raises(AccountUnavailable):
            await client.lookup("order-17")
        with pytest.raises(AccountUnavailable):
            _ = [pending async for pending in client.resume()]
        assert processes.paid == 0
        await client.solve(TOKEN_TASK)
        view.away = False
        await anyio.sleep(2)
        await client.submit(TOKEN_TASK, key="order-17")
        assert processes.paid == 2


async def test_a_batch_in_an_outage_reads_no_further_tasks() -> None:
    """What was in flight is collected, and written down when the store is back."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        client, other = await processes.start(), await processes.start()
        outcomes: dict[Any, Any] = {}
        async with client.batch(jobs(100), resume=True, max_in_flight=10) as batch:
            await anyio.sleep(5)
            processes.views[client].away = True
            async for outcome in batch:
                outcomes[outcome.key] = outcome
            assert isinstance(batch.progress().stopped_by, AccountUnavailable)
        solved = {key for key, outcome in outcomes.items() if isinstance(outcome, Solved)}
        assert len(solved) == 10
        assert processes.paid == 10
        processes.views[client].away = False
        await anyio.sleep(2)
        assert len(tokens(await run(other, jobs(100)))) == 100
        assert processes.paid == 100


@pytest.mark.parametrize("away", [0.0, 0.05, 2.0])
async def test_a_store_that_has_forgotten_lets_nobody_take_a_key(away: float) -> None:
    """Each member writes its tasks again before that. FLUSHALL breaks no connection, and a quick
    restart comes before the next exchange: a key that looks free may be in flight elsewhere."""
    async with fleet(Emulator(latency=Latency.fixed(30))) as processes:
        first, second = await processes.start(), await processes.start()
        got: list[dict[Any, Any]] = []

        async def work(client: CaptchaClient) -> None:
            got.append(await run(client, jobs()))

        async with anyio.create_task_group() as group:
            group.start_soon(work, first)
            await anyio.sleep(5)
            for view in processes.views.values():
                view.away = away > 0
            await anyio.sleep(away)
            processes.place._records.clear()
            processes.place._state = type(processes.place._state)()
            for view in processes.views.values():
                view.away = False
            group.start_soon(work, second)
        assert tokens(got[0]) == tokens(got[1])
        assert processes.paid == 5


# -- single tasks ---------------------------------------------------------------------------------


async def test_a_key_is_submitted_here_and_answered_there() -> None:
    """Any process finds it, whoever has submitted it; the first who asks collects it."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        first, second, third = [await processes.start() for _ in range(3)]
        pending = await first.submit(TOKEN_TASK, key=("order", 17))
        found = await second.lookup(("order", 17))
        assert found is not None
        assert found.task_id == pending.task_id
        assert await found.peek() is None
        again = await third.submit(TOKEN_TASK, key=("order", 17))
        assert again.task_id == pending.task_id
        solved = await again
        assert solved.key == ("order", 17)
        assert (await found).solution == solved.solution
        assert (await pending).solution == solved.solution
        assert await third.lookup("order-18") is None
        assert processes.paid == 1


async def test_a_key_is_another_task_s_nowhere() -> None:
    """The other process is told."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        first, second = await processes.start(), await processes.start()
        await first.submit(TOKEN_TASK, key="order-17")
        other = TOKEN_TASK.evolve(website_url="https://example.com/other")
        with pytest.raises(InvalidArgument, match="key"):
            await second.submit(other, key="order-17")
        assert processes.paid == 1


async def test_why_a_key_has_no_answer_is_known_everywhere() -> None:
    """`lookup` tells it, and `submit` makes a new task."""
    emulator = Emulator(latency=TIMES)
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    async with fleet(emulator) as processes:
        first, second = await processes.start(), await processes.start()
        with pytest.raises(Unsolvable):
            await (await first.submit(TOKEN_TASK, key="order-17"))
        with pytest.raises(Unsolvable, match="submit it again"):
            await second.lookup("order-17")
        solved = await (await second.submit(TOKEN_TASK, key="order-17"))
        assert (await (await first.submit(TOKEN_TASK, key="order-17"))).solution == solved.solution
        assert processes.paid == 2


async def test_an_answer_is_known_as_long_as_a_result_lives() -> None:
    """After that its token is of no use, and the key is a new one."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        first, second = await processes.start(), await processes.start()
        await (await first.submit(TOKEN_TASK, key="order-17"))
        await anyio.sleep(590)
        found = await second.lookup("order-17")
        assert found is not None
        assert (await found).replayed
        await anyio.sleep(20)
        third = await processes.start()
        assert await third.lookup("order-17") is None


async def test_an_uncertain_key_is_listed_and_forgotten() -> None:
    """Any process lists it; once it is forgotten it may be used again."""
    emulator = Emulator(latency=TIMES)
    emulator.hang("createTask", times=1)
    async with fleet(emulator) as processes:
        first, second = await processes.start(), await processes.start()
        with pytest.raises(SubmitUncertain):
            await first.submit(TOKEN_TASK, key="order-17", timeout=5)
        with pytest.raises(SubmitUncertain, match="look at the account"):
            await second.submit(TOKEN_TASK, key="order-17")
        with pytest.raises(SubmitUncertain):
            await second.lookup("order-17")
        (left,) = await second.uncertain()
        assert isinstance(left, UncertainSubmission)
        assert (left.key, left.batch, left.task_type) == ("order-17", None, "RecaptchaV2Task")
        paid = processes.paid
        await second.forget(left)
        assert await first.uncertain() == ()
        await first.submit(TOKEN_TASK, key="order-17")
        assert processes.paid == paid + 1


@pytest.mark.parametrize("damaged", [False, True])
async def test_an_uncertain_key_that_cannot_be_read_is_listed_and_forgotten(damaged: bool) -> None:
    """As of a newer version, whose keys can be read, or of nobody: who is told to look finds it."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        client = await processes.start()
        key = key_of(Place(BY_KEY, dump_key("order-17"), None))
        record = TaskRecord(
            tag=new_tag(),
            batch=BY_KEY,
            key=dump_key("order-17"),
            state="uncertain",
            type="RecaptchaV2Task",
            at=wall_time() - 5,
        )
        value = record.dump().replace(b'"uncertain"', b'"postponed"')
        processes.place._put(key, b"\xff" * 20 if damaged else value, 600, NOBODY)
        for call in (client.lookup("order-17"), client.solve(TOKEN_TASK, key="order-17")):
            with pytest.raises(SubmitUncertain, match=r"client\.uncertain"):
                await call
        (left,) = await client.uncertain()
        assert left.key == (None if damaged else "order-17")
        assert left.task_type == ("" if damaged else "RecaptchaV2Task")
        assert left.age == pytest.approx(0 if damaged else 5, abs=1)
        assert [pending async for pending in client.resume()] == []
        await client.forget(left)
        assert await client.uncertain() == ()
        assert (await client.solve(TOKEN_TASK, key="order-17")).key == "order-17"
        assert processes.paid == 1


async def test_a_submission_whose_time_is_over_while_another_sends_is_told() -> None:
    """Within its time; nothing was paid here."""
    emulator = Emulator(latency=TIMES)
    emulator.delay(8, "createTask")
    async with fleet(emulator) as processes:
        first, second = await processes.start(), await processes.start()
        async with anyio.create_task_group() as group:

            async def submit() -> None:
                await first.submit(TOKEN_TASK, key="order-17")

            group.start_soon(submit)
            await anyio.sleep(1)
            begun = anyio.current_time()
            with pytest.raises(QueueTimeout, match="Another process"):
                await second.submit(TOKEN_TASK, key="order-17", timeout=2)
            assert anyio.current_time() - begun <= 2.1
        assert processes.paid == 1


# -- what the dead have left ----------------------------------------------------------------------


async def test_what_a_dead_member_left_is_resumed_once() -> None:
    """Two ask at the same time: each task comes out in one of them, and is collected there."""
    async with fleet(Emulator(latency=Latency.fixed(30))) as processes:
        first, second, third = [await processes.start() for _ in range(3)]
        async with anyio.create_task_group() as group:
            group.start_soon(run, first, jobs(10))
            await anyio.sleep(5)
            processes.kill(first)
            group.cancel_scope.cancel()
        assert [pending async for pending in second.resume()] == []
        await anyio.sleep(LEASE)
        got: list[Solved[Any]] = []

        async def resume(client: CaptchaClient) -> None:
            pendings = [pending async for pending in client.resume()]
            got.extend([await pending for pending in pendings])

        async with anyio.create_task_group() as group:
            group.start_soon(resume, second)
            group.start_soon(resume, third)
        assert sorted(solved.key for solved in got) == sorted(jobs(10))
        assert processes.paid == 10


async def test_a_resume_that_was_cut_short_loses_nothing() -> None:
    """What was taken over and not handed out comes out the next time."""
    async with fleet(Emulator(latency=Latency.fixed(60))) as processes:
        first, second = await processes.start(), await processes.start()
        async with anyio.create_task_group() as group:
            group.start_soon(run, first, jobs(5))
            await anyio.sleep(5)
            processes.kill(first)
            group.cancel_scope.cancel()
        await anyio.sleep(LEASE)
        resuming = second.resume()
        keys = [(await anext(resuming)).task_id]
        await resuming.aclose()
        keys += [pending.task_id async for pending in second.resume()]
        assert sorted(map(str, keys)) == sorted(map(str, processes.emulator.tasks))
        assert [pending async for pending in second.resume()] == []


async def test_a_resume_in_an_outage_ends_with_why(tmp_path: Path) -> None:
    """As itself, for who catches it, however many keys were asked for at once."""
    async with fleet(Emulator(latency=Latency.fixed(30))) as processes:
        first = await processes.start(journal=tmp_path / "captchas.db")
        with anyio.move_on_after(5):
            await run(first, jobs())
        await first.aclose()
        second = await processes.start(journal=tmp_path / "captchas.db")
        processes.kill(second)
        await anyio.sleep(1)
        with pytest.raises(AccountUnavailable):
            await anext(second.resume())
        processes.views[second].away = False


async def test_an_expired_task_of_the_dead_is_not_polled() -> None:
    """Its result is certainly gone; the key is solved anew."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        first, second = await processes.start(), await processes.start()
        pending = await first.submit(TOKEN_TASK, key="order-17")
        processes.kill(first)
        await anyio.sleep(601)
        assert await second.lookup("order-17") is None
        assert (await second.submit(TOKEN_TASK, key="order-17")).task_id != pending.task_id
        assert TaskExpired is not None


async def test_a_batch_lives_through_a_short_outage() -> None:
    """A server that is restarted in the midst of it costs some seconds, and no task."""
    async with fleet(Emulator(latency=TIMES)) as processes:
        client = await processes.start()
        got: dict[Any, Any] = {}

        async def work() -> None:
            got.update(await run(client, jobs(60), max_in_flight=5))

        async with anyio.create_task_group() as group:
            group.start_soon(work)
            for _ in range(4):
                await anyio.sleep(14.97)
                processes.views[client].away = True
                await anyio.sleep(5)
                processes.views[client].away = False
        assert len(tokens(got)) == 60
        assert processes.paid == 60
