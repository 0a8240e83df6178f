"""HUNT."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, shared, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["HuntMetaTokenTask", "HuntTask", "HuntWidgetTask"]


@shared
class HuntFields(Task[TokenSolution]):
    """What every mode takes."""

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    api_get_lib: str = f.url("metadata.apiGetLib")
    """URL of the site's `api.js`."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy = f.proxy()
    """Proxy of yours to open the page through; the answer works from there only."""


@task("CustomTask", fixed={"class": "HUNT"}, family="hunt")
class HuntTask(HuntFields):
    """Get the `X-HD` fingerprint through a proxy of yours, to whose address it is bound.

    Source: CapMonster docs, hunt-task.
    """


@task("CustomTask", fixed={"class": "HUNT"}, family="hunt")
class HuntMetaTokenTask(HuntFields):
    """Solve HUNT by the site's `meta.token`, through a proxy of yours.

    Source: CapMonster docs, hunt-task.
    """

    data: str = f.text("metadata.data")
    """The site's `meta.token`."""


@task("CustomTask", fixed={"class": "HUNT"}, family="hunt")
class HuntWidgetTask(HuntFields):
    """Solve HUNT by the URL of its widget, through a proxy of yours.

    Source: CapMonster docs of 2026-08, hunt-task.
    """

    widget_url: str = f.url("metadata.widgetUrl")
    """The widget's full URL."""
