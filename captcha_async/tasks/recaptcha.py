"""Google reCAPTCHA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _fields as f
from ._model import Solution, Task, solution, task
from ._proxy import Proxy

__all__ = [
    "NoCaptchaTaskProxyless",
    "RecaptchaSolution",
    "RecaptchaV2EnterpriseTask",
    "RecaptchaV2Task",
    "RecaptchaV3TaskProxyless",
]

TOKEN_LIFE = 60.0
"""Seconds that a reCAPTCHA token can be used (CapMonster docs)."""


@solution
class RecaptchaSolution(Solution):
    """A reCAPTCHA token."""

    token: str = f.answer("gRecaptchaResponse", "token")
    """Goes into the form field `g-recaptcha-response`; good for about 60 s."""
    user_agent: str | None = f.answer("userAgent", default=None, show=True)
    """The browser that the token is bound to, if the service names one: submit with it."""
    cookies: Mapping[str, str] | None = f.answer("cookies", default=None)
    """Cookies to submit with, if the service sends any."""


@task("RecaptchaV2Task", family="recaptcha", report="token", token_life=TOKEN_LIFE)
class RecaptchaV2Task(Task[RecaptchaSolution]):
    """Solve reCAPTCHA v2, with or without a proxy of yours.

    Sources: CapMonster docs, no-captcha-task; captcha69 docs, createTask.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's `data-sitekey`."""
    recaptcha_data_s_value: str | None = f.text("recaptchaDataSValue", default=None)
    """One-time `data-s` value of some pages; fetch it anew for each task."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present; a stale one is refused (ERROR_WRONG_USERAGENT)."""
    cookies: Mapping[str, str] | None = f.cookies("cookies", default=None)
    """Cookies to open the page with."""
    is_invisible: bool | None = f.flag("isInvisible", default=None)
    """True for the invisible widget."""
    nocache: bool | None = f.flag("nocache", default=None)
    """True for a freshly made token instead of a cached one."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task(
    "NoCaptchaTaskProxyless",
    family="recaptcha",
    report="token",
    token_life=TOKEN_LIFE,
    historic=True,
)
class NoCaptchaTaskProxyless(Task[RecaptchaSolution]):
    """Solve reCAPTCHA v2 under its old name, for services that still want it.

    Sources: CapMonster docs of 2023; the Russian createTask page.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's `data-sitekey`."""
    recaptcha_data_s_value: str | None = f.text("recaptchaDataSValue", default=None)
    """One-time `data-s` value of some pages; fetch it anew for each task."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    cookies: Mapping[str, str] | None = f.cookies("cookies", default=None)
    """Cookies to open the page with."""
    is_invisible: bool | None = f.flag("isInvisible", default=None)
    """True for the invisible widget."""


@task("RecaptchaV2EnterpriseTask", family="recaptcha", report="token", token_life=TOKEN_LIFE)
class RecaptchaV2EnterpriseTask(Task[RecaptchaSolution]):
    """Solve reCAPTCHA v2 Enterprise, with or without a proxy of yours.

    Source: CapMonster docs, recaptcha-v2-enterprise-task; `recaptcha_data_s_value` and `nocache`
    are from the official SDKs.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's site key."""
    page_action: str | None = f.text("pageAction", default=None)
    """Action that the widget sends, if it is not `verify`."""
    enterprise_payload: Mapping[str, Any] | None = f.nested("enterprisePayload", default=None)
    """Further render parameters; the only documented key is `s`."""
    api_domain: str | None = f.text("apiDomain", default=None)
    """Host to load reCAPTCHA from, such as `www.recaptcha.net`."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    cookies: Mapping[str, str] | None = f.cookies("cookies", default=None)
    """Cookies to open the page with."""
    recaptcha_data_s_value: str | None = f.text("recaptchaDataSValue", default=None)
    """One-time `data-s` value."""
    nocache: bool | None = f.flag("nocache", default=None)
    """True for a freshly made token instead of a cached one."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task("RecaptchaV3TaskProxyless", family="recaptcha", report="token", token_life=TOKEN_LIFE)
class RecaptchaV3TaskProxyless(Task[RecaptchaSolution]):
    """Get a reCAPTCHA v3 token; the service uses proxies of its own.

    Source: CapMonster docs, recaptcha-v3-task.
    """

    website_url: str = f.url("websiteURL")
    """The page that runs the captcha."""
    website_key: str = f.text("websiteKey")
    """The `render=` value of the script."""
    is_enterprise: bool | None = f.flag("isEnterprise", default=None)
    """True to be treated as Enterprise."""
    min_score: float | None = f.number("minScore", default=None, minimum=0.1, maximum=0.9)
    """Lowest acceptable score."""
    page_action: str | None = f.text("pageAction", default=None)
    """Action name that the page uses, if it is not `verify`."""
    nocache: bool | None = f.flag("nocache", default=None)
    """True for a freshly made token instead of a cached one."""
