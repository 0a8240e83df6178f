"""Bot Deflector."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, task
from ._solutions import TokenSolution

__all__ = ["AntiBotdeflectorTask"]


@task("AntiBotdeflectorTaskProxyLess", family="botdeflector")
class AntiBotdeflectorTask(Task[TokenSolution]):
    """Solve Bot Deflector; what its answer looks like is not documented.

    Source: capsolver's list of types, by a third party.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    domain: str = f.text("domain")
    """The protection's host, such as `botdeflector.eu`."""
    flow_token: str = f.text("flowToken")
    """The page's flow token."""
