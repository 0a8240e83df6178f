"""GeeTest v3 and v4."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import attrs

from . import _encoded as encoded
from . import _fields as f
from ._model import Solution, Task, shared, solution, task
from ._proxy import Proxy

__all__ = [
    "GeeTestOperationSolution",
    "GeeTestOperationTask",
    "GeeTestSolution",
    "GeeTestTask",
    "GeeTestTaskProxyless",
    "GeeTestV4Solution",
    "GeeTestV4Task",
]


def _seccode(answer: GeeTestSolution) -> str:
    return f"{answer.validate}|jordan"


@solution
class GeeTestSolution(Solution):
    """The three values of GeeTest v3."""

    challenge: str = f.answer("challenge")
    """Goes into `geetest_challenge`."""
    validate: str = f.answer("validate")
    """Goes into `geetest_validate`."""
    seccode: str = f.answer("seccode", default=attrs.Factory(_seccode, takes_self=True))
    """Goes into `geetest_seccode`; made from `validate` where the service leaves it out."""


@solution
class GeeTestV4Solution(Solution):
    """The five values of GeeTest v4."""

    captcha_id: str = f.answer("captcha_id")
    """The captcha's id, the task's `gt`."""
    lot_number: str = f.answer("lot_number")
    """The lot."""
    pass_token: str = f.answer("pass_token")
    """The pass token."""
    gen_time: str = f.answer("gen_time", show=True)
    """Unix time of the answer, as text."""
    captcha_output: str = f.answer("captcha_output")
    """The output."""
    risk_type: str | None = f.answer("risk_type", default=None, show=True)
    """Which kind of captcha it was, if the service tells it."""


@solution
class GeeTestOperationSolution(Solution):
    """The values of a GeeTest that a page runs for one of its operations."""

    lot_number: str = f.answer("lot_number")
    """The lot."""
    captcha_output: str = f.answer("captcha_output")
    """The output."""
    pass_token: str = f.answer("pass_token")
    """The pass token."""
    gen_time: str = f.answer("gen_time", show=True)
    """Unix time of the answer, as text."""
    encrypted_data: str | None = f.answer("encryptedData", default=None)
    """Usually empty."""


@shared
class GeeTestFields(Task[GeeTestSolution]):
    """What every name of GeeTest v3 takes."""

    website_url: str = f.url("websiteURL")
    """The page where GeeTest is initialised."""
    gt: str = f.text("gt")
    """The site's `gt` key."""
    challenge: str = f.text("challenge")
    """The one-time challenge: fetch it anew for each task, a used one is billed and fails."""
    version: int | None = f.integer("version", default=None, minimum=3, maximum=3)
    """GeeTest's version; the service takes 3 if it is left out."""
    geetest_api_server_subdomain: str | None = f.text("geetestApiServerSubdomain", default=None)
    """API host, if it is not `api.geetest.com`."""
    geetest_get_lib: Mapping[str, Any] | str | None = encoded.json_text(
        "geetestGetLib", default=None
    )
    """Paths of GeeTest's scripts, or the JSON text of them."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""


@task("GeeTestTask", family="geetest", report="token")
class GeeTestTask(GeeTestFields):
    """Solve GeeTest v3, with or without a proxy of yours.

    Source: CapMonster docs, geetest-task.
    """

    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through; one that is authorised by IP does not work here."""


@task("GeeTestTaskProxyless", family="geetest", report="token", historic=True)
class GeeTestTaskProxyless(GeeTestFields):
    """Solve GeeTest v3 under the type's old proxyless name.

    Source: CapMonster docs of 2026-03, one sample.
    """


@task("GeeTestTask", fixed={"version": 4}, family="geetest", report="token")
class GeeTestV4Task(Task[GeeTestV4Solution]):
    """Solve GeeTest v4, with or without a proxy of yours.

    Source: CapMonster docs, geetest-task.
    """

    website_url: str = f.url("websiteURL")
    """The page where GeeTest is initialised."""
    gt: str = f.text("gt")
    """The site's `captcha_id`."""
    init_parameters: Mapping[str, Any] | None = f.nested("initParameters", default=None)
    """Further values that the page gives to GeeTest, such as `riskType`."""
    geetest_api_server_subdomain: str | None = f.text("geetestApiServerSubdomain", default=None)
    """API host, if it is not `api.geetest.com`."""
    geetest_get_lib: Mapping[str, Any] | str | None = encoded.json_text(
        "geetestGetLib", default=None
    )
    """Paths of GeeTest's scripts, or the JSON text of them."""
    user_agent: str | None = f.text("userAgent", default=None)
    """Browser that the solver must present."""
    proxy: Proxy | None = f.proxy(default=None)
    """Proxy of yours to open the page through; one that is authorised by IP does not work here."""


# The docs show this form under the proxyless name only.
@task("GeeTestTaskProxyless", family="geetest", report="token")
class GeeTestOperationTask(Task[GeeTestOperationSolution]):
    """Solve the GeeTest that a site runs for one of its GraphQL operations.

    Source: CapMonster docs, geetest-task, the section on a single site.
    """

    website_url: str = f.url("websiteURL")
    """The page that shows the captcha."""
    gt: str = f.text("gt")
    """The site's `captcha_id`."""
    challenge: str = f.text(
        "challenge",
        pattern="(?=.*[G-Zg-z])[A-Za-z_]+",
        rule="the name of a GraphQL operation, such as AddTypedCredentialItems",
    )
    """Name of the operation that the page is about to call."""
