"""The emulated service's rules: account, tasks, polls, bans, and its arguments."""

from __future__ import annotations

import json
import random
from decimal import Decimal

import anyio
import pytest
from emulator_calls import IMAGE, RECAPTCHA, Caller
from hypothesis import given
from hypothesis import strategies as st

from captcha_async.emulator import BAN_AFTER, Emulator, Latency
from captcha_async.emulator._exchange import Request
from captcha_async.emulator._service import EmulatedService
from captcha_async.errors import InvalidArgument
from captcha_async.services import CAPMONSTER

NO_ERROR = {"errorId": 0, "errorCode": None, "errorDescription": None}


def make(service: object = "capmonster", *, seconds: float = 5.0, **options: object) -> Emulator:
    """Return an emulator whose tasks take a known time."""
    return Emulator(service, latency=Latency.fixed(seconds), **options)  # type: ignore[arg-type]


# -- a task's life --------------------------------------------------------------------------------


async def test_a_task_is_processed_then_ready() -> None:
    """createTask gives an id; getTaskResult says processing, then ready with solution and cost."""
    emulator = make(seconds=5)
    caller = Caller(emulator)
    reply = await caller.call("createTask", task=RECAPTCHA)
    assert reply.json() == {"errorId": 0, "taskId": 7654321}
    assert await caller.poll(7654321) == {**NO_ERROR, "status": "processing"}
    await anyio.sleep(5)
    ready = await caller.poll(7654321)
    assert ready["solution"]["gRecaptchaResponse"].startswith("03A")
    assert {**ready, "solution": None} == {
        **NO_ERROR,
        "status": "ready",
        "solution": None,
        "cost": 0.001,
    }
    assert emulator.violations == []


async def test_a_result_is_kept_for_the_retention_only() -> None:
    """Five minutes after a task is ready its id is unknown."""
    emulator = make(seconds=5)
    caller = Caller(emulator)
    task_id = await caller.create()
    await anyio.sleep(5 + 299)
    assert (await caller.poll(task_id))["status"] == "ready"
    await anyio.sleep(2)
    assert (await caller.poll(task_id))["errorCode"] == "ERROR_NO_SUCH_CAPCHA_ID"
    assert emulator.tasks[task_id].status == "expired"
    assert emulator.tasks[task_id].solution == {}


async def test_the_same_seed_gives_the_same_answers() -> None:
    """Latency and solution of a task depend on the seed and the task's number alone."""

    async def run(seed: int) -> list[object]:
        emulator = Emulator(seed=seed)
        caller = Caller(emulator)
        start = anyio.current_time()
        for task in (RECAPTCHA, IMAGE):
            await caller.create(task)
        return [(round(t.ready_at - start, 6), t.solution) for t in emulator.tasks.values()]

    assert await run(1) == await run(1)
    assert await run(1) != await run(2)


async def test_a_bad_task_object_is_refused() -> None:
    """What breaks the documented requirements gets an error code, a description and taskId 0."""
    emulator = make()
    reply = (await Caller(emulator).call("createTask", task={"type": "RecaptchaV2Task"})).json()
    assert reply["errorId"] == 1
    assert reply["taskId"] == 0
    assert "websiteURL" in reply["errorDescription"]
    assert emulator.statistics().created == 0


async def test_a_task_without_an_object_is_refused() -> None:
    """A createTask body that has no task object is ERROR_TASK_ABSENT."""
    caller = Caller(make())
    for task in (None, {}, "RecaptchaV2Task", []):
        assert await caller.code("createTask", task=task) == "ERROR_TASK_ABSENT"


async def test_ids_are_found_as_number_and_as_text() -> None:
    """A caller that sends the id as a string gets its task; other kinds of value are no id."""
    caller = Caller(make(seconds=0))
    task_id = await caller.create()
    assert (await caller.poll(str(task_id)))["status"] == "ready"
    for wrong in (None, True, 1.5, [task_id], {}, "x", "٣", 10**18):
        assert (await caller.poll(wrong))["errorCode"] == "ERROR_NO_SUCH_CAPCHA_ID"


