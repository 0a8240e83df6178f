"""The heads of requests: what is written without httpx is what httpx would have written."""

from __future__ import annotations

import pytest

from captcha_async._transport import _heads
from captcha_async._transport._heads import json_head, page_head
from captcha_async._transport._messages import Head, Origin
from captcha_async.services import SERVICES

PLAIN = [
    *(f"{service.base_url}/createTask" for service in SERVICES.values()),
    "http://localhost/getBalance",
    "http://localhost:8080/a/b-c_d~e/f.php",
    "http://127.0.0.1:80/createTask",
    "http://10.0.0.255:65535/createTask",
    "https://mirror.example:443/createTask",
    "https://mirror.example:80/in/createTask",
    "https://xn--bcher-kva.example/createTask",
]
ODD = [
    "https://bücher.example/createTask",
    "https://Mirror.Example/createTask",
    "https://login:p%40ss@mirror.example/createTask",
    "http://[::1]:8000/createTask",
    "https://mirror.example/a/../createTask",
    "https://mirror.example/./createTask",
    "https://mirror.example/a b/createTask",
    "https://mirror.example/%7Ea/createTask",
    "https://mirror.example/createTask?key=5",
    "https://mirror.example//createTask",
    "https://mirror.example",
    "https://mirror.example.:0443/createTask",
    "https://0177.0.0.1.example/createTask#part",
]


def told(head: Head) -> object:
    """Return all of a head but the URL, which the one has as it was given."""
    return head.origin, head.method, head.headers, head.text, head.sized


@pytest.mark.parametrize("url", PLAIN)
def test_a_plain_url_is_written_as_by_httpx(url: str) -> None:
    """Byte by byte, for both kinds of requests; so httpx need not be loaded for them."""
    for method, ours in (("POST", _heads._JSON), ("GET", _heads._OURS)):
        plain = _heads._plain_head(method, url, ours)
        assert plain is not None
        assert told(plain) == told(_heads._odd_head(method, url, ours))


@pytest.mark.parametrize("url", ODD)
def test_any_other_url_is_left_to_httpx(url: str) -> None:
    """What has to be encoded, resolved or checked is read by who knows how."""
    assert _heads._plain_head("POST", url, _heads._JSON) is None
    assert told(json_head(url)) == told(_heads._odd_head("POST", url, _heads._JSON))


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.256/createTask",
        "http://127.1.1.01/createTask",
        "http://mirror.example:65536/createTask",
        "http://mirror.example:0/createTask",
        "http://1.2.3/createTask",
        "http://mirror.example/createTask\n",
    ],
)
def test_what_may_be_wrong_is_not_taken_for_plain(url: str) -> None:
    """httpx refuses it, or knows what is meant."""
    assert _heads._plain_head("POST", url, _heads._JSON) is None


def test_a_login_in_the_url_becomes_a_header() -> None:
    """And shows in no repr."""
    head = page_head("https://login:p%40ss@mirror.example/page")
    assert head.origin == Origin(True, "mirror.example", 443)
    assert b"\r\nAuthorization: Basic bG9naW46cEBzcw==\r\n" in head.text
    assert "p%40ss" not in repr(head)
    assert "p@ss" not in repr(head)


def test_a_head_tells_what_is_wanted() -> None:
    """The whole of it, but for the length."""
    assert json_head("https://api.example/createTask").text == (
        b"POST /createTask HTTP/1.1\r\n"
        b"Host: api.example\r\n"
        b"user-agent: captcha-async\r\n"
        b"accept-encoding: gzip, deflate\r\n"
        b"content-type: application/json\r\n"
        b"accept: application/json\r\n"
    )
