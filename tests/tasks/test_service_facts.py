"""Every documented type of every service against the tables of facts in `data/`."""

from __future__ import annotations

import random
from typing import Any

import attrs
import pytest
from facts import Row, problems, rows, status_table

from captcha_async import errors, tasks
from captcha_async.emulator._answers import solution_for
from captcha_async.emulator._bodies import refusal
from captcha_async.errors import InvalidArgument
from captcha_async.services import (
    ANTI_CAPTCHA,
    CAPMONSTER,
    CAPSOLVER,
    CAPTCHA69,
    SERVICES,
    TWO_CAPTCHA,
    Service,
)
from captcha_async.tasks import Point, Proxy
from captcha_async.wire import dump_request, dump_task, load_solution, load_task

URL = "https://example.com"
IMAGE = b"\x89PNG" + bytes(150)
PROXY = Proxy("http", "203.0.113.7", 8080)

every_row = pytest.mark.parametrize("row", rows(), ids=lambda row: row.name)
with_sample = pytest.mark.parametrize(
    "row",
    [row for row in rows() if row.body is not None and not row.withdrawn],
    ids=lambda row: row.name,
)


@every_row
def test_the_type_is_as_documented(row: Row) -> None:
    """Its sample is written as the same JSON, each required field is required, the sample of the
    solution is read, and every documented name and field has its place."""
    assert [*problems(row)] == []


def test_no_documented_type_is_missing_or_wrong() -> None:
    """The status table of all files has no row left to do."""
    lines, wrong = status_table()
    assert len(lines) == len(rows()) > 100
    assert wrong == 0


@pytest.mark.parametrize(
    ("service", "kind", "model", "changes", "told"),
    [
        (TWO_CAPTCHA, "tencent", "TenDITask", {"fields": "website_url website_key=appid"}, "appId"),
        (TWO_CAPTCHA, "binance", "BinanceTask", {"proxyless": "BinanceTaskProxyless"}, "RawTask"),
        (ANTI_CAPTCHA, "recaptcha_v3", "RecaptchaV3TaskProxyless", {"values": {}}, "minScore"),
        (
            TWO_CAPTCHA,
            "datadome",
            "DataDomeTask",
            {"fields": "website_url! captcha_url=captchaUrl user_agent"},
            "userAgent may be left out",
        ),
        (CAPSOLVER, "vision_engine", "VisionEngineTask", {"withdrawn": "gone"}, "refused"),
    ],
)
def test_the_comparison_finds_what_is_wrong(
    service: Service, kind: str, model: str, changes: dict[str, Any], told: str
) -> None:
    """A table that differs from the facts does not pass."""
    dialects = {**service.dialects, model: attrs.evolve(service.dialects[model], **changes)}
    row = next(row for row in rows() if row.service is service and row.facts["id"] == kind)
    changed = attrs.evolve(row, service=service.evolve(dialects=dialects))
    if "withdrawn" in changes:
        assert changed.withdrawn
    else:
        assert any(told in problem for problem in problems(changed))


# -- the emulator ---------------------------------------------------------------------------------


@with_sample
def test_the_emulator_takes_what_the_service_documents(row: Row) -> None:
    """The sample is accepted, and the answer is one that the model reads."""
    body = dump_task(row.task(), row.service)
    assert refusal(body, row.service) is None
    answer = solution_for(body, random.Random(3), row.service)
    assert load_solution(type(row.task()), answer)
    by_variant = any("variant" in each.get("presence", "") for each in row.facts["solution"])
    if isinstance(row.answer, dict) and not by_variant:
        assert {*map(str.lower, answer)} & {*map(str.lower, row.answer)}


@with_sample
def test_the_emulator_refuses_what_lacks_a_required_field(row: Row) -> None:
    """With an error code that the service has."""
    from facts import required_paths, without

    body = row.body
    assert body is not None
    for path in required_paths(row, body):
        refused = refusal(without(body, path), row.service)
        assert refused is not None, path
        assert refused[0] in row.service.error_codes


@pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES)
def test_the_emulator_takes_no_type_of_another_service(service: Service) -> None:
    """What only others have is not supported."""
    for row in rows():
        if row.body is None or any(service.takes(model) for model in row.models()):
            continue
        body = dump_task(row.task(), row.service)
        names = {name for dialect in service.dialects.values() for name in dialect.names}
        if body["type"] not in names:
            refused = refusal(body, service)
            assert refused is not None
            assert refused[0] == "ERROR_TASK_NOT_SUPPORTED"


