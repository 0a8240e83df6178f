"""Basilisk (FaucetPay)."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, solution, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["BasiliskSolution", "BasiliskTask"]


@solution
class BasiliskSolution(TokenSolution):
    """Basilisk's response."""

    token: str = f.answer("data.captcha_response", "token", "captcha_response")
    """Goes into the form field `captcha_response`."""


@task("CustomTask", fixed={"class": "Basilisk"}, family="basilisk")
class BasiliskTask(Task[BasiliskSolution]):
    """Solve Basilisk, with or without a proxy of yours.

    Source: CapMonster docs, Basilisk-task.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's site key."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
