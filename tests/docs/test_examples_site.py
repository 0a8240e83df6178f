"""The site of the examples: only a token that was issued for a page opens it, and only once."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
from local import joined

from captcha_async import CaptchaClient, RecaptchaV2Task
from captcha_async.emulator import Emulator, Latency
from examples.demo_site import FIELD, SITE_KEY, Site

ADDRESS = "http://site.example"


@asynccontextmanager
async def browsing(site: Site) -> AsyncIterator[tuple[httpx.AsyncClient, CaptchaClient]]:
    """Give a visitor of the site, and a client of its service."""
    transport = httpx.ASGITransport(app=site.app)
    async with (
        httpx.AsyncClient(transport=transport, base_url=ADDRESS) as http,
        joined(site.emulator) as captcha,
    ):
        yield http, captcha


async def token_for(captcha: CaptchaClient, path: str, *, key: str = SITE_KEY) -> str:
    """Have a captcha of a page solved."""
    task = RecaptchaV2Task(website_url=f"{ADDRESS}{path}", website_key=key)
    return (await captcha.solve(task)).solution.token


async def send(http: httpx.AsyncClient, path: str, token: str) -> int:
    """Send the form of a page and return the status."""
    return (await http.post(path, data={FIELD: token})).status_code


async def test_a_token_opens_its_page_once() -> None:
    """The page shows a form, takes a token of its own, and does not take it again."""
    site = Site(Emulator(latency=Latency.fixed(0)))
    async with browsing(site) as (http, captcha):
        assert SITE_KEY in (await http.get("/pages/1")).text
        token = await token_for(captcha, "/pages/1")
        opened = await http.post("/pages/1", data={FIELD: token})
        assert "This is page 1." in opened.text
        assert await send(http, "/pages/1", token) == 403
    assert (site.accepted, site.rejected) == ([token], [token])


async def test_any_other_token_is_rejected() -> None:
    """Made up, missing, of another page or of another site key: the form comes again."""
    site = Site(Emulator(latency=Latency.fixed(0)))
    async with browsing(site) as (http, captcha):
        others = [
            "made-up",
            "",
            await token_for(captcha, "/pages/2"),
            await token_for(captcha, "/pages/1", key="another"),
        ]
        assert [await send(http, "/pages/1", token) for token in others] == [403] * 4
        assert (await http.post("/captcha/createTask", content=b"no JSON")).status_code == 200
        assert await send(http, "/pages/1", "made-up") == 403
    assert site.rejected == [*others, "made-up"]
    assert site.accepted == []


async def test_now_and_then_a_good_token_is_refused() -> None:
    """As if it had been solved wrongly, so that a crawler has something to report."""
    site = Site(Emulator(latency=Latency.fixed(0)), refuse_every=2)
    async with browsing(site) as (http, captcha):
        tokens = [await token_for(captcha, "/pages/1") for _ in range(4)]
        statuses = [await send(http, "/pages/1", token) for token in tokens]
    assert statuses == [200, 403, 200, 403]
    assert site.refused == [tokens[1], tokens[3]]


async def test_the_start_page_lists_all_pages() -> None:
    """Every third is open; what is not listed does not exist."""
    site = Site(Emulator(), pages=3)
    async with browsing(site) as (http, _):
        index = (await http.get("/")).text
        assert [f'href="/pages/{number}"' in index for number in range(5)] == [
            False,
            True,
            True,
            True,
            False,
        ]
        assert "This is page 3." in (await http.get("/pages/3")).text
        assert (await http.get("/pages/4")).status_code == 404