# -- refusals before any request ------------------------------------------------------------------


def page(model: type[Any], **fields: Any) -> Any:
    """A task of a model with a page and a key."""
    return model(website_url=URL, website_key="key", **fields)


@pytest.mark.parametrize(
    ("service", "task", "field", "told"),
    [
        (ANTI_CAPTCHA, page(tasks.RecaptchaV3TaskProxyless), "min_score", "given"),
        (TWO_CAPTCHA, page(tasks.RecaptchaV3TaskProxyless), "min_score", "given"),
        (
            TWO_CAPTCHA,
            page(tasks.RecaptchaV3TaskProxyless, min_score=0.5),
            "min_score",
            "one of 0.3, 0.7, 0.9",
        ),
        (CAPMONSTER, page(tasks.FriendlyTask), "api_get_lib", "given"),
        (CAPMONSTER, page(tasks.RecaptchaV2Task, api_domain="recaptcha.net"), "api_domain", "no"),
        (CAPSOLVER, page(tasks.RecaptchaV3Task, is_enterprise=True), "is_enterprise", "no such"),
        (CAPSOLVER, page(tasks.TurnstileTask, proxy=PROXY), "proxy", "without one only"),
        (
            CAPMONSTER,
            tasks.GeeTestTask(website_url=URL, gt="gt", challenge="abc", proxy=PROXY),
            "proxy",
            "with login and password",
        ),
        (CAPMONSTER, page(tasks.RecaptchaV3Task, proxy=PROXY), "proxy", "without one only"),
        (CAPMONSTER, tasks.ImageToTextTask(IMAGE, numeric=3), "numeric", "one of 0, 1"),
        (CAPMONSTER, tasks.ImageToTextTask(IMAGE, comment="red"), "comment", "no such field"),
        (
            TWO_CAPTCHA,
            tasks.AltchaTask(website_url=URL),
            "challenge_url or challenge_json",
            "given",
        ),
        (
            TWO_CAPTCHA,
            tasks.GridTask(IMAGE + bytes(700_000), comment="cars"),
            "body",
            "at most 614400 bytes",
        ),
        (
            ANTI_CAPTCHA,
            tasks.FunCaptchaTask(website_url=URL, website_public_key="k", proxy=PROXY),
            "user_agent",
            "with a proxy at anti-captcha",
        ),
    ],
)
def test_a_refusal_names_service_field_and_rule(
    service: Service, task: Any, field: str, told: str
) -> None:
    """What a service does not take costs no request."""
    with pytest.raises(InvalidArgument, match=told) as caught:
        service.check(task)
    assert caught.value.field == field
    assert service.name in str(caught.value)


@pytest.mark.parametrize(
    ("service", "task"),
    [
        (TWO_CAPTCHA, page(tasks.HCaptchaTask)),
        (CAPSOLVER, page(tasks.HCaptchaTask)),
        (CAPSOLVER, tasks.FunCaptchaTask(website_url=URL, website_public_key="key")),
    ],
)
def test_a_withdrawn_type_is_refused_with_the_reason(service: Service, task: Any) -> None:
    """Unless it is asked for as a RawTask."""
    with pytest.raises(InvalidArgument, match=r"more; RawTask sends it all the same"):
        service.check(task)
    assert not service.takes(type(task))
    service.check(tasks.RawTask(service.type_name(task), {"websiteURL": URL}))


def test_hints_are_left_out_where_a_service_has_no_use_for_them() -> None:
    """The same task goes to several services."""
    task = page(tasks.RecaptchaV2Task, nocache=True)
    for service in SERVICES.values():
        service.check(task)
        assert ("nocache" in dump_task(task, service)) == (service in (CAPMONSTER, CAPTCHA69))


# -- where a service has things elsewhere ---------------------------------------------------------


def test_the_language_of_the_workers_stands_beside_the_task_at_2captcha() -> None:
    """anti-captcha has it in the task, CapMonster not at all."""
    task = tasks.ImageToTextTask(IMAGE, language_pool="en")
    assert dump_request(task, TWO_CAPTCHA)["languagePool"] == "en"
    assert "languagePool" not in dump_task(task, TWO_CAPTCHA)
    assert dump_request(task, ANTI_CAPTCHA).keys() == {"task"}
    assert dump_task(task, ANTI_CAPTCHA)["languagePool"] == "en"
    assert "languagePool" not in dump_task(task, CAPMONSTER)