# -- account --------------------------------------------------------------------------------------


async def test_the_key_may_carry_suffixes() -> None:
    """`KEY__nocache` and `KEY__<module>` are the account's key; other keys are refused with 403."""
    emulator = make(api_keys=["one", "two"])
    caller = Caller(emulator)
    for key in ("one", "two", "two__nocache", "one__yandex__recognizingthreshold_70"):
        assert (await caller.call("getBalance", clientKey=key)).status_code == 200
    for key in ("three", "one_", "onetwo", "", None, 1):
        reply = await caller.call("getBalance", clientKey=key)
        assert (reply.status_code, reply.json()["errorCode"]) == (403, "ERROR_KEY_DOES_NOT_EXIST")
    assert {violation.rule for violation in emulator.violations} == {"wrong-key"}


async def test_a_solve_is_charged_when_it_is_ready() -> None:
    """The balance sinks with the answer, not with the order, and without anyone asking for it."""
    emulator = make(balance=Decimal("0.01"), price=Decimal("0.004"), seconds=5)
    caller = Caller(emulator)
    await caller.create()
    assert (await caller.call("getBalance")).json() == {"errorId": 0, "balance": 0.01}
    await anyio.sleep(5)
    assert emulator.balance == Decimal("0.006")
    assert (await caller.call("getBalance")).json()["balance"] == 0.006
    assert emulator.statistics().spent == Decimal("0.004")


async def test_without_money_no_task_is_created() -> None:
    """Tasks in flight count; ERROR_ZERO_BALANCE comes with HTTP 402; a top-up helps."""
    emulator = make(balance=Decimal("0.005"), price={"RecaptchaV2Task": Decimal("0.004")})
    caller = Caller(emulator)
    await caller.create()
    reply = await caller.call("createTask", task=RECAPTCHA)
    assert (reply.status_code, reply.json()["errorCode"]) == (402, "ERROR_ZERO_BALANCE")
    assert reply.json()["taskId"] == 0
    emulator.balance = Decimal(1)
    await caller.create()
    assert [violation.rule for violation in emulator.violations] == ["no-money"]


async def test_slots_bound_the_tasks_in_flight() -> None:
    """With all slots taken createTask is refused until a task has ended."""
    emulator = make(slots=1, seconds=5)
    caller = Caller(emulator)
    await caller.create()
    assert await caller.code("createTask", task=RECAPTCHA) == "ERROR_NO_SLOT_AVAILABLE"
    await anyio.sleep(5)
    await caller.create()


async def test_a_wrong_answer_can_be_reported() -> None:
    """A report is taken for a known id and refused for another one."""
    emulator = make(seconds=0)
    caller = Caller(emulator)
    task_id = await caller.create()
    for path in ("reportIncorrectTokenCaptcha", "reportIncorrectRecaptcha"):
        assert (await caller.call(path, taskId=task_id)).json()["status"] == "success"
    assert emulator.tasks[task_id].reported
    assert await caller.code("reportIncorrectImageCaptcha", taskId=1) == "ERROR_NO_SUCH_CAPCHA_ID"


async def test_the_user_agent_is_plain_text() -> None:
    """The user agent's page is read with GET and needs no key."""
    caller = Caller(make())
    reply = await caller.http.get("/api/useragent/actual")
    assert reply.headers["content-type"] == "text/plain"
    assert reply.text.startswith("Mozilla/5.0 (Windows")


async def test_what_is_no_method_is_not_found() -> None:
    """Another path or another verb is ERROR_NO_SUCH_METHOD with HTTP 404."""
    emulator = make()
    caller = Caller(emulator)
    for reply in (await caller.call("createtask"), await caller.http.get("/createTask")):
        assert (reply.status_code, reply.json()["errorCode"]) == (404, "ERROR_NO_SUCH_METHOD")
    assert [request.method for request in emulator.requests] == ["/createtask", "createTask"]


