"""The heads of our requests, made once for each URL."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from ._messages import DEFAULT_PORTS, Head, Headers, Origin

if TYPE_CHECKING:
    import httpx

__all__ = ["head_of", "json_head", "page_head"]

_OURS = {"user-agent": "captcha-async", "accept-encoding": "gzip, deflate"}
_JSON = {**_OURS, "content-type": "application/json", "accept": "application/json"}

# A lane writes the length of what it sends by itself.
_FRAMING = (b"content-length", b"transfer-encoding")

# A URL that goes onto the wire as it stands: a name or an address in its usual writing, and a path
# without anything to encode or to resolve.
_BYTE = r"(?:25[0-5]|2[0-4]\d|1\d\d|[1-9]?\d)"
_NAME = r"(?:[a-z0-9-]+\.)*[a-z][a-z0-9-]*"
_PLAIN = re.compile(
    rf"(https?)://({_NAME}|{_BYTE}(?:\.{_BYTE}){{3}})(?::([1-9]\d{{0,4}}))?"
    r"((?:/[A-Za-z0-9_~-][A-Za-z0-9_~.-]*)+)",
    re.ASCII,
)


@lru_cache(maxsize=64)
def json_head(url: str) -> Head:
    """Make the head of a POST of JSON; a service has only a handful of them."""
    return _plain_head("POST", url, _JSON) or _odd_head("POST", url, _JSON)


def page_head(url: str) -> Head:
    """Make the head of a GET."""
    return _plain_head("GET", url, _OURS) or _odd_head("GET", url, _OURS)


def _plain_head(method: str, url: str, ours: dict[str, str]) -> Head | None:
    """Make a head without httpx, where that takes no knowledge of URLs."""
    found = _PLAIN.fullmatch(url)
    if found is None:
        return None
    scheme, host, told, path = found.groups()
    usual = DEFAULT_PORTS[scheme]
    port = int(told or usual)
    if port > 65535:
        return None
    shown = host if port == usual else f"{host}:{port}"
    headers = [(name.encode(), value.encode()) for name, value in {"Host": shown, **ours}.items()]
    text = b"".join(
        [f"{method} {path} HTTP/1.1\r\n".encode(), *(b"%b: %b\r\n" % pair for pair in headers)]
    )
    origin = Origin(scheme == "https", host, port)
    return Head(origin, method, url, headers, text, method == "POST")


def _odd_head(method: str, url: str, ours: dict[str, str]) -> Head:
    import httpx

    # The length is told by the lane, of a POST also that it is 0.
    request = httpx.Request(method, url, headers=ours, content=b"" if method == "POST" else None)
    if request.url.userinfo:
        login = httpx.BasicAuth(request.url.username, request.url.password)
        request = next(login.auth_flow(request))
    return head_of(request)


def head_of(request: httpx.Request) -> Head:
    """Take over a request's head.

    Raises:
        httpx.UnsupportedProtocol: the URL is neither http nor https.
        httpx.LocalProtocolError: the method or a header cannot be sent.
    """
    url = request.url
    if url.scheme not in DEFAULT_PORTS or not url.raw_host:
        import httpx

        raise httpx.UnsupportedProtocol(
            "the URL must start with http:// or https:// and a host", request=request
        )
    origin = Origin(
        url.scheme == "https",
        url.raw_host.decode("ascii"),
        url.port or DEFAULT_PORTS[url.scheme],
    )
    headers = [pair for pair in request.headers.raw if pair[0].lower() not in _FRAMING]
    sized = len(headers) != len(request.headers.raw)
    return Head(origin, request.method, str(url), headers, _render(request, headers), sized)


def _render(request: httpx.Request, headers: Headers) -> bytes:
    import h11

    try:
        event = h11.Request(method=request.method, target=request.url.raw_path, headers=headers)
        text = h11.Connection(h11.CLIENT).send(event)
    except h11.LocalProtocolError as error:
        import httpx

        raise httpx.LocalProtocolError(str(error), request=request) from error
    assert text is not None
    # The empty line at the end follows the length.
    return text.removesuffix(b"\r\n")
