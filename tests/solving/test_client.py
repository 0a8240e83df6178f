"""The client as its users meet it, against the emulator: solve, submit, attach and the rest."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any, cast

import anyio
import attrs
import httpx
import pytest
from local import IMAGE_TASK, KEY, TOKEN_TASK, joined

from captcha_async import (
    CaptchaClient,
    ClientClosed,
    FixedPolling,
    ImageToTextTask,
    InvalidArgument,
    Limits,
    RawSolution,
    RawTask,
    RecaptchaSolution,
    SolveTimeout,
    TaskRef,
    Unsolvable,
)
from captcha_async.emulator import Emulator, Latency
from captcha_async.services import CAPMONSTER, SERVICES


@pytest.mark.parametrize("service", sorted(SERVICES))
async def test_solve_returns_a_typed_answer_of_every_service(service: str) -> None:
    """A token task and an image task are solved, and cost, time and polls are told."""
    emulator = Emulator(service, latency=Latency.fixed(5), price=Decimal("0.002"))
    async with joined(emulator) as client:
        token = await client.solve(TOKEN_TASK)
        image = await client.solve(IMAGE_TASK)
    assert isinstance(token.solution, RecaptchaSolution)
    assert len(token.solution.token) > 100
    assert token.solution.raw["gRecaptchaResponse"] == token.solution.token
    # capsolver documents no cost in its results.
    assert token.cost == (None if service == "capsolver" else Decimal("0.002"))
    assert 5 <= token.elapsed < 15
    assert token.polls >= 1
    assert token.task is TOKEN_TASK
    assert token.ref == TaskRef(service, token.task_id, "RecaptchaV2Task", token.polls)
    assert image.solution.text
    assert emulator.violations == []


async def test_the_seed_pages_requests_go_over_the_wire_exactly_so() -> None:
    """Same keys, same nesting, nothing extra, for both services."""
    url = "https://example.com/captcha-page"
    site_key = "6Lcg7CMUAAAAANphynKgn9YAgA4tQ2KI_iqRyTwd"
    body = httpx.Request("POST", "http://x", content=cast("bytes", IMAGE_TASK.body)).content
    import base64

    from captcha_async import NoCaptchaTaskProxyless, RecaptchaV2Task

    for service, task, wire_type in (
        ("captcha69", RecaptchaV2Task(website_url=url, website_key=site_key), "RecaptchaV2Task"),
        (
            "capmonster",
            NoCaptchaTaskProxyless(website_url=url, website_key=site_key),
            "NoCaptchaTaskProxyless",
        ),
    ):
        emulator = Emulator(service)
        async with joined(emulator) as client:
            await client.submit(IMAGE_TASK)
            await client.submit(task)
        assert [request.body for request in emulator.requests] == [
            {
                "clientKey": KEY,
                "task": {"type": "ImageToTextTask", "body": base64.b64encode(body).decode()},
            },
            {
                "clientKey": KEY,
                "task": {"type": wire_type, "websiteURL": url, "websiteKey": site_key},
            },
        ]
        assert [request.path for request in emulator.requests] == ["/createTask"] * 2


async def test_callback_url_and_soft_id_are_passed_on() -> None:
    """Both stand beside the task; a profile's soft id is sent under the service's own name."""
    delivered: list[str] = []

    async def deliver(url: str, body: bytes) -> None:
        delivered.append(url)

    emulator = Emulator("capmonster", latency=Latency.fixed(1), deliver=deliver)
    async with joined(emulator, polling=FixedPolling(first=2, interval=2)) as client:
        await client.solve(TOKEN_TASK, callback_url="https://me.example/hook", soft_id=55)
    assert emulator.requests[0].body["callbackUrl"] == "https://me.example/hook"
    assert emulator.requests[0].body["softId"] == 55
    assert delivered == ["https://me.example/hook"]

    service = SERVICES["capsolver"].evolve(soft_id="MY-APP")
    emulator = Emulator(service)
    async with joined(emulator) as client:
        await client.submit(TOKEN_TASK)
    assert emulator.requests[0].body["appId"] == "MY-APP"


async def test_a_pending_task_is_awaited_and_peeked_at() -> None:
    """`submit` returns at once; `peek` polls at most once; `await` brings the answer."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator) as client:
        pending = await client.submit(TOKEN_TASK)
        assert not pending.done
        assert pending.task is TOKEN_TASK
        assert (
            repr(pending) == f"<PendingTask {pending.task_id} RecaptchaV2Task processing, 0 polls>"
        )
        assert await pending.peek() is None
        assert await pending.peek() is None, "the gap is not over: no second poll"
        assert len(emulator.requests_to("getTaskResult")) == 1
        await anyio.sleep(5)
        solved = await pending.peek()
        assert solved is not None
        assert await pending is solved
        assert await pending.peek() is solved
        assert pending.done
        assert "solved" in repr(pending)
        assert len(emulator.requests_to("getTaskResult")) == 2


