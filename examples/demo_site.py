"""A small site to crawl: pages behind a verification form, and the local service that answers it.

    python -m examples.demo_site

Stands for a site of yours, so that the examples can be tried without network and money.
"""

from __future__ import annotations

import argparse
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from urllib.parse import parse_qs

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Mount, Route

from captcha_async.emulator import Emulator, Latency

SITE_KEY = "the-site-s-own-key"
FIELD = "verification-token"

FORM = f"""
<form method="post">
  <p class="error">{{error}}</p>
  <div class="verification" data-sitekey="{SITE_KEY}"></div>
  <input type="hidden" name="{FIELD}">
  <button>Show the page</button>
</form>
"""


class Site:
    """The site, with the emulated service mounted under `/captcha`.

    Args:
        emulator: the service; only its tokens are accepted.
        pages: how many; every third is open to everybody.
        refuse_every: refuse each so many-th good token, as if it had been solved wrongly.
    """

    def __init__(self, emulator: Emulator, *, pages: int = 12, refuse_every: int = 4) -> None:
        self.emulator = emulator
        self.pages = pages
        self.accepted: list[str] = []
        self.refused: list[str] = []
        """Tokens that were good, but that the site did not take."""
        self.rejected: list[str] = []
        """Tokens that were never issued for the page, or used before."""
        self._refuse_every = refuse_every
        self.app = Starlette(
            routes=[
                Route("/", self._index),
                Route("/pages/{number:int}", self._page, methods=["GET", "POST"]),
                Mount("/captcha", emulator),
            ],
            lifespan=self._lifespan,
        )

    @asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncGenerator[None]:
        async with self.emulator:  # it delivers callbacks meanwhile
            yield

    async def _index(self, _: Request) -> HTMLResponse:
        links = (f'<li><a href="/pages/{n}">Page {n}</a></li>' for n in range(1, self.pages + 1))
        return HTMLResponse(f"<ul>{''.join(links)}</ul>")

    async def _page(self, request: Request) -> HTMLResponse:
        number = request.path_params["number"]
        if not 1 <= number <= self.pages:
            return HTMLResponse("<p>There is no such page.</p>", status_code=404)
        if number % 3 and request.method == "GET":
            return HTMLResponse(FORM.format(error=""))
        if number % 3:
            fields = parse_qs((await request.body()).decode())
            if not self._take(fields.get(FIELD, [""])[0], str(request.url)):
                return HTMLResponse(FORM.format(error="Please try again."), status_code=403)
        return HTMLResponse(f"<article><p>This is page {number}.</p></article>")

    def _take(self, token: str, url: str) -> bool:
        """Tell whether a token opens the page, which it does once."""
        used = token in self.accepted or token in self.refused
        if used or not self._is_issued(token, url):
            self.rejected.append(token)
            return False
        good = len(self.accepted) + len(self.refused) + 1
        refused = self._refuse_every and good % self._refuse_every == 0
        (self.refused if refused else self.accepted).append(token)
        return not refused

    def _is_issued(self, token: str, url: str) -> bool:
        """Tell whether the service has answered a task for this page with this token."""
        for request in self.emulator.requests_to("createTask"):
            task = request.body.get("task", {}) if isinstance(request.body, dict) else {}
            reply = request.reply if isinstance(request.reply, dict) else {}
            created = self.emulator.tasks.get(reply.get("taskId", 0))
            if created is not None and token in created.solution.values():
                return (task.get("websiteURL"), task.get("websiteKey")) == (url, SITE_KEY)
        return False


def main() -> None:
    """Serve site and service until Ctrl-C."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=8070)
    parser.add_argument("--pages", type=int, default=12)
    parser.add_argument("--refuse-every", type=int, default=4, help="0 refuses no good token")
    parser.add_argument("--latency", type=float, default=2.0, help="median seconds of a solve")
    given = parser.parse_args()
    emulator = Emulator(latency=Latency(median=given.latency))
    site = Site(emulator, pages=given.pages, refuse_every=given.refuse_every)
    address = f"http://127.0.0.1:{given.port}"
    print(f"export SITE_URL={address}/")
    print(f"export CAPTCHA_BASE_URL={address}/captcha")
    print(f"export CAPTCHA_API_KEY={emulator.api_key}", flush=True)
    uvicorn.run(site.app, host="127.0.0.1", port=given.port, access_log=False)


if __name__ == "__main__":
    main()
