"""FastAPI: one client for the application, opened and closed by its lifespan, and injected.

CAPTCHA_API_KEY=… uvicorn --factory examples.fastapi_dependency:create_app
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Annotated, Any

from fastapi import Depends, FastAPI, HTTPException, Request

from captcha_async import CaptchaClient, CaptchaError, InvalidArgument, RecaptchaV2Task


def captcha_of(request: Request) -> CaptchaClient:
    """Return the application's client; tests put another one in by `dependency_overrides`."""
    client: CaptchaClient = request.app.state.captcha
    return client


async def token(
    website_url: str, website_key: str, captcha: Annotated[CaptchaClient, Depends(captcha_of)]
) -> str:
    """Solve a captcha."""
    try:
        task = RecaptchaV2Task(website_url=website_url, website_key=website_key)
        return (await captcha.solve(task, attempts=2, timeout=120)).solution.token
    except InvalidArgument as error:  # the caller's fault, and told before anything is sent
        raise HTTPException(422, str(error)) from error
    except CaptchaError as error:
        raise HTTPException(503, str(error)) from error


def create_app(**options: Any) -> FastAPI:
    """Make the application; *options* are the client's."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncGenerator[None]:
        async with CaptchaClient(**options) as app.state.captcha:
            yield

    app = FastAPI(lifespan=lifespan)
    app.get("/token")(token)
    return app
