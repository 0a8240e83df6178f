"""DataDome."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import _encoded as encoded
from . import _fields as f
from ._model import Task, solution, task
from ._proxy import Proxy
from ._solutions import CookiesSolution, cookie_text

__all__ = ["DataDomeSolution", "DataDomeTask"]


def _datadome(value: Any) -> str:
    return cookie_text(value).removeprefix("datadome=")


@solution
class DataDomeSolution(CookiesSolution):
    """A new DataDome cookie."""

    datadome: str = f.answer(
        "domains.*.cookies.datadome", "cookies.datadome", "cookie", decode=_datadome
    )
    """Value of the cookie `datadome`; it works from the task's proxy only."""
    local_storage: Mapping[str, Any] | None = f.answer("domains.*.localStorage", default=None)
    """Local storage to set, if there is any."""
    url: str | None = f.answer("url", default=None, show=True)
    """Where to go next, if the service says so."""
    fingerprint: Mapping[str, Any] | None = f.answer("fingerprint", default=None)
    """Fingerprint to present, if there is any."""
    headers: Mapping[str, Any] | None = f.answer("headers", default=None)
    """Headers to send, if there are any."""
    data: Mapping[str, Any] | None = f.answer("data", default=None)
    """Anything else."""


@task("CustomTask", fixed={"class": "DataDome"}, family="datadome")
class DataDomeTask(Task[DataDomeSolution]):
    """Pass DataDome's captcha through a proxy of yours.

    Source: CapMonster docs, datadome; `domains` is from the official SDKs.
    """

    website_url: str | None = f.url("websiteURL", default=None)
    """The site's main page; only capsolver does without."""
    captcha_url: str = f.url("metadata.captchaUrl")
    """URL of the captcha's frame; where its `t` is `bv`, DataDome has blocked the address."""
    datadome_cookie: str | None = f.secret("metadata.datadomeCookie", default=None)
    """The current cookie, as `datadome=…`; CapMonster requires it."""
    datadome_version: str | None = f.text("metadata.datadomeVersion", default=None)
    """`new` for the method that does `i.js` and `c.js`; without it the older one, `i.js` only."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present; 2captcha and capsolver require it."""
    html_page_base64: encoded.File | None = encoded.page("metadata.htmlPageBase64", default=None)
    """The captcha page's HTML; in the docs of 2024 only."""
    domains: Sequence[str] | None = f.texts("domains", default=None)
    """Hosts that the cookies are to cover."""
    proxy: Proxy = f.proxy()
    """Proxy of yours to open the page through; the answer works from there only."""
