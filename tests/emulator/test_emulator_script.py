"""What an emulator can be ordered to do, what it remembers, and its callbacks."""

from __future__ import annotations

import math

import anyio
import pytest
from anyio.lowlevel import checkpoint
from emulator_calls import IMAGE, RECAPTCHA, Caller, Deliveries

from captcha_async.emulator import Emulator, Latency
from captcha_async.errors import InvalidArgument

CALLBACK = "https://receiver.example/hidden-token"


def make(service: str = "capmonster", **options: object) -> Emulator:
    """Return an emulator whose tasks take five seconds."""
    return Emulator(service, latency=Latency.fixed(5), **options)  # type: ignore[arg-type]


# -- outcomes -------------------------------------------------------------------------------------


async def test_answers_can_be_chosen() -> None:
    """An order can hold for one task type, a number of times, and say when the answer is ready."""
    emulator = make()
    caller = Caller(emulator)
    emulator.answer_with({"text": "every"}, "ImageToTextTask", after=0)
    emulator.answer_with({"text": "first"}, "imagetotexttask", times=1, after=0)
    ids = [await caller.create(IMAGE) for _ in range(3)]
    texts = [(await caller.poll(task_id))["solution"]["text"] for task_id in ids]
    assert texts == ["first", "every", "every"]
    token_id = await caller.create(RECAPTCHA)
    assert (await caller.poll(token_id))["status"] == "processing"


async def test_counted_orders_go_first_in_their_order_and_the_newest_standing_one_counts() -> None:
    """Orders with a number of times are a queue; of the others the last one is in force."""
    emulator = make()
    caller = Caller(emulator)
    emulator.answer_with({"text": "a"}, times=1, after=0)
    emulator.answer_with({"text": "old"}, after=0)
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1, after=0)
    emulator.answer_with({"text": "new"}, after=0)
    polls = [await caller.poll(await caller.create(IMAGE)) for _ in range(4)]
    said = [poll.get("solution", {}).get("text") or poll["errorCode"] for poll in polls]
    assert said == ["a", "ERROR_CAPTCHA_UNSOLVABLE", "new", "new"]


async def test_a_failed_task_is_not_charged() -> None:
    """fail_with shows at getTaskResult and leaves the balance alone."""
    emulator = make()
    caller = Caller(emulator)
    emulator.fail_with("ERROR_PROXY_BANNED", after=1)
    task_id = await caller.create()
    await anyio.sleep(1)
    assert (await caller.poll(task_id))["errorCode"] == "ERROR_PROXY_BANNED"
    assert emulator.balance == 10
    assert (emulator.tasks[task_id].status, emulator.tasks[task_id].charged) == ("failed", False)
    assert emulator.statistics().failed == 1


async def test_a_task_may_never_end() -> None:
    """With after=inf a task is processing for ever, and owes no callback."""
    deliveries = Deliveries()
    emulator = make(deliver=deliveries)
    caller = Caller(emulator)
    emulator.answer_with({"text": "x"}, after=math.inf)
    async with emulator:
        task_id = await caller.create(IMAGE, callbackUrl=CALLBACK)
        await anyio.sleep(80_000)
        assert (await caller.poll(task_id))["status"] == "processing"
    assert deliveries.seen == []


async def test_a_type_that_is_ordered_is_known() -> None:
    """An answer for a type that no service has makes the emulator accept the type."""
    emulator = make()
    caller = Caller(emulator)
    new = {"type": "NewCaptchaTask", "anything": 1}
    assert await caller.code("createTask", task=new) == "ERROR_TASK_NOT_SUPPORTED"
    emulator.answer_with({"token": "t"}, "NewCaptchaTask", after=0)
    assert (await caller.poll(await caller.create(new)))["solution"] == {"token": "t"}
    assert await caller.code("createTask", task={"type": "Other"}) == "ERROR_TASK_NOT_SUPPORTED"


@pytest.mark.parametrize(
    ("service", "task", "name"),
    [
        (
            "capsolver",
            {"type": "AntiTurnstileTaskProxyLess", "websiteURL": "https://a.b", "websiteKey": "k"},
            "TurnstileTask",
        ),
        (
            "2captcha",
            {"type": "RecaptchaV2TaskProxyless", "websiteURL": "https://a.b", "websiteKey": "k"},
            "RecaptchaV2Task",
        ),
        (
            "capmonster",
            {
                "type": "CustomTask",
                "class": "TenDI",
                "websiteURL": "https://a.b",
                "websiteKey": "k",
            },
            "TenDITask",
        ),
    ],
)
async def test_a_task_type_goes_by_several_names(service: str, task: dict, name: str) -> None:
    """Orders take the service's name, CapMonster's, and a CustomTask's class."""
    emulator = make(service)
    caller = Caller(emulator)
    for called in (task["type"], name):
        emulator.answer_with({"for": called}, called, times=1, after=0)
        assert (await caller.poll(await caller.create(task)))["solution"] == {"for": called}


