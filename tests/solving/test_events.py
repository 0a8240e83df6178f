"""Events: told as they happen, typed, complete, and harmless."""

from __future__ import annotations

import json
import logging
import random
from decimal import Decimal
from typing import Any
from unittest.mock import ANY

import anyio
import attrs
import pytest
from callback_calls import called_back
from journal_files import journalled, quick_emulator
from local import TOKEN_TASK, joined

import captcha_async._events
from captcha_async import (
    CaptchaClient,
    CaptchaError,
    ClientClosed,
    Event,
    FixedPolling,
    FuseBlown,
    FuseClosed,
    InsufficientBalance,
    InvalidArgument,
    Journal,
    KeyRejected,
    Limits,
    NoSlotAvailable,
    PollFailed,
    QueueTimeout,
    ServiceUnavailable,
    SolveTimeout,
    SpendLimitReached,
    SubmitFailed,
    SubmitUncertain,
    TaskAbandoned,
    TaskDropped,
    TaskFailed,
    TaskPolled,
    TaskQueued,
    TaskRef,
    TaskSolved,
    TaskSubmitted,
    TaskTakenUp,
    Unsolvable,
)
from captcha_async.emulator import Emulator, Latency

ENDS = (TaskDropped, TaskSolved, TaskFailed, TaskAbandoned)


def kinds(events: list[Any]) -> list[type]:
    """Return the types of events, without polls."""
    return [type(event) for event in events if not isinstance(event, TaskPolled)]


def only(events: list[Any], kind: type) -> Any:
    """Return the one event of a type."""
    (found,) = [event for event in events if isinstance(event, kind)]
    return found


def check_lives(events: list[Any]) -> dict[int, list[Any]]:
    """Check that every solve begins, and ends, as often; return the events by solve."""
    lives: dict[int, list[Any]] = {}
    for event in events:
        if not isinstance(event, FuseBlown | FuseClosed):
            lives.setdefault(event.solve, []).append(event)
    for life in lives.values():
        is_open = False
        for event in life:
            assert is_open is not isinstance(event, TaskQueued | TaskTakenUp), life
            is_open = not isinstance(event, ENDS)
        assert not is_open, life
    return lives


async def test_a_solve_is_told_from_the_call_to_the_answer() -> None:
    """Queued, submitted, polled until ready, solved: in this order, with the same number and id."""
    events: list[Any] = []
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator, on_event=events.append) as client:
        solved = await client.solve(TOKEN_TASK)
    assert [type(event) for event in events] == [
        TaskQueued,
        TaskSubmitted,
        *[TaskPolled] * solved.polls,
        TaskSolved,
    ]
    assert len({event.solve for event in events}) == 1
    assert {event.ref.task_id for event in events[1:]} == {solved.task_id}
    statuses = [event.status for event in events if isinstance(event, TaskPolled)]
    assert statuses == ["processing"] * (solved.polls - 1) + ["ready"]
    assert (events[0].service, events[0].task) == (emulator.service, TOKEN_TASK)
    assert (events[-1].solved, events[-1].via) == (solved, "poll")
    assert solved.solution.token not in repr(events)


async def test_events_tell_when() -> None:
    """Moments are the loop's clock, and requests tell when they were begun."""
    events: list[Any] = []
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.delay(1.5, "createTask")
    emulator.delay(0.5, "getTaskResult")
    async with joined(emulator, on_event=events.append, polling=FixedPolling(6, 3)) as client:
        start = anyio.current_time()
        await client.solve(TOKEN_TASK)
    queued, submitted, polled, solved = events
    assert queued.at == submitted.started == start
    assert submitted.at == pytest.approx(start + 1.5)
    assert (polled.started, polled.at) == pytest.approx((start + 6, start + 6.5))
    assert solved.at == polled.at


async def test_failures_and_the_fuse_are_told() -> None:
    """A failed task; then the first account error of several, and the end of the trouble."""
    events: list[Any] = []
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    async with joined(emulator, on_event=events.append) as client:
        with pytest.raises(Unsolvable):
            await client.solve(TOKEN_TASK)
        failed = events[-1]
        assert isinstance(failed, TaskFailed)
        assert isinstance(failed.error, Unsolvable)
        emulator.refuse("ERROR_KEY_DOES_NOT_EXIST")
        await client.solve_all([TOKEN_TASK] * 5)
        blown = only(events, FuseBlown)
        assert isinstance(blown.error, KeyRejected)
        assert blown.service is client.service
        dropped = [event for event in events if isinstance(event, TaskDropped)]
        assert [type(event.error) for event in dropped] == [KeyRejected] * 5
        client.reset_fuse()
        client.reset_fuse()
        assert only(events, FuseClosed).service is client.service
    check_lives(events)


