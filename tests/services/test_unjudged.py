"""Tasks that need no check: known without a look at each rule, and by no other rules."""

from __future__ import annotations

from typing import Any

import hypothesis
import pytest
from hypothesis import strategies as st
from task_strategies import tasks_of

from captcha_async.errors import InvalidArgument
from captcha_async.services import CAPMONSTER, CAPSOLVER, SERVICES
from captcha_async.services._checks import (
    check_fields,
    check_formats,
    check_proxy_use,
    check_sizes,
    unjudged,
)
from captcha_async.tasks import ImageToTextTask, Proxy, RecaptchaV2Task, Task
from captcha_async.tasks._families import all_models

few = hypothesis.settings(max_examples=12)
every_model = pytest.mark.parametrize("model", all_models(), ids=lambda model: model.__name__)


@every_model
@few
@hypothesis.given(data=st.data())
def test_no_rule_speaks_against_them(model: type[Task[Any]], data: st.DataObject) -> None:
    """Whatever is let through so would have passed every check."""
    task = data.draw(tasks_of(model))
    for service in SERVICES.values():
        dialect = service.dialects.get(model.__name__)
        if dialect is None or not unjudged(model, dialect).includes(task):
            continue
        assert dialect.withdrawn is None
        assert getattr(task, "proxy", None) is None
        check_proxy_use(task, dialect, service.name)
        check_fields(task, dialect, service.name)
        check_sizes(task, dialect, service.name, 1)
        check_formats(task, service.name, frozenset())


def test_the_common_task_is_one_of_them() -> None:
    """What has a field that is judged is not, and is judged."""
    least = RecaptchaV2Task(website_url="https://example.com", website_key="key")
    plain = unjudged(RecaptchaV2Task, CAPMONSTER.dialects["RecaptchaV2Task"])
    assert plain.includes(least)
    assert plain.includes(least.evolve(user_agent="UA"))
    assert not plain.includes(least.evolve(proxy=Proxy("http", "192.0.2.1", 8080)))
    lacking = least.evolve(api_domain="www.recaptcha.net")
    assert not plain.includes(lacking)
    with pytest.raises(InvalidArgument, match="api_domain"):
        CAPMONSTER.check(lacking)
    image = ImageToTextTask(b"\x89PNG\r\n\x1a\n" + bytes(200))
    for service in (CAPMONSTER, CAPSOLVER):
        assert not unjudged(ImageToTextTask, service.dialects["ImageToTextTask"]).includes(image)
