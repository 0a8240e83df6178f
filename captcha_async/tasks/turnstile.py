"""Cloudflare: the Turnstile widget, the Challenge page and the Waiting Room."""

from __future__ import annotations

from . import _encoded as encoded
from . import _fields as f
from ._model import Solution, Task, shared, solution, task
from ._proxy import Proxy
from ._solutions import TokenSolution, cookie_text

__all__ = [
    "ClearanceSolution",
    "TurnstileChallengeCookieTask",
    "TurnstileChallengeTokenTask",
    "TurnstileSolution",
    "TurnstileTask",
    "TurnstileTaskProxyless",
    "TurnstileWaitingRoomTask",
]


TOKEN_LIFE = 300.0
"""Seconds that a Turnstile token is valid after it was made, for one validation (Cloudflare docs,
Turnstile, "Validate the token")."""


@solution
class TurnstileSolution(TokenSolution):
    """A Turnstile token."""

    token: str = f.answer("token")
    """Goes into the form field `cf-turnstile-response`; good for 300 s and one use."""


def _clearance(value: object) -> str:
    """Read the value, or a text of cookies that has it."""
    if not isinstance(value, str):
        raise TypeError("expected the value of a cookie")
    if "cf_clearance=" not in value:
        return value
    return cookie_text(value.partition("cf_clearance=")[2])


@solution
class ClearanceSolution(Solution):
    """The pass of a Challenge page or a Waiting Room."""

    cf_clearance: str = f.answer(
        "cf_clearance", "cookies.cf_clearance", "token", "cookies", decode=_clearance
    )
    """Value of the cookie of that name; it works from the task's proxy and user agent only."""
    user_agent: str | None = f.answer("userAgent", "headers.User-Agent", default=None, show=True)
    """The browser that the cookie is bound to, if the service names one."""


@shared
class TurnstileFields(Task[TurnstileSolution]):
    """What every name of the plain widget takes."""

    website_url: str = f.url("websiteURL")
    """The page that shows the widget."""
    website_key: str = f.text("websiteKey")
    """The widget's site key."""
    page_action: str | None = f.text("pageAction", default=None)
    """The widget's `action`."""
    data: str | None = f.text("data", default=None)
    """The widget's `cData`."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""


@task("TurnstileTask", family="turnstile", report="token", token_life=TOKEN_LIFE)
class TurnstileTask(TurnstileFields):
    """Solve a Turnstile widget, with or without a proxy of yours.

    Source: CapMonster docs, turnstile-task.
    """

    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task(
    "TurnstileTaskProxyless",
    family="turnstile",
    report="token",
    token_life=TOKEN_LIFE,
    historic=True,
)
class TurnstileTaskProxyless(TurnstileFields):
    """Solve a Turnstile widget under the type's old proxyless name.

    Source: CapMonster docs until 2025-08.
    """


@task(
    "TurnstileTask",
    fixed={"cloudflareTaskType": "token"},
    family="turnstile",
    report="token",
    token_life=TOKEN_LIFE,
)
class TurnstileChallengeTokenTask(Task[TurnstileSolution]):
    """Get the token of a Challenge page, with or without a proxy of yours.

    Source: CapMonster docs, turnstile-challenge-task.
    """

    website_url: str = f.url("websiteURL")
    """The page behind the challenge."""
    website_key: str = f.text("websiteKey")
    """The challenge's site key."""
    page_action: str = f.text("pageAction")
    """The challenge's `action`: `managed` or `non-interactive`."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present; CapMonster requires it, others choose their own."""
    data: str = f.text("data")
    """The challenge's `cData`."""
    page_data: str = f.text("pageData")
    """The challenge's `chlPageData`."""
    api_js_url: str | None = f.text("apiJsUrl", default=None)
    """URL of the captcha's script."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@shared
class ClearanceFields(Task[ClearanceSolution]):
    """What the tasks that lead to a `cf_clearance` cookie take."""

    website_url: str = f.url("websiteURL")
    """The page behind the challenge or the queue."""
    website_key: str | None = f.text("websiteKey", default=None)
    """The site key; CapMonster wants it to be there, with any text."""
    html_page_base64: encoded.File | None = encoded.page("htmlPageBase64", default=None)
    """The whole HTML of the "Just a moment" or Waiting Room page, or its base64 text; CapMonster
    requires it."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present; CapMonster requires it."""
    proxy: Proxy = f.proxy()
    """Proxy of yours to open the page through; the cookie works from there only."""


@task(
    "TurnstileTask",
    fixed={"cloudflareTaskType": "cf_clearance"},
    family="turnstile",
    report="token",
)
class TurnstileChallengeCookieTask(ClearanceFields):
    """Pass a Challenge page and get its cookie.

    Source: CapMonster docs, turnstile-challenge-task.
    """


@task(
    "TurnstileTask",
    fixed={"cloudflareTaskType": "wait_room"},
    family="waiting_room",
    report="token",
)
class TurnstileWaitingRoomTask(ClearanceFields):
    """Pass a Waiting Room and get its cookie.

    Source: CapMonster docs, turnstile-waitroom-task.
    """
