"""Proxies and images that a service is certain to refuse are refused before any request."""

from __future__ import annotations

from typing import Any

import pytest

from captcha_async import ImageToTextTask, Proxy, RawTask, RecaptchaV2Task
from captcha_async.errors import InvalidArgument
from captcha_async.services import ANTI_CAPTCHA, CAPMONSTER, SERVICES, Service

SVG = b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg">' + b" " * 100

every_service = pytest.mark.parametrize("service", SERVICES.values(), ids=SERVICES.keys())


def proxied(address: str, kind: Any = "http") -> RecaptchaV2Task:
    """Return a task with such a proxy."""
    proxy = Proxy(kind, address, 8080)
    return RecaptchaV2Task(website_url="https://example.com", website_key="key", proxy=proxy)


@every_service
@pytest.mark.parametrize(
    "address",
    [
        *("127.0.0.1", "127.1", "0x7f000001", "2130706433", "10.0.0.7", "172.31.255.255"),
        *("192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "255.255.255.255"),
        *("::1", "[::1]", "::", "fe80::1", "fe80::1%eth0", "fd00::1", "::ffff:10.0.0.7"),
        *("localhost", "LOCALHOST.", "db.localhost", "nas.local", "proxy.internal", "proxy"),
    ],
)
def test_a_private_address_is_refused_everywhere(service: Service, address: str) -> None:
    """No service can reach it; what is spelled in another way is the same address."""
    for task in (proxied(address), RawTask("NewTask", {"proxy": proxied(address).proxy})):
        with pytest.raises(InvalidArgument) as caught:
            service.check(task)
        assert caught.value.field == "proxy.address"
        assert service.name in caught.value.rule
        assert address not in str(caught.value) or address == "proxy"


@every_service
@pytest.mark.parametrize("address", ["203.0.113.7", "8.8.8.8", "2001:db8::1", "99.255.255.1"])
def test_a_public_address_is_taken_everywhere(service: Service, address: str) -> None:
    """An address of the documentation's networks is as good as any."""
    service.check(proxied(address))


def test_an_own_service_may_reach_the_own_network() -> None:
    """The rule is data of the profile."""
    CAPMONSTER.evolve(private_proxies=True).check(proxied("10.0.0.7"))


@every_service
def test_host_names_are_refused_where_addresses_are_wanted(service: Service) -> None:
    """anti-captcha takes IP addresses only."""
    task = proxied("proxy.example.com")
    if service is ANTI_CAPTCHA:
        with pytest.raises(InvalidArgument, match="anti-captcha takes no host names"):
            service.check(task)
    else:
        service.check(task)


@every_service
@pytest.mark.parametrize("kind", ["http", "https", "socks4", "socks5"])
def test_kinds_of_proxies_are_the_service_s(service: Service, kind: str) -> None:
    """anti-captcha has no https proxies."""
    task = proxied("203.0.113.7", kind)
    if service is ANTI_CAPTCHA and kind == "https":
        with pytest.raises(InvalidArgument, match="http, socks4, socks5 at anti-captcha") as caught:
            service.check(task)
        assert caught.value.field == "proxy.type"
    else:
        service.check(task)


@every_service
def test_formats_of_images_are_the_service_s(service: Service) -> None:
    """No service documents SVG, and 2captcha takes three formats only."""
    for start, taken in ((b"\x89PNG", True), (b"GIF89a", True), (b"\xff\xd8\xff", True)):
        service.check(ImageToTextTask(start.ljust(200)))
        assert taken
    with pytest.raises(InvalidArgument, match="SVG data"):
        service.check(ImageToTextTask(SVG))
    service.evolve(image_formats=frozenset({"SVG"})).check(ImageToTextTask(SVG))
    webp = ImageToTextTask(b"RIFF\x24\0\0\0WEBPVP8 ".ljust(200))
    if service.name == "2captcha":
        with pytest.raises(InvalidArgument, match="GIF, JPEG, PNG at 2captcha"):
            service.check(webp)
    else:
        service.check(webp)
