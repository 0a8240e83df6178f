"""Castle."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import _fields as f
from ._model import Solution, Task, solution, task
from ._proxy import Proxy
from ._solutions import all_cookies

__all__ = ["CastleSolution", "CastleTask"]


def _strings(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise TypeError("expected a list of strings")
    return tuple(value)


@solution
class CastleSolution(Solution):
    """Castle's tokens of one session."""

    tokens: Sequence[str] = f.answer("data.tokens", decode=_strings)
    """As many tokens as the task's `count`."""
    cookies: Mapping[str, str] | None = f.answer("domains", default=None, decode=all_cookies)
    """Cookies to set, of all hosts together."""
    cuid: str | None = f.answer("domains.*.cookies.__cuid", default=None)
    """Value of the cookie `__cuid`, the session that all the tokens share."""


# The newer docs mark the page as a draft; the official SDKs have the class.
@task("CustomTask", fixed={"class": "Castle"}, family="castle")
class CastleTask(Task[CastleSolution]):
    """Get Castle tokens, with or without a proxy of yours.

    Source: CapMonster docs, castle-task.
    """

    website_url: str = f.url("websiteURL")
    """The page that loads Castle."""
    website_key: str = f.text("websiteKey")
    """The publishable key, `pk_…`."""
    w_url: str = f.url("metadata.wUrl")
    """URL of `cw.js`."""
    sw_url: str = f.url("metadata.swUrl")
    """URL of `csw.js`."""
    count: int | None = f.integer("metadata.count", default=None, minimum=1, maximum=49)
    """How many tokens of one session, each billed; one if it is left out."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
