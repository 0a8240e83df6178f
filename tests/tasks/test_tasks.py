"""Making a task: what is certainly wrong is refused at once, by name, and secrets stay secret."""

from __future__ import annotations

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis import strategies as st
from task_strategies import tasks_of

from captcha_async import tasks
from captcha_async.errors import InvalidArgument
from captcha_async.services import CAPMONSTER, CAPSOLVER
from captcha_async.tasks import Proxy, RawSolution, RawTask, Task
from captcha_async.tasks._families import all_models
from captcha_async.tasks._model import task
from captcha_async.wire import dump_task

URL = "https://example.com"
PNG = b"\x89PNG" + bytes(100)
PROXY = Proxy("http", "203.0.113.9", 8080, "user", "pa55word")


def refused(model: Any, *arguments: Any, **fields: Any) -> InvalidArgument:
    """Return the error for what cannot be made."""
    with pytest.raises(InvalidArgument) as caught:
        model(*arguments, **fields)
    return caught.value


def recaptcha(**fields: Any) -> tasks.RecaptchaV2Task:
    """Return a task with the least fields and these."""
    given: dict[str, Any] = {"website_url": URL, "website_key": "key", **fields}
    return tasks.RecaptchaV2Task(**given)


# -- single fields --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value", "rule"),
    [
        ("website_url", "example.com", "starts with http:// or https://"),
        ("website_url", "ftp://example.com", "starts with http:// or https://"),
        ("website_url", "https://", "starts with http:// or https://"),
        ("website_url", "https://a b", "without white space"),
        ("website_url", None, "a string"),
        ("website_key", "", "non-empty"),
        ("website_key", " ", "non-empty"),
        ("website_key", 7, "a string"),
        ("is_invisible", "yes", "True or False"),
        ("is_invisible", 1, "True or False"),
        ("cookies", ["a=b"], "mapping of cookie names to values"),
        ("cookies", {"a;b": "c"}, "cookie names"),
        ("cookies", {"a": "b;c"}, "without ';'"),
        ("cookies", {"a": 1}, "without ';'"),
        ("cookies", "", "non-empty line"),
        ("cookies", "a=b\r\nX: y", "non-empty line"),
        ("proxy", "http://203.0.113.9:8080", "Proxy.from_url"),
    ],
)
def test_a_wrong_value_is_refused(field: str, value: Any, rule: str) -> None:
    """The message names the field, and says what it has to be."""
    error = refused(recaptcha, **{field: value})
    assert field in error.field
    assert rule in str(error)


@pytest.mark.parametrize(
    ("model", "fields", "named"),
    [
        (
            tasks.ComplexImageRecaptchaTask,
            {"grid": "3x3", "task": "Click", "image_urls": [URL, URL]},
            "image_urls",
        ),
        (
            tasks.ComplexImageRecaptchaTask,
            {"grid": "3x3", "task": "Click", "image_urls": URL},
            "image_urls",
        ),
        (
            tasks.ComplexImageRecaptchaTask,
            {"grid": "3x3", "task": "Click", "image_urls": ["a.png"]},
            "image_urls[0]",
        ),
        (
            tasks.ComplexImageHCaptchaTask,
            {"task": "Click", "image_urls": [URL], "classes": [1]},
            "classes[0]",
        ),
        (
            tasks.GeeTestV4Task,
            {"website_url": URL, "gt": "gt", "init_parameters": {1: 2}},
            "init_parameters",
        ),
        (
            tasks.PortugalTextFindIconTask,
            {"images_base64": [PNG], "task_argument": " "},
            "task_argument",
        ),
        (
            tasks.DataDomeTask,
            {"website_url": URL, "captcha_url": URL, "datadome_cookie": "", "proxy": PROXY},
            "datadome_cookie",
        ),
        (
            tasks.CastleTask,
            {"website_url": URL, "website_key": "pk", "w_url": URL, "sw_url": URL, "count": 50},
            "count",
        ),
        (
            tasks.AltchaTask,
            {
                "website_url": URL,
                "website_key": "",
                "challenge": "c",
                "iterations": -1,
                "salt": "s",
                "signature": "s",
            },
            "iterations",
        ),
    ],
)
def test_wrong_values_of_other_kinds_are_refused(
    model: Any, fields: dict[str, Any], named: str
) -> None:
    """Lists name the item, objects and numbers the field."""
    assert refused(model, **fields).field == named


