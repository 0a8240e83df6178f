"""Lemin."""

from __future__ import annotations

from . import _fields as f
from ._model import Solution, Task, solution, task
from ._proxy import Proxy

__all__ = ["LeminSolution", "LeminTask"]


@solution
class LeminSolution(Solution):
    """The values of Lemin's form."""

    answer: str = f.answer("answer")
    """Goes into `lemin_answer`."""
    challenge_id: str = f.answer("challenge_id")
    """Goes into `lemin_challenge_id`."""


@task("LeminTask", family="lemin")
class LeminTask(Task[LeminSolution]):
    """Solve Lemin, with or without a proxy of yours.

    Source: 2captcha docs, Lemin.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    captcha_id: str = f.text("captchaId")
    """The captcha's id, `CROPPED_…`."""
    div_id: str = f.text("divId")
    """Id of the element around the captcha."""
    lemin_api_server_subdomain: str | None = f.url("leminApiServerSubdomain", default=None)
    """Address of the API, if it is not Lemin's usual one."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
