"""A crawler with Scrapy: a spider that passes the form where one is in the way.

    CAPTCHA_API_KEY=… python -m examples.scrapy_crawler http://127.0.0.1:8070/

`CAPTCHA_BASE_URL` is another address of the service, such as that of `examples.demo_site`.
"""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from typing import Any, Self

import scrapy
from scrapy import signals
from scrapy.crawler import AsyncCrawlerProcess, Crawler
from scrapy.exceptions import CloseSpider
from scrapy.http import Response

from captcha_async import (
    AccountError,
    CaptchaClient,
    CaptchaError,
    Limits,
    RecaptchaV2Task,
    Solved,
    TaskRef,
)

AT_ONCE = 8
ATTEMPTS = 3
TIMEOUT = 120
STOPPED = "captcha_account"

SETTINGS = {
    "TWISTED_REACTOR": "twisted.internet.asyncioreactor.AsyncioSelectorReactor",
    "CONCURRENT_REQUESTS": AT_ONCE,
    "ROBOTSTXT_OBEY": True,
    "TELNETCONSOLE_ENABLED": False,
    "LOG_LEVEL": "WARNING",
    "FEEDS": {"stdout:": {"format": "jsonlines"}},
}

Found = scrapy.Request | dict[str, Any]


class PagesSpider(scrapy.Spider):
    """Reads all pages that the start page lists. Scrapy's signals open and close the client."""

    name = "pages"
    captcha: CaptchaClient
    stopped = False

    @classmethod
    def from_crawler(cls, crawler: Crawler, *args: Any, **options: Any) -> Self:
        """Make the spider, and tie the client's life to its own."""
        spider = super().from_crawler(crawler, *args, **options)
        crawler.signals.connect(spider.open_client, signals.spider_opened)
        crawler.signals.connect(spider.close_client, signals.spider_closed)
        return spider

    async def open_client(self) -> None:
        """Open the client, in Scrapy's event loop."""
        self.captcha = CaptchaClient(
            base_url=os.environ.get("CAPTCHA_BASE_URL"), limits=Limits(in_flight=AT_ONCE)
        )

    async def close_client(self) -> None:
        """Close the client."""
        await self.captcha.aclose()

    async def start(self) -> AsyncIterator[Found]:
        """Begin with the start page."""
        for url in self.start_urls:
            yield scrapy.Request(url, errback=self.count_failure)

    async def parse(self, response: Response) -> AsyncIterator[Found]:
        """Follow the links of the start page."""
        for link in response.css("li a::attr(href)").getall():
            yield response.follow(link, self.parse_page, errback=self.count_failure)

    async def parse_page(self, response: Response) -> AsyncIterator[Found]:
        """Give the page, or send its form with an answer."""
        site_key = response.css(".verification::attr(data-sitekey)").get()
        if site_key is None:
            yield {"url": response.url, "text": response.css("article p::text").get()}
        else:
            async for request in self.pass_form(response, site_key, attempt=1):
                yield request

    async def pass_form(
        self, response: Response, site_key: str, attempt: int
    ) -> AsyncIterator[Found]:
        """Solve the captcha and send the form."""
        task = RecaptchaV2Task(website_url=response.url, website_key=site_key)
        try:
            solved = await self.solve(task)
        except AccountError as error:
            if not self.stopped:
                self.logger.error("stopped: %s", error)
            self.stopped = True
            raise CloseSpider(STOPPED) from None  # no page after it would fare better
        except CaptchaError as error:
            self.count_failure(error)
            return
        yield scrapy.FormRequest(
            response.url,
            formdata={"verification-token": solved.solution.token},
            callback=self.parse_answer,
            errback=self.count_failure,
            # A text, so that a crawl with a JOBDIR can be paused here.
            cb_kwargs={"ref": solved.ref.to_json(), "attempt": attempt},
            meta={"handle_httpstatus_list": [403]},
            dont_filter=True,
        )

    async def solve(self, task: RecaptchaV2Task) -> Solved[Any]:
        """Solve, twice if need be."""
        return await self.captcha.solve(task, attempts=2, timeout=TIMEOUT)

    async def parse_answer(
        self, response: Response, ref: str, attempt: int
    ) -> AsyncIterator[Found]:
        """Give the page; or report the answer that the site did not take, and try another."""
        if response.status != 403:
            async for found in self.parse_page(response):
                yield found
            return
        reported = await self.captcha.report_incorrect(TaskRef.from_json(ref))
        if not reported.taken:
            self.logger.warning("the report was not taken: %s", reported.why)
        site_key = response.css(".verification::attr(data-sitekey)").get()
        if site_key is None or attempt == ATTEMPTS:
            self.count_failure(f"{response.url}: no answer was taken")
            return
        async for request in self.pass_form(response, site_key, attempt + 1):
            yield request

    def count_failure(self, failure: object) -> None:
        """Note that a page could not be read."""
        self.logger.error("%s", getattr(failure, "value", failure))
        self.crawler.stats.inc_value("pages/failed")


def main() -> None:
    """Read the start page's address from the command line."""
    if len(sys.argv) != 2 or not os.environ.get("CAPTCHA_API_KEY"):
        sys.exit("usage: CAPTCHA_API_KEY=… python -m examples.scrapy_crawler URL")
    process = AsyncCrawlerProcess(SETTINGS)
    crawler = process.create_crawler(PagesSpider)
    process.crawl(crawler, start_urls=[sys.argv[1]])
    process.start()
    reason = crawler.stats.get_value("finish_reason")
    failed = crawler.stats.get_value("pages/failed", 0)
    # Scrapy itself sees to Ctrl-C: it lets what is under way end.
    sys.exit({"shutdown": 130, STOPPED: 2}.get(reason, 1 if failed else 0))


if __name__ == "__main__":
    main()
