"""CyberSiAra."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["AntiCyberSiAraTask"]


@task("AntiCyberSiAraTask", family="cybersiara")
class AntiCyberSiAraTask(Task[TokenSolution]):
    """Solve CyberSiAra, with or without a proxy of yours.

    Source: 2captcha docs, CyberSiARA.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    slide_master_url_id: str = f.text("SlideMasterUrlId")
    """The `MasterUrlId` of the request to `API/CyberSiara/GetCyberSiara`."""
    user_agent: str = f.text("userAgent")
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
