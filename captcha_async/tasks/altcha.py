"""Altcha."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _encoded as encoded
from . import _fields as f
from ._model import Task, solution, task
from ._proxy import Proxy
from ._rules import at_most_one
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

    Sources: CapMonster docs, altcha-task; 2captcha docs, Altcha.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str | None = f.text("websiteKey", default=None, empty=True)
    """The site's key, '' where it has none; CapMonster wants it to be there."""
    challenge: str | None = f.text("metadata.challenge", default=None)
    """The challenge from the site; CapMonster wants it and the next three."""
    iterations: int | None = f.integer("metadata.iterations", default=None, minimum=0, as_text=True)
    """The challenge's `maxnumber`."""
    salt: str | None = f.text("metadata.salt", default=None)
    """The whole salt with its query part."""
    signature: str | None = f.text("metadata.signature", default=None)
    """The signature from the site."""
    challenge_url: str | None = f.text("challengeURL", default=None)
    """URL or path of the challenge; anti-captcha and 2captcha want it or the challenge itself."""
    challenge_json: Mapping[str, Any] | str | None = encoded.json_text(
        "challengeJSON", default=None
    )
    """The challenge as the site sends it, or the JSON text of it."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""

    def __attrs_post_init__(self) -> None:
        at_most_one(self, "challenge_url", "challenge_json")
