"""A journal of one process and the records of all: who knows more counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import anyio
import pytest
from local import TOKEN_TASK
from sharing_fleet import fleet, jobs, run, tokens

from captcha_async import Failed, Journal, Limits, SubmitUncertain, TaskExpired
from captcha_async.emulator import Emulator, Latency

pytestmark = pytest.mark.real_time

SOON = Latency.fixed(0.1)


def quick(**options: Any) -> Emulator:
    """A service that solves soon, and may be polled often."""
    from captcha_async import CAPMONSTER

    service = CAPMONSTER.evolve(min_poll_gap=0.05)
    return Emulator(service, latency=SOON, **options)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the journal is."""
    return tmp_path / "captchas.db"


async def test_what_the_journal_says_was_taken_is_skipped(path: Path) -> None:
    """As without sharing; another process gets the answers from the records."""
    async with fleet(quick()) as processes:
        first = await processes.start(journal=path)
        done = tokens(await run(first, jobs()))
        await first.aclose()
        again, other = await processes.start(journal=path), await processes.start()
        assert await run(again, jobs()) == {}
        assert tokens(await run(other, jobs())) == done
        assert processes.paid == 5


async def test_a_journal_that_keeps_answers_hands_them_out_for_longer(path: Path) -> None:
    """Also where the records have forgotten them."""
    journal = Journal(path, keep_solutions=True)
    async with fleet(quick()) as processes:
        first = await processes.start(journal=journal)
        done = tokens(await run(first, jobs()))
        await first.aclose()
        processes.place._records.clear()
        again = await processes.start(journal=journal)
        assert tokens(await run(again, jobs())) == done
        assert processes.paid == 5


async def test_what_only_the_journal_knows_is_taken_up_and_told_to_all(path: Path) -> None:
    """The records were lost with the store: nothing is paid again, here or elsewhere."""
    async with fleet(Emulator(latency=Latency.fixed(4))) as processes:
        first = await processes.start(journal=path)
        with anyio.move_on_after(0.5):
            await run(first, jobs())
        await first.aclose()
        processes.place._records.clear()
        again, other = await processes.start(journal=path), await processes.start()
        got: list[dict[Any, Any]] = []

        async def work(client: Any) -> None:
            got.append(await run(client, jobs()))

        async with anyio.create_task_group() as group:
            group.start_soon(work, again)
            await anyio.sleep(0.5)
            group.start_soon(work, other)
        assert tokens(got[0]) == tokens(got[1])
        assert processes.paid == 5


async def test_what_another_process_has_submitted_is_in_our_journal_too(path: Path) -> None:
    """We collect it, so that a crash of ours must not lose it; once taken it is skipped."""
    async with fleet(quick()) as processes:
        first, second = await processes.start(), await processes.start(journal=path)
        done = tokens(await run(first, jobs()))
        assert tokens(await run(second, jobs())) == done
        await second.aclose()
        processes.place._records.clear()
        again = await processes.start(journal=path)
        assert await run(again, jobs()) == {}
        assert processes.paid == 5


async def test_a_doubt_of_the_journal_that_the_records_know_to_be_paid(path: Path) -> None:
    """Only our process did not live to hear of the acceptance; its journal has it then."""
    async with fleet(quick()) as processes:
        first = await processes.start(journal=path)
        pending = await first.submit(TOKEN_TASK, key="order-17")
        await first.aclose()
        _change(path, "UPDATE submission SET state = 'sending', task_id = NULL")
        again = await processes.start(journal=path)
        found = await again.lookup("order-17")
        assert found is not None
        assert found.task_id == pending.task_id
        await found
        assert await again.uncertain() == ()
        assert processes.paid == 1


async def test_a_doubt_of_the_records_that_the_journal_knows_to_be_paid(path: Path) -> None:
    """The process was killed after its journal had the id, and before the store had it."""
    async with fleet(quick()) as processes:
        first = await processes.start(journal=path)
        pending = await first.submit(TOKEN_TASK, key="order-17")
        view = processes.views[first]

        def to_sending(value: bytes) -> bytes:
            return value.replace(b'"state":"open"', b'"state":"sending"')

        records = processes.place._records
        for key, (value, end, owner) in list(records.items()):
            records[key] = (to_sending(value), end, owner)
        await first.aclose()
        assert view is not None
        again, other = await processes.start(journal=path), await processes.start()
        with pytest.raises(SubmitUncertain):
            await other.lookup("order-17")
        found = await again.lookup("order-17")
        assert found is not None
        assert found.task_id == pending.task_id
        solved = await found
        elsewhere = await other.lookup("order-17")
        assert elsewhere is not None
        assert (await elsewhere).solution == solved.solution
        assert processes.paid == 1


async def test_a_doubt_of_both_is_one(path: Path) -> None:
    """It is listed once, and forgotten in both."""
    emulator = quick()
    emulator.hang("createTask", times=1)
    async with fleet(emulator) as processes:
        first = await processes.start(journal=path, limits=Limits(request_timeout=1))
        with pytest.raises(SubmitUncertain):
            await first.submit(TOKEN_TASK, key="order-17", timeout=0.5)
        (left,) = await first.uncertain()
        assert left.key == "order-17"
        outcomes = await run(first, jobs(1))
        assert not isinstance(outcomes["page 0"], Failed)
        await first.forget(left)
        assert await first.uncertain() == ()
        await first.submit(TOKEN_TASK, key="order-17")


async def test_a_restarted_process_resumes_what_nobody_has_taken_over(path: Path) -> None:
    """Each task comes out once: here from the journal, or where it was adopted."""
    async with fleet(Emulator(latency=Latency.fixed(3))) as processes:
        first = await processes.start(journal=path)
        with anyio.move_on_after(0.5):
            await run(first, jobs(4))
        await first.aclose()
        other = await processes.start()
        adopting = other.resume()
        adopted = {(await anext(adopting)).task_id}
        adopted |= {pending.task_id async for pending in adopting}
        again = await processes.start(journal=path)
        resumed = [pending async for pending in again.resume()]
        assert adopted | {pending.task_id for pending in resumed} == set(processes.emulator.tasks)
        assert adopted.isdisjoint({pending.task_id for pending in resumed})


async def test_a_taken_answer_is_told_from_an_expired_one(path: Path) -> None:
    """The journal says that it was taken and is not kept; the records may still have it."""
    async with fleet(quick()) as processes:
        first = await processes.start(journal=path)
        solved = await (await first.submit(TOKEN_TASK, key="order-17"))
        await first.aclose()
        again = await processes.start(journal=path)
        found = await again.lookup("order-17")
        assert found is not None
        assert (await found).solution == solved.solution
        await again.aclose()
        processes.place._records.clear()
        third = await processes.start(journal=path)
        with pytest.raises(TaskExpired, match="keep_solutions"):
            await third.lookup("order-17")
        assert processes.paid == 1


def _change(path: Path, statement: str) -> None:
    import sqlite3
    from contextlib import closing

    with closing(sqlite3.connect(path)) as database, database:
        database.execute(statement)