async def test_peek_does_not_poll_while_another_waiter_does() -> None:
    """One poll of a task at a time."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator, polling=FixedPolling(first=2, interval=2)) as client:
        pending = await client.submit(TOKEN_TASK)
        async with anyio.create_task_group() as group:
            group.start_soon(pending.result)
            await anyio.sleep(0.5)
            assert await pending.peek() is None
            assert emulator.requests_to("getTaskResult") == []


async def test_several_waiters_share_one_poll_loop() -> None:
    """However many await a task, it is polled for once, and all get the same answer."""
    emulator = Emulator(latency=Latency.fixed(5))
    answers: list[Any] = []
    async with joined(emulator) as client:
        pending = await client.submit(TOKEN_TASK)

        async def wait() -> None:
            answers.append(await pending)

        async with anyio.create_task_group() as group:
            for _ in range(10):
                group.start_soon(wait)
    assert len(answers) == 10
    assert len({id(answer) for answer in answers}) == 1
    assert emulator.violations == []
    assert len(emulator.requests_to("getTaskResult")) <= 4


async def test_another_waiter_takes_over_from_a_cancelled_one() -> None:
    """When the waiter that polls is cancelled the next one goes on."""
    emulator = Emulator(latency=Latency.fixed(20))
    async with joined(emulator) as client:
        pending = await client.submit(TOKEN_TASK)
        async with anyio.create_task_group() as group:
            first = anyio.CancelScope()

            async def wait_and_be_cancelled() -> None:
                with first:
                    await pending

            group.start_soon(wait_and_be_cancelled)
            await anyio.sleep(3)
            answers: list[Any] = []

            async def wait() -> None:
                answers.append(await pending)

            group.start_soon(wait)
            await anyio.sleep(3)
            first.cancel()
        assert len(answers) == 1
        assert client.orphans == ()
    assert emulator.violations == []


async def test_a_failed_task_fails_every_waiter() -> None:
    """The error names the task, and asking again makes no further request."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE")
    async with joined(emulator, polling=FixedPolling(1.5, 3)) as client:
        pending = await client.submit(TOKEN_TASK)
        for _ in range(2):
            with pytest.raises(Unsolvable, match="create a new task") as caught:
                await pending
            assert caught.value.task_id == pending.task_id
            assert caught.value.retryable
        with pytest.raises(Unsolvable):
            await pending.peek()
        assert len(emulator.requests_to("getTaskResult")) == 1
        assert client.statistics().failed == 1


async def test_attach_takes_up_a_task_in_another_client() -> None:
    """A reference survives as JSON; its polls are counted on."""
    emulator = Emulator(latency=Latency.fixed(10))
    async with joined(emulator) as client:
        pending = await client.submit(TOKEN_TASK)
        with pytest.raises(SolveTimeout) as caught:
            await pending.result(timeout=4)
        text = caught.value.ref.to_json() if caught.value.ref else ""
        http = client
    assert http.orphans[0].polls >= 1
    async with (
        httpx.AsyncClient(transport=httpx.ASGITransport(app=emulator)) as http_client,
        CaptchaClient(KEY, http_client=http_client) as other,
    ):
        again = other.attach(TaskRef.from_json(text))
        assert again is other.attach(TaskRef.from_json(text)), "one future for each taskId"
        assert again.task is None
        solved = await again
    assert isinstance(solved.solution, RecaptchaSolution)
    assert solved.task is None
    assert solved.polls > 1
    assert emulator.violations == []


