"""TSPD."""

from __future__ import annotations

from collections.abc import Mapping

from ..errors import invalid
from . import _encoded as encoded
from . import _fields as f
from ._model import Task, task
from ._proxy import Proxy
from ._solutions import CookiesSolution

__all__ = ["TspdTask"]


@task("CustomTask", fixed={"class": "tspd"}, family="tspd")
class TspdTask(Task[CookiesSolution]):
    """Pass TSPD through a proxy of yours that keeps its exit address.

    Source: CapMonster docs, tspd-task.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the challenge."""
    tspd_cookie: Mapping[str, str] | str = encoded.cookies("metadata.tspdCookie")
    """The cookies that came with the challenge page."""
    html_page_base64: encoded.File = encoded.page("metadata.htmlPageBase64")
    """The whole HTML of the challenge page, or its base64 text."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that got the challenge; needed by the docs of 2026-03, optional since 2026-08."""
    proxy: Proxy = f.proxy()
    """Proxy of yours to open the page through; the answer works from there only."""

    def __attrs_post_init__(self) -> None:
        if set(self.proxy.login or "") & set(";|)"):
            raise invalid(
                "proxy.login", self.proxy.login, "free of ; | ) for a TspdTask", show=False
            )
