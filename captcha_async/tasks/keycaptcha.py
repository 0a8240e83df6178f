"""KeyCaptcha."""

from __future__ import annotations

from . import _fields as f
from . import _structures as more
from ._model import Task, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["KeyCaptchaTask"]


@task("KeyCaptchaTask", family="keycaptcha")
class KeyCaptchaTask(Task[TokenSolution]):
    """Solve KeyCaptcha, with or without a proxy of yours.

    Source: 2captcha docs, KeyCaptcha.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    s_s_c_user_id: int | str = more.identifier("s_s_c_user_id")
    """The page's value of that name, as the next three."""
    s_s_c_session_id: str = f.text("s_s_c_session_id")
    """See above."""
    s_s_c_web_server_sign: str = f.text("s_s_c_web_server_sign")
    """See above."""
    s_s_c_web_server_sign2: str = f.text("s_s_c_web_server_sign2")
    """See above."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