async def test_json_that_cannot_be_read_is_an_absent_task() -> None:
    """A body that is no JSON object is recorded as it came."""
    emulator = make()
    caller = Caller(emulator)
    for body in (b"", b"{", b"[]", b"\xff"):
        reply = await caller.http.post("/createTask", content=body)
        assert reply.json()["errorCode"] == "ERROR_TASK_ABSENT"
    assert [request.body for request in emulator.requests] == [b"", b"{", [], b"\xff"]


# -- politeness -----------------------------------------------------------------------------------


async def test_two_polls_too_close_are_refused() -> None:
    """The gap is measured from arrival to arrival, with ten milliseconds for the way."""
    emulator = make(seconds=100)
    caller = Caller(emulator)
    task_id, other = await caller.create(), await caller.create()
    assert (await caller.poll(task_id))["status"] == "processing"
    assert (await caller.poll(other))["status"] == "processing"
    await anyio.sleep(1.98)
    reply = await caller.call("getTaskResult", taskId=task_id)
    assert (reply.status_code, reply.json()["errorCode"]) == (429, "ERROR_TOO_MUCH_REQUESTS")
    await anyio.sleep(1.995)
    assert (await caller.poll(task_id))["status"] == "processing"
    (violation,) = emulator.violations
    assert (violation.rule, violation.task_id) == ("poll-gap", task_id)
    assert "1.980 s" in violation.detail


async def test_a_broken_poll_counts_as_a_poll() -> None:
    """The gap is kept also after a poll that got no proper reply."""
    emulator = make()
    caller = Caller(emulator)
    task_id = await caller.create()
    emulator.break_http("getTaskResult")
    assert (await caller.call("getTaskResult", taskId=task_id)).status_code == 503
    await caller.poll(task_id)
    assert [violation.rule for violation in emulator.violations] == ["poll-gap"]
    assert emulator.tasks[task_id].polls == 2


async def test_more_polls_than_the_cap_are_a_ban() -> None:
    """The poll over the cap bans, and other tasks suffer with it."""
    emulator = make(CAPMONSTER.evolve(max_polls=3), seconds=1000)
    caller = Caller(emulator)
    task_id, other = await caller.create(), await caller.create()
    for _ in range(3):
        assert (await caller.poll(task_id))["status"] == "processing"
        await anyio.sleep(2)
    assert (await caller.poll(task_id))["errorCode"] == "ERROR_IP_BANNED"
    assert (await caller.poll(other))["errorCode"] == "ERROR_IP_BANNED"
    assert [violation.rule for violation in emulator.violations] == ["poll-cap", "banned"]


async def test_many_wrong_calls_are_a_ban_that_lasts_while_calls_go_on() -> None:
    """A ban ends one window after the last call, not after the first."""
    emulator = make()
    caller = Caller(emulator)
    for _ in range(BAN_AFTER):
        assert await caller.code("getBalance", clientKey="no") == "ERROR_KEY_DOES_NOT_EXIST"
    assert await caller.code("getBalance") == "ERROR_IP_BANNED"
    await anyio.sleep(599)
    assert await caller.code("getBalance") == "ERROR_IP_BANNED"
    await anyio.sleep(599)
    assert await caller.code("getBalance") == "ERROR_IP_BANNED"
    await anyio.sleep(600)
    assert (await caller.call("getBalance")).json()["errorId"] == 0


