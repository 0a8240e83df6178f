"""What must never show, and the one place where it is blanked.

Blanked is what others said: a service's words, a peer's bytes that an error quotes. Our own words
are left alone, or a password `a` would turn them into asterisks.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from typing import Any

__all__ = ["BLANK", "NO_SECRETS", "Secrets", "error_chain", "login_of", "without_login", "writings"]

BLANK = "***"

# A shorter secret may be a word of ours by chance; it is looked for in quotations only.
SURE_LENGTH = 6

# The errors of httpx, httpcore, h11 and h2 whose text quotes what the other side has sent.
_QUOTING = ("ProtocolError", "ProxyError", "DecodingError", "HTTPStatusError", "JSONDecodeError")


# As `html.escape` does it, whose module brings a table of all named characters along.
_HTML = str.maketrans({"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#x27;"})


@cache
def writings() -> tuple[Callable[[str], str], ...]:
    """What programs do to a text on its way into another one."""
    # Imported late: nobody needs it before there is something to be blanked.
    from urllib.parse import quote, quote_plus

    return (
        lambda text: quote(text, safe="", errors="replace"),
        lambda text: quote_plus(text, errors="replace"),
        lambda text: json.dumps(text)[1:-1],
        lambda text: json.dumps(text, ensure_ascii=False)[1:-1],
        lambda text: repr(text)[1:-1],
        lambda text: repr(text.encode("utf-8", "replace"))[2:-1],
        # A repr escapes this one only if the text around has both kinds of quotes.
        lambda text: text.replace("'", "\\'"),
        lambda text: text.translate(_HTML),
    )


_LOGIN = re.compile(r"^([A-Za-z][A-Za-z0-9+.-]*:/+)?(.*)@", re.DOTALL)


def without_login(text: str) -> str:
    """Blank the login in what may be a URL, also in one that does not parse."""
    return _LOGIN.sub(lambda found: f"{found[1] or ''}{BLANK}@", text)


def login_of(text: str) -> tuple[str, ...]:
    """Return the secret parts of a URL's login: password, and what a login header makes of it."""
    found = _LOGIN.match(text)
    if found is None:
        return ()
    from urllib.parse import unquote

    name, _, password = found[2].partition(":")
    if not password:
        # A lone name is as often a token as a login.
        return (found[2], unquote(found[2])) if found[2] else ()
    header = base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode("ascii")
    return password, unquote(password), header


def error_chain(error: BaseException) -> Iterator[BaseException]:
    """Yield an error and those behind it, also where a library has cut the chain off.

    httpcore raises `from None`, which forgets the cause but not the context.
    """
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        current = waiting.pop()
        if id(current) in seen:
            continue
        seen.add(id(current))
        yield current
        if isinstance(current, BaseExceptionGroup):
            waiting.extend(reversed(current.exceptions))
        # An error may also be another's argument, which shows it.
        behind = (current.__context__, *current.args, current.__cause__)
        waiting.extend(error for error in behind if isinstance(error, BaseException))


class Secrets:
    """Texts that must not show: keys, passwords, tokens.

    Args:
        values: the secrets; what is None or empty is passed over.
    """

    __slots__ = ("_values",)

    def __init__(self, *values: str | None) -> None:
        self._values = tuple(value for value in values if value)

    def __repr__(self) -> str:
        return f"<Secrets: {len(self._values)}>"

    def plus(self, *values: str | None) -> Secrets:
        """Return these and further ones."""
        return Secrets(*self._values, *values) if any(values) else self

    def joined(self, other: Secrets) -> Secrets:
        """Return these and those of *other*."""
        return self.plus(*other._values)

    def blank(self, text: str, *, sure: bool = False) -> str:
        """Blank the secrets in a quotation, in whatever form they were written.

        Args:
            text: what somebody else said.
            sure: leave those that are so short that they may be something else.
        """
        for form in self._forms(sure=sure):
            text = text.replace(form, BLANK)
        return text

    def in_json(self, value: Any, keep: str | None = None) -> Any:
        """Return a JSON value with the secrets blanked out of its texts, but for *keep*."""
        if isinstance(value, str):
            return value if value == keep else self.blank(value)
        if isinstance(value, list):
            return [self.in_json(item, keep) for item in value]
        if isinstance(value, Mapping):
            return {name: self.in_json(item, keep) for name, item in value.items()}
        return value

    def in_error(self, error: BaseException) -> None:
        """Blank the secrets in the texts of an error and of those behind it, in place."""
        if not self._values:
            return
        for found in error_chain(error):
            sure = not any(kind.__name__.endswith(_QUOTING) for kind in type(found).__mro__)
            found.args = tuple(self._in_argument(value, sure=sure) for value in found.args)

    def _in_argument(self, value: Any, *, sure: bool) -> Any:
        if isinstance(value, bytes | bytearray):
            shown = repr(bytes(value))
            return value if self.blank(shown, sure=sure) == shown else BLANK
        return self.blank(value, sure=sure) if isinstance(value, str) else value

    def _forms(self, *, sure: bool) -> list[str]:
        """Every way in which a secret may be written, the longest first."""
        forms = {value for value in self._values if not sure or len(value) >= SURE_LENGTH}
        for _ in range(2):
            # A repr of bytes that hold JSON, and the like.
            forms |= {write(form) for form in forms for write in writings()}
        return sorted(forms, key=len, reverse=True)


NO_SECRETS = Secrets()
