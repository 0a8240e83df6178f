"""atbCAPTCHA."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["AtbCaptchaTask"]


@task("AtbCaptchaTask", family="atb")
class AtbCaptchaTask(Task[TokenSolution]):
    """Solve atbCAPTCHA, with or without a proxy of yours.

    Source: 2captcha docs, atbCAPTCHA.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    app_id: str = f.text("appId")
    """The page's `appId`."""
    api_server: str = f.url("apiServer")
    """The page's `apiServer`."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
