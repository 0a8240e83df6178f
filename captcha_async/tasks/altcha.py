"""Altcha."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, solution, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["AltchaSolution", "AltchaTask"]


@solution
class AltchaSolution(TokenSolution):
    """Altcha's payload."""

    number: int | None = f.answer("data.number", "number", default=None, show=True)
    """The solved number alone."""


@task("CustomTask", fixed={"class": "altcha"}, family="altcha")
class AltchaTask(Task[AltchaSolution]):
    """Solve Altcha, with or without a proxy of yours.

    Source: CapMonster docs, altcha-task.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey", empty=True)
    """The site's key; '' where it has none."""
    challenge: str = f.text("metadata.challenge")
    """The challenge from the site."""
    iterations: int = f.integer("metadata.iterations", minimum=0, as_text=True)
    """The challenge's `maxnumber`."""
    salt: str = f.text("metadata.salt")
    """The whole salt with its query part."""
    signature: str = f.text("metadata.signature")
    """The signature from the site."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
