"""A web service with FastAPI that reads pages of a site; the captchas' answers are called back.

    CAPTCHA_API_KEY=… SITE_URL=http://127.0.0.1:8070/ python -m examples.fastapi_service

`PUBLIC_URL` is where the captcha service reaches this one; `CAPTCHA_BASE_URL` is another address
of the captcha service, such as that of `examples.demo_site`. The callbacks have to come in at the
process that waits for them: run one worker.
"""

from __future__ import annotations

import argparse
import contextlib
import os
from collections.abc import AsyncGenerator

import httpx
import uvicorn
from fastapi import FastAPI, HTTPException, Request
from parsel import Selector
from starlette.responses import JSONResponse

from captcha_async import (
    AccountError,
    CallbackReceiver,
    CaptchaClient,
    CaptchaError,
    Limits,
    RecaptchaV2Task,
    SolveTimeout,
)

AT_ONCE = 20
ATTEMPTS = 3
TIMEOUT = 60
PORT = 8090
GRACE = 5


class PageRefused(Exception):
    """The site took none of the answers."""


class Reader:
    """Reads pages of the site."""

    def __init__(self, http: httpx.AsyncClient, captcha: CaptchaClient) -> None:
        self._http = http
        self._captcha = captcha

    async def read(self, number: int) -> str | None:
        """Return the text of a page; pass its form first if it has one."""
        page = (await self._http.get(f"pages/{number}")).raise_for_status()
        site_key = Selector(page.text).css(".verification::attr(data-sitekey)").get()
        if site_key is not None:
            page = await self._pass_form(str(page.url), site_key)
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


def create_app(public_url: str | None = None) -> FastAPI:
    """Make the application; it is configured by the environment."""
    public_url = public_url or os.environ.get("PUBLIC_URL", f"http://127.0.0.1:{PORT}")
    receiver = CallbackReceiver(f"{public_url}/captcha")

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with (
            httpx.AsyncClient(base_url=os.environ["SITE_URL"], timeout=30) as http,
            CaptchaClient(
                base_url=os.environ.get("CAPTCHA_BASE_URL"),
                limits=Limits(in_flight=AT_ONCE),
                callbacks=receiver,
            ) as captcha,
        ):
            app.state.reader = Reader(http, captcha)
            yield

    app = FastAPI(lifespan=lifespan)
    app.mount("/captcha", receiver)
    app.add_exception_handler(CaptchaError, tell_captcha_error)
    app.add_api_route("/pages/{number}", show_page)
    return app


async def show_page(number: int, request: Request) -> dict[str, str | None]:
    """Give the text of a page of the site."""
    try:
        return {"text": await request.app.state.reader.read(number)}
    except httpx.HTTPStatusError as error:
        status = 404 if error.response.status_code == 404 else 502
        raise HTTPException(status, f"the site answered {error.response.status_code}") from error
    except httpx.HTTPError as error:
        raise HTTPException(502, "the site could not be reached") from error
    except PageRefused as error:
        raise HTTPException(502, str(error)) from error


async def tell_captcha_error(_: Request, error: Exception) -> JSONResponse:
    """Answer for a captcha that was not solved; its message holds no secrets."""
    status = 502
    if isinstance(error, SolveTimeout):
        status = 504
    elif isinstance(error, AccountError):
        status = 503
    return JSONResponse({"detail": str(error)}, status_code=status)


def main() -> None:
    """Serve until Ctrl-C; what is under way then has a few seconds to end."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--port", type=int, default=PORT)
    port = parser.parse_args().port
    for name in ("CAPTCHA_API_KEY", "SITE_URL"):
        if not os.environ.get(name):
            parser.exit(1, f"set {name}\n")
    app = create_app(os.environ.get("PUBLIC_URL", f"http://127.0.0.1:{port}"))
    # No access log: the path of a callback is a secret while its task is in flight.
    uvicorn.run(app, host="127.0.0.1", port=port, access_log=False, timeout_graceful_shutdown=GRACE)


if __name__ == "__main__":
    main()
