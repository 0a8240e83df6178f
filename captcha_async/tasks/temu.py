"""Temu."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from . import _encoded as encoded
from . import _fields as f
from ._model import Task, task
from ._proxy import Proxy
from ._puzzle import CoordinatesSolution
from ._solutions import CookiesSolution

__all__ = ["TemuImageTask", "TemuTask"]


# The page is a draft in the docs, not a thing of the past: the official SDKs have the class.
@task("CustomTask", fixed={"class": "Temu"}, family="temu")
class TemuTask(Task[CookiesSolution]):
    """Pass Temu's check, with or without a proxy of yours; clear the old cookies before use.

    Source: CapMonster docs, temu-task (a draft).
    """

    website_url: str = f.url("websiteURL")
    """The verification page with its whole query."""
    cookie: Mapping[str, str] | str = encoded.cookies("metadata.cookie")
    """All cookies of that page (`document.cookie`)."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through."""


@task("TemuImageTask", family="image", report="image")
class TemuImageTask(Task[CoordinatesSolution]):
    """Say where the pieces of Temu's picture belong.

    Source: 2captcha docs, Temu.
    """

    image: encoded.File = encoded.image("image")
    """The background."""
    parts: Sequence[encoded.File] = encoded.images("parts")
    """The pieces that can be moved; the answer has one point for each."""