async def test_attach_refuses_what_is_not_this_clients() -> None:
    """A reference of another service, or no reference at all, is named."""
    async with joined(Emulator()) as client:
        with pytest.raises(InvalidArgument, match=r"ref\.service must be 'capmonster'"):
            client.attach(TaskRef("capsolver", "id", "RecaptchaV2Task"))
        with pytest.raises(InvalidArgument, match="ref must be a TaskRef"):
            client.attach("7654321")  # type: ignore[arg-type]


async def test_a_raw_task_brings_a_raw_solution() -> None:
    """What the library has no model of is sent and returned as it is."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.answer_with({"anything": [1, 2]}, "ImageToTextTask")
    async with joined(emulator) as client:
        solved = await client.solve(RawTask("ImageToTextTask", {"body": "QUJD" * 50, "case": True}))
    assert isinstance(solved.solution, RawSolution)
    assert solved.solution.raw == {"anything": [1, 2]}


async def test_an_answer_that_createtask_gives_at_once_needs_no_poll() -> None:
    """capsolver answers recognition tasks in createTask's reply."""
    emulator = Emulator("capsolver")
    emulator.answer_at_once()
    async with joined(emulator) as client:
        solved = await client.solve(IMAGE_TASK)
        assert client.statistics().in_flight == 0
    assert solved.polls == 0
    assert len(emulator.requests) == 1


async def test_balance_is_a_decimal() -> None:
    """Money is not counted in floats."""
    async with joined(Emulator(balance=Decimal("12.345"))) as client:
        balance = await client.balance()
    assert isinstance(balance, Decimal)
    assert balance == Decimal("12.345")


async def test_what_stands_beside_the_task_is_sent_there() -> None:
    """2captcha's language of the workers, and what a service adds tomorrow, are no task's keys."""
    emulator = Emulator("2captcha", latency=Latency.fixed(1))
    task = ImageToTextTask(IMAGE_TASK.body, language_pool="rn")
    async with joined(emulator) as client:
        await client.solve(task, extra={"priority": 2})
        await client.submit(task, extra={})
    first, second = (request.body for request in emulator.requests_to("createTask"))
    assert (first["languagePool"], first["priority"]) == ("rn", 2)
    assert "languagePool" not in first["task"]
    assert second == {"clientKey": KEY, "task": first["task"], "languagePool": "rn"}


async def test_a_further_attempt_is_the_same_request() -> None:
    """With what stands beside the task."""
    emulator = Emulator(latency=Latency.fixed(1))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    async with joined(emulator) as client:
        await client.solve(IMAGE_TASK, attempts=2, extra={"priority": 2}, soft_id=7)
    first, second = (request.body for request in emulator.requests_to("createTask"))
    assert first == second
    assert (first["priority"], first["softId"]) == (2, 7)


@pytest.mark.parametrize(
    ("extra", "said"),
    [
        ({"clientkey": "x"}, r"extra\['clientkey'\] .*writes this key itself"),
        ({"task": {}}, r"extra\['task'\]"),
        ({"callbackUrl": "https://x.example"}, r"extra\['callbackUrl'\]"),
        ({"softId": 5}, r"extra\['softId'\]"),
        ({"languagePool": "en"}, r"extra\['languagePool'\]"),
        ({"new": object()}, "made of JSON values"),
        ({5: 5}, "a mapping with string keys"),
        ("new", "a mapping with string keys"),
    ],
)
async def test_further_keys_cannot_replace_ours(extra: Any, said: str) -> None:
    """What the client writes has an argument of its own; nothing is sent."""
    emulator = Emulator("2captcha")
    async with joined(emulator) as client:
        with pytest.raises(InvalidArgument, match=said):
            await client.solve(ImageToTextTask(IMAGE_TASK.body, language_pool="rn"), extra=extra)
    assert emulator.requests == []