async def test_each_attempt_is_told() -> None:
    """What brought no task, and what brought no status, with the reason."""
    events: list[Any] = []
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=2)
    emulator.break_http("getTaskResult", status=503, times=1)
    async with joined(emulator, on_event=events.append) as client:
        await client.solve(TOKEN_TASK)
    assert kinds(events) == [
        TaskQueued,
        SubmitFailed,
        SubmitFailed,
        TaskSubmitted,
        PollFailed,
        TaskSolved,
    ]
    assert isinstance(events[1].error, NoSlotAvailable)
    assert isinstance(only(events, PollFailed).error, ServiceUnavailable)
    assert len({event.solve for event in events}) == 1


async def test_who_is_cancelled_in_the_queue_is_told() -> None:
    """Nothing was sent, nothing is uncertain."""
    events: list[Any] = []
    emulator = Emulator(latency=Latency.fixed(5))
    limits = Limits(in_flight=1)
    async with (
        joined(emulator, on_event=events.append, limits=limits) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(client.solve, TOKEN_TASK)
        await anyio.sleep(1)
        with anyio.move_on_after(1):
            await client.solve(TOKEN_TASK)
        dropped = only(events, TaskDropped)
        with pytest.raises(SolveTimeout):
            await client.solve(TOKEN_TASK, timeout=1)
    assert (dropped.error, dropped.uncertain, dropped.task) == (None, False, TOKEN_TASK)
    late = [event for event in events if isinstance(event, TaskDropped)][1]
    assert (type(late.error), late.uncertain) == (QueueTimeout, False)
    check_lives(events)


async def test_what_is_uncertain_is_told() -> None:
    """Cancelled, or out of time, while createTask was on the wire, and no reply came."""
    events: list[Any] = []
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.hang("createTask", times=3)
    async with joined(emulator, on_event=events.append) as client:
        with anyio.move_on_after(1):
            await client.submit(TOKEN_TASK)
        with pytest.raises(SubmitUncertain):
            await client.solve(TOKEN_TASK, timeout=1)
        with pytest.raises(SubmitUncertain):
            await client.submit(TOKEN_TASK)
    lives = list(check_lives(events).values())
    assert [kinds(life) for life in lives] == [[TaskQueued, SubmitFailed, TaskDropped]] * 3
    assert [life[2].uncertain for life in lives] == [True] * 3
    errors = [type(life[2].error) for life in lives]
    assert errors == [type(None), SubmitUncertain, SubmitUncertain]


async def test_a_wait_that_ends_early_and_goes_on_is_told() -> None:
    """Abandoned with the reason, taken up under the same number, solved."""
    events: list[Any] = []
    emulator = Emulator(latency=Latency.fixed(20))
    async with joined(emulator, on_event=events.append) as client:
        with pytest.raises(SolveTimeout):
            await client.solve(TOKEN_TASK, timeout=5)
        (orphan,) = client.orphans
        with anyio.move_on_after(5):
            await orphan
        await orphan
    assert kinds(events) == [
        TaskQueued,
        TaskSubmitted,
        TaskAbandoned,
        TaskTakenUp,
        TaskAbandoned,
        TaskTakenUp,
        TaskSolved,
    ]
    first, second = (event for event in events if isinstance(event, TaskAbandoned))
    assert (type(first.error), second.error) == (SolveTimeout, None)
    assert len(check_lives(events)) == 1


async def test_a_cancelled_submission_that_was_accepted_is_told() -> None:
    """The id came after the cancellation; with a deadline of `solve` that is one wait still."""
    events: list[Any] = []
    emulator = Emulator(latency=Latency.fixed(20))
    emulator.delay(2, "createTask")
    async with joined(emulator, on_event=events.append) as client:
        with anyio.move_on_after(1):
            await client.submit(TOKEN_TASK)
        with pytest.raises(SolveTimeout):
            await client.solve(TOKEN_TASK, timeout=1)
    lives = list(check_lives(events).values())
    assert [kinds(life) for life in lives] == [[TaskQueued, TaskSubmitted, TaskAbandoned]] * 2
    assert [type(life[2].error) for life in lives] == [type(None), SolveTimeout]


async def test_one_of_two_waiters_abandons_nothing() -> None:
    """Only the last one that goes."""
    events: list[Any] = []
    emulator = Emulator(latency=Latency.fixed(10))
    async with joined(emulator, on_event=events.append) as client:
        pending = await client.submit(TOKEN_TASK)
        async with anyio.create_task_group() as group:
            group.start_soon(pending.result)
            with anyio.move_on_after(3):
                await pending
    assert kinds(events) == [TaskQueued, TaskSubmitted, TaskSolved]


async def test_an_attached_task_is_told() -> None:
    """With a number of its own, once, from `attach` on."""
    events: list[Any] = []
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator) as client:
        ref = (await client.submit(TOKEN_TASK)).ref
    async with joined(emulator, on_event=events.append) as client:
        pending = client.attach(ref)
        assert client.attach(ref) is pending
        assert kinds(events) == [TaskTakenUp]
        await pending
    assert kinds(events) == [TaskTakenUp, TaskSolved]
    check_lives(events)


