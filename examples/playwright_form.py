"""A browser with Playwright: opens a page of one's own, and passes the form that is in the way.

    CAPTCHA_API_KEY=… python -m examples.playwright_form http://127.0.0.1:8070/pages/1

`CAPTCHA_BASE_URL` is another address of the service, such as that of `examples.demo_site`.
`CHROMIUM` is the path of an installed browser; without it Playwright's own is used.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

from playwright.async_api import Page, async_playwright

from captcha_async import CaptchaClient, CaptchaError, RecaptchaV2Task, ServiceError, Unsolvable

ATTEMPTS = 3
TIMEOUT = 120

# On a page with Google's widget: ".g-recaptcha" and "#g-recaptcha-response".
WIDGET = ".verification[data-sitekey]"
FIELD = "input[name=verification-token]"


class PageRefused(Exception):
    """The site took none of the answers."""


async def pass_form(page: Page, captcha: CaptchaClient) -> None:
    """Fill the form in and send it, until the site shows what is behind it."""
    for _ in range(ATTEMPTS):
        widget = page.locator(WIDGET)
        if await widget.count() == 0:
            return
        site_key = await widget.get_attribute("data-sitekey") or ""
        task = RecaptchaV2Task(website_url=page.url, website_key=site_key)
        try:
            solved = await captcha.solve(task, timeout=TIMEOUT)
        except Unsolvable:
            continue
        # The field is hidden, so it cannot be typed into.
        await page.locator(FIELD).evaluate(
            "(field, token) => { field.value = token }", solved.solution.token
        )
        await page.locator("form button").click()
        await page.wait_for_load_state()
        if await page.locator(WIDGET).count():
            with contextlib.suppress(ServiceError):
                await captcha.report_incorrect(solved)
    if await page.locator(WIDGET).count():
        raise PageRefused(f"{page.url} took no answer")


async def read(url: str) -> str:
    """Return the text of a page."""
    base_url = os.environ.get("CAPTCHA_BASE_URL")
    async with async_playwright() as playwright, CaptchaClient(base_url=base_url) as captcha:
        browser = await playwright.chromium.launch(executable_path=os.environ.get("CHROMIUM"))
        page = await browser.new_page()
        await page.goto(url)
        await pass_form(page, captcha)
        text = await page.locator("article").inner_text()
        await browser.close()
    return text


def main() -> int:
    """Print the text of the page; return the exit code."""
    try:
        print(asyncio.run(read(sys.argv[1])))
    except (CaptchaError, PageRefused) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
