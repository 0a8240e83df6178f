"""Tasks that need no check: known without a look at each rule, and by no other rules."""

from __future__ import annotations

from typing import Any

import attrs
import hypothesis
import pytest
from hypothesis import strategies as st
from task_strategies import tasks_of

from captcha_async.errors import InvalidArgument
from captcha_async.services import ANTI_CAPTCHA, CAPMONSTER, CAPSOLVER, SERVICES
from captcha_async.services._checks import (
    check_fields,
    check_formats,
    check_proxy_use,
    check_sizes,
    unjudged,
)
from captcha_async.tasks import (
    GeeTestTask,
    ImageToTextTask,
    Proxy,
    RecaptchaV2Task,
    RecaptchaV3Task,
    Task,
)
from captcha_async.tasks._families import all_models

few = hypothesis.settings(max_examples=12)
every_model = pytest.mark.parametrize("model", all_models(), ids=lambda model: model.__name__)


@every_model
@few
@hypothesis.given(data=st.data())
def test_no_rule_speaks_against_them(model: type[Task[Any]], data: st.DataObject) -> None:
    """Whatever is let through so would have passed every check but those for its proxy."""
    task = data.draw(tasks_of(model))
    for service in SERVICES.values():
        dialect = service.dialects.get(model.__name__)
        if dialect is None or not unjudged(model, dialect).includes(task):
            continue
        assert dialect.withdrawn is None
        if getattr(task, "proxy", None) is None:
            check_proxy_use(task, dialect, service.name)
        check_fields(task, dialect, service.name)
        check_sizes(task, dialect, service.name, 1)
        check_formats(task, service.name, frozenset())


LEAST = RecaptchaV2Task(website_url="https://example.com", website_key="key")
PROXY = Proxy("http", "203.0.113.7", 8080)


def test_the_common_task_is_one_of_them() -> None:
    """What has a field that is judged is not, and is judged."""
    plain = unjudged(RecaptchaV2Task, CAPMONSTER.dialects["RecaptchaV2Task"])
    assert plain.includes(LEAST)
    assert plain.includes(LEAST.evolve(user_agent="UA", proxy=PROXY))
    lacking = LEAST.evolve(api_domain="www.recaptcha.net")
    assert not plain.includes(lacking)
    with pytest.raises(InvalidArgument, match="api_domain"):
        CAPMONSTER.check(lacking)
    image = ImageToTextTask(b"\x89PNG\r\n\x1a\n" + bytes(200))
    for service in (CAPMONSTER, CAPSOLVER):
        assert not unjudged(ImageToTextTask, service.dialects["ImageToTextTask"]).includes(image)


def test_proxies_are_judged_all_the_same() -> None:
    """Of the common tasks too: one too many, one too few, and one that cannot be reached."""
    near = LEAST.evolve(proxy=Proxy("http", "192.168.0.7", 8080))
    with pytest.raises(InvalidArgument, match="private network"):
        CAPMONSTER.check(near)
    score = RecaptchaV3Task(website_url="https://example.com", website_key="key", proxy=PROXY)
    assert unjudged(RecaptchaV3Task, CAPMONSTER.dialects["RecaptchaV3Task"]).includes(score)
    with pytest.raises(InvalidArgument, match="without one only"):
        CAPMONSTER.check(score)
    dialect = attrs.evolve(CAPMONSTER.dialects["RecaptchaV2Task"], proxyless=None)
    strict = CAPMONSTER.evolve(dialects={"RecaptchaV2Task": dialect})
    strict.check(LEAST.evolve(proxy=PROXY))
    with pytest.raises(InvalidArgument, match="with one only"):
        strict.check(LEAST)


def test_a_field_that_only_tasks_with_a_proxy_need() -> None:
    """With a proxy such a task is judged, without one it is like any other."""
    least = GeeTestTask(website_url="https://example.com", gt="gt", challenge="challenge")
    plain = unjudged(GeeTestTask, ANTI_CAPTCHA.dialects["GeeTestTask"])
    assert plain.includes(least)
    assert not plain.includes(least.evolve(proxy=PROXY))
    with pytest.raises(InvalidArgument, match="user_agent"):
        ANTI_CAPTCHA.check(least.evolve(proxy=PROXY))
