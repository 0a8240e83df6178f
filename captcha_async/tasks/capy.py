"""Capy."""

from __future__ import annotations

from . import _fields as f
from ._model import Solution, Task, solution, task
from ._proxy import Proxy

__all__ = ["CapySolution", "CapyTask"]


@solution
class CapySolution(Solution):
    """The values of Capy's form."""

    captchakey: str = f.answer("captchakey", show=True)
    """Goes into `capy_captchakey`: the task's site key."""
    challengekey: str = f.answer("challengekey")
    """Goes into `capy_challengekey`."""
    answer: str = f.answer("answer")
    """Goes into `capy_answer`."""
    resp_key: str | None = f.answer("respKey", default=None)
    """Usually empty."""


@task("CapyTask", family="capy")
class CapyTask(Task[CapySolution]):
    """Solve Capy's puzzle, with or without a proxy of yours.

    Source: 2captcha docs, Capy.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The `captchakey`, `PUZZLE_…`."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
