"""The emulator's callbacks, and how it is run and mounted."""

from __future__ import annotations

import logging

import anyio
import orjson
import pytest
from anyio import wait_all_tasks_blocked
from emulator_calls import Caller, Deliveries

from captcha_async.emulator import Emulator, Latency

CALLBACK = "https://receiver.example/hidden-token"


def make(service: str = "capmonster", **options: object) -> Emulator:
    """Return an emulator whose tasks take five seconds."""
    return Emulator(service, latency=Latency.fixed(5), **options)  # type: ignore[arg-type]


# -- callbacks ------------------------------------------------------------------------------------


async def test_a_callback_brings_the_result_once() -> None:
    """When a task is ready the callback URL gets the body of getTaskResult."""
    deliveries = Deliveries()
    emulator = make(deliver=deliveries)
    caller = Caller(emulator)
    async with emulator:
        start = anyio.current_time()
        task_id = await caller.create(callbackUrl=CALLBACK)
        await anyio.sleep(60)
        result = await caller.poll(task_id)
    ((url, body, at),) = deliveries.seen
    assert (url, body) == (CALLBACK, result)
    assert at - start == pytest.approx(5)
    assert emulator.tasks[task_id].called_back is True
    assert (emulator.statistics().callbacks, emulator.statistics().callbacks_failed) == (1, 0)


@pytest.mark.parametrize(
    "deliveries", [Deliveries(seconds=3), Deliveries(error=OSError()), Deliveries(error=KeyError())]
)
async def test_a_callback_that_nobody_takes_is_given_up(deliveries: Deliveries) -> None:
    """A receiver has two seconds; there is no second try, and the result can be polled for."""
    deliveries.seen.clear()
    emulator = make(deliver=deliveries)
    caller = Caller(emulator)
    async with emulator:
        task_id = await caller.create(callbackUrl=CALLBACK)
        await anyio.sleep(60)
        assert (await caller.poll(task_id))["status"] == "ready"
    assert len(deliveries.seen) == 1
    assert emulator.tasks[task_id].called_back is False
    assert emulator.statistics().callbacks_failed == 1


async def test_one_task_may_enter_the_emulator_and_another_leave_it() -> None:
    """As fixtures and start-up hooks do; what enters it may have ended since."""
    emulator = Emulator()
    async with anyio.create_task_group() as group:
        group.start_soon(emulator.__aenter__)
    with pytest.raises(RuntimeError, match="running already"):
        await emulator.__aenter__()
    async with anyio.create_task_group() as group:
        group.start_soon(emulator.__aexit__, None, None, None)
    with pytest.raises(RuntimeError, match="not running"):
        await emulator.__aexit__(None, None, None)


async def test_without_a_task_group_callbacks_are_skipped_with_one_warning(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """An emulator that was not entered answers createTask and says what is missing, once."""
    emulator = make(deliver=Deliveries())
    caller = Caller(emulator)
    with caplog.at_level(logging.WARNING, "captcha_async.emulator"):
        await caller.create(callbackUrl=CALLBACK)
        await caller.create(callbackUrl=CALLBACK)
    (record,) = caplog.records
    assert record.levelname == "WARNING"
    assert "async with emulator" in record.getMessage()


async def test_a_callback_url_of_another_kind_is_none() -> None:
    """What is no text is no callback URL."""
    emulator = make(deliver=Deliveries())
    async with emulator:
        task_id = await Caller(emulator).create(callbackUrl=5)
        assert emulator.tasks[task_id].callback_url is None


# -- running --------------------------------------------------------------------------------------


async def test_leaving_ends_what_waits_and_lets_errors_through_bare() -> None:
    """No callback outlives the block, and an error in the block is in no group."""
    deliveries = Deliveries()
    emulator = make(deliver=deliveries)

    async def fail_inside() -> None:
        async with emulator:
            await Caller(emulator).create(callbackUrl=CALLBACK)
            raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        await fail_inside()
    await anyio.sleep(10)
    assert deliveries.seen == []
    async with emulator:
        pass


async def test_entering_twice_is_an_error() -> None:
    """An emulator runs once at a time."""
    emulator = make()
    async with emulator:
        with pytest.raises(RuntimeError, match="running already"):
            await emulator.__aenter__()
    with pytest.raises(RuntimeError, match="not running"):
        await emulator.__aexit__(None, None, None)


async def test_a_server_s_lifespan_runs_it() -> None:
    """Start-up enters the emulator and shutdown leaves it; one that runs already is left alone."""
    emulator = make()
    for entered in (False, True):
        to_app, from_server = anyio.create_memory_object_stream[dict](2)
        sent: list[str] = []

        async def send(message, sent=sent) -> None:
            sent.append(message["type"])

        async with anyio.create_task_group() as group:
            if entered:
                await emulator.__aenter__()
            group.start_soon(emulator, {"type": "lifespan"}, from_server.receive, send)
            to_app.send_nowait({"type": "lifespan.startup"})
            await wait_all_tasks_blocked()
            assert sent == ["lifespan.startup.complete"]
            with pytest.raises(RuntimeError, match="running already"):
                await emulator.__aenter__()
            to_app.send_nowait({"type": "lifespan.shutdown"})
            await wait_all_tasks_blocked()
            assert sent[1:] == ["lifespan.shutdown.complete"]
            if entered:
                await emulator.__aexit__(None, None, None)
        to_app.close()
        from_server.close()


async def test_other_protocols_are_refused() -> None:
    """A websocket is a mistake in the mounting."""
    with pytest.raises(ValueError, match="websocket"):
        await make()({"type": "websocket"}, None, None)  # type: ignore[arg-type]


async def test_it_can_be_mounted_under_a_path() -> None:
    """The mount's root path is not part of a method's path."""
    emulator = make()
    sent: list[dict] = []
    scope = {
        "type": "http",
        "method": "POST",
        "path": "/mock/getBalance",
        "root_path": "/mock",
        "headers": [],
    }

    async def receive() -> dict:
        return {"type": "http.request", "body": b'{"clientKey": "emulator-key"}'}

    async def send(message) -> None:
        sent.append(message)

    await emulator(scope, receive, send)
    assert orjson.loads(sent[1]["body"])["balance"] == 10