async def test_closing_tells_the_end_of_all() -> None:
    """Also of what nobody waited for, and of what still waits."""
    events: list[Any] = []
    emulator = Emulator(latency=Latency.fixed(20))
    async with joined(emulator, on_event=events.append, limits=Limits(in_flight=1)) as client:

        async def closed() -> None:
            with pytest.raises(ClientClosed):
                await client.solve(TOKEN_TASK)

        await client.submit(TOKEN_TASK)
        async with anyio.create_task_group() as group:
            group.start_soon(closed)
            group.start_soon(closed)
            await anyio.sleep(1)
            await client.aclose()
    lives = check_lives(events)
    ends = sorted((type(life[-1]).__name__, type(life[-1].error)) for life in lives.values())
    assert ends == [("TaskAbandoned", ClientClosed)] * 2 + [("TaskDropped", ClientClosed)]


async def test_a_task_that_is_forgotten_is_told() -> None:
    """An hour after its submission nobody has come for it."""
    events: list[Any] = []
    async with joined(Emulator(latency=Latency.fixed(1)), on_event=events.append) as client:
        await client.submit(TOKEN_TASK)
        await anyio.sleep(3601)
        await client.solve(TOKEN_TASK)
    assert only(events, TaskAbandoned).error is None
    check_lives(events)


async def test_a_batch_tells_each_task() -> None:
    """And what is in flight when its block is left."""
    events: list[Any] = []
    emulator = Emulator(latency=Latency.fixed(10))
    async with joined(emulator, on_event=events.append) as client:
        await client.solve_all([TOKEN_TASK] * 3)
        async with client.batch([TOKEN_TASK] * 3):
            await anyio.sleep(5)
        await client.solve_all([TOKEN_TASK], timeout=3)
    ends = [type(life[-1]) for life in check_lives(events).values()]
    assert ends == [TaskSolved] * 3 + [TaskAbandoned] * 4
    errors = [event.error for event in events if isinstance(event, TaskAbandoned)]
    assert errors[:3] == [None] * 3
    assert isinstance(errors[3], SolveTimeout)


async def test_the_way_of_an_answer_is_told() -> None:
    """By a callback, and in createTask's own reply."""
    events: list[Any] = []
    async with called_back(on_event=events.append) as (client, emulator, _):
        await client.solve(TOKEN_TASK)
        emulator.answer_at_once()
        await client.solve(TOKEN_TASK)
    ways = [event.via for event in events if isinstance(event, TaskSolved)]
    assert ways == ["callback", "reply"]
    check_lives(events)


@pytest.mark.real_time
async def test_an_answer_out_of_the_journal_is_told(tmp_path: Any) -> None:
    """It was paid for in an earlier life."""
    emulator = quick_emulator()
    journal = Journal(tmp_path / "captchas.db", keep_solutions=True)
    events: list[Any] = []
    async with journalled(emulator, journal) as client:
        pending = await client.submit(TOKEN_TASK)
        async with client.batch({"a": TOKEN_TASK}):
            await anyio.sleep(0.2)
        assert not pending.done
        await client.aclose(drain=5)
    async with journalled(emulator, journal, on_event=events.append) as client:
        assert len([one async for one in client.resume()]) == 2
    assert kinds(events) == [TaskTakenUp, TaskSolved] * 2
    assert {event.via for event in events if isinstance(event, TaskSolved)} == {"journal"}


def troubled_emulator() -> Emulator:
    """Return a service with some trouble of each kind."""
    emulator = Emulator(latency=Latency(6, 0.8))
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=10)
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=5)
    emulator.break_http("getTaskResult", status=502, times=10)
    emulator.hang("createTask", times=2)
    emulator.delay(0.3, "createTask")
    return emulator


