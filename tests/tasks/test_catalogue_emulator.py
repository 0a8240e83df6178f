"""What the emulator says of task objects: documented answers, and the services' own error codes."""

from __future__ import annotations

import base64
import json
import random
from typing import Any

import pytest
from tasks.test_catalogue import TABLE, examples, models_of

from captcha_async.emulator._answers import solution_for
from captcha_async.emulator._bodies import refusal
from captcha_async.services import (
    ANTI_CAPTCHA,
    CAPMONSTER,
    CAPSOLVER,
    CAPTCHA69,
    SERVICES,
    TWO_CAPTCHA,
    Service,
)
from captcha_async.services._error_codes import ERROR_CODES
from captcha_async.tasks import TokenSolution
from captcha_async.wire import dump_task, load_solution, load_task

IMAGE = base64.b64encode(b"\x89PNG" + bytes(150)).decode()
RECAPTCHA = {
    "type": "RecaptchaV2Task",
    "websiteURL": "https://example.com",
    "websiteKey": "6Lcg7CMUAAAAANphynKgn9YAgA4tQ2KI_iqRyTwd",
}
PROXY = {"proxyType": "http", "proxyAddress": "203.0.113.9", "proxyPort": 8080}
TURNSTILE = {**RECAPTCHA, "type": "TurnstileTask"}


def shape(value: Any) -> Any:
    """The keys of an answer, down to where the keys are chance."""
    if not isinstance(value, dict):
        return type(value).__name__
    return {
        key: shape(inner) if key in ("data", "headers") else None for key, inner in value.items()
    }


@pytest.mark.parametrize(("row", "part", "body"), [*examples()])
def test_answers_have_the_documented_shape(
    row: dict[str, Any], part: dict[str, Any], body: dict[str, Any]
) -> None:
    """Each type's answer has the keys of the documented sample, and the model reads it."""
    answer = solution_for(body, random.Random(7))
    sample = json.loads(part["example_solution_json"])
    assert shape(answer).items() >= shape(sample).items()
    assert json.loads(json.dumps(answer)) == answer
    solution = load_solution(type(load_task(body)), answer)
    if isinstance(solution, TokenSolution):
        assert len(solution.token) > 20


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row["id"])
def test_every_service_answers_in_a_way_the_model_reads(row: dict[str, Any]) -> None:
    """Also under another service's name for the type."""
    for part in [row, *row.get("variant", [])]:
        task = load_task(json.loads(part["example_task_json"]))
        for service in SERVICES.values():
            if service.takes(type(task)):
                answer = solution_for(dump_task(task, service), random.Random(7), service)
                assert load_solution(type(task), answer).raw is answer
    assert models_of(row)


def test_the_same_seed_gives_the_same_answer() -> None:
    """A scenario can be run again."""
    first, second = (solution_for(RECAPTCHA, random.Random(3)) for _ in range(2))
    assert first == second
    assert first != solution_for(RECAPTCHA, random.Random(4))


def test_an_unknown_type_gets_a_token() -> None:
    """Also a service of tomorrow can be played."""
    assert set(solution_for({"type": "NewTask"}, random.Random(1))) == {"token"}


