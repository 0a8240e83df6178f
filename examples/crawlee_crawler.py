"""A crawler with Crawlee: its request handler passes the form where one is in the way.

    CAPTCHA_API_KEY=… python -m examples.crawlee_crawler http://127.0.0.1:8070/

`CAPTCHA_BASE_URL` is another address of the service, such as that of `examples.demo_site`.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
from datetime import timedelta
from urllib.parse import urlencode

from crawlee import ConcurrencySettings
from crawlee.crawlers import BasicCrawlingContext, ParselCrawler, ParselCrawlingContext
from crawlee.errors import HttpStatusCodeError
from crawlee.http_clients import HttpResponse, ImpitHttpClient
from crawlee.storage_clients import MemoryStorageClient
from parsel import Selector

from captcha_async import (
    AccountError,
    CaptchaClient,
    Limits,
    RecaptchaV2Task,
)

AT_ONCE = 8
ATTEMPTS = 3
TIMEOUT = 120

log = logging.getLogger("crawler")


class PageRefused(Exception):
    """The site took none of the answers."""


class Pages:
    """What is done with each page."""

    def __init__(self, crawler: ParselCrawler, captcha: CaptchaClient) -> None:
        self.stopped = False
        self._crawler = crawler
        self._captcha = captcha

    async def handle(self, context: ParselCrawlingContext) -> None:
        """Print a page and follow its links."""
        try:
            page = await self._open(context)
        except AccountError as error:
            if not self.stopped:
                log.error("stopped: %s", error)
                self._crawler.stop()  # no page after it would fare better
            self.stopped = True
            context.request.no_retry = True
            raise
        await context.enqueue_links(selector="li a")
        text = page.css("article p::text").get()
        if text is not None:
            print(json.dumps({"url": context.request.url, "text": text}), flush=True)

    async def fail(self, context: BasicCrawlingContext, error: Exception) -> None:
        """Tell of a page that could not be read; it does not stop the others."""
        log.error("%s: %s", context.request.url, error or type(error).__name__)

    async def _open(self, context: ParselCrawlingContext) -> Selector:
        site_key = context.selector.css(".verification::attr(data-sitekey)").get()
        if site_key is None:
            return context.selector
        task = RecaptchaV2Task(website_url=context.request.url, website_key=site_key)
        # Going round reports an answer as wrong, returning from the block as right.
        async with self._captcha.attempts(task, ATTEMPTS, timeout=TIMEOUT) as attempts:
            async for solved in attempts:
                answer = await context.send_request(
                    context.request.url,
                    method="POST",
                    headers={"content-type": "application/x-www-form-urlencoded"},
                    payload=urlencode({"verification-token": solved.solution.token}).encode(),
                )
                if answer.status_code != 403:
                    return await _page_of(answer)
        context.request.no_retry = True
        raise PageRefused(f"no answer was taken, after {ATTEMPTS} attempts")


async def _page_of(answer: HttpResponse) -> Selector:
    if answer.status_code >= 400:
        raise HttpStatusCodeError("the form was answered", answer.status_code)
    return Selector((await answer.read()).decode())


async def run(start: str) -> int:
    """Crawl, and return the exit code: 1 if a page failed, 2 if the account stopped it."""
    crawler = ParselCrawler(
        # It says what it is: no browser is pretended, and nothing is left on the disk.
        http_client=ImpitHttpClient(browser=None),
        storage_client=MemoryStorageClient(),
        concurrency_settings=ConcurrencySettings(
            max_concurrency=AT_ONCE, desired_concurrency=AT_ONCE
        ),
        request_handler_timeout=timedelta(seconds=(ATTEMPTS + 1) * TIMEOUT),
        retry_on_blocked=False,
        configure_logging=False,
    )
    async with CaptchaClient(
        base_url=os.environ.get("CAPTCHA_BASE_URL"), limits=Limits(in_flight=AT_ONCE)
    ) as captcha:
        pages = Pages(crawler, captcha)
        crawler.router.default_handler(pages.handle)
        crawler.failed_request_handler(pages.fail)
        statistics = await crawler.run([start])
    if pages.stopped:
        return 2
    if not await (await crawler.get_request_manager()).is_finished():
        return 130  # Crawlee itself sees to Ctrl-C: it lets what is under way end
    return 1 if statistics.requests_failed else 0


def main() -> None:
    """Read the start page's address from the command line."""
    logging.basicConfig(level=logging.ERROR)
    if len(sys.argv) != 2 or not os.environ.get("CAPTCHA_API_KEY"):
        sys.exit("usage: CAPTCHA_API_KEY=… python -m examples.crawlee_crawler URL")
    sys.exit(asyncio.run(run(sys.argv[1])))


if __name__ == "__main__":
    main()
