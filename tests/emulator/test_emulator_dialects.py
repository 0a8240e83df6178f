"""What the emulated services do as each of the five does: reports, charges, states, methods."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import anyio
import pytest
from emulator_calls import IMAGE, RECAPTCHA, Caller

from captcha_async.emulator import Emulator, Latency
from captcha_async.services import SERVICES

PAGE = {"websiteURL": "https://example.com/", "websiteKey": "6Lc"}
GEETEST = {
    "type": "GeeTestTaskProxyless",
    "websiteURL": "https://example.com/",
    "gt": "gt",
    "challenge": "abc",
}
SOLVERS = {"type": "ReCaptchaV2TaskProxyLess", **PAGE}
PROXYLESS = {"type": "RecaptchaV2TaskProxyless", **PAGE}
HCAPTCHA = {"type": "HCaptchaTaskProxyless", **PAGE}
TEXT = {"type": "TextCaptchaTask", "comment": "What day is today?"}
GATE = {
    "type": "AntiGateTask",
    "websiteURL": "https://example.com/",
    "templateName": "Sign-in",
    "variables": {"code": "WAIT_FOR_IT"},
}


def make(service: str) -> Emulator:
    """Return an emulator whose tasks take five seconds and cost a tenth."""
    return Emulator(service, latency=Latency.fixed(5), price=Decimal("0.1"), balance=1)


async def solved(caller: Caller, task: dict[str, Any]) -> Any:
    """Return the id of a task that was solved just now."""
    task_id = await caller.create(task)
    await anyio.sleep(5)
    assert (await caller.poll(task_id))["status"] == "ready"
    return task_id


# -- reports --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "task", "correct", "method"),
    [
        ("capmonster", IMAGE, False, "reportIncorrectImageCaptcha"),
        ("capmonster", RECAPTCHA, False, "reportIncorrectTokenCaptcha"),
        ("capmonster", RECAPTCHA, False, "reportIncorrectRecaptcha"),
        ("anti-captcha", IMAGE, False, "reportIncorrectImageCaptcha"),
        ("anti-captcha", PROXYLESS, False, "reportIncorrectRecaptcha"),
        ("anti-captcha", PROXYLESS, True, "reportCorrectRecaptcha"),
        ("anti-captcha", HCAPTCHA, False, "reportIncorrectHcaptcha"),
        ("2captcha", TEXT, False, "reportIncorrect"),
        ("2captcha", PROXYLESS, True, "reportCorrect"),
    ],
)
async def test_each_service_takes_its_reports(
    service: str, task: dict[str, Any], correct: bool, method: str
) -> None:
    """By the method that the profile names for the type."""
    emulator = make(service)
    caller = Caller(emulator)
    task_id = await solved(caller, task)
    reply = (await caller.call(method, taskId=task_id)).json()
    assert (reply["errorId"], reply["status"]) == (0, "success")
    assert (emulator.tasks[task_id].reported, emulator.tasks[task_id].confirmed) == (
        not correct,
        correct,
    )
    report = SERVICES[service].report_for(task["type"], correct=correct)
    assert report is not None
    if method != "reportIncorrectRecaptcha" or service != "capmonster":
        assert report.path == f"/{method}"


@pytest.mark.parametrize("invalid", [True, False])
async def test_capsolver_takes_feedback_of_both_kinds(invalid: bool) -> None:
    """One method, with the verdict in its body; the profile makes that body."""
    emulator = make("capsolver")
    caller = Caller(emulator)
    task_id = await solved(caller, SOLVERS)
    report = SERVICES["capsolver"].report_for("RecaptchaV2Task", correct=not invalid)
    assert report is not None
    assert report.body(task_id) == {"taskId": task_id, "result": {"invalid": invalid}}
    reply = (await caller.call(report.path[1:], **report.body(task_id))).json()
    assert reply["errorId"] == 0
    assert emulator.tasks[task_id].reported is invalid
    assert emulator.tasks[task_id].confirmed is not invalid


@pytest.mark.parametrize(
    ("service", "method", "window", "late", "twice"),
    [
        (
            "anti-captcha",
            "reportIncorrectRecaptcha",
            60.0,
            "ERROR_NO_SUCH_CAPCHA_ID",
            "ERROR_NO_SUCH_CAPCHA_ID",
        ),
        ("2captcha", "reportIncorrect", 900.0, "REPORT_NOT_RECORDED", "ERROR_DUPLICATE_REPORT"),
    ],
)
async def test_a_report_has_its_window(
    service: str, method: str, window: float, late: str, twice: str
) -> None:
    """One is taken until it ends; a second one, a late one and an early one are not."""
    caller = Caller(make(service))
    first = await caller.create(PROXYLESS)
    assert await caller.code(method, taskId=first) == late
    await anyio.sleep(5)
    second = await caller.create(PROXYLESS)
    await anyio.sleep(window - 0.5)
    assert await caller.code(method, taskId=first) is None
    assert await caller.code(method, taskId=first) == twice
    await anyio.sleep(6)
    assert await caller.code(method, taskId=second) == late


async def test_a_method_takes_its_own_kind_only() -> None:
    """GeeTest is no reCAPTCHA at anti-captcha, and there is no method for it."""
    caller = Caller(make("anti-captcha"))
    task_id = await solved(caller, GEETEST)
    assert SERVICES["anti-captcha"].report_for("GeeTestTask", correct=False) is None
    code = await caller.code("reportIncorrectRecaptcha", taskId=task_id)
    assert code == "ERROR_NO_SUCH_CAPCHA_ID"


# -- money ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("service", "task", "charged"),
    [
        ("capmonster", RECAPTCHA, False),
        ("anti-captcha", PROXYLESS, True),
        ("2captcha", PROXYLESS, False),
        ("capsolver", SOLVERS, False),
    ],
)
async def test_what_is_unsolvable_costs_at_one_service(
    service: str, task: dict[str, Any], charged: bool
) -> None:
    """anti-captcha charges it; the profile says so."""
    emulator = make(service)
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE")
    await Caller(emulator).create(task)
    await anyio.sleep(5)
    assert emulator.balance == (Decimal("0.9") if charged else Decimal(1))
    assert SERVICES[service].charges_unsolvable is charged


async def test_a_wrong_image_is_refunded_at_anti_captcha() -> None:
    """Once; a token is not."""
    emulator = make("anti-captcha")
    caller = Caller(emulator)
    image, token = await solved(caller, IMAGE), await solved(caller, PROXYLESS)
    assert emulator.balance == Decimal("0.8")
    await caller.call("reportIncorrectImageCaptcha", taskId=image)
    await caller.call("reportIncorrectImageCaptcha", taskId=image)
    await caller.call("reportIncorrectRecaptcha", taskId=token)
    assert emulator.balance == Decimal("0.9")
    assert emulator.statistics().spent == Decimal("0.1")


# -- states and methods ---------------------------------------------------------------------------


async def test_capsolver_is_idle_first_and_says_failed() -> None:
    """Its two statuses that the others do not have."""
    emulator = make("capsolver")
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE")
    caller = Caller(emulator)
    task_id = await caller.create(SOLVERS)
    assert (await caller.poll(task_id))["status"] == "idle"
    await anyio.sleep(3)
    assert (await caller.poll(task_id))["status"] == "processing"
    await anyio.sleep(3)
    failed = await caller.poll(task_id)
    assert (failed["status"], failed["errorCode"]) == ("failed", "ERROR_CAPTCHA_UNSOLVABLE")


@pytest.mark.parametrize(
    "task",
    [
        {"type": "ReCaptchaV2Classification", "image": IMAGE["body"], "question": "/m/04_sv"},
        {"type": "AwsWafClassification", "images": [IMAGE["body"]], "question": "aws:grid:bag"},
        {"type": "VisionEngine", "module": "ocr_gif", "image": IMAGE["body"]},
        IMAGE,
    ],
)
async def test_capsolver_answers_recognition_at_once(task: dict[str, Any]) -> None:
    """createTask's reply has the solution."""
    reply = (await Caller(make("capsolver")).call("createTask", task=task)).json()
    assert (reply["errorId"], reply["status"]) == (0, "ready")
    assert reply["solution"]


