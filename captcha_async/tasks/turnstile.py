"""Cloudflare Turnstile."""

from __future__ import annotations

from . import _fields as f
from ._model import Solution, Task, solution, task
from ._proxy import Proxy

__all__ = ["TurnstileSolution", "TurnstileTask"]


@solution
class TurnstileSolution(Solution):
    """A Turnstile token."""

    token: str = f.answer("token")
    """Goes into the form field `cf-turnstile-response`."""
    user_agent: str | None = f.answer("userAgent", default=None, show=True)
    """The browser that the token is bound to, if the service names one: submit with it."""


@task("TurnstileTask", family="turnstile", report="token")
class TurnstileTask(Task[TurnstileSolution]):
    """Solve a Turnstile widget, with or without a proxy of yours.

    Source: CapMonster docs, turnstile-task.
    """

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
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