def test_cookies_are_pairs_and_pages_are_plain_at_capsolver() -> None:
    """The same values in another form, which is read back."""
    task = page(tasks.RecaptchaV2Task, cookies={"a": "b", "c": "d=e"})
    body = dump_task(task, CAPSOLVER)
    assert body["cookies"] == [{"name": "a", "value": "b"}, {"name": "c", "value": "d=e"}]
    assert load_task(body, CAPSOLVER) == task
    challenge = tasks.TurnstileChallengeCookieTask(
        website_url=URL, html_page_base64="<html>Just a moment</html>", proxy=PROXY
    )
    body = dump_task(challenge, CAPSOLVER)
    assert body["html"] == "<html>Just a moment</html>"
    assert load_task(body, CAPSOLVER) == challenge


def test_a_proxy_without_a_kind() -> None:
    """anti-captcha's browser tasks take HTTP proxies only, and no kind."""
    body = dump_task(tasks.AntiBotCookieTask(website_url=URL, proxy=PROXY), ANTI_CAPTCHA)
    assert body == {
        "type": "AntiBotCookieTask",
        "websiteURL": URL,
        "proxyAddress": "203.0.113.7",
        "proxyPort": 8080,
    }


def test_rqdata_is_where_the_service_wants_it() -> None:
    """One field, and other parameters beside it."""
    task = page(tasks.HCaptchaTask, data="rq", enterprise_payload={"sentry": True})
    body = dump_task(task, ANTI_CAPTCHA)
    assert body["enterprisePayload"] == {"sentry": True, "rqdata": "rq"}
    assert load_task(body, ANTI_CAPTCHA) == task


# -- answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "answer", "field", "expected"),
    [
        (tasks.PazlCaptchaTask, "8", "clicks", 8),
        (tasks.PazlCaptchaTask, 8, "clicks", 8),
        (tasks.GridTask, {"click": "No_matching_images"}, "click", ()),
        (tasks.GridTask, "No_matching_images", "click", ()),
        (tasks.GridTask, [1, 2], "click", (1, 2)),
        (tasks.CoordinatesTask, {"coordinates": [[1, 2]]}, "coordinates", (Point(1, 2),)),
        (tasks.CoordinatesTask, {"coordinates": [{"x": 1, "y": 2}]}, "coordinates", (Point(1, 2),)),
        (tasks.GeeTestTask, {"challenge": "c", "validate": "v"}, "seccode", "v|jordan"),
        (
            tasks.GeeTestTask,
            {"challenge": "c", "validate": "v", "seccode": "s"},
            "seccode",
            "s",
        ),
        (tasks.TurnstileChallengeCookieTask, {"token": "t"}, "cf_clearance", "t"),
        (
            tasks.TurnstileChallengeCookieTask,
            {"cookies": "a=b; cf_clearance=t; Path=/"},
            "cf_clearance",
            "t",
        ),
        (
            tasks.TurnstileChallengeCookieTask,
            {"cookies": {"cf_clearance": "t"}},
            "cf_clearance",
            "t",
        ),
        (tasks.DragAndDropTask, {"coordinates": [None]}, "coordinates", (None,)),
        (tasks.AwsWafClassificationTask, {"box": [1.5, 2]}, "box", Point(1.5, 2)),
        (tasks.ImageToTextBatchTask, {"answers": ["a", "b"]}, "answers", ("a", "b")),
    ],
)
def test_answers_of_other_shapes_are_read(
    model: Any, answer: Any, field: str, expected: Any
) -> None:
    """Bare values, lists, texts, and what a service leaves out."""
    assert getattr(load_solution(model, answer), field) == expected


def test_an_answer_that_is_no_object_is_kept_for_a_raw_task() -> None:
    """Nothing that was paid for is thrown away, and the repr shows no token."""
    solution = load_solution("NewTask", "s3cret")
    assert "s3cret" in solution.raw.values()
    assert "s3cret" not in repr(solution)
    assert load_solution("NewTask", [1, 2]).raw == {"answer": [1, 2]}


def test_an_unreadable_answer_is_kept_as_it_came() -> None:
    """Also one that is no object."""
    with pytest.raises(errors.UnreadableSolution) as caught:
        load_solution(tasks.RecaptchaV2Task, [1])
    assert caught.value.raw == [1]
