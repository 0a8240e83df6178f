"""What the emulated services say differently: codes, statuses, ids, fields, paths."""

from __future__ import annotations

from uuid import UUID

import anyio
import pytest
from emulator_calls import IMAGE, RECAPTCHA, Caller

from captcha_async.emulator import Emulator, Latency
from captcha_async.services import CAPMONSTER, SERVICES

TASKS = {
    "capsolver": {
        "type": "ReCaptchaV2TaskProxyLess",
        "websiteURL": "https://example.com/",
        "websiteKey": "6Lc",
    }
}


def make(service: object = "capmonster", *, seconds: float = 5.0, **options: object) -> Emulator:
    """Return an emulator whose tasks take a known time."""
    return Emulator(service, latency=Latency.fixed(seconds), **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", sorted(SERVICES))
async def test_every_service_solves(name: str) -> None:
    """Each profile's own paths, type names and ids lead to an answer."""
    emulator = make(name, seconds=5)
    caller = Caller(emulator)
    task_id = await caller.create(TASKS.get(name, RECAPTCHA))
    await anyio.sleep(5)
    ready = await caller.poll(task_id)
    assert ready["status"] == "ready"
    assert ready["solution"]["gRecaptchaResponse"]
    assert list(emulator.tasks) == [task_id]
    assert emulator.violations == []


@pytest.mark.parametrize(
    ("service", "status", "error_id", "code"),
    [
        ("capmonster", 403, 1, "ERROR_KEY_DOES_NOT_EXIST"),
        ("captcha69", 403, 1, "ERROR_KEY_DOES_NOT_EXIST"),
        ("anti-captcha", 200, 1, "ERROR_KEY_DOES_NOT_EXIST"),
        ("2captcha", 200, 1, "ERROR_KEY_DOES_NOT_EXIST"),
        ("capsolver", 401, 1, "ERROR_KEY_DENIED_ACCESS"),
    ],
)
async def test_a_wrong_key_in_each_service_s_words(
    service: str, status: int, error_id: int, code: str
) -> None:
    """The services differ in code, errorId and HTTP status."""
    reply = await Caller(make(service)).call("getBalance", clientKey="no")
    body = reply.json()
    assert (reply.status_code, body["errorId"], body["errorCode"]) == (status, error_id, code)


async def test_numbering_services_send_their_number_as_error_id() -> None:
    """errorId is the code's number at 2captcha; a code without one is not mistaken for another."""
    caller = Caller(make("2captcha"))
    task_id = await caller.create()
    assert (await caller.poll(1))["errorId"] == 16
    await caller.poll(task_id)
    too_fast = await caller.poll(task_id)
    assert (too_fast["errorCode"], too_fast["errorId"]) == ("ERROR_TOO_MUCH_REQUESTS", 999)


async def test_2captcha_ids_and_details() -> None:
    """2captcha's ids are above 2^31, its cost is text, and a result has five more fields."""
    caller = Caller(make("2captcha", seconds=0))
    task_id = await caller.create()
    assert task_id > 2**31
    ready = await caller.poll(task_id)
    assert ready["cost"] == "0.001"
    assert {"ip", "createTime", "endTime", "solveCount"} <= set(ready)


async def test_capsolver_answers_recognition_at_once() -> None:
    """capsolver's createTask replies with the text of an image, under a UUID."""
    emulator = make("capsolver")
    caller = Caller(emulator)
    reply = (await caller.call("createTask", task=IMAGE)).json()
    assert reply["status"] == "ready"
    assert reply["solution"]["text"]
    assert str(UUID(reply["taskId"])) == reply["taskId"]
    assert emulator.statistics().solved == 1
    assert (await caller.call("getBalance")).json()["packages"] == []


async def test_methods_are_found_where_the_profile_has_them() -> None:
    """A profile with other paths is served there, under the same names in the record."""
    service = CAPMONSTER.evolve(
        methods={
            "create_task": "/v9/make",
            "get_task_result": "/v9/result",
            "get_balance": "/v9/money",
        }
    )
    emulator = make(service)
    reply = await Caller(emulator).call("v9/money")
    assert reply.json()["balance"] == 10.0
    assert len(emulator.requests_to("getBalance")) == 1
