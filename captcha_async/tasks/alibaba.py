"""Alibaba Cloud captcha."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import orjson

from . import _fields as f
from ._model import S_co, Task, shared, solution, task
from ._proxy import Proxy
from ._solutions import CookiesSolution, TokenSolution

__all__ = [
    "AlibabaCookiesSolution",
    "AlibabaCookiesTask",
    "AlibabaPunishTask",
    "AlibabaSolution",
    "AlibabaTask",
]


def _token_text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()


def _token_values(value: Any) -> dict[str, Any]:
    values = orjson.loads(value) if isinstance(value, str) else value
    if not isinstance(values, dict):
        raise TypeError("expected the JSON text of an object")
    return values


@solution
class AlibabaSolution(TokenSolution):
    """What the page sends to have the captcha verified."""

    token: str = f.answer("data.tokens", "tokens", "data.token", "token", decode=_token_text)
    """The JSON text to submit."""
    tokens: Mapping[str, Any] = f.answer("data.tokens", "tokens", decode=_token_values)
    """The same taken apart: `sceneId`, `certifyId`, `deviceToken` and `data`."""


@solution
class AlibabaCookiesSolution(CookiesSolution):
    """Cookies to set, and the token where the service sends both."""

    token: str | None = f.answer("data.tokens", "tokens", default=None, decode=_token_text)
    """The JSON text to submit."""
    tokens: Mapping[str, Any] | None = f.answer(
        "data.tokens", "tokens", default=None, decode=_token_values
    )
    """The same taken apart."""


@shared
class AlibabaPageFields(Task[S_co]):
    """What every form takes."""

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@shared
class AlibabaSceneFields(AlibabaPageFields[S_co]):
    """What describes the captcha of a page more closely."""

    user_id: str | None = f.text("metadata.userId", default=None)
    """The site's id of the user or session."""
    user_user_id: str | None = f.text("metadata.userUserId", default=None)
    """The site's second id."""
    verify_type: str | None = f.text("metadata.verifyType", default=None)
    """Version of the mechanism, such as `1.0`."""
    region: str | None = f.text("metadata.region", default=None)
    """Region, such as `sgp`."""
    user_certify_id: str | None = f.text("metadata.UserCertifyId", default=None)
    """Id of the session's verification."""
    api_get_lib: str | None = f.url("metadata.apiGetLib", default=None)
    """URL of `AliyunCaptcha.js`."""


@task("CustomTask", fixed={"class": "alibaba"}, family="alibaba")
class AlibabaTask(AlibabaSceneFields[AlibabaSolution]):
    """Solve the Alibaba captcha, with or without a proxy of yours.

    Source: CapMonster docs, alibaba-task; most optional fields are in the version of 2026-08 only.
    """

    scene_id: str = f.text("metadata.sceneId")
    """Id of the scenario."""
    prefix: str = f.text("metadata.prefix")
    """Subdomain of the captcha's host."""


@task("CustomTask", fixed={"class": "alibaba", "metadata.cookieRequired": True}, family="alibaba")
class AlibabaCookiesTask(AlibabaSceneFields[AlibabaCookiesSolution]):
    """Solve the Alibaba captcha and get cookies too.

    Source: CapMonster docs of 2026-08, alibaba-task.
    """

    scene_id: str | None = f.text("metadata.sceneId", default=None)
    """Id of the scenario."""
    prefix: str | None = f.text("metadata.prefix", default=None)
    """Subdomain of the captcha's host."""
    punish_url: str | None = f.url("metadata.punishUrl", default=None)
    """The punish page, on sites that have one."""


@task("CustomTask", fixed={"class": "alibaba"}, family="alibaba")
class AlibabaPunishTask(AlibabaPageFields[CookiesSolution]):
    """Pass a punish page and get its cookies.

    Source: CapMonster docs of 2026-08, alibaba-task.
    """

    punish_url: str = f.url("metadata.punishUrl")
    """Full URL of the `/punish` page with port, `x5secdata`, `x5step`, `action`, `pureCaptcha`."""
