"""Google reCAPTCHA."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _encoded as encoded
from . import _fields as f
from ._model import Task, shared, solution, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = [
    "NoCaptchaTask",
    "NoCaptchaTaskProxyless",
    "RecaptchaSolution",
    "RecaptchaV2EnterpriseTask",
    "RecaptchaV2EnterpriseTaskProxyless",
    "RecaptchaV2Task",
    "RecaptchaV2TaskProxyless",
    "RecaptchaV3EnterpriseM1Task",
    "RecaptchaV3EnterpriseTask",
    "RecaptchaV3M1Task",
    "RecaptchaV3Task",
    "RecaptchaV3TaskProxyless",
]

TOKEN_LIFE = 60.0
"""Seconds that a reCAPTCHA token can be used (CapMonster docs)."""


@solution
class RecaptchaSolution(TokenSolution):
    """A reCAPTCHA token."""

    token: str = f.answer("gRecaptchaResponse", "token")
    """Goes into the form field `g-recaptcha-response`; good for about 60 s."""
    cookies: Mapping[str, str] | None = f.answer("cookies", default=None)
    """Cookies to submit with, if the service sends any."""
    session: str | None = f.answer("session", "recaptcha-ca-t", "recaptcha-ca-e", default=None)
    """The session's cookie, where the task asks for it."""
    expire_time: int | None = f.answer("expireTime", default=None, show=True)
    """Unix time in milliseconds when the token ends, if the service tells it."""


@shared
class RecaptchaV2Fields(Task[RecaptchaSolution]):
    """What every name of reCAPTCHA v2 takes."""

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's `data-sitekey`."""
    recaptcha_data_s_value: str | None = f.text("recaptchaDataSValue", default=None)
    """One-time `data-s` value of some pages; fetch it anew for each task."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present; a stale one is refused (ERROR_WRONG_USERAGENT)."""
    cookies: Mapping[str, str] | str | None = encoded.cookies("cookies", default=None)
    """Cookies to open the page with."""
    is_invisible: bool | None = f.flag("isInvisible", default=None)
    """True for the invisible widget."""
    api_domain: str | None = f.text("apiDomain", default=None)
    """Host to load reCAPTCHA from, if it is not `google.com`; not at CapMonster."""
    page_action: str | None = f.text("pageAction", default=None)
    """The widget's `sa` value; capsolver only."""
    is_session: bool | None = f.flag("isSession", default=None)
    """True to get the session's cookie too; capsolver only."""
    nocache: bool | None = f.flag("nocache", default=None)
    """True for a freshly made token instead of a cached one."""


@task("RecaptchaV2Task", family="recaptcha", report="recaptcha", token_life=TOKEN_LIFE)
class RecaptchaV2Task(RecaptchaV2Fields):
    """Solve reCAPTCHA v2, with or without a proxy of yours.

    Sources: CapMonster docs, no-captcha-task; captcha69 docs, createTask.
    """

    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task("NoCaptchaTask", family="recaptcha", report="recaptcha", token_life=TOKEN_LIFE, historic=True)
class NoCaptchaTask(RecaptchaV2Fields):
    """Solve reCAPTCHA v2 under its oldest name.

    Sources: CapMonster docs of 2023; the official .NET SDK still sends it.
    """

    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task(
    "NoCaptchaTaskProxyless",
    family="recaptcha",
    report="recaptcha",
    token_life=TOKEN_LIFE,
    historic=True,
)
class NoCaptchaTaskProxyless(RecaptchaV2Fields):
    """Solve reCAPTCHA v2 under its oldest name, without a proxy.

    Sources: CapMonster docs of 2023; the Russian createTask page.
    """


@task(
    "RecaptchaV2TaskProxyless",
    family="recaptcha",
    report="recaptcha",
    token_life=TOKEN_LIFE,
    historic=True,
)
class RecaptchaV2TaskProxyless(RecaptchaV2Fields):
    """Solve reCAPTCHA v2 under the proxyless name of 2023 to 2025.

    Source: CapMonster docs of 2023-11 to 2025-04.
    """