@pytest.mark.parametrize("kind", ["wrong-key", "unknown-id", "no-money"])
async def test_each_kind_of_wrong_call_leads_to_a_ban(kind: str) -> None:
    """Wrong keys, wrong ids and orders without money are counted each by itself."""
    emulator = make(balance=0)
    caller = Caller(emulator)
    calls = {
        "wrong-key": lambda: caller.code("getBalance", clientKey="no"),
        "unknown-id": lambda: caller.code("getTaskResult", taskId=1),
        "no-money": lambda: caller.code("createTask", task=RECAPTCHA),
    }
    codes = [await calls[kind]() for _ in range(BAN_AFTER + 1)]
    assert codes.index("ERROR_IP_BANNED") == BAN_AFTER
    assert [violation.rule for violation in emulator.violations] == [kind] * BAN_AFTER + ["banned"]


async def test_few_wrong_calls_in_a_long_time_are_no_ban() -> None:
    """Wrong calls count within one ban window only."""
    caller = Caller(make())
    for _ in range(BAN_AFTER + 5):
        await caller.code("getBalance", clientKey="no")
        await anyio.sleep(600 / (BAN_AFTER - 2))
    assert (await caller.call("getBalance")).json()["errorId"] == 0


# -- any input ------------------------------------------------------------------------------------

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(
    method=st.sampled_from(
        ["createTask", "getTaskResult", "getBalance", "reportIncorrectRecaptcha"]
    ),
    task=json_values | st.fixed_dictionaries({"type": st.just("RecaptchaV2Task")}),
    task_id=json_values,
)
def test_any_json_gets_a_reply(method: str, task: object, task_id: object) -> None:
    """Whatever a caller sends, the service answers with a JSON object and an errorId."""
    service = EmulatedService(make()._settings)
    body = {"clientKey": "emulator-key", "task": task, "taskId": task_id}
    request = Request("POST", f"/{method}", {}, json.dumps(body).encode())
    reply = service.handle(request, 0.0).reply
    assert "errorId" in json.loads(reply.content)


# -- arguments ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("service", {"service": "nobody"}),
        ("api_keys", {"api_keys": []}),
        ("api_keys", {"api_keys": [""]}),
        ("balance", {"balance": "much"}),
        ("balance", {"balance": True}),
        ("balance", {"balance": Decimal("inf")}),
        ("price", {"price": {"ImageToTextTask": "free"}}),
        ("latency", {"latency": 5}),
        ("slots", {"slots": 0}),
        ("max_record", {"max_record": 1.5}),
    ],
)
def test_wrong_arguments_name_the_field(field: str, options: dict) -> None:
    """A wrong argument is refused when the emulator is made."""
    with pytest.raises(InvalidArgument) as caught:
        Emulator(**options)
    assert caught.value.field == field


def test_latency_is_log_normal() -> None:
    """Half of the drawn times are under the median, and a wrong one is refused."""
    rng = random.Random(1)
    drawn = sorted(Latency(median=6.0, sigma=0.35)(rng, {}) for _ in range(2001))
    assert 5.7 < drawn[1000] < 6.3
    assert Latency.fixed(3)(rng, {}) == 3
    for wrong in (-1, float("nan"), "6", True):
        with pytest.raises(InvalidArgument):
            Latency(median=wrong)  # type: ignore[arg-type]


async def test_latency_may_be_a_function_of_the_task() -> None:
    """A callable gets a source of chance and the task object."""
    emulator = Emulator(latency=lambda _, task: len(task["websiteKey"]))
    caller = Caller(emulator)
    await caller.create()
    (task,) = emulator.tasks.values()
    assert task.ready_at - task.created == 3


async def test_a_long_run_stays_small() -> None:
    """Requests, violations and finished tasks are remembered up to a limit."""
    emulator = make(seconds=0, max_record=10)
    caller = Caller(emulator)
    for _ in range(15):
        await caller.create()
        await caller.poll(1)
    assert len(emulator.requests) == len(emulator.violations) == 10
    assert len(emulator.tasks) == 15
    await anyio.sleep(301)
    for _ in range(30):
        await caller.create()
        await anyio.sleep(301)
    assert len(emulator.tasks) == 15
    assert emulator.statistics().created == 45