@pytest.mark.parametrize("score", [0.05, 0.95, True, "0.7", float("nan")])
def test_a_score_out_of_range_is_refused(score: Any) -> None:
    """Documented ranges are closed."""
    error = refused(
        tasks.RecaptchaV3TaskProxyless, website_url=URL, website_key="k", min_score=score
    )
    assert error.field == "min_score"
    assert "0.1 to 0.9" in error.rule


def test_open_sets_stay_open() -> None:
    """Modules, puzzle names, user agents and keys are not checked against a list."""
    assert tasks.ImageToTextTask(PNG, cap_monster_module="my_own_x7").cap_monster_module
    assert tasks.ComplexImageRecognitionTask(images_base64=[PNG], task="new_puzzle").task
    assert recaptcha(website_key="any", user_agent="any").user_agent == "any"


def test_a_closed_set_is_closed() -> None:
    """A grid has one of three sizes; the message lists them."""
    error = refused(
        tasks.ComplexImageRecaptchaTask, images_base64=[PNG], grid="5x5", task="Click on cars"
    )
    assert error.field == "grid"
    assert "4x4, 3x3, 1x1" in error.rule


def test_fields_are_given_by_name_and_cannot_be_changed() -> None:
    """Only an image may be given by position; a task is a value."""
    with pytest.raises(TypeError):
        tasks.RecaptchaV2Task(URL, "key")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        recaptcha().website_url = "x"  # type: ignore[misc]  # pyright: ignore[reportAttributeAccessIssue]


# -- rules between fields -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("model", "fields", "named"),
    [
        (
            tasks.ImageToTextTask,
            {"body": PNG, "math": True, "cap_monster_module": "captcha_math"},
            "math",
        ),
        (
            tasks.ComplexImageRecaptchaTask,
            {"grid": "3x3", "task": "Click on cars"},
            "image_urls or images_base64",
        ),
        (
            tasks.ComplexImageRecaptchaTask,
            {"grid": "3x3", "image_urls": [URL]},
            "task or task_definition",
        ),
        (
            tasks.ComplexImageHCaptchaTask,
            {
                "image_urls": [URL],
                "task": "Click",
                "example_image_urls": [URL],
                "example_images_base64": [PNG],
            },
            "example_images_base64",
        ),
        (
            tasks.YandexSmartCaptchaTaskProxyless,
            {"website_url": URL, "website_key": "yandex", "user_agent": "UA"},
            "html_page_base64",
        ),
        (
            tasks.TspdTask,
            {
                "website_url": URL,
                "tspd_cookie": "a=b",
                "html_page_base64": b"<html>",
                "proxy": Proxy("http", "203.0.113.9", 1, "us|er", "pass"),
            },
            "proxy.login",
        ),
        (
            tasks.AmazonTaskProxyless,
            {"website_url": URL, "website_key": "key"},
            "captcha_script or challenge_script",
        ),
        (
            tasks.GeeTestOperationTask,
            {"website_url": URL, "gt": "gt", "challenge": "7f044f48bc951ecfbfc03842b5e1fe59"},
            "challenge",
        ),
    ],
)
def test_wrong_combinations_are_refused(model: Any, fields: dict[str, Any], named: str) -> None:
    """The error names the fields that do not go together, or of which one is missing."""
    assert refused(model, **fields).field == named


def test_variants_make_wrong_combinations_impossible() -> None:
    """A plain Turnstile has no page data, and a Waiting Room cannot go without a proxy."""
    with pytest.raises(TypeError, match="page_data"):
        tasks.TurnstileTask(website_url=URL, website_key="key", page_data="x")  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    with pytest.raises(TypeError, match="proxy"):
        tasks.TurnstileWaitingRoomTask(  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
            website_url=URL, website_key="key", html_page_base64=b"<html>", user_agent="UA"
        )


