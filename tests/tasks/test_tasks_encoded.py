"""Values that have one form in Python and another on the wire: files, pages, cookies, JSON text."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from captcha_async import tasks
from captcha_async.errors import InvalidArgument
from captcha_async.tasks import Proxy
from captcha_async.tasks._fields import Verbatim
from captcha_async.wire import dump_task, load_task

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


@pytest.mark.parametrize("body", [PNG, bytearray(PNG), memoryview(PNG), base64.b64encode(PNG)])
def test_an_image_is_bytes(body: Any) -> None:
    """Anything that holds bytes will do; the wire has base64."""
    if body != base64.b64encode(PNG):
        assert dump_task(tasks.ImageToTextTask(body))["body"] == base64.b64encode(PNG).decode()
    text = base64.b64encode(PNG).decode()
    assert tasks.ImageToTextTask(text).body == PNG


@pytest.mark.parametrize(
    ("body", "rule"),
    [
        (b"x" * 99, "at least 100 bytes, not 99 bytes"),
        (b"", "at least 100 bytes"),
        (Verbatim("data:image/png;base64,iVBO..."), "a data: URI of base64"),
        ("captcha.png", "or its Path"),
        ("data:image/png,iVBO", "base64 text"),
        (None, "bytes"),
    ],
)
def test_what_is_no_image_is_refused(body: Any, rule: str) -> None:
    """Too small, a path, or base64 with a prefix."""
    error = refused(tasks.ImageToTextTask, body)
    assert error.field == "body"
    assert rule in str(error)


@pytest.mark.parametrize(
    "head", ["data:image/png;base64,", "data:;base64,", "DATA:image/x;q=1;base64,"]
)
def test_an_image_may_be_as_people_have_it(head: str, tmp_path: Path) -> None:
    """A data: URI and a path lead to the same task as the bytes."""
    (tmp_path / "captcha.png").write_bytes(PNG)
    text = base64.b64encode(PNG).decode()
    given: list[Any] = [text, head + text, tmp_path / "captcha.png"]
    for body in given:
        assert tasks.ImageToTextTask(body) == tasks.ImageToTextTask(PNG)
        assert tasks.DragAndDropTask(background=body, images=[body]).images == (PNG,)
    with pytest.raises(FileNotFoundError):
        tasks.ImageToTextTask(tmp_path / "none.png")


def test_an_image_may_come_from_a_file(tmp_path: Path) -> None:
    """The path goes to `from_file`, the options along with it."""
    (tmp_path / "captcha.png").write_bytes(PNG)
    task = tasks.ImageToTextTask.from_file(tmp_path / "captcha.png", numeric=1)
    assert (task.body, task.numeric) == (PNG, 1)


@pytest.mark.parametrize("images", [[], [PNG], [PNG] * 3, PNG, [PNG, b"x"], [PNG, None], "ab"])
def test_a_puzzle_takes_its_number_of_images(images: Any) -> None:
    """The rotating circle has a background and a circle: two files."""
    error = refused(tasks.OoclRotateNewTask, images_base64=images)
    assert error.field.startswith("images_base64")
    task = tasks.OoclRotateNewTask(images_base64=[PNG, PNG])
    assert task.images_base64 == (PNG, PNG)


@pytest.mark.parametrize(
    "page", ["<html></html>", b"<html></html>", base64.b64encode(b"<html></html>").decode()]
)
def test_a_page_is_html_or_its_base64(page: Any) -> None:
    """All three ways lead to the same body."""
    task = tasks.TspdTask(
        website_url=URL, tspd_cookie={"TS1": "a"}, html_page_base64=page, proxy=PROXY
    )
    assert dump_task(task)["metadata"]["htmlPageBase64"] == "PGh0bWw+PC9odG1sPg=="


def test_an_empty_page_is_refused() -> None:
    """A challenge page without content cannot be right."""
    fields: dict[str, Any] = {"website_url": URL, "tspd_cookie": "TS1=a", "proxy": PROXY}
    for page in (b"", "", "no base64, no html"):
        error = refused(tasks.TspdTask, html_page_base64=page, **fields)
        assert error.field == "html_page_base64"


def test_cookies_are_a_mapping_or_a_header() -> None:
    """A browser's Cookie header can be passed on as it is; no cookies are no field."""
    assert dump_task(recaptcha(cookies={"a": "b", "c": "d"}))["cookies"] == "a=b; c=d"
    assert dump_task(recaptcha(cookies="a=b;c=d;"))["cookies"] == "a=b;c=d;"
    assert "cookies" not in dump_task(recaptcha(cookies={}))


@pytest.mark.parametrize("data", ["no json", "[1]", "7", {1, 2}, {"a": object()}, 7])
def test_json_text_has_to_be_an_object(data: Any) -> None:
    """What Arkose gets as `data` is an object, or the text of one."""
    error = refused(tasks.FunCaptchaTask, website_url=URL, website_public_key="key", data=data)
    assert error.field == "data"


def test_json_text_is_passed_on_as_it_is() -> None:
    """Whoever copied the text from the page sends that text."""
    text = '{ "blob": "x" }'
    task = tasks.FunCaptchaTask(website_url=URL, website_public_key="key", data=text)
    body = dump_task(task)
    assert body["data"] == text
    assert load_task(body) == task


def test_text_that_decodes_to_nothing_is_kept_when_it_is_read() -> None:
    """A logged body with shortened values passes through; a new task may not have them."""
    body = {"type": "ImageToTextTask", "body": "iVBORw0KGgo...SuQmCC"}
    task = load_task(body)
    assert isinstance(task, tasks.ImageToTextTask)
    assert isinstance(task.body, Verbatim)
    assert dump_task(task) == body
