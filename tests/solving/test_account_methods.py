"""What a client asks about its account, and the variables of AntiGate tasks."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import httpx
import pytest
from local import KEY, TOKEN_TASK, answered_by, joined

from captcha_async import (
    AntiGateTask,
    CaptchaClient,
    InvalidArgument,
    KeyRejected,
    ProtocolError,
    ServiceError,
    TaskRef,
)
from captcha_async.emulator import Emulator, Latency

SECRET = "CAP-the4package4token"
PACKAGES = {
    "errorId": 0,
    "balance": 9.5,
    "packages": [
        {
            "packageId": "12",
            "type": 1,
            "title": "Basic",
            "numberOfCalls": 100000,
            "status": 1,
            "token": SECRET,
            "expireTime": 1671615324290,
        },
        {"expireTime": 1671615324, "numberOfCalls": "many"},
        "damaged",
    ],
}
GATE = AntiGateTask(website_url="https://example.com", template_name="Sign-in", variables={})


async def test_credits_and_packages_stand_beside_the_balance() -> None:
    """anti-captcha tells credits; the token of a capsolver package is shown by no repr."""
    async with joined(Emulator("anti-captcha", balance=Decimal("12.5"))) as client:
        facts = await client.account_facts()
    assert (facts.balance, facts.currency, facts.credits) == (Decimal("12.5"), "USD", 0)
    assert facts.packages == ()
    async with answered_by(
        lambda _: httpx.Response(200, json=PACKAGES), service="capsolver"
    ) as client:
        facts = await client.account_facts()
    first, second = facts.packages
    assert (first.package_id, first.title, first.type, first.status) == ("12", "Basic", "1", "1")
    assert (first.calls, first.token) == (100_000, SECRET)
    assert first.expires == second.expires == datetime.fromtimestamp(1671615324, UTC)
    assert (second.calls, second.token) == (None, None)
    assert facts.raw["packages"][0]["token"] == SECRET
    assert SECRET not in f"{facts} {facts!r} {first}"


async def test_the_credits_of_capmonster_are_unknown() -> None:
    """What a service does not tell is None, and no zero."""
    async with joined(Emulator()) as client:
        facts = await client.account_facts()
    assert (facts.currency, facts.credits, facts.packages) == (None, None, ())


async def test_a_queue_is_asked_for_without_the_key() -> None:
    """The method takes none, so it gets none; a bid that comes as text is money."""
    emulator = Emulator("anti-captcha")
    async with joined(emulator) as client:
        queue = await client.queue_statistics(25, template="Sign-in")
        await client.queue_statistics(6)
    assert (queue.waiting, queue.load, queue.bid) == (242, 60.33, Decimal("0.0008"))
    assert (queue.speed, queue.total, queue.raw["bid"]) == (5.9, 610, "0.0008")
    first, second = (request.body for request in emulator.requests_to("getQueueStats"))
    assert first == {"queueId": 25, "templateName": "Sign-in"}
    assert second == {"queueId": 6}


async def test_spending_is_told_by_spans() -> None:
    """What is left out of the call is left out of the request."""
    emulator = Emulator("anti-captcha", latency=Latency.fixed(1), price=Decimal("0.002"))
    begin = datetime(2026, 10, 1, 12, tzinfo=UTC)
    async with joined(emulator) as client:
        await client.solve(TOKEN_TASK)
        (span,) = await client.spending_statistics(
            date=begin, queue="Recaptcha Proxyless", soft_id=5, ip="203.0.113.7"
        )
        await client.spending_statistics()
    assert (span.volume, span.money) == (1, Decimal("0.002"))
    assert (span.start, span.end) == (begin, begin + timedelta(hours=1))
    first, second = (request.body for request in emulator.requests_to("getSpendingStats"))
    assert first == {
        "clientKey": KEY,
        "date": int(begin.timestamp()),
        "queue": "Recaptcha Proxyless",
        "softId": 5,
        "ip": "203.0.113.7",
    }
    assert second == {"clientKey": KEY}


async def test_a_variable_reaches_a_running_task() -> None:
    """By the handle or by its reference; a task that has ended takes none."""
    emulator = Emulator("anti-captcha", latency=Latency.fixed(30))
    async with joined(emulator) as client:
        pending = await client.submit(GATE)
        await client.push_variable(pending, "code", "123456")
        await client.push_variable(pending.ref, "rows", [1, 2])
        assert emulator.tasks[pending.task_id].variables == {"code": "123456", "rows": [1, 2]}
        await pending
        with pytest.raises(ServiceError) as caught:
            await client.push_variable(pending, "code", "late")
    assert caught.value.code == "ERROR_NO_SUCH_CAPCHA_ID"


async def test_a_variable_that_a_service_quotes_is_blanked() -> None:
    """It is as often a password as not."""
    quoted = {"errorId": 1, "errorCode": "ERROR_X", "errorDescription": "no hunter2secret here"}
    async with answered_by(
        lambda _: httpx.Response(200, json=quoted), service="anti-captcha"
    ) as client:
        with pytest.raises(ServiceError, match=r"no \*\*\* here"):
            await client.push_variable(
                TaskRef("anti-captcha", 5, "AntiGateTask"), "code", "hunter2secret"
            )


Call = Callable[[CaptchaClient], Awaitable[Any]]
CALLS: dict[str, Call] = {
    "queue_statistics": lambda client: client.queue_statistics(1),
    "spending_statistics": lambda client: client.spending_statistics(),
    "push_variable": lambda client: client.push_variable(
        TaskRef(client.service.name, 5, "AntiGateTask"), "code", "1"
    ),
}


@pytest.mark.parametrize("service", ["capmonster", "2captcha", "capsolver"])
@pytest.mark.parametrize("method", CALLS)
async def test_a_method_that_a_service_lacks_is_refused_at_once(method: str, service: str) -> None:
    """The error names the services that have it; nothing is sent."""
    emulator = Emulator(service)
    async with joined(emulator) as client:
        with pytest.raises(InvalidArgument, match=rf"{method} \(anti-captcha\)"):
            await CALLS[method](client)
    assert emulator.requests == []


REF = TaskRef("anti-captcha", 5, "AntiGateTask")
WRONG: dict[str, Call] = {
    "queue": lambda client: client.queue_statistics(True),
    "template": lambda client: client.queue_statistics(25, template=5),  # type: ignore[arg-type]
    "date": lambda client: client.spending_statistics(date=datetime(2026, 1, 1)),  # noqa: DTZ001
    "soft_id": lambda client: client.spending_statistics(soft_id="5"),  # type: ignore[arg-type]
    "ip": lambda client: client.spending_statistics(ip=""),
    "ref": lambda client: client.push_variable(5, "code", "1"),  # type: ignore[arg-type]
    "name": lambda client: client.push_variable(REF, 5, "1"),  # type: ignore[arg-type]
    "value": lambda client: client.push_variable(REF, "code", object()),
}


@pytest.mark.parametrize("field", WRONG)
async def test_a_wrong_argument_is_named(field: str) -> None:
    """Before anything is sent."""
    emulator = Emulator("anti-captcha")
    async with joined(emulator) as client:
        with pytest.raises(InvalidArgument) as caught:
            await WRONG[field](client)
    assert caught.value.field == field
    assert emulator.requests == []


@pytest.mark.parametrize("method", ["queue_statistics", "spending_statistics"])
async def test_a_reply_of_no_known_form_is_an_error(method: str) -> None:
    """Nothing is made up of it."""
    async with answered_by(
        lambda _: httpx.Response(200, json={"errorId": 0, "data": 5}), service="anti-captcha"
    ) as client:
        with pytest.raises(ProtocolError):
            await CALLS[method](client)


async def test_what_a_service_refuses_is_raised() -> None:
    """A wrong key is told by the methods that take one."""
    async with joined(Emulator("anti-captcha"), api_key="no") as client:
        await client.queue_statistics(1)
        with pytest.raises(KeyRejected):
            await client.spending_statistics()
