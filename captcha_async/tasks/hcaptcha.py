"""hCaptcha tokens; the images of hCaptcha are in `complex_image`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _encoded as encoded
from . import _fields as f
from ._model import Task, shared, solution, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["HCaptchaSolution", "HCaptchaTask", "HCaptchaTaskProxyless"]


TOKEN_LIFE = 120.0
"""Seconds that an hCaptcha token is valid after it was made, if the site has not set another time
(hCaptcha docs: the token expires after 120 seconds by default)."""


@solution
class HCaptchaSolution(TokenSolution):
    """An hCaptcha token."""

    token: str = f.answer("gRecaptchaResponse", "token")
    """Goes into the form field `h-captcha-response`."""
    resp_key: str | None = f.answer("respKey", default=None)
    """The value of `hcaptcha.getRespKey()`."""


@shared
class HCaptchaFields(Task[HCaptchaSolution]):
    """What every name of hCaptcha takes."""

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's site key."""
    is_invisible: bool | None = f.flag("isInvisible", default=None)
    """True for the invisible widget."""
    data: str | None = f.text("data", default=None)
    """One-time `rqdata` value; some pages call it `gid`."""
    is_enterprise: bool | None = f.flag("isEnterprise", default=None)
    """True for Enterprise; anti-captcha only."""
    enterprise_payload: Mapping[str, Any] | None = f.nested("enterprisePayload", default=None)
    """Further parameters such as `sentry` or `apiEndpoint`; anti-captcha only."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    cookies: Mapping[str, str] | str | None = encoded.cookies("cookies", default=None)
    """Cookies to open the page with."""
    fallback_to_actual_ua: bool | None = f.flag("fallbackToActualUA", default=None)
    """True to have the service replace an outdated `user_agent` by its own."""
    nocache: bool | None = f.flag("nocache", default=None)
    """True for a freshly made token instead of a cached one."""


# The page is a draft in the docs, not a thing of the past: the official SDKs have the type.
@task("HCaptchaTask", family="hcaptcha", report="hcaptcha", token_life=TOKEN_LIFE)
class HCaptchaTask(HCaptchaFields):
    """Solve hCaptcha, with or without a proxy of yours.

    Source: CapMonster docs, hcaptcha-task (a draft); `nocache` is from the official .NET SDK.
    """

    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task(
    "HCaptchaTaskProxyless",
    family="hcaptcha",
    report="hcaptcha",
    token_life=TOKEN_LIFE,
    historic=True,
)
class HCaptchaTaskProxyless(HCaptchaFields):
    """Solve hCaptcha under its old proxyless name.

    Source: CapMonster docs until 2026-02.
    """
