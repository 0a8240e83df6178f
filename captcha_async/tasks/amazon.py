"""AWS WAF: captcha widget, challenge page and invisible challenge."""

from __future__ import annotations

from collections.abc import Mapping

from . import _fields as f
from ._model import Task, shared, solution, task
from ._proxy import Proxy
from ._rules import at_least_one
from ._solutions import TokenSolution, cookie_text

__all__ = [
    "AmazonChallengeTask",
    "AmazonInvisibleTask",
    "AmazonSolution",
    "AmazonTask",
    "AmazonTaskProxyless",
]


def _waf_token(value: object) -> str:
    return cookie_text(value).removeprefix("aws-waf-token=")


@solution
class AmazonSolution(TokenSolution):
    """The pass of AWS WAF."""

    token: str = f.answer(
        "cookies.aws-waf-token", "existing_token", "token", "cookie", decode=_waf_token
    )
    """Value of the cookie `aws-waf-token`."""
    captcha_voucher: str | None = f.answer("captcha_voucher", default=None)
    """For the page's captcha callback; comes unless `cookie_solution` is set."""
    cookies: Mapping[str, str] | None = f.answer("cookies", default=None)
    """All cookies to set, if the service sends them."""
    domain: str | None = f.answer("domain", default=None, show=True)
    """Host that the cookie belongs to, if the service tells it."""


@shared
class AmazonFields(Task[AmazonSolution]):
    """What every form of AWS WAF takes."""

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    cookie_solution: bool | None = f.flag("cookieSolution", default=None)
    """True to get the cookie `aws-waf-token`; otherwise a voucher comes with the token."""
    existing_token: str | None = f.secret("existingToken", default=None)
    """The cookie `aws-waf-token` of the last verification; capsolver only."""


@task("AmazonTask", family="amazon")
class AmazonTask(AmazonFields):
    """Solve the captcha widget (option 1), with or without a proxy of yours.

    Source: CapMonster docs, amazon-task.
    """

    website_key: str = f.text("websiteKey")
    """The `apiKey` that the widget is rendered with."""
    captcha_script: str = f.url("captchaScript")
    """URL of `jsapi.js`."""
    problem_url: str | None = f.url("problemUrl", default=None)
    """URL of the request for a problem; capsolver only."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task("AmazonTask", family="amazon")
class AmazonChallengeTask(AmazonFields):
    """Pass a challenge page with a captcha (option 2), with or without a proxy of yours.

    Source: CapMonster docs, amazon-task.
    """

    website_key: str = f.text("websiteKey")
    """`gokuProps.key` of the page."""
    context: str = f.text("context")
    """`gokuProps.context` of the page."""
    iv: str = f.text("iv")
    """`gokuProps.iv` of the page."""
    challenge_script: str | None = f.url("challengeScript", default=None)
    """URL of `challenge.js`; CapMonster requires it."""
    captcha_script: str | None = f.url("captchaScript", default=None)
    """URL of `captcha.js`."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task("AmazonTask", fixed={"context": "", "iv": ""}, family="amazon")
class AmazonInvisibleTask(AmazonFields):
    """Pass an invisible challenge (option 3); set `cookie_solution`.

    Source: CapMonster docs, amazon-task; `website_key` and `captcha_script` are in the version of
    2026-03 only, with any text.
    """

    challenge_script: str = f.url("challengeScript")
    """URL of `challenge.js`."""
    website_key: str | None = f.text("websiteKey", default=None, empty=True)
    """Any text."""
    captcha_script: str | None = f.text("captchaScript", default=None, empty=True)
    """Any text."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task("AmazonTaskProxyless", family="amazon", historic=True)
class AmazonTaskProxyless(AmazonFields):
    """Solve any form of AWS WAF under the type's old proxyless name.

    Source: CapMonster docs until 2025-09.
    """

    website_key: str = f.text("websiteKey")
    """The `apiKey` of the widget, or `gokuProps.key` of the page."""
    captcha_script: str | None = f.url("captchaScript", default=None)
    """URL of `jsapi.js` or `captcha.js`."""
    challenge_script: str | None = f.url("challengeScript", default=None)
    """URL of `challenge.js`."""
    context: str | None = f.text("context", default=None, empty=True)
    """`gokuProps.context` of the page."""
    iv: str | None = f.text("iv", default=None, empty=True)
    """`gokuProps.iv` of the page."""

    def __attrs_post_init__(self) -> None:
        at_least_one(self, "captcha_script", "challenge_script")
