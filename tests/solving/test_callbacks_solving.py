"""Clients with a receiver: results come without polls, and none is lost when they do not come."""

from __future__ import annotations

import logging
from typing import Any

import anyio
import orjson
import pytest
from callback_calls import PUBLIC, Poster, called_back
from local import IMAGE_TASK, TOKEN_TASK, joined

from captcha_async import (
    CallbackReceiver,
    CaptchaClient,
    CaptchaError,
    Failed,
    FixedPolling,
    GeeTestTask,
    InsufficientBalance,
    InvalidArgument,
    Limits,
    Retries,
    ServiceUnavailable,
    Solved,
    SolveTimeout,
    SubmitUncertain,
    Unsolvable,
)
from captcha_async._polling._adaptive import AdaptivePolling
from captcha_async.emulator import Emulator, Latency

GEETEST_TASK = GeeTestTask(website_url="https://example.com", gt="g" * 32, challenge="c" * 32)
OWN_URL = "https://mine.example/result"


def callbacks_of(client: CaptchaClient) -> Any:
    """Return the client's own numbers."""
    return client.statistics().callbacks


# -- the way it should be -------------------------------------------------------------------------


async def test_a_solve_needs_no_poll() -> None:
    """The result comes by itself, the moment that it is there, with all that a poll would tell."""
    async with called_back() as (client, emulator, poster):
        start = anyio.current_time()
        solved = await client.solve(TOKEN_TASK)
        assert anyio.current_time() - start == pytest.approx(5)
        task = emulator.tasks[solved.task_id]
        assert solved.solution.raw == task.solution
        assert (solved.polls, solved.elapsed) == (0, pytest.approx(5))
        assert client.statistics().polls == 0
        assert callbacks_of(client) == poster.receiver.statistics()
        assert (callbacks_of(client).by_callback, callbacks_of(client).waiting) == (1, 0)
    assert poster.statuses == [200]


PINGED = [
    (None, TOKEN_TASK),
    (None, IMAGE_TASK),
    ({"challenge": "c", "validate": "v", "seccode": "s"}, GEETEST_TASK),
]


@pytest.mark.parametrize(("solution", "task"), PINGED, ids=["token", "text", "parts"])
async def test_the_pingback_of_2captcha_needs_no_poll(solution: Any, task: Any) -> None:
    """It posts form fields with the bare token or text; it does not tell what a task has cost."""
    receiver = CallbackReceiver(PUBLIC)
    poster = Poster(receiver)
    emulator = Emulator("2captcha", latency=Latency.fixed(5), deliver=poster)
    if solution is not None:
        emulator.answer_with(solution)
    async with joined(emulator, callbacks=receiver) as client:
        solved = await client.solve(task)
        answer = emulator.tasks[solved.task_id].solution
        if solution is not None:
            assert solved.solution.raw == solution
        elif task is TOKEN_TASK:
            assert solved.solution.token == answer["gRecaptchaResponse"]
        else:
            assert solved.solution.text == answer["text"]
        assert (solved.polls, solved.cost, solved.elapsed) == (0, None, pytest.approx(5))
    assert poster.statuses == [200]


async def test_a_pingback_tells_that_a_task_failed() -> None:
    """An error code stands in it in place of the answer."""
    receiver = CallbackReceiver(PUBLIC)
    emulator = Emulator("2captcha", latency=Latency.fixed(5), deliver=Poster(receiver))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE")
    async with joined(emulator, callbacks=receiver) as client:
        with pytest.raises(Unsolvable):
            await client.solve(TOKEN_TASK)
        assert client.statistics().polls == 0


@pytest.mark.real_time
async def test_a_pingback_comes_as_a_form_over_a_socket() -> None:
    """With the content type of one; well before the first poll would be due."""
    receiver = CallbackReceiver()
    emulator = Emulator("2captcha", latency=Latency.fixed(0.05))
    async with receiver.serve(), joined(emulator, callbacks=receiver) as client:
        solved = await client.solve(TOKEN_TASK)
    assert solved.polls == 0
    assert receiver.statistics().by_callback == 1


