"""Models ⇄ JSON: any valid task gets to any service and back, and no answer is lost."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import hypothesis
import orjson
import pytest
from hypothesis import strategies as st
from task_strategies import json_values, models_of, tasks_of

from captcha_async import tasks
from captcha_async.emulator._bodies import refusal
from captcha_async.errors import InvalidArgument
from captcha_async.services import ANTI_CAPTCHA, CAPMONSTER, CAPSOLVER, SERVICES, TWO_CAPTCHA
from captcha_async.tasks import Proxy, RawTask, Task
from captcha_async.tasks._families import all_models
from captcha_async.wire import dump_task, load_task
from captcha_async.wire._models import model_name, spec_of

URL = "https://example.com"
few = hypothesis.settings(max_examples=8)
every_model = pytest.mark.parametrize("model", all_models(), ids=lambda model: model.__name__)


def recaptcha(**fields: Any) -> tasks.RecaptchaV2Task:
    """Return a task with the least fields and these."""
    return tasks.RecaptchaV2Task(website_url=URL, website_key="key", **fields)


# -- tasks ----------------------------------------------------------------------------------------


@every_model
@few
@hypothesis.given(data=st.data())
def test_any_task_comes_back_the_same(model: type[Task[Any]], data: st.DataObject) -> None:
    """Written and read again it is an equal task of the same model, also through JSON text."""
    task = data.draw(tasks_of(model))
    body = dump_task(task)
    assert load_task(orjson.loads(orjson.dumps(body))) == task
    assert type(load_task(body)) is model


@every_model
@few
@hypothesis.given(data=st.data())
def test_any_task_is_understood_by_the_emulator(
    model: type[Task[Any]], data: st.DataObject
) -> None:
    """In the words of each service that takes it, it is accepted and read back."""
    task = data.draw(tasks_of(model))
    for service in SERVICES.values():
        try:
            service.check(task)
        except InvalidArgument:
            continue
        body = dump_task(task, service)
        assert body["type"] == service.type_name(task)
        assert refusal(body, service) is None
        # Not the task itself: two of our types may be one at the service.
        assert dump_task(load_task(body, service), service) == body


def test_none_and_defaults_are_left_out() -> None:
    """Only what the caller set is sent."""
    assert dump_task(recaptcha(user_agent=None)) == {
        "type": "RecaptchaV2Task",
        "websiteURL": URL,
        "websiteKey": "key",
    }


def test_false_is_sent() -> None:
    """Being set to False is being set."""
    assert dump_task(recaptcha(is_invisible=False))["isInvisible"] is False


def test_a_proxy_stands_in_the_task_itself() -> None:
    """The five documented keys; without credentials three."""
    proxy = Proxy.from_url("socks5://us%65r:p%40ss@203.0.113.9:1080")
    assert (
        dump_task(recaptcha(proxy=proxy)).items()
        >= {
            "proxyType": "socks5",
            "proxyAddress": "203.0.113.9",
            "proxyPort": 1080,
            "proxyLogin": "user",
            "proxyPassword": "p@ss",
        }.items()
    )
    assert "proxyLogin" not in dump_task(recaptcha(proxy=Proxy("http", "203.0.113.9", 1)))


def test_fields_are_nested_where_the_docs_nest_them() -> None:
    """`metadata` and its keys, with the class beside."""
    task = tasks.FriendlyTask(website_url=URL, website_key="key", api_get_lib=f"{URL}/site.min.js")
    body = dump_task(task)
    assert body["class"] == "friendly"
    assert body["metadata"] == {"apiGetLib": f"{URL}/site.min.js"}


def test_json_in_a_string_is_encoded() -> None:
    """FunCaptcha's `data` is the text of a JSON object on the wire."""
    task = tasks.FunCaptchaTask(
        website_url=URL, website_public_key="key", data={"blob": "a/b+c", "ü": 1}
    )
    assert dump_task(task)["data"] == '{"blob":"a/b+c","ü":1}'


def test_letters_reach_the_service_as_escapes() -> None:
    """The Portuguese puzzle wants backslash-u escapes in upper-case hex inside of the JSON."""
    task = tasks.PortugalTextFindIconTask(
        images_base64=[b"GIF89a" * 20], task_argument="Encontre o(a) avião."
    )
    text = orjson.dumps(dump_task(task)).decode()
    assert r"Encontre o(a) avi\\u00E3o." in text
    assert load_task(json.loads(text)) == task


def test_python_names_are_read_too() -> None:
    """A task may be written down with the models' own names, as in a file for the command line."""
    body = {"type": "RecaptchaV2Task", "website_url": URL, "website_key": "key"}
    assert load_task(body) == recaptcha()
    proxied = load_task({**body, "proxy": "http://203.0.113.9:8080"})
    proxy = Proxy("http", "203.0.113.9", 8080)
    assert proxied == recaptcha(proxy=proxy)
    assert load_task({**body, "proxy": proxy}) == proxied
    fun = {"type": "FunCaptchaTask", "websiteURL": URL, "websitePublicKey": "k", "data": {"a": 1}}
    assert dump_task(load_task(fun))["data"] == '{"a":1}'


