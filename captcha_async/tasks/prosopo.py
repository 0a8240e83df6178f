"""Prosopo Procaptcha."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["ProsopoTask"]


@task("ProsopoTask", family="prosopo")
class ProsopoTask(Task[TokenSolution]):
    """Solve Prosopo Procaptcha, with or without a proxy of yours.

    Source: CapMonster docs, prosopo-task; `user_agent` is in the version of 2026-08 only.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's site key."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