async def test_submit_batch_and_solve_all_work_the_same() -> None:
    """Whatever the way in, no poll is made."""
    async with called_back() as (client, _, _):
        pending = await client.submit(TOKEN_TASK)
        await pending
        outcomes = await client.solve_all([TOKEN_TASK] * 50)
        assert all(isinstance(outcome, Solved) for outcome in outcomes)
        async with client.batch({"a": IMAGE_TASK}) as batch:
            assert [outcome.key async for outcome in batch] == ["a"]
        assert (client.statistics().polls, callbacks_of(client).by_callback) == (0, 52)


async def test_a_batch_hands_out_at_once_what_was_posted() -> None:
    """Polls share the moments at which the event loop wakes up for them; callbacks do not wait."""
    async with called_back(latency=Latency(median=3)) as (client, emulator, _):
        async with client.batch([TOKEN_TASK] * 50) as batch:
            async for outcome in batch:
                assert isinstance(outcome, Solved)
                late = anyio.current_time() - emulator.tasks[outcome.task_id].ready_at
                assert late == pytest.approx(0, abs=0.001)
        assert client.statistics().polls == 0


async def test_a_callback_may_come_before_the_reply() -> None:
    """It waits for createTask's reply, which tells whose it is."""
    async with called_back(lambda e: e.call_back_before_reply()) as (client, _, _):
        assert (await client.solve(TOKEN_TASK)).polls == 0


async def test_a_result_is_kept_for_who_comes_late() -> None:
    """Nobody awaited the task when the callback came; the service has long dropped the result."""
    async with called_back() as (client, _, _):
        pending = await client.submit(TOKEN_TASK)
        other = await client.submit(TOKEN_TASK)
        await anyio.sleep(1000)
        assert (await pending).polls == 0
        assert await other.peek() is not None
        assert client.statistics().requests == 2


async def test_a_kept_result_needs_no_working_account() -> None:
    """What is there already can be had while the fuse is open."""
    async with called_back() as (client, emulator, _):
        pending = await client.submit(TOKEN_TASK)
        await anyio.sleep(10)
        emulator.refuse("ERROR_IP_BANNED", "getBalance")
        with pytest.raises(CaptchaError):
            await client.balance()
        assert client.statistics().fuse == "open"
        assert (await pending).polls == 0


async def test_a_cancelled_waiter_s_task_still_gets_its_callback() -> None:
    """The task is an orphan; its result is there when it is awaited again."""
    async with called_back() as (client, _, _):
        with anyio.move_on_after(1):
            await client.solve(TOKEN_TASK)
        await anyio.sleep(10)
        (orphan,) = client.orphans
        assert (await orphan).polls == 0
        assert client.statistics().polls == 0


async def test_a_batch_has_failures_by_callback_too() -> None:
    """What is posted of two is that they failed, and of one nothing: so that one is polled."""
    async with called_back(lambda e: e.fail_with("ERROR_CAPTCHA_UNSOLVABLE")) as posted:
        client, emulator, poster = posted
        async with client.batch([TOKEN_TASK] * 3) as outcomes:
            await anyio.sleep(1)
            *_, last = emulator.tasks.values()
            await poster.send(last.callback_url or "", json={"status": "enigmatic"})
            failed = [outcome async for outcome in outcomes if isinstance(outcome, Failed)]
        assert [type(outcome.error) for outcome in failed] == [Unsolvable] * 3
        assert (callbacks_of(client).by_callback, callbacks_of(client).by_poll) == (2, 1)


async def test_a_failure_comes_by_callback_too() -> None:
    """An error in the body is the task's error, as in getTaskResult's reply."""
    async with called_back(lambda e: e.fail_with("ERROR_CAPTCHA_UNSOLVABLE")) as (client, _, _):
        with pytest.raises(Unsolvable) as caught:
            await client.solve(TOKEN_TASK)
        assert caught.value.task_id is not None
        assert (client.statistics().polls, callbacks_of(client).by_callback) == (0, 1)


async def test_an_own_address_wins() -> None:
    """Whoever gives a callback URL of his own gets the callback; the client polls."""
    async with called_back() as (client, emulator, poster):
        solved = await client.solve(TOKEN_TASK, callback_url=OWN_URL)
        assert emulator.tasks[solved.task_id].callback_url == OWN_URL
        assert solved.polls > 0
        assert callbacks_of(client).by_poll == 0
    assert poster.urls == [OWN_URL]


