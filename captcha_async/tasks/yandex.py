"""Yandex SmartCaptcha."""

from __future__ import annotations

from collections.abc import Mapping

from . import _encoded as encoded
from . import _fields as f
from ._model import Solution, Task, solution, task
from ._rules import needs

__all__ = ["YandexSmartCaptchaSolution", "YandexSmartCaptchaTaskProxyless"]


@solution
class YandexSmartCaptchaSolution(Solution):
    """A token, or the cookies of one of Yandex's own pages."""

    token: str | None = f.answer("token", default=None)
    """Value for `smart-token`; comes for other sites' pages."""
    cookies: Mapping[str, str] | None = f.answer("cookies", default=None)
    """Cookies to set; they come for Yandex's own pages."""
    redirected_url: str | None = f.answer("redirectedUrl", default=None, show=True)
    """Where to go next."""
    referrer: str | None = f.answer("referrer", default=None, show=True)
    """Referer to send."""


@task("YandexSmartCaptchaTaskProxyless", family="yandex", historic=True)
class YandexSmartCaptchaTaskProxyless(Task[YandexSmartCaptchaSolution]):
    """Solve Yandex SmartCaptcha.

    Source: CapMonster docs, yandex-smartcaptcha-task, a draft that was deleted in 2024-10.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's site key, or `yandex` on Yandex's own pages."""
    html_page_base64: bytes | str | None = encoded.page("htmlPageBase64", default=None)
    """The page's HTML or its base64 text; needed for Yandex's own pages."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present; needed for Yandex's own pages."""

    def __attrs_post_init__(self) -> None:
        if self.website_key == "yandex":
            needs(self, "website_key is 'yandex'", "html_page_base64", "user_agent")
