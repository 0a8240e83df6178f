"""Proxy: read from a URL, checked at once, and silent about its password."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from captcha_async.errors import InvalidArgument
from captcha_async.tasks import Proxy

CREDENTIALS = st.text(st.characters(codec="utf-8"), min_size=1)


@pytest.mark.parametrize("scheme", ["http", "https", "socks4", "socks5"])
def test_from_url(scheme: str) -> None:
    """Every part of the URL finds its place."""
    proxy = Proxy.from_url(f"{scheme}://user:pass@10.0.0.7:8080")
    assert proxy == Proxy(scheme, "10.0.0.7", 8080, "user", "pass")  # type: ignore[arg-type]


def test_from_url_without_login() -> None:
    """A proxy that knows the service by its address needs no login."""
    proxy = Proxy.from_url("http://proxy.example:3128/")
    assert (proxy.address, proxy.login, proxy.password) == ("proxy.example", None, None)


def test_from_url_with_ipv6() -> None:
    """The brackets of an IPv6 address belong to the URL, not to the address."""
    assert Proxy.from_url("socks5://[2001:db8::1]:1080").address == "2001:db8::1"


@given(login=CREDENTIALS, password=CREDENTIALS)
def test_credentials_are_percent_decoded(login: str, password: str) -> None:
    """Any login and password can be written into the URL."""
    url = f"http://{quote(login, safe='')}:{quote(password, safe='')}@host:1"
    proxy = Proxy.from_url(url)
    assert (proxy.login, proxy.password) == (login, password)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "host:8080",
        "http://s3cret:s3cret@host",
        "http://s3cret:s3cret@:8080",
        "http://s3cret:s3cret@host:eighty",
        "http://s3cret:s3cret@host:99999",
        "http://s3cret:s3cret@host:8080/path",
        "http://s3cret:s3cret@host:8080?a=b",
        "ftp://s3cret:s3cret@host:8080",
        "http://s3cret@host:8080",
        "http://:s3cret@host:8080",
        "http://[s3cret:8080",
        None,
        7,
    ],
)
def test_a_wrong_url_is_refused_unseen(url: Any) -> None:
    """The error never shows the URL, which may hold a password."""
    with pytest.raises(InvalidArgument) as caught:
        Proxy.from_url(url)
    assert caught.value.field.startswith("proxy")
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("type", "ftp"),
        ("address", ""),
        ("address", "http://host"),
        ("address", "user@host"),
        ("address", None),
        ("port", -1),
        ("port", 65536),
        ("port", "8080"),
        ("port", True),
        ("login", ""),
        ("login", 5),
        ("password", ""),
        ("password", None),
    ],
)
def test_a_wrong_field_is_named(field: str, value: Any) -> None:
    """The error names the field."""
    fields: dict[str, Any] = {
        "type": "http",
        "address": "h",
        "port": 1,
        "login": "a",
        "password": "b",
    }
    with pytest.raises(InvalidArgument) as caught:
        Proxy(**{**fields, field: value})
    assert caught.value.field == f"proxy.{field}"


def test_repr_hides_the_credentials() -> None:
    """A proxy in a log line shows neither login nor password."""
    shown = repr(Proxy("http", "10.0.0.7", 8080, "us3r", "s3cret"))
    assert "10.0.0.7" in shown
    assert "us3r" not in shown
    assert "s3cret" not in shown
