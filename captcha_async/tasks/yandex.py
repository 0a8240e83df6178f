"""Yandex SmartCaptcha."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import _encoded as encoded
from . import _fields as f
from . import _structures as more
from ._model import Solution, Task, solution, task
from ._proxy import Proxy
from ._puzzle import CoordinatesSolution
from ._rules import needs

__all__ = [
    "PazlCaptchaSolution",
    "PazlCaptchaTask",
    "SmartCaptchaTask",
    "YandexSmartCaptchaSolution",
    "YandexSmartCaptchaTask",
    "YandexSmartCaptchaTaskProxyless",
]


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


@solution
class PazlCaptchaSolution(Solution):
    """How far to move the slider of a puzzle."""

    clicks: int = f.answer("text", "answer", "token", decode=int, show=True)
    """How often to click on the slider's arrow."""


@task("YandexSmartCaptchaTask", family="yandex")
class YandexSmartCaptchaTask(Task[YandexSmartCaptchaSolution]):
    """Solve Yandex SmartCaptcha, at 2captcha also through a proxy of yours.

    Sources: 2captcha docs, Yandex Smart; capsolver's list of types.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's site key."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    cookies: Mapping[str, str] | str | None = encoded.cookies("cookies", default=None)
    """Cookies to open the page with."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task("SmartCaptchaTask", family="image", report="image")
class SmartCaptchaTask(Task[CoordinatesSolution]):
    """Say where to click in a picture of Yandex SmartCaptcha, and in which order.

    Source: 2captcha docs, Yandex Smart.
    """

    image: encoded.File = encoded.image("image")
    """The main picture, 320 by 180 pixels."""
    img_instructions: encoded.File = encoded.image("imgInstructions")
    """The picture that shows the order, 480 by 180 pixels."""
    comment: str | None = f.text("comment", default=None)
    """What the workers are told."""


@task("PazlCaptchaTask", family="image", report="image")
class PazlCaptchaTask(Task[PazlCaptchaSolution]):
    """Say how far to move the slider of Yandex's puzzle.

    Source: 2captcha docs, Yandex Smart.
    """

    image: encoded.File = encoded.image("image")
    """The picture, 320 by 180 pixels."""
    task: Sequence[int] = more.integers("task", as_text=True)
    """The steps that the page gives."""


@task("YandexSmartCaptchaTaskProxyless", family="yandex", historic=True)
class YandexSmartCaptchaTaskProxyless(Task[YandexSmartCaptchaSolution]):
    """Solve Yandex SmartCaptcha.

    Source: CapMonster docs, yandex-smartcaptcha-task, a draft that was deleted in 2024-10.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's site key, or `yandex` on Yandex's own pages."""
    html_page_base64: encoded.File | None = encoded.page("htmlPageBase64", default=None)
    """The page's HTML or its base64 text; needed for Yandex's own pages."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present; needed for Yandex's own pages."""

    def __attrs_post_init__(self) -> None:
        if self.website_key == "yandex":
            needs(self, "website_key is 'yandex'", "html_page_base64", "user_agent")
