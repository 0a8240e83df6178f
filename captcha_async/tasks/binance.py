"""Binance."""

from __future__ import annotations

from . import _fields as f
from ._model import Task, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["BinanceTask"]


@task("BinanceTask", family="binance")
class BinanceTask(Task[TokenSolution]):
    """Solve the captcha of Binance's login, with or without a proxy of yours.

    Source: CapMonster docs, binance: for the login to one's own account only.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_key: str = f.text("websiteKey")
    """The page's `bizId`, `bizType` or `bizCode`, such as `login`."""
    validate_id: str = f.text("validateId")
    """The page's `validateId` or `securityId`; it changes each time."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""
