"""Settings of the way to the service that can never work are refused, and show no secret."""

from __future__ import annotations

import importlib.util
import ssl
from typing import Any

import httpx
import pytest

from captcha_async import CaptchaClient, InvalidArgument
from captcha_async._transport import HttpTransport
from captcha_async._transport._settings import check_proxy, environment_proxy

SERVICE = "https://api.service.example"

UNUSABLE = [
    "127.0.0.1:9",
    "proxy.example",
    "user:S3cret@proxy.example:3128",
    "S3cret://user:pass@proxy.example:3128",
    "socks://proxy.example:1080",
    "socks4://user:S3cret@proxy.example:1080",
    "ftp://user:S3cret@proxy.example:21",
    "http://",
    "http://:3128",
    "http://user:S3cret@",
    "http://user:S3cret@:3128",
    "http://user:S3cret#word@proxy.example:3128",
    "http://user:S3cret?word@proxy.example:3128",
    "http://user:S3cret/word@proxy.example:3128",
    "http://user:S3c[ret@proxy.example:3128",
    "http://user:S3cret]@proxy.example:3128",
    "http://user:S3cret\n@proxy.example:3128",
    "http://user:S3cret@proxy.example:port",
    "http://user:S3cret@proxy.example:0",
    "http://user:S3cret@proxy.example:65536",
    "http://user:S3cret@proxy.example:-1",
    "http://user:S3cret@pro xy.example:3128",
    "http://user:S3cret@[::1:3128",
    "http://user:S3cret@proxy.example:3128/path",
    "http://proxy.example:S3cret",
    "",
    " ",
]


@pytest.mark.parametrize("proxy", UNUSABLE)
def test_a_proxy_that_can_never_work_is_refused(proxy: str) -> None:
    """At once, naming the field and the rule, and without a part of the password."""
    for make in (
        lambda: CaptchaClient("key", proxy=proxy),
        lambda: HttpTransport(proxy=proxy),
    ):
        with pytest.raises(InvalidArgument) as caught:
            make()
        said = f"{caught.value} {caught.value!r} {caught.value.__context__}"
        assert "S3c" not in said
        assert "S3c" not in str(vars(caught.value))
        assert caught.value.field == "proxy"
        assert caught.value.rule in str(caught.value)
        assert not caught.value.retryable


@pytest.mark.parametrize("proxy", [8080, b"http://proxy.example:1", ("http", "proxy"), object()])
def test_what_is_no_text_is_no_proxy(proxy: Any) -> None:
    """The type is named."""
    with pytest.raises(InvalidArgument, match=f"the given {type(proxy).__name__}"):
        CaptchaClient("key", proxy=proxy)


@pytest.mark.parametrize(
    "proxy",
    [
        "http://proxy.example:3128",
        "http://proxy.example",
        "https://proxy.example:443/",
        "HTTP://proxy.example:3128",
        "http://user:p%23%2F%3Fss@proxy.example:3128",
        "http://user:p@ss@proxy.example:3128",
        "http://user@proxy.example:3128",
        "http://[2001:db8::1]:3128",
        "socks5://user:pass@proxy.example:1080",
        "socks5h://proxy.example:1080",
    ],
)
async def test_a_proxy_that_may_work_is_taken(proxy: str) -> None:
    """And a lane can be made for it."""
    transport = HttpTransport(proxy=proxy)
    assert transport._lanes is not None
    await transport._lanes._open_lane().aclose()
    await transport.aclose()


