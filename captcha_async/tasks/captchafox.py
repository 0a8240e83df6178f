"""CaptchaFox."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["CaptchaFoxTask"]


@task("CaptchaFoxTask", family="captchafox")
class CaptchaFoxTask(Task[TokenSolution]):
    """Solve CaptchaFox through a proxy of yours.

    Source: 2captcha docs, CaptchaFox.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's site key, `sk_…`."""
    user_agent: str = f.text("userAgent")
    """Browser that the solver must present."""
    api_server: str | None = f.url("apiServer", default=None)
    """Where the page loads the script from; the token's form depends on it."""
    proxy: Proxy = f.proxy()
    """Proxy of yours to open the page through."""