async def test_a_value_is_pushed_while_an_antigate_task_runs() -> None:
    """And not after it."""
    emulator = make("anti-captcha")
    caller = Caller(emulator)
    task_id = await caller.create(GATE)
    pushed = {"taskId": task_id, "name": "code", "value": "123456"}
    assert (await caller.call("pushAntiGateVariable", **pushed)).json()["status"] == "success"
    assert emulator.tasks[task_id].variables == {"code": "123456"}
    await anyio.sleep(5)
    assert (await caller.poll(task_id))["solution"]["cookies"]
    assert await caller.code("pushAntiGateVariable", **pushed) == "ERROR_NO_SUCH_CAPCHA_ID"


async def test_anti_captcha_tells_of_queues_and_spending() -> None:
    """The first needs no key."""
    caller = Caller(make("anti-captcha"))
    await solved(caller, IMAGE)
    queue = (await caller.call("getQueueStats", clientKey=None, queueId=1)).json()
    assert {"waiting", "load", "bid", "speed", "total"} <= set(queue)
    spent = (await caller.call("getSpendingStats", date=1_700_000_000)).json()
    assert spent["data"][0]["volume"] == 1
    assert spent["data"][0]["money"] == 0.1


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"anti-captcha"}))
async def test_other_services_have_no_such_methods(name: str) -> None:
    """They answer as to any unknown path."""
    caller = Caller(make(name))
    for method in ("getQueueStats", "pushAntiGateVariable", "reportCorrectRecaptcha"):
        assert (await caller.call(method)).json()["errorId"] != 0


async def test_the_language_of_the_workers_may_stand_beside_the_task() -> None:
    """2captcha has it there."""
    emulator = make("2captcha")
    await Caller(emulator).create(TEXT, languagePool="en")
    assert emulator.requests[0].body["languagePool"] == "en"
