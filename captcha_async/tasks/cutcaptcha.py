"""CutCaptcha."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["CutCaptchaTask"]


@task("CutCaptchaTask", family="cutcaptcha")
class CutCaptchaTask(Task[TokenSolution]):
    """Solve CutCaptcha, with or without a proxy of yours.

    Source: 2captcha docs, CutCaptcha.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    misery_key: str = f.text("miseryKey")
    """The page's `CUTCAPTCHA_MISERY_KEY`."""
    api_key: str = f.text("apiKey")
    """The widget's `data-apikey`."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
