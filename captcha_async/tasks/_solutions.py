"""Answers that several captcha families share: a token, or cookies to set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _fields as f
from ._model import Solution, solution

__all__ = [
    "CookiesSolution",
    "PlainTextSolution",
    "TokenSolution",
    "all_cookies",
    "cookie_text",
    "texts",
]


@solution
class TokenSolution(Solution):
    """A token: what the page's own script would have sent."""

    token: str = f.answer("token", "data.token")
    """The token to submit."""
    user_agent: str | None = f.answer("userAgent", "headers.User-Agent", default=None, show=True)
    """The browser that the token is bound to, if the service names one: submit with it."""


@solution
class PlainTextSolution(Solution):
    """A text."""

    text: str = f.answer("text", show=True)
    """The text."""


def texts(value: Any) -> tuple[str, ...]:
    """Read a list of texts."""
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise TypeError("expected a list of texts")
    return tuple(value)


def all_cookies(value: Any) -> dict[str, str]:
    """Put the cookies of all hosts together; also from a plain object or a Set-Cookie line."""
    if isinstance(value, str):
        name, _, content = value.partition("=")
        return {name.strip(): cookie_text(content)}
    found: dict[str, str] = {}
    for name, entry in value.items():
        if isinstance(entry, Mapping):
            cookies = _inner(entry)
            found.update({key: cookie_text(content) for key, content in cookies.items()})
        elif entry is not None:
            found[name] = cookie_text(entry)
    return found


def _inner(entry: Mapping[str, Any]) -> Mapping[str, Any]:
    return next((entry[key] for key in entry if key.lower() == "cookies"), None) or {}


def cookie_text(value: Any) -> str:
    """Return a cookie's value without its Set-Cookie attributes."""
    if not isinstance(value, str | int | float):
        raise TypeError(f"expected a cookie's value, got {type(value).__name__}")
    return str(value).partition(";")[0].strip()


@solution
class CookiesSolution(Solution):
    """Cookies to set in the session that showed the captcha."""

    cookies: Mapping[str, str] = f.answer("domains", "cookies", "cookie", decode=all_cookies)
    """Name to value, of all hosts together and without Set-Cookie attributes."""
    domains: Mapping[str, Any] | None = f.answer("domains", default=None)
    """The same by host (or URL), as the service sent it."""
    user_agent: str | None = f.answer("userAgent", "headers.User-Agent", default=None, show=True)
    """The browser that the cookies are bound to, if the service names one."""
