"""NetEase Yidun (NECaptcha)."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, shared, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["YidunEnterpriseTask", "YidunTask"]


@shared
class YidunFields(Task[TokenSolution]):
    """What both editions take."""

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The page's site key (`id`)."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task("YidunTask", family="yidun")
class YidunTask(YidunFields):
    """Solve Yidun, with or without a proxy of yours.

    Source: CapMonster docs, yidun-task.
    """

    yidun_get_lib: str | None = f.url("yidunGetLib", default=None)
    """URL of the loader script."""
    yidun_api_server_subdomain: str | None = f.text("yidunApiServerSubdomain", default=None)
    """API host, if it is not `c.dun.163.com` or `c-v6.dun.163.com`."""


@task("YidunTask", family="yidun")
class YidunEnterpriseTask(YidunFields):
    """Solve the Enterprise (Business) edition of Yidun: its requests have `challenge` and `hcg`.

    Source: CapMonster docs, yidun-task.
    """

    yidun_get_lib: str = f.url("yidunGetLib")
    """URL of the loader script."""
    yidun_api_server_subdomain: str = f.text("yidunApiServerSubdomain")
    """API host."""
    challenge: str = f.text("challenge")
    """Id of the current captcha."""
    hcg: str = f.text("hcg")
    """Hash of the captcha."""
    hct: int = f.integer("hct", minimum=0)
    """Time of the captcha in milliseconds."""
