"""MTCaptcha."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["MTCaptchaTask"]


@task("MTCaptchaTask", family="mtcaptcha")
class MTCaptchaTask(Task[TokenSolution]):
    """Solve MTCaptcha, with or without a proxy of yours.

    Source: CapMonster docs, mtcaptcha-task.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's `sk` value, `MTPublic-…`."""
    page_action: str | None = f.text("pageAction", default=None)
    """The widget's `act` value, if it is not `%24`."""
    is_invisible: bool | None = f.flag("isInvisible", default=None)
    """True for the invisible widget."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
