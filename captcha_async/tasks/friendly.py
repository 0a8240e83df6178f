"""Friendly Captcha."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["FriendlyTask"]


@task("CustomTask", fixed={"class": "friendly"}, family="friendly")
class FriendlyTask(Task[TokenSolution]):
    """Solve Friendly Captcha, with or without a proxy of yours.

    The token of v1 goes into `frc-captcha-solution`, that of v2 into `frc-captcha-response`.

    Sources: CapMonster docs of 2026-08, friendly-task; 2captcha docs, Friendly Captcha.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The widget's site key."""
    api_get_lib: str | None = f.url("metadata.apiGetLib", default=None)
    """URL of the widget's script: `widget.module.min.js` (v1) or `site.min.js` (v2); CapMonster
    requires it."""
    version: str | None = f.text("version", default=None, values=("v1", "v2"))
    """Which generation; 2captcha only, which takes v1 without it."""
    module_script: str | None = f.url("moduleScript", default=None)
    """URL of the script with `type=module`; 2captcha only."""
    nomodule_script: str | None = f.url("nomoduleScript", default=None)
    """URL of the script with `nomodule`; 2captcha only."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