async def test_create_task_can_answer_at_once() -> None:
    """The reply to createTask has the solution, or the error that the task ends with."""
    emulator = make()
    caller = Caller(emulator)
    emulator.answer_at_once("ImageToTextTask", times=2)
    emulator.answer_with({"text": "now"}, times=1)
    reply = (await caller.call("createTask", task=IMAGE)).json()
    assert (reply["status"], reply["solution"]) == ("ready", {"text": "now"})
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    reply = (await caller.call("createTask", task=IMAGE)).json()
    assert (reply["errorCode"], reply["taskId"]) == ("ERROR_CAPTCHA_UNSOLVABLE", 0)
    assert "status" not in (await caller.call("createTask", task=IMAGE)).json()


# -- refusals and faults --------------------------------------------------------------------------


async def test_a_method_can_be_refused() -> None:
    """A refusal has its own HTTP status and Retry-After, and no effect."""
    emulator = make()
    caller = Caller(emulator)
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=1, http_status=429, retry_after=7)
    reply = await caller.call("createTask", task=RECAPTCHA)
    assert (reply.status_code, reply.headers["retry-after"]) == (429, "7")
    assert reply.json()["errorCode"] == "ERROR_NO_SLOT_AVAILABLE"
    assert emulator.tasks == {}
    await caller.create()
    emulator.refuse("SOMETHING_NEW", "getBalance")
    assert (await caller.call("getBalance")).json()["errorDescription"] == "SOMETHING_NEW occurred"


async def test_a_refusal_of_polls_can_be_for_one_task_type() -> None:
    """The type of the polled task decides, though a poll does not name it."""
    emulator = make()
    caller = Caller(emulator)
    emulator.refuse("CAPTCHA_NOT_READY", "getTaskResult", task_type="ImageToTextTask")
    image, token = await caller.create(IMAGE), await caller.create(RECAPTCHA)
    assert (await caller.poll(image))["errorCode"] == "CAPTCHA_NOT_READY"
    assert (await caller.poll(token))["status"] == "processing"


@pytest.mark.parametrize("effect", [False, True])
async def test_a_reply_can_be_broken(effect: bool) -> None:
    """Raw bytes come instead of the reply, with or without the request's effect."""
    emulator = make()
    caller = Caller(emulator)
    page = b"<h1>Bad Gateway</h1>"
    emulator.break_http(
        "createTask", status=502, body=page, headers=[("X-Edge", "1")], effect=effect
    )
    reply = await caller.call("createTask", task=RECAPTCHA)
    assert (reply.status_code, reply.content, reply.headers["x-edge"]) == (502, page, "1")
    assert len(emulator.tasks) == int(effect)
    assert emulator.requests[0].reply == page
    await caller.create()


async def test_a_broken_reply_may_lie_about_its_length() -> None:
    """A content-length that is ordered is sent as it is."""
    emulator = make()
    emulator.break_http(status=200, body=b"{", headers=[("Content-Length", "100")])
    reply = await Caller(emulator).call("getBalance")
    assert (reply.headers.get_list("content-length"), reply.content) == (["100"], b"{")


@pytest.mark.parametrize("effect", [False, True])
async def test_a_reply_can_stay_away(effect: bool) -> None:
    """Nothing comes until the caller gives up; the effect may have happened."""
    emulator = make()
    caller = Caller(emulator)
    emulator.hang(effect=effect)
    with anyio.move_on_after(3600) as scope:
        await caller.create()
    assert scope.cancelled_caught
    assert len(emulator.tasks) == int(effect)
    (request,) = emulator.requests
    assert (request.status, request.reply) == (None, None)
    await caller.create()