@pytest.mark.parametrize(
    ("body", "service", "code"),
    [
        ({}, CAPMONSTER, "ERROR_TASK_ABSENT"),
        ({"type": 5}, CAPMONSTER, "ERROR_TASK_ABSENT"),
        ({"type": "NewTask"}, CAPMONSTER, "ERROR_TASK_NOT_SUPPORTED"),
        ({"type": "CustomTask", "class": "NewOne"}, CAPMONSTER, "ERROR_TASK_NOT_SUPPORTED"),
        ({**RECAPTCHA, "type": "ReCaptchaV2Task"}, CAPMONSTER, "ERROR_TASK_NOT_SUPPORTED"),
        ({**RECAPTCHA, "type": "TemuTask"}, CAPSOLVER, "ERROR_TASK_NOT_SUPPORTED"),
        ({**RECAPTCHA, "websiteKey": ""}, CAPMONSTER, "ERROR_INVALID_TASK"),
        ({**RECAPTCHA, "websiteURL": "example.com"}, CAPMONSTER, "ERROR_INVALID_TASK"),
        ({**RECAPTCHA, "isInvisible": "yes"}, CAPMONSTER, "ERROR_INVALID_TASK"),
        (
            {**RECAPTCHA, "type": "RecaptchaV3TaskProxyless", "minScore": 5},
            CAPMONSTER,
            "ERROR_INVALID_TASK",
        ),
        ({"type": "RecaptchaV2TaskProxyless"}, ANTI_CAPTCHA, "ERROR_INCORRECT_SESSION_DATA"),
        ({"type": "RecaptchaV2TaskProxyless"}, TWO_CAPTCHA, "ERROR_BAD_PARAMETERS"),
        ({"type": "ReCaptchaV2TaskProxyLess"}, CAPSOLVER, "ERROR_INVALID_TASK_DATA"),
        ({"type": "ImageToTextTask"}, CAPTCHA69, "ERROR_IMAGE_BODY_NOT_CORRECT"),
        ({"type": "ImageToTextTask", "body": "?"}, CAPTCHA69, "ERROR_IMAGE_BODY_NOT_CORRECT"),
        ({"type": "ImageToTextTask", "body": "eA=="}, CAPMONSTER, "ERROR_ZERO_CAPTCHA_FILESIZE"),
        (
            {
                "type": "ImageToTextTask",
                "body": base64.b64encode(b"\x89PNG" + bytes(60_000)).decode(),
            },
            CAPMONSTER,
            "ERROR_TOO_BIG_CAPTCHA_FILESIZE",
        ),
        ({**RECAPTCHA, "proxyType": "http"}, CAPMONSTER, "ERROR_PROXY_MISSING"),
        ({**RECAPTCHA, **PROXY, "proxyType": "ftp"}, CAPMONSTER, "ERROR_PROXY_MISSING"),
        ({**RECAPTCHA, **PROXY, "proxyPort": "8080"}, CAPMONSTER, "ERROR_PROXY_MISSING"),
        ({**RECAPTCHA, "proxyType": "http"}, TWO_CAPTCHA, "ERROR_BAD_PROXY"),
        (
            {**RECAPTCHA, **PROXY, "proxyLogin": "a%b", "proxyPassword": "c"},
            CAPMONSTER,
            "ERROR_PROXY_CREDENTIALS_INVALID_CHARACTER",
        ),
        (
            {
                **TURNSTILE,
                "cloudflareTaskType": "cf_clearance",
                "htmlPageBase64": IMAGE,
                "userAgent": "UA",
            },
            CAPMONSTER,
            "ERROR_PROXY_MISSING",
        ),
        ({**TURNSTILE, "cloudflareTaskType": "token"}, CAPMONSTER, "ERROR_INVALID_TASK"),
        ({**TURNSTILE, "cloudflareTaskType": "new"}, CAPMONSTER, "ERROR_TASK_NOT_SUPPORTED"),
        (
            {
                "type": "ComplexImageTask",
                "class": "recognition",
                "imagesBase64": [IMAGE],
                "metadata": {"Task": "oocl_rotate_new"},
            },
            CAPMONSTER,
            "ERROR_INVALID_TASK",
        ),
    ],
)
def test_a_bad_body_gets_the_services_own_code(body: Any, service: Service, code: str) -> None:
    """The code is one that the service documents, so that the client maps it to its error."""
    refused = refusal(body, service)
    assert refused is not None
    assert refused[0] == code
    assert code in ERROR_CODES


def test_the_description_names_the_fields() -> None:
    """As ERROR_INVALID_TASK does at the service."""
    refused = refusal({"type": "GeeTestTask"}, CAPMONSTER)
    assert refused is not None
    assert "websiteURL" in refused[1]
    assert "gt" in refused[1]


@pytest.mark.parametrize(
    "body",
    [
        RECAPTCHA,
        {**RECAPTCHA, **PROXY},
        {**RECAPTCHA, "anything": "else"},
        {**RECAPTCHA, "userAgent": None},
        {**RECAPTCHA, "type": "NoCaptchaTaskProxyless"},
        {"type": "ImageToTextTask", "body": IMAGE},
        {
            "type": "ComplexImageTask",
            "class": "recognition",
            "imagesBase64": [IMAGE],
            "metadata": {"Task": "new_puzzle"},
        },
    ],
)
def test_a_good_body_is_accepted(body: dict[str, Any]) -> None:
    """Extra keys, old names and puzzles of tomorrow are no reason to refuse."""
    for service in (CAPMONSTER, CAPTCHA69):
        assert refusal(body, service) is None


@pytest.mark.parametrize(
    ("service", "body"),
    [
        (TWO_CAPTCHA, {"type": "GridTask", "body": IMAGE, "comment": "all cars"}),
        (
            TWO_CAPTCHA,
            {
                "type": "AltchaTaskProxyless",
                "websiteURL": "https://example.com",
                "challengeURL": "https://example.com/challenge",
            },
        ),
    ],
)
def test_types_of_one_service_are_accepted_there_only(
    service: Service, body: dict[str, Any]
) -> None:
    """The emulator speaks the dialect of the service that it plays."""
    assert refusal(body, service) is None
    assert refusal(body, CAPMONSTER) is not None