def test_a_model_has_to_name_its_solution() -> None:
    """Forgetting it is told when the class is made, not when an answer comes."""
    with pytest.raises(TypeError, match=r"Task\[<its solution>\]"):

        @task("NewTask")
        class NewTask(Task):  # type: ignore[type-arg]
            """A task without its solution."""


# -- what a service refuses -----------------------------------------------------------------------


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "10.1.2.3", "192.168.0.7", "172.31.255.1", "169.254.1.1", "::1", "localhost"],
)
def test_private_proxies_are_refused(address: str) -> None:
    """CapMonster cannot reach a proxy in the caller's own network; the address is not shown."""
    task = recaptcha(proxy=Proxy("http", address, 8080))
    with pytest.raises(InvalidArgument, match="private network") as caught:
        CAPMONSTER.check(task)
    assert caught.value.field == "proxy.address"
    assert address not in str(caught.value)


@pytest.mark.parametrize("address", ["8.8.8.8", "203.0.113.9", "2001:db8::1", "proxy.example"])
def test_other_proxies_are_not_judged(address: str) -> None:
    """Host names and every public address pass."""
    CAPMONSTER.check(recaptcha(proxy=Proxy("http", address, 8080)))


def test_a_proxy_is_refused_where_the_service_takes_none() -> None:
    """capsolver solves Turnstile through proxies of its own only."""
    task = tasks.TurnstileTask(website_url=URL, website_key="key", proxy=PROXY)
    with pytest.raises(InvalidArgument, match="without one only") as caught:
        CAPSOLVER.check(task)
    assert caught.value.field == "proxy"
    CAPSOLVER.check(task.evolve(proxy=None))


def test_a_task_can_be_changed_into_another_one() -> None:
    """The copy is checked as a new task is."""
    changed = recaptcha().evolve(proxy=PROXY)
    assert changed.proxy is PROXY
    assert recaptcha().proxy is None
    assert refused(recaptcha().evolve, website_url="no").field == "website_url"
    assert refused(recaptcha().evolve, websiteURL=URL).field == "websiteURL"


# -- secrets, copies, imports ---------------------------------------------------------------------


def test_no_repr_shows_a_secret() -> None:
    """Proxy credentials, cookies and images are not printed."""
    task = recaptcha(proxy=PROXY, cookies={"session": "s3cret"})
    datadome = tasks.DataDomeTask(
        website_url=URL, captcha_url=URL, datadome_cookie="s3cret", proxy=PROXY
    )
    shown = repr([task, datadome, tasks.ImageToTextTask(PNG)])
    assert "pa55word" not in shown
    assert "s3cret" not in shown
    assert "<1 cookies>" in shown
    assert "<104 bytes>" in shown
    assert "***" in shown


def test_no_message_shows_a_secret() -> None:
    """A cookie that is refused is not quoted."""
    assert "s3cret" not in str(refused(recaptcha, cookies={"a": "s3cret;"}))
    assert "s3cret" not in str(refused(recaptcha, cookies="s3cret\n"))
    assert "s3cret" not in str(refused(recaptcha, proxy="http://user:s3cret@203.0.113.9:1"))


def test_a_long_value_is_shortened_in_the_message() -> None:
    """A page pasted into the wrong field does not fill the log."""
    assert len(str(refused(recaptcha, website_url="x" * 5000))) < 300


@pytest.mark.parametrize("model", all_models(), ids=lambda model: model.__name__)
@hypothesis.settings(max_examples=3)
@hypothesis.given(data=st.data())
def test_tasks_copy_and_pickle(model: type[Task[Any]], data: st.DataObject) -> None:
    """A task goes to worker processes, and evolves into another one."""
    task = data.draw(tasks_of(model))
    assert pickle.loads(pickle.dumps(task)) == task
    assert copy.deepcopy(task) == task
    assert task.evolve() == task
    assert repr(task).startswith(model.__name__)


def test_a_raw_task_needs_a_type() -> None:
    """The one thing that must be known."""
    assert refused(RawTask, "").field == "type"
    assert "s3cret" not in repr(RawTask("NewTask", {"password": "s3cret"}))