async def test_a_wrong_answer_is_reported_to_the_right_method() -> None:
    """Images and tokens have methods of their own."""
    emulator = Emulator(latency=Latency.fixed(1))
    async with joined(emulator) as client:
        image = await client.solve(IMAGE_TASK)
        token = await client.solve(TOKEN_TASK)
        assert await client.report_incorrect(image)
        assert (await client.report_incorrect(token.ref)).taken
    assert emulator.requests_to("reportIncorrectImageCaptcha")[0].body == {
        "clientKey": KEY,
        "taskId": image.task_id,
    }
    assert emulator.requests_to("reportIncorrectTokenCaptcha")[0].body["taskId"] == token.task_id


async def test_a_report_that_no_method_takes_is_told_without_a_request() -> None:
    """captcha69 documents no method for right answers; that is no error that costs the page."""
    emulator = Emulator("captcha69")
    async with joined(emulator) as client:
        reported = await client.report_correct(TaskRef("captcha69", "x", "RecaptchaV2Task"))
        assert not reported
        assert "captcha69 takes no report of right answers" in (reported.why or "")
        with pytest.raises(InvalidArgument, match=r"ref\.service"):
            await client.report_incorrect(TaskRef("capmonster", "x", "RecaptchaV2Task"))
        with pytest.raises(InvalidArgument, match="what solve returned"):
            await client.report_incorrect("x")  # type: ignore[arg-type]
    assert emulator.requests == []


@pytest.mark.parametrize(("age", "taken"), [(55, True), (61, False)])
async def test_a_report_after_the_services_window_costs_no_request(age: int, taken: bool) -> None:
    """anti-captcha takes reports for 60 s; a reference does not tell how old its answer is."""
    emulator = Emulator("anti-captcha", latency=Latency.fixed(1))
    async with joined(emulator) as client:
        solved = await client.solve(TOKEN_TASK)
        assert solved.arrived is not None
        old = attrs.evolve(solved, arrived=solved.arrived - timedelta(seconds=age))
        reported = await client.report_correct(old)
        assert reported.taken is taken
        assert len(emulator.requests_to("reportCorrectRecaptcha")) == taken
        if not taken:
            assert reported.why is not None
            assert "up to 60 s after the answer, which came 61 s ago" in reported.why
            assert await client.report_correct(attrs.evolve(old, arrived=None))
            assert not await client.report_correct(solved.ref)
    assert len(emulator.requests_to("reportCorrectRecaptcha")) == (1 if taken else 2)


@pytest.mark.parametrize("service", ["anti-captcha", "2captcha", "capmonster"])
async def test_what_a_service_tells_of_a_solve_is_kept(service: str) -> None:
    """Address, times and workers, where the service tells them."""
    emulator = Emulator(service, latency=Latency.fixed(20))
    async with joined(emulator) as client:
        before = datetime.now(UTC)
        solved = await client.solve(TOKEN_TASK)
    assert solved.arrived is not None
    assert abs(solved.arrived - before) < timedelta(seconds=60)
    if service == "capmonster":
        assert (solved.ip, solved.created, solved.ended, solved.workers) == (None,) * 4
        return
    assert (solved.ip, solved.workers) == ("127.0.0.1", 1)
    assert solved.created is not None
    assert solved.ended is not None
    assert 19 <= (solved.ended - solved.created).total_seconds() <= 21
    assert solved.ended <= solved.arrived
    assert "127.0.0.1" not in repr(solved)


async def test_the_services_user_agent_can_be_asked_for() -> None:
    """CapMonster tells it on a page of its own; other services do not."""
    emulator = Emulator()
    async with joined(emulator) as client:
        assert (await client.user_agent()).startswith("Mozilla/5.0")
    async with joined(Emulator("captcha69")) as client:
        with pytest.raises(InvalidArgument, match="one that tells its user agent"):
            await client.user_agent()