def test_an_unknown_type_is_kept_as_it_is() -> None:
    """What the library has no model of still passes through."""
    body = {"type": "NewGateTask", "templateName": "x", "variables": {"a": 1}}
    task = load_task(body)
    assert task == RawTask("NewGateTask", {"templateName": "x", "variables": {"a": 1}})
    assert dump_task(task, CAPSOLVER) == body
    assert isinstance(load_task({"type": "CustomTask", "class": "NewOne"}), RawTask)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ([], "task"),
        ({1: 2}, "task"),
        ({}, "type"),
        ({"type": None}, "type"),
        ({"type": "RecaptchaV2Task", "websiteURL": URL}, "website_key"),
        ({"type": "RecaptchaV2Task", "websiteURL": "x", "websiteKey": "k"}, "website_url"),
        ({"type": "TurnstileTask", "cloudflareTaskType": "cf_clearance"}, "website_url"),
        (
            {"type": "RecaptchaV2Task", "websiteURL": URL, "websiteKey": "k", "Wrong": 1},
            "Wrong",
        ),
        (
            {"type": "RecaptchaV2Task", "websiteURL": URL, "websiteKey": "k", "proxyType": "http"},
            "proxy.address",
        ),
    ],
)
def test_a_wrong_body_names_the_field(body: Any, field: str) -> None:
    """The error's `field` is the model's name of the key that is wrong."""
    with pytest.raises(InvalidArgument) as caught:
        load_task(body)
    assert caught.value.field == field


def test_unknown_keys_can_be_passed_over() -> None:
    """As a service does; what is wrong in the known ones is told all the same."""
    body = {"type": "RecaptchaV2Task", "websiteURL": URL, "websiteKey": "key", "new": 1}
    assert load_task(body, lenient=True) == recaptcha()
    with pytest.raises(InvalidArgument):
        load_task({**body, "websiteURL": "no"}, lenient=True)


def test_the_closest_variant_is_told_what_it_lacks() -> None:
    """An Enterprise body of Yidun that lacks one key is not judged as a standard one."""
    body = {
        "type": "YidunTask",
        "websiteURL": URL,
        "websiteKey": "key",
        "yidunGetLib": f"{URL}/load.min.js",
        "yidunApiServerSubdomain": "example.com",
        "challenge": "abc",
        "hct": 1,
    }
    with pytest.raises(InvalidArgument, match="hcg must be given for a YidunEnterpriseTask"):
        load_task(body)


@hypothesis.given(body=st.dictionaries(st.text(), json_values()), model=models_of())
def test_any_json_is_a_task_or_a_clear_error(body: dict[str, Any], model: Any) -> None:
    """No body makes the reader crash."""
    with contextlib.suppress(InvalidArgument):
        assert isinstance(load_task({**body, "type": model.spec.type}), Task)


# -- names at the services ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("task", "service", "expected"),
    [
        (
            tasks.TurnstileTask(website_url=URL, website_key="k", page_action="a", data="d"),
            ANTI_CAPTCHA,
            {"type": "TurnstileTaskProxyless", "action": "a", "cData": "d"},
        ),
        (
            tasks.TurnstileTask(website_url=URL, website_key="k", page_action="a", data="d"),
            CAPSOLVER,
            {"type": "AntiTurnstileTaskProxyLess", "metadata": {"action": "a", "cdata": "d"}},
        ),
        (
            tasks.RecaptchaV3EnterpriseTask(website_url=URL, website_key="k", min_score=0.3),
            TWO_CAPTCHA,
            {"type": "RecaptchaV3TaskProxyless", "isEnterprise": True},
        ),
        (
            tasks.GeeTestV4Task(website_url=URL, gt="id", init_parameters={"riskType": "slide"}),
            TWO_CAPTCHA,
            {"version": 4, "initParameters": {"captcha_id": "id"}, "risk_type": "slide"},
        ),
        (
            tasks.TenDITask(website_url=URL, website_key="189"),
            TWO_CAPTCHA,
            {"type": "TencentTaskProxyless", "appId": "189"},
        ),
    ],
)
def test_keys_are_the_services_own(task: Task[Any], service: Any, expected: Any) -> None:
    """Renamed, nested or fixed as the service has it, and without CapMonster's class."""
    body = dump_task(task, service)
    assert body.items() >= expected.items()
    assert "class" not in body
    assert load_task(body, service) == task


def test_the_callers_objects_are_left_alone() -> None:
    """Neither writing nor reading changes a mapping that the caller gave."""
    parameters = {"riskType": "slide"}
    task = tasks.GeeTestV4Task(website_url=URL, gt="id", init_parameters=parameters)
    body = dump_task(task, TWO_CAPTCHA)
    before = json.dumps(body)
    load_task(body, TWO_CAPTCHA)
    assert json.dumps(body) == before
    assert parameters == {"riskType": "slide"}


# -- names of models ------------------------------------------------------------------------------


def test_names_of_models_lead_back_to_them() -> None:
    """What a task reference stores is enough to read the answer and to poll in any process."""
    for model in all_models():
        assert spec_of(model.__name__) is model.spec
    assert spec_of("NewGateTask").family == "token"
    assert model_name(recaptcha()) == "RecaptchaV2Task"
    assert model_name(RawTask("NewGateTask")) == "NewGateTask"


def test_capmonster_is_the_common_language() -> None:
    """With CapMonster's profile a task is written as without any."""
    assert dump_task(recaptcha(), CAPMONSTER) == dump_task(recaptcha())