async def cause_trouble(client: CaptchaClient, chance: random.Random) -> None:
    """Solve in any of the ways, and perhaps give up."""
    with anyio.move_on_after(chance.uniform(0, 12)):
        try:
            match chance.randrange(3):
                case 0:
                    await client.solve(TOKEN_TASK, timeout=chance.uniform(1, 12))
                case 1:
                    await (await client.submit(TOKEN_TASK)).result(chance.uniform(0, 9))
                case _:
                    await client.solve_all([TOKEN_TASK] * 4)
        except CaptchaError:
            client.reset_fuse()


@pytest.mark.parametrize("seed", range(5))
async def test_every_solve_ends_as_often_as_it_begins(seed: int) -> None:
    """Whatever goes wrong, and whenever somebody gives up: telemetry leaves nothing open."""
    chance = random.Random(seed)
    events: list[Any] = []
    emulator = troubled_emulator()
    limits = Limits(in_flight=20, request_timeout=3)
    async with (
        joined(emulator, on_event=events.append, limits=limits) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(60):
            group.start_soon(cause_trouble, client, chance)
        await anyio.sleep(5)
        emulator.refuse("ERROR_IP_BANNED", "getTaskResult", times=1)
    assert len(check_lives(events)) >= 60


# -- handlers -------------------------------------------------------------------------------------


async def test_a_handler_that_raises_changes_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """Its error is logged, the other handler hears everything, and the paid answer arrives."""
    events: list[Event] = []

    def handler(event: Any) -> None:
        raise RuntimeError("a bug of the user's")

    emulator = Emulator(latency=Latency.fixed(1))
    with caplog.at_level(logging.ERROR, "captcha_async"):
        async with joined(emulator, on_event=(handler, events.append)) as client:
            await client.solve(TOKEN_TASK)
    assert "on_event raised for a TaskSolved" in caplog.text
    assert isinstance(events[-1], TaskSolved)


async def test_an_interrupt_in_a_handler_loses_no_task() -> None:
    """A Ctrl-C can come at any moment, also when a task has just been accepted."""

    def handler(event: Any) -> None:
        if isinstance(event, TaskSubmitted):
            raise KeyboardInterrupt

    emulator = Emulator()
    limits = Limits(max_spend=Decimal("0.01"), prices={TOKEN_TASK.type: Decimal("0.01")})
    async with joined(emulator, on_event=handler, limits=limits) as client:
        with pytest.raises(KeyboardInterrupt):
            await client.submit(TOKEN_TASK)
        assert [orphan.task_id for orphan in client.orphans] == list(emulator.tasks)
        with pytest.raises(SpendLimitReached):
            await client.submit(TOKEN_TASK)


async def test_a_handler_may_ask_the_client() -> None:
    """For its numbers, its orphans, and to take up a task, at every event."""
    ref = TaskRef("capmonster", 1, "RecaptchaV2Task")
    seen: list[int] = []

    def handler(event: Any) -> None:
        seen.append(client.statistics().in_flight + len(client.orphans))
        if isinstance(event, TaskAbandoned):
            client.attach(attrs.evolve(ref, task_id=len(seen)))

    async with joined(Emulator(latency=Latency.fixed(5)), on_event=handler) as client:
        for _ in range(3):
            await client.submit(TOKEN_TASK)
        await client.solve(TOKEN_TASK)
    assert len(seen) > 6


@pytest.mark.parametrize("wrong", [3, [print, None], "print"])
def test_what_is_no_handler_is_refused(wrong: Any) -> None:
    """The error names the argument."""
    with pytest.raises(InvalidArgument, match="on_event"):
        CaptchaClient("key", on_event=wrong)


@pytest.mark.parametrize("nobody", [None, ()])
async def test_without_a_handler_no_event_is_made(
    monkeypatch: pytest.MonkeyPatch, nobody: Any
) -> None:
    """Telemetry costs nothing where nobody wants it."""

    def refuse(*_: object) -> None:
        raise AssertionError("unreachable")

    monkeypatch.setattr(captcha_async._events, "SolveEvents", refuse)
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator, on_event=nobody) as client:
        await client.solve(TOKEN_TASK)
        ref = (await client.submit(TOKEN_TASK)).ref
        await client.solve_all([TOKEN_TASK] * 2)
    async with joined(emulator, on_event=nobody) as client:
        await client.attach(ref)


class Interrupted(BaseException):
    """Such as a KeyboardInterrupt, which asyncio treats in a way of its own."""


class Interrupting:
    """A handler that raises for the events of a *kind* while it is *armed*."""

    def __init__(self, kind: type[Event], *, times: int = 1_000_000) -> None:
        self.kind = kind
        self.times = times
        self.armed = True

    def __call__(self, event: Event) -> None:
        if self.armed and isinstance(event, self.kind) and self.times:
            self.times -= 1
            raise Interrupted