@shared
class RecaptchaV2EnterpriseFields(Task[RecaptchaSolution]):
    """What every name of reCAPTCHA v2 Enterprise takes."""

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
    is_invisible: bool | None = f.flag("isInvisible", default=None)
    """True for the invisible widget; not at CapMonster."""
    is_session: bool | None = f.flag("isSession", default=None)
    """True to get the session's cookie too; capsolver only."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    cookies: Mapping[str, str] | str | None = encoded.cookies("cookies", default=None)
    """Cookies to open the page with."""
    recaptcha_data_s_value: str | None = f.text("recaptchaDataSValue", default=None)
    """One-time `data-s` value."""
    nocache: bool | None = f.flag("nocache", default=None)
    """True for a freshly made token instead of a cached one."""


@task("RecaptchaV2EnterpriseTask", family="recaptcha", report="recaptcha", token_life=TOKEN_LIFE)
class RecaptchaV2EnterpriseTask(RecaptchaV2EnterpriseFields):
    """Solve reCAPTCHA v2 Enterprise, with or without a proxy of yours.

    Source: CapMonster docs, recaptcha-v2-enterprise-task; `recaptcha_data_s_value` and `nocache`
    are from the official SDKs.
    """

    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task(
    "RecaptchaV2EnterpriseTaskProxyless",
    family="recaptcha",
    report="recaptcha",
    token_life=TOKEN_LIFE,
    historic=True,
)
class RecaptchaV2EnterpriseTaskProxyless(RecaptchaV2EnterpriseFields):
    """Solve reCAPTCHA v2 Enterprise under its old proxyless name.

    Source: CapMonster docs until 2025-04.
    """


@shared
class RecaptchaV3Fields(Task[RecaptchaSolution]):
    """What every name of reCAPTCHA v3 takes."""

    website_url: str = f.url("websiteURL")
    """The page that runs the captcha."""
    website_key: str = f.text("websiteKey")
    """The `render=` value of the script."""
    min_score: float | None = f.number("minScore", default=None, minimum=0.1, maximum=0.9)
    """Lowest acceptable score; anti-captcha and 2captcha require it, as 0.3, 0.7 or 0.9."""
    page_action: str | None = f.text("pageAction", default=None)
    """Action name that the page uses, if it is not `verify`."""
    api_domain: str | None = f.text("apiDomain", default=None)
    """Host to load reCAPTCHA from, such as `www.recaptcha.net`; not at CapMonster."""
    enterprise_payload: Mapping[str, Any] | None = f.nested("enterprisePayload", default=None)
    """Further parameters such as `s`; capsolver only."""
    cookies: Mapping[str, str] | str | None = encoded.cookies("cookies", default=None)
    """Cookies to open the page with; capsolver only."""
    is_session: bool | None = f.flag("isSession", default=None)
    """True to get the session's cookie too; capsolver only."""


@shared
class PlainRecaptchaV3Fields(RecaptchaV3Fields):
    """What the types that are not Enterprise's own take besides."""

    is_enterprise: bool | None = f.flag("isEnterprise", default=None)
    """True to be treated as Enterprise; not at capsolver, which has types for it."""
    nocache: bool | None = f.flag("nocache", default=None)
    """True for a freshly made token instead of a cached one."""


@task("RecaptchaV3TaskProxyless", family="recaptcha_v3", report="recaptcha", token_life=TOKEN_LIFE)
class RecaptchaV3TaskProxyless(PlainRecaptchaV3Fields):
    """Get a reCAPTCHA v3 token; the service uses proxies of its own.

    Source: CapMonster docs, recaptcha-v3-task.
    """


@task("ReCaptchaV3Task", family="recaptcha_v3", report="recaptcha", token_life=TOKEN_LIFE)
class RecaptchaV3Task(PlainRecaptchaV3Fields):
    """Get a reCAPTCHA v3 token, at capsolver also through a proxy of yours.

    Sources: CapMonster docs, recaptcha-v3-task; capsolver docs, ReCaptchaV3.
    """

    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through; capsolver only."""


@task("RecaptchaV3EnterpriseTask", family="recaptcha_v3", report="recaptcha", token_life=TOKEN_LIFE)
class RecaptchaV3EnterpriseTask(RecaptchaV3Fields):
    """Get a reCAPTCHA v3 Enterprise token.

    Source: CapMonster docs, recaptcha-v3-enterprise-task.
    """

    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through; capsolver only."""


@task("ReCaptchaV3M1Task", family="recaptcha_v3", report="recaptcha", token_life=TOKEN_LIFE)
class RecaptchaV3M1Task(RecaptchaV3Fields):
    """Get a reCAPTCHA v3 token by capsolver's second method (M1).

    Source: capsolver docs, ReCaptchaV3.
    """

    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task(
    "ReCaptchaV3EnterpriseM1Task", family="recaptcha_v3", report="recaptcha", token_life=TOKEN_LIFE
)
class RecaptchaV3EnterpriseM1Task(RecaptchaV3Fields):
    """Get a reCAPTCHA v3 Enterprise token by capsolver's second method (M1).

    Source: capsolver docs, ReCaptchaV3.
    """

    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
