"""A browser with Selenium: opens a page of one's own, and passes the form that is in the way.

    CAPTCHA_API_KEY=… python -m examples.selenium_form http://127.0.0.1:8070/pages/1

Selenium's calls block, so each runs in a thread, and the event loop goes on: several browsers can
wait for their captchas at once. `CHROMIUM` and `CHROMEDRIVER` are paths of installed programs.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sys

from selenium.common.exceptions import WebDriverException
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service as Driver
from selenium.webdriver.common.by import By
from selenium.webdriver.support.expected_conditions import staleness_of
from selenium.webdriver.support.wait import WebDriverWait

from captcha_async import CaptchaClient, CaptchaError, RecaptchaV2Task, ServiceError, Unsolvable

ATTEMPTS = 3
TIMEOUT = 120

# On a page with Google's widget: ".g-recaptcha" and "#g-recaptcha-response".
WIDGET = ".verification[data-sitekey]"
FIELD = "input[name=verification-token]"


class PageRefused(Exception):
    """The site took none of the answers."""


def open_browser() -> Chrome:
    """Start a browser without a window."""
    options = ChromeOptions()
    for flag in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage"):
        options.add_argument(flag)
    if "CHROMIUM" in os.environ:
        options.binary_location = os.environ["CHROMIUM"]
    return Chrome(options=options, service=Driver(os.environ.get("CHROMEDRIVER")))


def site_key_of(browser: Chrome) -> str | None:
    """Return the site key of the form; None if no form is in the way."""
    found = browser.find_elements(By.CSS_SELECTOR, WIDGET)
    return found[0].get_attribute("data-sitekey") if found else None


def send(browser: Chrome, token: str) -> None:
    """Put the token into the form, and send it."""
    field = browser.find_element(By.CSS_SELECTOR, FIELD)
    # The field is hidden, so it cannot be typed into.
    browser.execute_script("arguments[0].value = arguments[1]", field, token)
    browser.find_element(By.CSS_SELECTOR, "form button").click()
    # A click does not wait for the page that it leads to.
    # Between two pages the driver may know neither, and say so in an error of its own.
    waiting = WebDriverWait(browser, 30, ignored_exceptions=[WebDriverException])
    waiting.until(staleness_of(field))
    waiting.until(lambda _: browser.execute_script("return document.readyState") == "complete")


async def pass_form(browser: Chrome, captcha: CaptchaClient) -> None:
    """Fill the form in and send it, until the site shows what is behind it."""
    site_key = await asyncio.to_thread(site_key_of, browser)
    for _ in range(ATTEMPTS):
        if site_key is None:
            return
        task = RecaptchaV2Task(website_url=browser.current_url, website_key=site_key)
        try:
            solved = await captcha.solve(task, timeout=TIMEOUT)
        except Unsolvable:
            continue
        await asyncio.to_thread(send, browser, solved.solution.token)
        site_key = await asyncio.to_thread(site_key_of, browser)
        if site_key is not None:
            with contextlib.suppress(ServiceError):
                await captcha.report_incorrect(solved)
    if site_key is not None:
        raise PageRefused(f"{browser.current_url} took no answer")


async def read(url: str) -> str:
    """Return the text of a page."""
    browser = await asyncio.to_thread(open_browser)
    try:
        async with CaptchaClient(base_url=os.environ.get("CAPTCHA_BASE_URL")) as captcha:
            await asyncio.to_thread(browser.get, url)
            await pass_form(browser, captcha)
            return browser.find_element(By.CSS_SELECTOR, "article").text
    finally:
        await asyncio.to_thread(browser.quit)


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