async def test_an_interrupted_batch_leaves_all_that_was_paid_to_the_orphans() -> None:
    """Its handler may raise for the first of them; the others are let go all the same."""
    handler = Interrupting(TaskAbandoned, times=1)
    async with joined(Emulator(latency=Latency.fixed(60)), on_event=handler) as client:
        with pytest.raises(Interrupted):
            async with client.batch([TOKEN_TASK] * 5):
                await anyio.sleep(10)
        assert len(client.orphans) == 5
        assert client._seats.first.tenant.awaited == 0


async def test_a_wait_that_is_interrupted_at_once_leaves_an_orphan() -> None:
    """Also where that was raised by being told that somebody waits again."""
    handler = Interrupting(TaskTakenUp)
    async with joined(Emulator(latency=Latency.fixed(60)), on_event=handler) as client:
        pending = await client.submit(TOKEN_TASK)
        with pytest.raises(SolveTimeout):
            await pending.result(timeout=5)
        with pytest.raises(Interrupted):
            await pending.result(timeout=5)
        assert client.orphans == (pending,)
        assert client._seats.first.tenant.awaited == 0


async def test_an_interrupted_peek_leaves_its_answer_to_the_orphans() -> None:
    """The answer was paid for, and nobody has got it."""
    handler = Interrupting(TaskSolved)
    async with joined(Emulator(latency=Latency.fixed(1)), on_event=handler) as client:
        pending = await client.submit(TOKEN_TASK)
        await anyio.sleep(5)
        with pytest.raises(Interrupted):
            await pending.peek()
        assert client.orphans == (pending,)
        assert pending.has_answer


async def test_an_interrupted_close_closes_everything() -> None:
    """And every open task is told of, though the handler raises for each."""
    handler = Interrupting(TaskAbandoned)
    async with joined(Emulator(latency=Latency.fixed(60)), on_event=handler) as client:
        for _ in range(3):
            await client.submit(TOKEN_TASK)
        with pytest.raises(Interrupted):
            await client.aclose()
        assert handler.times == 1_000_000 - 3
        assert client.account._transport.closed
        handler.armed = False


async def test_an_interrupt_by_the_fuse_leaves_no_trial_and_no_probe_behind() -> None:
    """What was let out to see has ended, and the next one may go."""
    handler = Interrupting(FuseBlown)
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.break_http("createTask", status=502, times=1)
    async with joined(emulator, on_event=handler) as client:
        with pytest.raises(SubmitUncertain):
            await client.solve(TOKEN_TASK)
        emulator.refuse("ERROR_KEY_DOES_NOT_EXIST", times=1)
        with pytest.raises(Interrupted):
            await client.solve(TOKEN_TASK, timeout=60)
        await anyio.sleep(client.service.ban_window + 1)
        await client.solve(TOKEN_TASK, timeout=60)
        assert client.statistics().fuse == "closed"


async def test_every_event_tells_itself_in_plain_values() -> None:
    """For structured logs: what JSON can hold, and neither a secret nor an answer."""
    told: list[dict[str, Any]] = []
    emulator = Emulator(latency=Latency.fixed(5))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    emulator.answer_with({"gRecaptchaResponse": "s3cret"})
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=1)

    def note(event: Event) -> None:
        told.append(event.to_dict())

    async with joined(emulator, on_event=note) as client:
        with pytest.raises(Unsolvable):
            await client.solve(TOKEN_TASK)
        solved = await client.solve(TOKEN_TASK)
        emulator.refuse("ERROR_ZERO_BALANCE")
        with pytest.raises(InsufficientBalance):
            await client.solve(TOKEN_TASK)
        client.reset_fuse()
    assert "s3cret" not in json.dumps(told)
    assert [event for event in told if event["event"] == "TaskSolved"] == [
        {
            "event": "TaskSolved",
            "at": ANY,
            "solve": ANY,
            "service": "capmonster",
            "task_type": "RecaptchaV2Task",
            "task_id": solved.task_id,
            "polls": solved.polls,
            "account": "capmonster",
            "cost": "0.001",
            "elapsed": solved.elapsed,
            "via": "poll",
        }
    ]
    failed = next(event for event in told if event["event"] == "TaskFailed")
    assert failed["error"] == "Unsolvable"
    assert {"FuseBlown", "FuseClosed", "SubmitFailed", "TaskDropped"} <= {
        event["event"] for event in told
    }
