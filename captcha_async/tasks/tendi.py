"""Tencent captcha (TenDI)."""

from __future__ import annotations

from . import _fields as f
from ._model import Solution, Task, solution, task
from ._proxy import Proxy

__all__ = ["TenDISolution", "TenDITask"]


@solution
class TenDISolution(Solution):
    """Tencent's ticket."""

    ticket: str = f.answer("data.ticket", "ticket")
    """The ticket."""
    randstr: str = f.answer("data.randstr", "randstr")
    """The random string that belongs to it."""
    user_agent: str | None = f.answer("headers.User-Agent", "userAgent", default=None, show=True)
    """The browser that the ticket is bound to: submit with it."""


@task("CustomTask", fixed={"class": "TenDI"}, family="tendi")
class TenDITask(Task[TenDISolution]):
    """Solve the Tencent captcha, with or without a proxy of yours.

    Source: CapMonster docs, tendi.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The `captchaAppId` (`aid`), digits as text."""
    captcha_url: str | None = f.url("metadata.captchaUrl", default=None)
    """URL of Tencent's script, such as `TCaptcha-global.js`."""
    aid_encrypted: str | None = f.text("metadata.aidEncrypted", default=None)
    """The `Aid` that some sites hand out once: fetch it anew for each task; CapMonster only."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