async def test_statistics_count_what_happened() -> None:
    """A frozen snapshot of everything that was sent and came of it."""
    emulator = Emulator(latency=Latency.fixed(5), price=Decimal("0.001"))
    async with joined(emulator, polling=FixedPolling(1, 3)) as client:
        assert client.statistics().latencies.p50 is None
        async with anyio.create_task_group() as group:
            for _ in range(20):
                group.start_soon(client.solve, TOKEN_TASK)
            await anyio.sleep(2)
            assert client.statistics().in_flight == 20
            assert repr(client) == "<CaptchaClient of capmonster, 20 in flight, fuse closed>"
        numbers = client.statistics()
    assert (numbers.submitted, numbers.solved, numbers.failed) == (20, 20, 0)
    assert numbers.requests == len(emulator.requests)
    assert numbers.polls == len(emulator.requests_to("getTaskResult"))
    assert numbers.spent == Decimal("0.020")
    assert numbers.in_flight == numbers.queued == numbers.orphans == 0
    assert numbers.fuse == "closed"
    assert numbers.latencies.count == 20
    assert numbers.latencies.p50 == pytest.approx(7, rel=0.1)


async def test_in_flight_bounds_the_solves() -> None:
    """No more tasks than allowed are open at the service; the rest queue."""
    emulator = Emulator(latency=Latency.fixed(5), slots=4)
    async with (
        joined(emulator, limits=Limits(in_flight=4)) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(12):
            group.start_soon(client.solve, TOKEN_TASK)
        await anyio.sleep(1)
        assert client.statistics().queued == 8
    assert client.statistics().solved == 12
    assert client.statistics().retries == 0, "the emulator never had to refuse"


async def test_submits_per_second_bounds_createtask() -> None:
    """The rate holds over every window of a second."""
    emulator = Emulator(latency=Latency.fixed(1))
    async with (
        joined(emulator, limits=Limits(submits_per_second=5)) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(20):
            group.start_soon(client.solve, TOKEN_TASK)
    moments = [request.at for request in emulator.requests_to("createTask")]
    assert all(b - a >= 1 - 1e-3 for a, b in zip(moments, moments[5:], strict=False))


async def test_requests_per_second_bounds_everything() -> None:
    """The rate counts polls and submissions alike."""
    emulator = Emulator(latency=Latency.fixed(3))
    async with (
        joined(emulator, limits=Limits(requests_per_second=10)) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(20):
            group.start_soon(client.solve, TOKEN_TASK)
    moments = [request.at for request in emulator.requests]
    assert len(moments) > 30
    assert all(b - a >= 1 - 1e-3 for a, b in zip(moments, moments[10:], strict=False))


async def test_polling_can_be_chosen() -> None:
    """A schedule of the user's replaces the service's."""
    emulator = Emulator(latency=Latency.fixed(100))
    async with joined(emulator, polling=FixedPolling(first=30, interval=40)) as client:
        await client.solve(TOKEN_TASK)
    start = emulator.requests[0].at
    ages = [request.at - start for request in emulator.requests_to("getTaskResult")]
    assert ages == pytest.approx([30, 70, 110], abs=0.1)


async def test_a_closed_client_refuses_and_ends_what_waits() -> None:
    """Waiters are woken with ClientClosed; the task can be attached elsewhere."""
    emulator = Emulator(latency=Latency.fixed(50))
    async with joined(emulator) as client:
        async with anyio.create_task_group() as group:

            async def wait() -> None:
                with pytest.raises(ClientClosed) as caught:
                    await client.solve(TOKEN_TASK)
                assert caught.value.ref is not None

            group.start_soon(wait)
            await anyio.sleep(5)
            await client.aclose()
        with pytest.raises(ClientClosed, match="open a new one"):
            await client.solve(TOKEN_TASK)
        for call in (client.balance, client.user_agent):
            with pytest.raises(ClientClosed):
                await call()
        await client.aclose()


async def test_an_answer_that_somebody_awaits_is_his_also_while_draining() -> None:
    """It is not kept as if nobody had it; what nobody awaits is."""
    answers: list[int | str] = []
    async with joined(Emulator(latency=Latency.fixed(5))) as client:
        awaited = await client.submit(TOKEN_TASK)

        async def wait() -> None:
            answers.append((await awaited).task_id)

        async with anyio.create_task_group() as group:
            group.start_soon(wait)
            await anyio.sleep(4)
            other = await client.submit(TOKEN_TASK)
            await client.aclose(drain=30)
        assert client.orphans == (other,)
        assert other.done
    assert answers == [awaited.task_id]


async def test_the_client_may_be_closed_by_another_task_than_the_one_that_opened_it() -> None:
    """There is no task group that would mind."""
    clients: list[CaptchaClient] = []

    async def open_it() -> None:
        clients.append(await CaptchaClient("key").__aenter__())

    async def close_it() -> None:
        await clients[0].aclose()

    async with anyio.create_task_group() as group:
        group.start_soon(open_it)
    async with anyio.create_task_group() as group:
        group.start_soon(close_it)


async def test_a_client_of_the_users_stays_open() -> None:
    """Who brings an httpx client closes it."""
    async with httpx.AsyncClient() as http_client:
        async with CaptchaClient("key", http_client=http_client):
            pass
        assert not http_client.is_closed


def test_the_key_may_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """CAPTCHA_API_KEY is read when no key is given; without both the error says so."""
    monkeypatch.setenv("CAPTCHA_API_KEY", "from-environment")
    assert "from-environment" not in repr(CaptchaClient())
    monkeypatch.delenv("CAPTCHA_API_KEY")
    with pytest.raises(InvalidArgument, match="CAPTCHA_API_KEY"):
        CaptchaClient()


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"api_key": ""}, "api_key"),
        ({"api_key": "secret key"}, None),
        ({"api_key": "secret\nkey"}, "api_key"),
        ({"api_key": " secret"}, "api_key"),
        ({"api_key": 7}, "api_key"),
        ({"service": "nobody"}, "service"),
        ({"service": 7}, "service"),
        ({"base_url": "capmonster.cloud"}, "base_url"),
        ({"limits": 5}, "limits"),
        ({"proxy": "http://p:1", "http_client": httpx.AsyncClient()}, "proxy"),
        ({"ssl_context": object(), "http_client": httpx.AsyncClient()}, "ssl_context"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, Any], field: str | None) -> None:
    """A wrong argument is refused at construction, and a key is never shown."""
    arguments = {"api_key": "key", **arguments}
    if field is None:
        CaptchaClient(**arguments)
        return
    with pytest.raises(InvalidArgument, match=field) as caught:
        CaptchaClient(**arguments)
    assert caught.value.field == field
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        ({"task": "RecaptchaV2Task"}, "task"),
        ({"task": TOKEN_TASK, "timeout": -1}, "timeout"),
        ({"task": TOKEN_TASK, "timeout": "60"}, "timeout"),
        ({"task": TOKEN_TASK, "timeout": float("nan")}, "timeout"),
        ({"task": TOKEN_TASK, "callback_url": "me.example"}, "callback_url"),
        ({"task": TOKEN_TASK, "soft_id": True}, "soft_id"),
        ({"task": RawTask("X", {"body": {1, 2}})}, "task"),
    ],
)
async def test_bad_calls_are_refused_before_any_request(
    arguments: dict[str, Any], field: str
) -> None:
    """Nothing is sent for a call that is certainly wrong."""
    emulator = Emulator()
    async with joined(emulator) as client:
        with pytest.raises(InvalidArgument, match=field):
            await client.solve(**arguments)
    assert emulator.requests == []