async def test_an_answer_at_once_needs_no_callback() -> None:
    """createTask's reply brought the solution; a callback after it changes nothing."""
    async with called_back(lambda e: e.answer_at_once()) as (client, _, _):
        await client.solve(TOKEN_TASK)
        await anyio.sleep(1)
        numbers = callbacks_of(client)
        assert (numbers.by_callback, numbers.by_poll, numbers.late) == (0, 0, 1)


async def test_several_clients_share_a_receiver() -> None:
    """Of one service or of several; each counts its own."""
    receiver = CallbackReceiver(PUBLIC)
    poster = Poster(receiver)
    names = ("capmonster", "2captcha", "capsolver")
    emulators = [Emulator(name, latency=Latency.fixed(5), deliver=poster) for name in names]

    async def solve(emulator: Emulator, count: int) -> None:
        async with joined(emulator, callbacks=receiver) as client:
            for solved in await client.solve_all([TOKEN_TASK] * count):
                assert isinstance(solved, Solved)
                # 2captcha's pingback has the token alone.
                answer = emulator.tasks[solved.task_id].solution
                assert solved.solution.token == answer["gRecaptchaResponse"]
            assert (client.statistics().polls, callbacks_of(client).by_callback) == (0, count)

    async with anyio.create_task_group() as group:
        for number, emulator in enumerate(emulators):
            group.start_soon(solve, emulator, 10 + number)
    assert receiver.statistics().by_callback == 33


# -- the net --------------------------------------------------------------------------------------


@pytest.mark.parametrize("polling", [None, FixedPolling(1, 3)])
async def test_a_silent_callback_is_polled_for(polling: FixedPolling | None) -> None:
    """One poll once it is overdue, and that finds the result."""
    async with called_back(lambda e: e.drop_callbacks(), polling=polling) as (client, _, _):
        solved = await client.solve(TOKEN_TASK)
        assert solved.polls == 1
        assert 20 < solved.elapsed < 40
        assert (callbacks_of(client).by_poll, callbacks_of(client).by_callback) == (1, 0)


async def test_a_slow_task_is_polled_once_and_then_by_the_schedule() -> None:
    """The callback of a task that takes longer than others still ends it."""
    async with called_back(lambda e: e.drop_callbacks(), seconds=60) as (client, _, _):
        solved = await client.solve(TOKEN_TASK)
        assert 60 <= solved.elapsed < 70
    async with called_back(seconds=60) as (client, _, _):
        solved = await client.solve(TOKEN_TASK)
        assert solved.elapsed == pytest.approx(60)
        assert solved.polls >= 1
        assert callbacks_of(client).by_callback == 1


@pytest.mark.parametrize("service", ["capmonster", "anti-captcha"])
async def test_the_net_comes_before_the_result_is_dropped(service: str) -> None:
    """Also where results are kept for a minute, and whatever was learned of slow tasks."""
    poster = Poster(CallbackReceiver(PUBLIC))
    emulator = Emulator(service, latency=Latency.fixed(5), deliver=poster)
    polling = AdaptivePolling(emulator.service)
    emulator.drop_callbacks()
    async with called_back(emulator=emulator, polling=polling) as (client, _, _):
        polling.slow_age = lambda task: 500.0  # type: ignore[method-assign]
        assert (await client.solve(TOKEN_TASK)).elapsed <= emulator.service.result_retention / 2


async def test_the_net_comes_before_the_deadline() -> None:
    """With less time than it takes to call a callback overdue, it is asked for in time."""
    async with called_back(lambda e: e.drop_callbacks()) as (client, _, _):
        solved = await client.solve(TOKEN_TASK, timeout=10)
        assert (solved.polls, solved.elapsed) == (1, pytest.approx(8, abs=0.1))
        with pytest.raises(SolveTimeout):
            await client.solve(TOKEN_TASK, timeout=3)
        await client.orphans[0]


async def test_slow_tasks_are_known_to_be_slow() -> None:
    """What callbacks tell is learned from: later tasks of the type are not polled at all."""
    async with called_back(seconds=60) as (client, _, _):
        await client.solve_all([TOKEN_TASK] * 30)
        polls = client.statistics().polls
        await client.solve_all([TOKEN_TASK] * 30)
        assert client.statistics().polls == polls
        assert callbacks_of(client).by_callback == 60


