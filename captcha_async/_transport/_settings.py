"""The settings of the way to the service, checked when the client is made.

What can never work is refused here, and not found out by minutes of attempts. What a setting is
checked by is imported with it: most clients have none of them, and to import httpx takes longer
than to import this library.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from typing import TYPE_CHECKING, Any

from ..errors import InvalidArgument, invalid
from ._messages import DEFAULT_PORTS

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = [
    "check_base_url",
    "check_http_client",
    "check_proxy",
    "check_ssl_context",
    "environment_proxy",
]

_SCHEMES = ("http", "https", "socks5", "socks5h")


# What needs no knowledge of names and encodings.
_USUAL = re.compile(r"https?://[A-Za-z0-9.-]+(?::[0-9]+)?(?:/[A-Za-z0-9_~.-]*)*|", re.ASCII)


def check_base_url(url: str) -> None:
    """Refuse an address that no request can be made for."""
    if _USUAL.fullmatch(url):
        return
    import httpx

    try:
        httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        raise invalid("base_url", url, "a URL that httpx takes") from None


def check_http_client(client: Any) -> None:
    """Refuse what is no httpx.AsyncClient."""
    import httpx

    rule = "an httpx.AsyncClient"
    if isinstance(client, httpx.Client):
        # It would block the event loop, and it cannot be awaited.
        raise InvalidArgument(
            f"http_client must be {rule}, not the synchronous httpx.Client",
            field="http_client",
            rule=rule,
        )
    if not isinstance(client, httpx.AsyncClient):
        raise invalid("http_client", client, rule, show=False)


def check_ssl_context(context: Any) -> None:
    """Refuse what is no TLS setting of a client."""
    if context is None:
        return
    import ssl

    if not isinstance(context, ssl.SSLContext):
        raise invalid("ssl_context", context, "an ssl.SSLContext", show=False)
    if context.protocol == ssl.PROTOCOL_TLS_SERVER:
        rule = "made for a client, as by ssl.create_default_context()"
        raise invalid("ssl_context", context, rule, show=False)


def check_proxy(proxy: object, field: str = "proxy") -> str:
    """Check the URL of a proxy on the way to the service; none of it shows in an error.

    Args:
        proxy: the URL.
        field: where it is from.
    """
    parts = _split(proxy) if isinstance(proxy, str) and "://" in proxy else None
    if not isinstance(proxy, str) or parts is None:
        # Without a scheme a password may be taken for one.
        rule = "a URL with a scheme, such as http://login:password@proxy.example:3128"
        raise invalid(field, proxy, rule, show=False)
    _check_scheme(field, parts.scheme)
    if parts.fragment or parts.query or parts.path not in ("", "/"):
        rule = "a URL that ends after the port; '#', '?' and '/' in a password are %23, %3F and %2F"
        raise invalid(field, proxy, rule, show=False)
    if not _leads_somewhere(proxy, parts):
        rule = "a URL with a host and a port from 1 to 65535, such as http://proxy.example:3128"
        raise invalid(field, proxy, rule, show=False)
    return proxy


def _leads_somewhere(proxy: str, parts: SplitResult) -> bool:
    import httpx

    # An error from in here may quote the URL, so none gets out, not even as a context.
    try:
        host, port = parts.hostname or "", parts.port
        httpx.Proxy(proxy)
    except Exception:
        return False
    return port != 0 and host.split() == [host]


def _split(url: str) -> SplitResult | None:
    from urllib.parse import urlsplit

    try:
        return urlsplit(url)
    except ValueError:
        return None


def _check_scheme(field: str, scheme: str) -> None:
    if scheme not in _SCHEMES:
        rule = "an http://, https:// or socks5:// URL"
        if scheme in ("socks", "socks4", "socks4a"):
            # It may hold no secret: it is one of these three.
            rule += f"; write socks5:// for {scheme}://, if the proxy speaks it"
        raise InvalidArgument(f"{field} must be {rule}", field=field, rule=rule)
    if scheme.startswith("socks") and not _has_socks():
        rule = "an http:// URL, unless SOCKS is installed: pip install 'captcha-async[socks]'"
        raise InvalidArgument(f"{field} must be {rule}", field=field, rule=rule)


def _has_socks() -> bool:
    try:
        return importlib.util.find_spec("socksio") is not None
    except ValueError:
        return False


def _may_have_proxies() -> bool:
    """Tell whether there can be a proxy; macOS and Windows have other places for it as well."""
    if os.name == "nt" or sys.platform == "darwin":
        return True
    names = {name.lower() for name in os.environ if name[-6:].lower() == "_proxy"}
    return bool(names - {"no_proxy"})


def environment_proxy(base_url: str) -> str | None:
    """Find the proxy that HTTPS_PROXY and its kin name, unless NO_PROXY exempts the host.

    Raises:
        InvalidArgument: it can never work; the error names the variable.
    """
    if not _may_have_proxies():
        return None
    # Imported late because it brings half of the standard library along.
    from urllib.parse import urlsplit
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or proxy_bypass(host):
        return None
    # NO_PROXY may exempt but one port of a host.
    port = parts.port or DEFAULT_PORTS.get(parts.scheme)
    if port is not None and proxy_bypass(f"{host}:{port}"):
        return None
    proxies = getproxies()
    for name in (parts.scheme, "all"):
        found = proxies.get(name, "").strip()
        if found:
            # curl and httpx take a bare host and port for an http proxy.
            url = found if "://" in found else f"http://{found}"
            return check_proxy(url, f"{name.upper()}_PROXY in the environment")
    return None