async def test_an_image_over_the_services_limit_is_refused_before_any_request() -> None:
    """The limit is the service's, so the same image may do at another one."""
    from captcha_async import ImageToTextTask

    emulator = Emulator()
    image = ImageToTextTask(b"GIF89a".ljust(51_201))
    async with joined(emulator) as client:
        with pytest.raises(InvalidArgument, match="at most 51200 bytes at capmonster"):
            await client.solve(image)
    assert emulator.requests == []
    async with joined(Emulator("anti-captcha", latency=Latency.fixed(1))) as client:
        await client.solve(image)


async def test_a_mirror_is_reached_at_its_own_address() -> None:
    """`base_url` may hold a path; the methods are below it."""
    seen: list[str] = []

    def handler(request: httpx.Request) -> httpx.Response:
        seen.append(str(request.url))
        return httpx.Response(200, json={"errorId": 0, "balance": 1})

    async with (
        httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http_client,
        CaptchaClient("k", base_url="https://mirror.example/v1/", http_client=http_client) as one,
        CaptchaClient(
            "k",
            service=CAPMONSTER.evolve(base_url="https://other.example"),
            http_client=http_client,
        ) as two,
    ):
        await one.balance()
        await two.balance()
    assert seen == ["https://mirror.example/v1/getBalance", "https://other.example/getBalance"]


