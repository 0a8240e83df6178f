"""The proxy through which the service is to open a page."""

from __future__ import annotations

from typing import Any, Literal, cast

import attrs

from ..errors import invalid

__all__ = ["PROXY_TYPES", "Proxy", "ProxyType"]

ProxyType = Literal["http", "https", "socks4", "socks5"]
PROXY_TYPES: tuple[ProxyType, ...] = ("http", "https", "socks4", "socks5")


def _check_type(_: Proxy, __: Any, value: Any) -> None:
    if value not in PROXY_TYPES:
        raise invalid("proxy.type", value, f"one of {', '.join(PROXY_TYPES)}")


def _check_address(_: Proxy, __: Any, value: Any) -> None:
    if not isinstance(value, str) or not value or set(value) & set("/@ \t\r\n"):
        raise invalid("proxy.address", value, "an IP address or a host name", show=False)


def _check_port(_: Proxy, __: Any, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 65535:
        raise invalid("proxy.port", value, "a whole number from 0 to 65535")


def _check_login(proxy: Proxy, _: Any, value: Any) -> None:
    if value is not None and (not isinstance(value, str) or not value):
        raise invalid("proxy.login", value, "a non-empty string or None", show=False)


def _check_password(proxy: Proxy, _: Any, value: Any) -> None:
    if value is not None and (not isinstance(value, str) or not value):
        raise invalid("proxy.password", value, "a non-empty string or None", show=False)
    if (value is None) != (proxy.login is None):
        raise invalid(
            "proxy.password", value, "given together with proxy.login, or neither", show=False
        )


def _hide(value: str | None) -> str:
    return "None" if value is None else "***"


@attrs.frozen
class Proxy:
    """A proxy of yours that the service uses for one task.

    Leave login and password out for a proxy that knows the service by its IP address. Types and
    fields are those of CapMonster's documentation, which the other services share.

    Raises:
        InvalidArgument: a value is certainly wrong; the message shows no address and no password.
    """

    type: ProxyType = attrs.field(validator=_check_type)
    """`http` for an ordinary proxy; `https` only where `http` does not work."""
    address: str = attrs.field(validator=_check_address)
    """IPv4 or IPv6 address; some services take host names too."""
    port: int = attrs.field(validator=_check_port)
    """From 0 to 65535."""
    login: str | None = attrs.field(default=None, validator=_check_login, repr=_hide)
    """Given together with the password, or not at all."""
    password: str | None = attrs.field(default=None, validator=_check_password, repr=_hide)
    """Never shown in a repr or a message."""

    @classmethod
    def from_url(cls, url: str) -> Proxy:
        """Read `socks5://login:password@host:port`; login and password are percent-decoded.

        Raises:
            InvalidArgument: the URL lacks a part; the message never shows the URL.
        """
        from urllib.parse import unquote, urlsplit

        try:
            parts = urlsplit(url)
            port = parts.port
        except (TypeError, ValueError, AttributeError):
            raise invalid(
                "proxy", url, "a URL such as http://login:password@host:8080", show=False
            ) from None
        if not parts.hostname or port is None:
            raise invalid(
                "proxy", url, "a URL with host and port, such as http://host:8080", show=False
            )
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            raise invalid("proxy", url, "a URL that ends after the port", show=False)
        return cls(
            type=cast("ProxyType", parts.scheme),
            address=parts.hostname,
            port=port,
            login=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else unquote(parts.password),
        )