async def test_ten_percent_lost_lose_nothing() -> None:
    """Of a thousand tasks a tenth gets no callback; each one is solved, by one poll."""
    async with called_back(lambda e: e.drop_callbacks(0.1)) as (client, emulator, _):
        outcomes = await client.solve_all([TOKEN_TASK] * 1000)
        assert all(isinstance(outcome, Solved) for outcome in outcomes)
        for solved in outcomes:
            assert isinstance(solved, Solved)
            assert solved.solution.raw == emulator.tasks[solved.task_id].solution
        numbers = callbacks_of(client)
        assert 60 < numbers.by_poll < 140
        assert numbers.by_callback + numbers.by_poll == 1000
        assert client.statistics().polls == numbers.by_poll


async def test_a_callback_after_the_net_is_late() -> None:
    """It is answered like any other, and changes nothing."""
    async with called_back(lambda e: e.delay_callbacks(100)) as (client, _, poster):
        await client.solve(TOKEN_TASK)
        await anyio.sleep(200)
        assert (callbacks_of(client).by_poll, callbacks_of(client).late) == (1, 1)
        assert poster.statuses == [200]


async def test_an_answer_that_is_posted_during_a_poll_outweighs_its_failure() -> None:
    """The service may have dropped a result that it has delivered: that is not the task's end."""

    def order(emulator: Emulator) -> None:
        emulator.delay(4, "getTaskResult")
        emulator.refuse("ERROR_NO_SUCH_CAPCHA_ID", "getTaskResult", times=1)

    async with called_back(order) as (client, _, _):
        pending = await client.submit(TOKEN_TASK)
        await anyio.sleep(3)
        answer = await pending.peek()
        assert answer is not None
        assert answer.polls == 1
        assert callbacks_of(client).by_callback == 1


async def test_an_answer_that_nobody_has_read_outlives_the_client() -> None:
    """It was posted before the client was closed: it is paid for, and here."""
    async with called_back() as (client, _, _):
        pending = await client.submit(TOKEN_TASK)
        await anyio.sleep(10)
        await client.aclose()
        assert client.orphans == (pending,)
        assert (await pending).polls == 0
        assert len(client.orphans) == 0


async def test_a_repeated_callback_counts_once() -> None:
    """The first one ends the task."""
    async with called_back(lambda e: e.repeat_callbacks(3)) as (client, _, poster):
        await client.solve(TOKEN_TASK)
        await anyio.sleep(1)
        assert (callbacks_of(client).by_callback, callbacks_of(client).duplicate) == (1, 2)
        assert poster.statuses == [200, 200, 200]


# -- bodies that are no answer --------------------------------------------------------------------


async def test_an_unreadable_callback_changes_nothing() -> None:
    """It is refused, and the task is polled for."""
    async with called_back(lambda e: e.spoil_callbacks(b"<html>")) as (client, _, poster):
        assert (await client.solve(TOKEN_TASK)).polls == 1
        assert callbacks_of(client).refused == 1
        assert poster.statuses == [400]


@pytest.mark.parametrize(
    "body",
    [
        {"status": "ready"},
        {"status": "ready", "solution": {"nothing": "known"}},
        {"errorId": 1, "errorCode": "ERROR_KEY_DOES_NOT_EXIST"},
        {"errorId": 1, "errorCode": "ERROR_NO_SLOT_AVAILABLE"},
        {"errorId": 1, "errorCode": "ERROR_NO_SUCH_CAPCHA_ID"},
    ],
)
async def test_a_callback_without_use_is_followed_by_a_poll(body: Any) -> None:
    """What neither solves nor fails the task has to be told by the service itself, at once."""
    content = orjson.dumps(body)
    async with called_back(lambda e: e.spoil_callbacks(content)) as (client, _, _):
        solved = await client.solve(TOKEN_TASK)
        assert solved.elapsed < 7.1
        assert solved.polls >= 1
        assert client.statistics().fuse == "closed"
        assert callbacks_of(client).by_poll == 1


async def test_a_callback_may_say_that_the_task_is_processing() -> None:
    """That is no end; the one that follows is."""
    async with called_back() as (client, emulator, poster):
        pending = await client.submit(TOKEN_TASK)
        (task,) = emulator.tasks.values()
        assert task.callback_url is not None
        async with anyio.create_task_group() as group:
            group.start_soon(pending.result)
            await anyio.sleep(1)
            for _ in range(3):
                await poster.send(task.callback_url, json={"errorId": 0, "status": "processing"})
                await anyio.wait_all_tasks_blocked()
        assert (client.statistics().polls, callbacks_of(client).by_callback) == (0, 1)