async def test_one_deadline_covers_queueing_submitting_and_waiting() -> None:
    """`timeout` counts from the call, wherever the time goes."""
    emulator = Emulator(latency=Latency.fixed(30))
    async with (
        joined(emulator, limits=Limits(in_flight=1)) as client,
        anyio.create_task_group() as group,
    ):
        group.start_soon(client.solve, TOKEN_TASK)
        await anyio.sleep(0.1)
        start = anyio.current_time()
        with pytest.raises(SolveTimeout, match="was not accepted within 10 s; nothing was paid"):
            await client.solve(TOKEN_TASK, timeout=10)
        assert anyio.current_time() - start == pytest.approx(10, abs=0.01)
    assert len(emulator.tasks) == 1


async def test_a_timeout_tells_where_the_task_stands() -> None:
    """The error carries the reference, the polls and the last status; it is a TimeoutError."""
    emulator = Emulator(latency=Latency.fixed(30))
    async with joined(emulator, polling=FixedPolling(1, 3)) as client:
        with pytest.raises(TimeoutError) as caught:
            await client.solve(TOKEN_TASK, timeout=10)
        error = caught.value
        assert isinstance(error, SolveTimeout)
        assert error.ref is not None
        assert (error.polls, error.last_status) == (3, "processing")
        assert client.statistics().timed_out == 1
        solved = await client.attach(error.ref)
        assert solved.polls > 4
    assert len(emulator.tasks) == 1


async def test_without_a_timeout_the_wait_still_ends() -> None:
    """The service's default for the family bounds the wait for an answer that never comes."""
    emulator = Emulator(latency=Latency.fixed(100_000))
    async with joined(emulator) as client:
        start = anyio.current_time()
        with pytest.raises(SolveTimeout):
            await client.solve(TOKEN_TASK)
        assert anyio.current_time() - start == pytest.approx(180, abs=1)
    assert emulator.violations == []


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_asyncio_timeouts_and_gather_work_as_asyncio_users_expect() -> None:
    """`asyncio.gather`, `asyncio.timeout` and `wait_for` are the natural tools of asyncio code."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator) as client:
        solved = await asyncio.gather(*(client.solve(TOKEN_TASK) for _ in range(5)))
        assert len({answer.task_id for answer in solved}) == 5
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(2):
                await client.solve(TOKEN_TASK)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(client.solve(TOKEN_TASK), 2)
        assert len(client.orphans) == 2
        assert len(await asyncio.gather(*client.orphans)) == 2
        assert client.orphans == ()


async def test_a_token_tells_until_when_it_can_be_used() -> None:
    """reCAPTCHA tokens live for 60 s, counted from when the service last said there is none yet."""
    emulator = Emulator(latency=Latency.fixed(5))
    async with joined(emulator, polling=FixedPolling(4, 2)) as client:
        token = await client.solve(TOKEN_TASK)
        now = anyio.current_time()
        assert token.expires_at is not None
        assert now + 57 < token.expires_at < now + 59
        assert (await client.solve(IMAGE_TASK)).expires_at is None
