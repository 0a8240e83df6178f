"""A crawler with httpx: reads the pages of a site, and passes the form where one is in the way.

    CAPTCHA_API_KEY=… python -m examples.httpx_crawler http://127.0.0.1:8070/

`CAPTCHA_BASE_URL` is another address of the service, such as that of `examples.demo_site`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys

import httpx
from parsel import Selector

from captcha_async import (
    AccountError,
    CaptchaClient,
    CaptchaError,
    Limits,
    RecaptchaV2Task,
)

AT_ONCE = 8
ATTEMPTS = 3
TIMEOUT = 120

log = logging.getLogger("crawler")


class PageRefused(Exception):
    """The site took none of the answers."""


class Crawler:
    """Reads pages, a few at once."""

    def __init__(self, http: httpx.AsyncClient, captcha: CaptchaClient) -> None:
        self.failed = 0
        self._http = http
        self._captcha = captcha
        self._places = asyncio.Semaphore(AT_ONCE)

    async def crawl(self, start: str) -> None:
        """Read all pages that the start page lists."""
        index = (await self._http.get(start)).raise_for_status()
        links = Selector(index.text).css("li a::attr(href)").getall()
        async with asyncio.TaskGroup() as group:
            for link in links:
                group.create_task(self._visit(str(index.url.join(link))))

    async def _visit(self, url: str) -> None:
        """Print one page; a page that fails does not stop the others."""
        async with self._places:
            try:
                print(json.dumps({"url": url, "text": await self._read(url)}), flush=True)
            except AccountError:
                raise  # no page after it would fare better
            except (CaptchaError, PageRefused, httpx.HTTPError) as error:
                self.failed += 1
                log.error("%s: %s", url, error or type(error).__name__)

    async def _read(self, url: str) -> str | None:
        page = (await self._http.get(url)).raise_for_status()
        site_key = Selector(page.text).css(".verification::attr(data-sitekey)").get()
        if site_key is not None:
            page = await self._pass_form(url, site_key)
        return Selector(page.text).css("article p::text").get()

    async def _pass_form(self, url: str, site_key: str) -> httpx.Response:
        task = RecaptchaV2Task(website_url=url, website_key=site_key)
        # Going round reports an answer as wrong, returning from the block as right.
        async with self._captcha.attempts(task, ATTEMPTS, timeout=TIMEOUT) as attempts:
            async for solved in attempts:
                form = {"verification-token": solved.solution.token}
                page = await self._http.post(url, data=form)
                if page.status_code != 403:
                    return page.raise_for_status()
        raise PageRefused(f"no answer was taken, after {ATTEMPTS} attempts")


async def run(start: str) -> int:
    """Crawl, and return the exit code: 1 if a page failed, 2 if the account stopped it."""
    async with (
        httpx.AsyncClient(timeout=30) as http,
        CaptchaClient(
            base_url=os.environ.get("CAPTCHA_BASE_URL"), limits=Limits(in_flight=AT_ONCE)
        ) as captcha,
    ):
        crawler = Crawler(http, captcha)
        stopped = False
        try:
            await crawler.crawl(start)
        except* AccountError as group:
            log.error("stopped: %s", group.exceptions[0])
            stopped = True
        except* httpx.HTTPError as group:
            log.error("%s: %s", start, group.exceptions[0])
            crawler.failed += 1
    return 2 if stopped else 1 if crawler.failed else 0


def main() -> None:
    """Read the start page's address from the command line."""
    logging.basicConfig(level=logging.WARNING)
    if len(sys.argv) != 2 or not os.environ.get("CAPTCHA_API_KEY"):
        sys.exit("usage: CAPTCHA_API_KEY=… python -m examples.httpx_crawler URL")
    try:
        sys.exit(asyncio.run(run(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