async def test_another_task_s_result_is_refused() -> None:
    """An id in the body is checked against the task's own."""
    async with called_back() as (client, emulator, poster):
        pending = await client.submit(TOKEN_TASK)
        (task,) = emulator.tasks.values()
        forged = {"status": "ready", "solution": {"gRecaptchaResponse": "x"}, "taskId": 1}
        reply = await poster.send(task.callback_url or "", json=forged)
        assert reply.status_code == 400
        assert (await pending).solution.raw == task.solution


# -- verify ---------------------------------------------------------------------------------------


async def test_with_verify_one_poll_confirms_the_callback() -> None:
    """The callback only says when to ask."""
    async with called_back(verify=True) as (client, _, _):
        solved = await client.solve(TOKEN_TASK)
        assert (solved.polls, solved.elapsed) == (1, pytest.approx(5))
        assert callbacks_of(client).by_callback == 1


async def test_with_verify_a_forged_callback_changes_nothing() -> None:
    """It costs one poll, and the next ones come by the schedule."""
    async with called_back(verify=True, seconds=30) as (client, emulator, poster):
        pending = await client.submit(TOKEN_TASK)
        (task,) = emulator.tasks.values()
        forged = {"status": "ready", "solution": {"gRecaptchaResponse": "forged"}}
        for _ in range(5):
            await poster.send(task.callback_url or "", json=forged)
        solved = await pending
        assert solved.solution.raw == task.solution
        assert callbacks_of(client).by_poll == 1


async def test_with_verify_trouble_on_the_way_is_overcome() -> None:
    """The confirmation fails, and the schedule goes on."""
    async with called_back(verify=True) as (client, emulator, _):
        emulator.break_http("getTaskResult", status=502)
        assert (await client.solve(TOKEN_TASK)).polls == 2


async def test_with_verify_a_batch_confirms() -> None:
    """One poll each, once the callback has come; where that fails, the schedule goes on."""
    async with called_back(verify=True) as (client, emulator, _):
        emulator.break_http("getTaskResult", status=502)
        outcomes = await client.solve_all([TOKEN_TASK] * 5)
        solved = [outcome for outcome in outcomes if isinstance(outcome, Solved)]
        assert sorted(outcome.polls for outcome in solved) == [1, 1, 1, 1, 2]
        assert callbacks_of(client).by_callback >= 4


async def test_with_verify_a_peek_confirms() -> None:
    """A peek makes the one poll."""
    async with called_back(verify=True) as (client, _, _):
        pending = await client.submit(TOKEN_TASK)
        await anyio.sleep(6)
        solved = await pending.peek()
        assert solved is not None
        assert solved.polls == 1


# -- refused addresses ----------------------------------------------------------------------------


@pytest.mark.parametrize("code", ["ERROR_SERVICE_NOT_AVAILABLE", "ERROR_CALLBACK_DOMAIN"])
async def test_a_service_that_refuses_the_address_is_polled(
    code: str, caplog: pytest.LogCaptureFixture
) -> None:
    """One clear warning, and no task with a callback any more."""
    async with called_back(lambda e: e.refuse_callbacks(code)) as (client, emulator, _):
        await client.solve_all([TOKEN_TASK] * 5)
        assert (await client.solve(TOKEN_TASK)).polls > 0
        assert all(task.callback_url is None for task in emulator.tasks.values())
        assert client.statistics().retries == 0
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert code in record.getMessage()
    assert "public_url" in record.getMessage()
    assert record.name == "captcha_async"
    assert PUBLIC not in record.getMessage()


async def test_how_to_register_an_address_is_told(caplog: pytest.LogCaptureFixture) -> None:
    """2captcha posts to registered hosts only; the warning says where that is done."""
    receiver = CallbackReceiver(PUBLIC)
    emulator = Emulator("2captcha", latency=Latency.fixed(5), deliver=Poster(receiver))
    emulator.refuse_callbacks("ERROR_BAD_PINGBACK")
    async with joined(emulator, callbacks=receiver) as client:
        assert (await client.solve(TOKEN_TASK)).polls > 0
    (record,) = [r for r in caplog.records if r.levelno == logging.WARNING]
    assert "https://2captcha.com/setting/pingback" in record.getMessage()


