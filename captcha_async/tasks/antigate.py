"""anti-captcha's AntiGate: whole pages, worked through by a person or a browser."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import _fields as f
from ._model import Task, solution, task
from ._proxy import Proxy
from ._solutions import CookiesSolution, texts

__all__ = ["AntiBotCookieSolution", "AntiBotCookieTask", "AntiGateSolution", "AntiGateTask"]


@solution
class AntiGateSolution(CookiesSolution):
    """What the browser had at the end."""

    local_storage: Mapping[str, Any] | None = f.answer("localStorage", default=None)
    """Local storage to set."""
    fingerprint: Mapping[str, Any] | None = f.answer("fingerprint", default=None)
    """The browser's fingerprint, by JavaScript expression."""
    url: str | None = f.answer("url", default=None, show=True)
    """Where it ended."""
    domain: str | None = f.answer("domain", default=None, show=True)
    """Host that the cookies belong to."""


@solution
class AntiBotCookieSolution(AntiGateSolution):
    """Cookies of a page behind a protection; without any, try again."""

    user_agent: str | None = f.answer(
        "userAgent", "fingerprint.self.navigator.userAgent", default=None, show=True
    )
    """The browser that the cookies are bound to."""
    last_request_headers: Sequence[str] | None = f.answer(
        "lastRequestHeaders", default=None, decode=texts
    )
    """Headers of the last request."""


@task("AntiGateTask", family="antigate")
class AntiGateTask(Task[AntiGateSolution]):
    """Have a page worked through by a template; a value can be added while it runs.

    Source: anti-captcha docs, AntiGateTask.
    """

    website_url: str = f.url("websiteURL")
    """The page to start from."""
    template_name: str = f.text("templateName")
    """Name of the template."""
    variables: Mapping[str, Any] = f.nested("variables")
    """Values of the template's variables; one that is pushed later is given as
    `WAIT_FOR_IT`."""
    domains_of_interest: Sequence[str] | None = f.texts("domainsOfInterest", default=None)
    """Hosts whose cookies and local storage are wanted too."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through, an HTTP one."""


@task("AntiBotCookieTask", family="antigate")
class AntiBotCookieTask(Task[AntiBotCookieSolution]):
    """Pass a page's protection through a proxy of yours, and get its cookies.

    Source: anti-captcha's official SDKs.
    """

    website_url: str = f.url("websiteURL")
    """The page."""
    proxy: Proxy = f.proxy()
    """Proxy of yours to open the page through, an HTTP one; the cookies work from there only."""
