"""Arkose Labs FunCaptcha tokens; its images are in `complex_image`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from . import _encoded as encoded
from . import _fields as f
from ._model import Task, shared, task
from ._proxy import Proxy
from ._solutions import TokenSolution

__all__ = ["FunCaptchaTask", "FunCaptchaTaskProxyless"]


@shared
class FunCaptchaFields(Task[TokenSolution]):
    """What every name of FunCaptcha takes."""

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    website_public_key: str = f.text("websitePublicKey")
    """The public key (`pk`)."""
    data: Mapping[str, Any] | str | None = encoded.json_text("data", default=None)
    """What the site gives to Arkose, such as a one-time `blob`; or the JSON text of it."""
    funcaptcha_api_js_subdomain: str | None = f.text("funcaptchaApiJSSubdomain", default=None)
    """The `surl` host, if it is not `client-api.arkoselabs.com`."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    cookies: Mapping[str, str] | str | None = encoded.cookies("cookies", default=None)
    """Cookies to open the page with."""
    nocache: bool | None = f.flag("nocache", default=None)
    """True for a freshly made token instead of a cached one."""


@task("FunCaptchaTask", family="funcaptcha")
class FunCaptchaTask(FunCaptchaFields):
    """Solve FunCaptcha, with or without a proxy of yours.

    Source: CapMonster docs, funcaptcha-task; `nocache` is from the official .NET SDK.
    """

    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task("FunCaptchaTaskProxyless", family="funcaptcha", historic=True)
class FunCaptchaTaskProxyless(FunCaptchaFields):
    """Solve FunCaptcha under the type's old proxyless name.

    Source: CapMonster docs until 2024-10.
    """