async def test_a_service_that_is_down_does_not_cost_the_callbacks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The same code without a callback means that the address was not to blame."""
    async with called_back() as (client, emulator, _):
        emulator.refuse("ERROR_SERVICE_NOT_AVAILABLE", times=4)
        assert (await client.solve(TOKEN_TASK)).polls == 0
    assert [record.name for record in caplog.records] == ["captcha_async.requests"]


async def test_a_service_that_stays_down_is_an_error() -> None:
    """Nothing is left behind."""
    async with called_back(retries=Retries(attempts=2)) as (client, emulator, _):
        emulator.refuse("ERROR_SERVICE_NOT_AVAILABLE")
        with pytest.raises(ServiceUnavailable):
            await client.solve(TOKEN_TASK)


# -- nothing is left behind (`called_back` looks at the receiver in the end) -----------------------


async def test_a_refused_or_uncertain_submission_expects_nothing() -> None:
    """No task that could be called back for is known."""
    async with called_back() as (client, emulator, poster):
        emulator.refuse("ERROR_ZERO_BALANCE", times=1)
        with pytest.raises(InsufficientBalance):
            await client.solve(TOKEN_TASK)
        client.reset_fuse()
        emulator.hang("createTask")
        with pytest.raises(SubmitUncertain):
            await client.solve(TOKEN_TASK)
        assert poster.receiver.statistics().waiting == 0


@pytest.mark.parametrize("moment", [0.0, 0.5, 1.0, 2.5, 5.0, 6.0])
async def test_a_cancelled_solve_leaves_at_most_its_orphan(moment: float) -> None:
    """At whatever moment; a task that may be called back for is an orphan."""
    async with called_back(lambda e: e.delay(1, "createTask")) as (client, _, poster):
        with anyio.move_on_after(moment):
            await client.solve(TOKEN_TASK)
        assert poster.receiver.statistics().waiting == len(client.orphans)


async def test_a_closed_client_expects_nothing() -> None:
    """The receiver outlives its clients."""
    async with called_back() as (client, _, poster):
        await client.submit(TOKEN_TASK)
        assert poster.receiver.statistics().waiting == 1
        await client.aclose()
        assert poster.receiver.statistics().waiting == 0
        await anyio.sleep(10)
        assert poster.receiver.statistics().late == 1


async def test_a_forgotten_task_expects_nothing() -> None:
    """A task that nobody awaited for an hour is given up, and its callback with it."""
    async with called_back(lambda e: e.drop_callbacks()) as (client, _, poster):
        await client.submit(TOKEN_TASK)
        await anyio.sleep(4000)
        await client.submit(TOKEN_TASK)
        assert poster.receiver.statistics().waiting == 1


async def test_the_address_is_no_secret_of_ours_but_its_token_is(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """No repr, no error and no log record shows it."""
    caplog.set_level(logging.DEBUG, "captcha_async")
    async with called_back() as (client, emulator, _):
        pending = await client.submit(TOKEN_TASK)
        (task,) = emulator.tasks.values()
        token = (task.callback_url or "").rpartition("/")[2]
        with pytest.raises(SolveTimeout) as caught:
            await pending.result(timeout=1)
        shown = [client, pending, pending.ref, task, emulator.requests, caught.value, caplog.text]
        assert len(token) == 32
        assert token not in repr(shown) + str(caught.value)


async def test_a_client_without_a_receiver_has_no_numbers() -> None:
    """And one with something else in its place is refused."""
    async with joined(Emulator()) as client:
        assert client.statistics().callbacks is None
    with pytest.raises(InvalidArgument, match="callbacks must be a CallbackReceiver"):
        CaptchaClient("key", callbacks="https://x")  # type: ignore[arg-type]


async def test_limits_hold_with_callbacks() -> None:
    """A slot is given back when the callback has come."""
    async with called_back(limits=Limits(in_flight=5)) as (client, _, _):
        start = anyio.current_time()
        await client.solve_all([TOKEN_TASK] * 20)
        assert anyio.current_time() - start == pytest.approx(20)