def test_names_that_are_not_there_are_an_attribute_error() -> None:
    """The lazy module behaves like any other."""
    with pytest.raises(AttributeError, match="NoSuchTask"):
        getattr(tasks, "NoSuch" + "Task")
    assert set(tasks.__all__) <= set(dir(tasks))
    assert all(hasattr(tasks, name) for name in tasks.__all__)


def test_further_keys_come_last() -> None:
    """What a service adds tomorrow is merged into the task object, also inside of `metadata`."""
    task = tasks.FriendlyTask(
        website_url=URL,
        website_key="key",
        api_get_lib=f"{URL}/site.min.js",
        extra={"metadata": {"new": 1}, "websitekey": "other", "more": [1]},
    )
    body = dump_task(task, CAPMONSTER)
    assert body["metadata"] == {"apiGetLib": f"{URL}/site.min.js", "new": 1}
    assert (body["websiteKey"], body["more"]) == ("other", [1])
    assert task.evolve(extra=None) == attrs.evolve(task, extra=None)
    assert "more" not in dump_task(task.evolve(extra=None))


@pytest.mark.parametrize("extra", [{"type": "x"}, {"Type": "x"}, {1: 2}, "a", []])
def test_wrong_further_keys_are_refused(extra: Any) -> None:
    """The type is the class's own, and keys are texts."""
    with pytest.raises(InvalidArgument) as caught:
        tasks.RecaptchaV2Task(website_url=URL, website_key="key", extra=extra)
    assert caught.value.field == "extra"


def test_a_raw_task_takes_a_proxy_and_files() -> None:
    """Its proxy is written as the services have it, bytes anywhere as base64."""
    proxy = Proxy("http", "203.0.113.9", 8080, "user", "s3cret")
    fields = {"body": b"abc", "parts": [b"d", {"e": bytearray(b"f")}], "n": 1}
    task = RawTask("NewTask", fields, proxy=proxy, extra={"m": 2})
    assert dump_task(task) == {
        "type": "NewTask",
        "body": "YWJj",
        "parts": ["ZA==", {"e": "Zg=="}],
        "n": 1,
        "proxyType": "http",
        "proxyAddress": "203.0.113.9",
        "proxyPort": 8080,
        "proxyLogin": "user",
        "proxyPassword": "s3cret",
        "m": 2,
    }
    assert "s3cret" not in repr(task)
    inside = RawTask("NewTask", {"proxy": proxy})
    assert dump_task(inside) == dump_task(RawTask("NewTask", proxy=proxy))
    with pytest.raises(InvalidArgument):
        RawTask("NewTask", proxy="http://203.0.113.9:8080")  # type: ignore[arg-type]


def test_a_raw_solution_tells_keys_and_no_values() -> None:
    """Enough to see what came, without a token in a log."""
    raw = {"token": "s3cret", "n": 5, "cookies": {"a": "s3cret"}, "list": ["s3cret"], "x": None}
    told = repr(RawSolution(raw=raw))
    assert "s3cret" not in told
    assert told == (
        "RawSolution(token=<hidden str 6>, n=5, cookies={a: <hidden str 6>}, list=<hidden list 1>, "
        "x=None)"
    )


def test_importing_the_library_makes_no_models() -> None:
    """A family's classes and cattrs are loaded when they are first used."""
    script = (
        "import sys, captcha_async, captcha_async.wire._models\n"
        "early = {'cattrs', 'captcha_async.tasks.recaptcha', 'captcha_async.tasks.recognition'}\n"
        "print(sorted(early & set(sys.modules)))\n"
        "captcha_async.RecaptchaV2Task\n"
        "print('captcha_async.tasks.recaptcha' in sys.modules)\n"
        "print(captcha_async.wire._models.spec_of('CastleTask').family)\n"
        "print('captcha_async.tasks.recognition' in sys.modules)\n"
    )
    root = Path(__file__).parents[2]
    found = subprocess.run(
        [sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=True
    )
    assert found.stdout.split() == ["[]", "True", "castle", "False"]
