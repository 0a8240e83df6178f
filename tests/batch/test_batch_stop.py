"""Batches that are stopped, and batches that are read as pairs of key and task."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import anyio
import pytest
from journal_files import journalled, quick_emulator, rows
from local import TOKEN_TASK, joined

from captcha_async import (
    Failed,
    InvalidArgument,
    Limits,
    Solved,
    SubmitUncertain,
    TurnstileTask,
)
from captcha_async.emulator import Emulator, Latency

OTHER_TASK = TurnstileTask(website_url="https://example.com/other", website_key="0x-other")


async def endless() -> AsyncIterator[tuple[str, Any]]:
    """Yield tasks for ever, each under a key of its own."""
    number = 0
    while True:
        yield f"job {number}", TOKEN_TASK
        number += 1


async def test_a_stopped_batch_collects_what_is_paid_for() -> None:
    """Nothing is submitted after `stop`; every accepted task has its outcome; the loop ends."""
    emulator = Emulator(latency=Latency.fixed(10))
    limits = Limits(submits_per_second=5)
    async with joined(emulator, limits=limits) as client, anyio.create_task_group() as group:
        async with client.batch(endless(), max_in_flight=30) as outcomes:

            async def stop_soon() -> None:
                await anyio.sleep(2.1)
                outcomes.stop()
                assert len(emulator.tasks) == 15

            group.start_soon(stop_soon)
            got = [outcome async for outcome in outcomes]
        progress = outcomes.progress()
        assert len(emulator.tasks) == 15
        assert client.orphans == ()
    assert sorted(outcome.key for outcome in got) == sorted(f"job {n}" for n in range(15))
    assert all(isinstance(outcome, Solved) for outcome in got)
    assert (progress.read, progress.dropped, progress.in_flight) == (30, 15, 0)


async def test_a_submission_on_the_wire_is_collected_after_a_stop() -> None:
    """A createTask that has left is waited for, and its answer handed out."""
    emulator = Emulator(latency=Latency.fixed(3))
    emulator.delay(1.0, "createTask")
    async with joined(emulator) as client, anyio.create_task_group() as group:
        async with client.batch(endless(), max_in_flight=4) as outcomes:

            async def stop_soon() -> None:
                await anyio.sleep(0.5)
                outcomes.stop()

            group.start_soon(stop_soon)
            got = [outcome async for outcome in outcomes]
        assert len(emulator.tasks) == len(got) == 4
        assert client.orphans == ()
    assert all(isinstance(outcome, Solved) for outcome in got)


async def test_an_unanswered_submission_is_uncertain_after_a_stop() -> None:
    """A createTask whose reply never came is told, because a task may exist."""
    emulator = Emulator()
    emulator.hang("createTask")
    limits = Limits(request_timeout=5)
    async with (
        joined(emulator, limits=limits) as client,
        client.batch(endless(), max_in_flight=1) as outcomes,
        anyio.create_task_group() as group,
    ):

        async def stop_soon() -> None:
            await anyio.sleep(0.5)
            outcomes.stop()

        group.start_soon(stop_soon)
        (got,) = [outcome async for outcome in outcomes]
    assert isinstance(got, Failed)
    assert isinstance(got.error, SubmitUncertain)


async def test_leaving_a_stopped_batch_at_once() -> None:
    """What was accepted is among the orphans, also if its submission was on the wire."""
    emulator = Emulator()
    emulator.delay(1.0, "createTask")
    async with joined(emulator) as client:
        async with client.batch(endless(), max_in_flight=4) as outcomes:
            await anyio.sleep(0.5)
            outcomes.stop()
        assert len(client.orphans) == len(emulator.tasks) == 4


async def test_a_reader_in_another_task_ends_with_the_block() -> None:
    """It does not wait for outcomes that can never come."""
    async with joined(Emulator(latency=Latency.fixed(100))) as client:
        ended = anyio.Event()

        async def read(outcomes: Any) -> None:
            assert [outcome async for outcome in outcomes] == []
            ended.set()

        async with anyio.create_task_group() as group:
            async with client.batch([TOKEN_TASK]) as outcomes:
                group.start_soon(read, outcomes)
                await anyio.sleep(3)
            with anyio.fail_after(1):
                await ended.wait()
        assert len(client.orphans) == 1


async def test_a_shielded_reader_ends_when_the_batch_is_cancelled() -> None:
    """The batch works for it no more, so there is nothing to wait for."""
    async with joined(Emulator(latency=Latency.fixed(100))) as client:
        with anyio.move_on_after(1):
            async with client.batch([TOKEN_TASK]) as outcomes:
                with anyio.move_on_after(10, shield=True) as patience:
                    assert [outcome async for outcome in outcomes] == []
        assert not patience.cancelled_caught
        assert len(client.orphans) == 1


@pytest.mark.parametrize("stopped", [False, True])
async def test_what_is_accepted_after_a_cancellation_is_an_orphan(stopped: bool) -> None:
    """Also if the block is shielded and goes on, so that the batch has not been left yet."""
    emulator = Emulator(latency=Latency.fixed(100))
    emulator.delay(2.0, "createTask")
    async with joined(emulator) as client:
        with anyio.move_on_after(1):
            async with client.batch([TOKEN_TASK] * 3) as outcomes:
                with anyio.CancelScope(shield=True):
                    await anyio.sleep(0.5)
                    if stopped:
                        outcomes.stop()
                    await anyio.sleep(5)
        assert {orphan.task_id for orphan in client.orphans} == set(emulator.tasks)
        assert len(emulator.tasks) == 3


async def test_a_batch_is_opened_before_it_is_stopped() -> None:
    """The mistake is named."""
    async with joined(Emulator()) as client:
        with pytest.raises(RuntimeError, match="opened before"):
            client.batch([TOKEN_TASK]).stop()


# -- pairs ----------------------------------------------------------------------------------------


async def pairs(*items: tuple[Any, Any]) -> AsyncIterator[tuple[Any, Any]]:
    """Yield pairs, one after the other."""
    for item in items:
        yield item


@pytest.mark.parametrize("kind", ["iterable", "async iterable"])
async def test_keys_that_come_with_the_tasks(kind: str) -> None:
    """A stream can bring keys of its own, where a mapping would have to be held in memory."""
    items = [("a", TOKEN_TASK), (7, OTHER_TASK)]
    async with joined(Emulator()) as client:
        source: Any = iter(items) if kind == "iterable" else pairs(*items)
        async with client.batch(source) as outcomes:
            got = {outcome.key: outcome.task async for outcome in outcomes}
    assert got == dict(items)


async def test_pairs_are_resumed_by_their_keys(tmp_path: Path) -> None:
    """A key that was taken is skipped, wherever it stands; a number has to be the same task's."""
    path, emulator = tmp_path / "journal", quick_emulator()
    options: dict[str, Any] = {"name": "pairs", "resume": True}
    first = pairs(("a", TOKEN_TASK), (2, TOKEN_TASK))
    async with (
        journalled(emulator, path) as client,
        client.batch(first, **options) as outcomes,
    ):
        assert len([outcome async for outcome in outcomes]) == 2
    again = pairs(("b", TOKEN_TASK), ("a", OTHER_TASK), (2, OTHER_TASK))
    async with journalled(emulator, path) as client:
        async with client.batch(again, **options) as outcomes:
            got = {outcome.key: outcome async for outcome in outcomes}
        assert outcomes.progress().skipped == 1
    assert isinstance(got["b"], Solved)
    assert isinstance(got[2], Failed)
    assert isinstance(got[2].error, InvalidArgument)
    assert rows(path) == ["solved"] * 3