async def test_a_hanging_reply_ends_when_the_caller_goes_away() -> None:
    """The emulator returns on http.disconnect, and answers no half-sent request."""
    emulator = make()
    emulator.hang(times=None)
    head = {"type": "http", "method": "POST", "path": "/getBalance", "headers": []}
    sent: list[object] = []

    async def send(message: object) -> None:
        sent.append(message)

    for messages in (
        [
            {"type": "http.request", "body": b"{}"},
            {"type": "http.request"},
            {"type": "http.disconnect"},
        ],
        [{"type": "http.request", "body": b"{", "more_body": True}, {"type": "http.disconnect"}],
    ):
        left = iter(messages)

        async def receive(left=left) -> dict:
            await checkpoint()
            return next(left)

        await emulator(head, receive, send)
    assert sent == []
    assert len(emulator.requests) == 1


async def test_a_reply_can_be_late() -> None:
    """The effect is at arrival, the reply comes later."""
    emulator = make()
    caller = Caller(emulator)
    emulator.delay(30, "createTask", times=1)
    start = anyio.current_time()
    task_id = await caller.create()
    assert anyio.current_time() - start == pytest.approx(30)
    assert emulator.tasks[task_id].created == pytest.approx(start)


@pytest.mark.parametrize(
    ("field", "order"),
    [
        ("method", lambda e: e.refuse("X", "create_task")),
        ("method", lambda e: e.hang("getUserAgents")),
        ("times", lambda e: e.fail_with("X", times=0)),
        ("after", lambda e: e.fail_with("X", after=-1)),
        ("seconds", lambda e: e.delay(-1)),
        ("solution", lambda e: e.answer_with("text")),
        ("solution", lambda e: e.answer_with({"image": b"bytes"})),
    ],
)
def test_wrong_orders_name_the_field(field: str, order) -> None:
    """A mistake in a script is found when it is written, not when it is played."""
    with pytest.raises(InvalidArgument) as caught:
        order(make())
    assert caught.value.field == field


# -- record ---------------------------------------------------------------------------------------


async def test_the_record_keeps_bodies_and_shows_no_secrets() -> None:
    """Bodies are kept for assertions, but key, proxy and tokens are in no repr."""
    emulator = make(api_keys=["s3cret"])
    caller = Caller(emulator)
    proxy = {
        "proxyType": "http",
        "proxyAddress": "8.8.4.4",
        "proxyPort": 8080,
        "proxyLogin": "s3cret",
        "proxyPassword": "s3cret",
    }
    task_id = await caller.create({**RECAPTCHA, **proxy}, callbackUrl="https://x.example/s3cret")
    await anyio.sleep(5)
    solution = (await caller.poll(task_id))["solution"]
    await caller.call("getBalance", clientKey="s3cret-wrong")
    await caller.http.post("/createTask", content=b's3cret"}')
    assert emulator.requests[0].body["task"]["proxyPassword"] == "s3cret"
    assert emulator.requests[0].headers["content-type"] == "application/json"
    shown = repr([emulator, emulator.requests, emulator.tasks, emulator.violations])
    assert "s3cret" not in shown
    assert solution["gRecaptchaResponse"][:50] not in shown
    assert "RecaptchaV2Task" in shown


async def test_long_texts_are_cut_in_the_repr() -> None:
    """An image does not fill the screen of a failing test."""
    emulator = make()
    body = {"type": "ImageToTextTask", "body": "A" * 4000, "list": ["B" * 4000]}
    await Caller(emulator).call("createTask", task=body)
    assert len(repr(emulator.requests)) < 800
    assert emulator.requests[0].body["task"] == body


async def test_reset_makes_it_as_new() -> None:
    """Record, script, tasks, bans and balance are gone, and no forgotten task calls back."""
    deliveries = Deliveries()
    emulator = make(deliver=deliveries)
    caller = Caller(emulator)
    async with emulator:
        task_id = await caller.create(callbackUrl=CALLBACK)
        emulator.balance = 1
        emulator.refuse("ERROR_IP_NOT_ALLOWED", "getBalance")
        emulator.reset()
        assert (emulator.requests, emulator.tasks, emulator.balance) == ([], {}, 10)
        assert (await caller.call("getBalance")).json()["errorId"] == 0
        assert (await caller.poll(task_id))["errorCode"] == "ERROR_NO_SUCH_CAPCHA_ID"
        await anyio.sleep(10)
    assert deliveries.seen == []


def test_the_record_can_be_read_outside_of_an_event_loop() -> None:
    """Assertions work after the loop has ended."""
    emulator = make()
    emulator.balance = 3
    assert (emulator.balance, emulator.statistics().created, dict(emulator.tasks)) == (3, 0, {})
    assert repr(emulator) == "<Emulator capmonster: 0 requests, 0 tasks, 0 in flight, 0 violations>"
