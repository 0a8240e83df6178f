"""A crawler with aiohttp: workers take pages from a queue, and pass the form where one stands.

    CAPTCHA_API_KEY=… python -m examples.aiohttp_crawler http://127.0.0.1:8070/

`CAPTCHA_BASE_URL` is another address of the service, such as that of `examples.demo_site`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from urllib.parse import urljoin

import aiohttp
from parsel import Selector

from captcha_async import (
    AccountError,
    CaptchaClient,
    CaptchaError,
    Limits,
    RecaptchaV2Task,
)

WORKERS = 8
ATTEMPTS = 3
TIMEOUT = 120

log = logging.getLogger("crawler")


class PageRefused(Exception):
    """The site took none of the answers."""


class Crawler:
    """Workers, and the pages that they have yet to read."""

    def __init__(self, http: aiohttp.ClientSession, captcha: CaptchaClient) -> None:
        self.failed = 0
        self._http = http
        self._captcha = captcha
        self._queue: asyncio.Queue[str] = asyncio.Queue()
        self._seen: set[str] = set()

    async def crawl(self, start: str) -> None:
        """Read the start page, and every page that is linked from one that was read."""
        self._add(start)
        async with asyncio.TaskGroup() as group:
            workers = [group.create_task(self._work()) for _ in range(WORKERS)]
            await self._queue.join()
            for worker in workers:
                worker.cancel()

    def _add(self, url: str) -> None:
        if url not in self._seen:
            self._seen.add(url)
            self._queue.put_nowait(url)

    async def _work(self) -> None:
        while True:
            url = await self._queue.get()
            try:
                await self._read(url)
            except AccountError:
                raise  # no page after it would fare better
            except (CaptchaError, PageRefused, aiohttp.ClientError, TimeoutError) as error:
                self.failed += 1
                log.error("%s: %s", url, error or type(error).__name__)
            self._queue.task_done()

    async def _read(self, url: str) -> None:
        async with self._http.get(url, raise_for_status=True) as response:
            page = Selector(await response.text())
        site_key = page.css(".verification::attr(data-sitekey)").get()
        if site_key is not None:
            page = await self._pass_form(url, site_key)
        for link in page.css("li a::attr(href)").getall():
            self._add(urljoin(url, link))
        text = page.css("article p::text").get()
        if text is not None:
            print(json.dumps({"url": url, "text": text}), flush=True)

    async def _pass_form(self, url: str, site_key: str) -> Selector:
        task = RecaptchaV2Task(website_url=url, website_key=site_key)
        # Going round reports an answer as wrong, returning from the block as right.
        async with self._captcha.attempts(task, ATTEMPTS, timeout=TIMEOUT) as attempts:
            async for solved in attempts:
                form = {"verification-token": solved.solution.token}
                async with self._http.post(url, data=form) as response:
                    if response.status != 403:
                        response.raise_for_status()
                        return Selector(await response.text())
        raise PageRefused(f"no answer was taken, after {ATTEMPTS} attempts")


async def run(start: str) -> int:
    """Crawl, and return the exit code: 1 if a page failed, 2 if the account stopped it."""
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=30)) as http,
        CaptchaClient(
            base_url=os.environ.get("CAPTCHA_BASE_URL"), limits=Limits(in_flight=WORKERS)
        ) as captcha,
    ):
        crawler = Crawler(http, captcha)
        stopped = False
        try:
            await crawler.crawl(start)
        except* AccountError as group:
            log.error("stopped: %s", group.exceptions[0])
            stopped = True
    return 2 if stopped else 1 if crawler.failed else 0


def main() -> None:
    """Read the start page's address from the command line."""
    logging.basicConfig(level=logging.WARNING)
    if len(sys.argv) != 2 or not os.environ.get("CAPTCHA_API_KEY"):
        sys.exit("usage: CAPTCHA_API_KEY=… python -m examples.aiohttp_crawler URL")
    try:
        sys.exit(asyncio.run(run(sys.argv[1])))
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