def test_socks_without_its_package_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says what to install."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(InvalidArgument, match=r"pip install 'captcha-async\[socks\]'"):
        CaptchaClient("key", proxy="socks5://proxy.example:1080")


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Clear the environment of proxies."""
    for name in ("all", "http", "https", "no"):
        monkeypatch.delenv(f"{name}_proxy", raising=False)
        monkeypatch.delenv(f"{name}_PROXY".upper(), raising=False)
    return monkeypatch


@pytest.mark.parametrize("proxy", UNUSABLE)
@pytest.mark.parametrize("name", ["HTTPS_PROXY", "https_proxy", "ALL_PROXY"])
def test_the_environments_proxy_is_checked_too(
    name: str, proxy: str, environment: pytest.MonkeyPatch
) -> None:
    """The variable is named; a bare host is an http proxy there, as everywhere."""
    environment.setenv(name, proxy)
    bare = proxy in ("127.0.0.1:9", "proxy.example", "user:S3cret@proxy.example:3128")
    if bare or not proxy.strip():
        assert environment_proxy(SERVICE) == (f"http://{proxy}" if bare else None)
        return
    with pytest.raises(InvalidArgument, match=f"^{name.upper()} in the environment") as caught:
        CaptchaClient("key", base_url=SERVICE)
    assert "S3c" not in f"{caught.value} {vars(caught.value)} {caught.value.__context__}"


def test_a_proxy_for_others_is_not_checked(environment: pytest.MonkeyPatch) -> None:
    """Only the one that would be used counts."""
    environment.setenv("HTTP_PROXY", "socks://127.0.0.1:9")
    assert environment_proxy(SERVICE) is None
    environment.setenv("ALL_PROXY", "socks://127.0.0.1:9")
    environment.setenv("NO_PROXY", "service.example")
    assert environment_proxy(SERVICE) is None
    environment.setenv("HTTPS_PROXY", "http://proxy.example:3128")
    environment.delenv("NO_PROXY")
    assert environment_proxy(SERVICE) == "http://proxy.example:3128"
    # A client of the user's has settings of its own.
    environment.setenv("HTTPS_PROXY", "socks://127.0.0.1:9")
    HttpTransport(http_client=httpx.AsyncClient(trust_env=False), base_url=SERVICE)


@pytest.mark.parametrize(
    ("exempt", "url"),
    [
        ("service.example:8080", "http://service.example:8080"),
        ("127.0.0.2:8080", "http://127.0.0.2:8080/path"),
        ("service.example:443", "https://service.example"),
        ("service.example", "http://service.example:8080"),
        (".example:8080", "http://service.example:8080"),
    ],
)
def test_a_port_may_be_exempt_from_the_proxy(
    environment: pytest.MonkeyPatch, exempt: str, url: str
) -> None:
    """NO_PROXY takes a host with a port, as with curl and httpx; other ports are not exempt."""
    environment.setenv("ALL_PROXY", "http://proxy.example:3128")
    environment.setenv("NO_PROXY", exempt)
    assert environment_proxy(url) is None
    other = "http://service.example:8081"
    assert (environment_proxy(other) is None) == (exempt == "service.example")


@pytest.mark.parametrize(
    "client",
    [httpx.AsyncClient, httpx.Client, object(), "client", httpx.AsyncHTTPTransport(), 0, False],
)
def test_what_is_no_async_client_is_refused(client: Any) -> None:
    """When the client is made, not when the first task is to be paid."""
    with pytest.raises(
        InvalidArgument, match=r"^http_client must be an httpx.AsyncClient"
    ) as caught:
        CaptchaClient("key", http_client=client)
    assert caught.value.field == "http_client"


def test_a_synchronous_client_is_refused_by_name() -> None:
    """It is the likeliest mistake."""
    with httpx.Client() as client, pytest.raises(InvalidArgument, match="not the synchronous"):
        CaptchaClient("key", http_client=client)  # type: ignore[arg-type]


@pytest.mark.parametrize("context", [True, "cert.pem", ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)])
def test_tls_settings_that_can_never_work_are_refused(context: Any) -> None:
    """Such as those of a server."""
    with pytest.raises(InvalidArgument) as caught:
        CaptchaClient("key", ssl_context=context)
    assert caught.value.field == "ssl_context"


def test_the_proxy_that_was_checked_is_the_one_that_is_used() -> None:
    """Nothing is changed on the way."""
    url = "http://user:pass@proxy.example:3128"
    assert check_proxy(url) == url


@pytest.mark.parametrize("rest", ["[:::1]", "xn--\u00e9.example", "mirror.example/\x01"])
def test_an_address_that_no_request_can_be_made_for_is_refused(rest: str) -> None:
    """When the client is made; httpx's own error would come out of the first solve."""
    with pytest.raises(InvalidArgument, match=r"^base_url must be a URL") as caught:
        CaptchaClient("key", base_url=f"http://user:S3cret@{rest}")
    assert caught.value.field == "base_url"
    assert "S3cret" not in str(caught.value)


@pytest.mark.parametrize(
    "host", ["m\u00fcnchen.example", "[::1]:8080", "MIRROR.example", "127.0.0.1:1"]
)
def test_unusual_addresses_are_taken(host: str) -> None:
    """Names in any script, and IPv6."""
    assert CaptchaClient("key", base_url=f"http://user:S3cret@{host}/v1").statistics()
