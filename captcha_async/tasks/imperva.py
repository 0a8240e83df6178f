"""Imperva (Incapsula)."""

from __future__ import annotations

from collections.abc import Mapping

from . import _encoded as encoded
from . import _fields as f
from ._model import Task, task
from ._proxy import Proxy
from ._solutions import CookiesSolution

__all__ = ["ImpervaTask", "IncapsulaTask"]


@task("CustomTask", fixed={"class": "Imperva"}, family="imperva")
class ImpervaTask(Task[CookiesSolution]):
    """Pass Imperva's check through a proxy of yours.

    Source: CapMonster docs, incapsula. "Error 16" on the site: the proxy is in another country.
    """

    website_url: str = f.url("websiteURL")
    """The site's main page."""
    incapsula_script_url: str = f.text("metadata.incapsulaScriptUrl")
    """Name of the script resource, `_Incapsula_Resource?…`."""
    incapsula_cookies: Mapping[str, str] | str = encoded.cookies("metadata.incapsulaCookies")
    """The cookies `incap_ses_…` and `visid_incap_…`."""
    reese84_url_endpoint: str | None = f.text("metadata.reese84UrlEndpoint", default=None)
    """Where the page posts its reese84 fingerprint, up to `?d=`."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy = f.proxy()
    """Proxy of yours to open the page through; the answer works from there only."""


IncapsulaTask = ImpervaTask
"""2captcha's name of it."""
