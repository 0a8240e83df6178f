"""An httpx client of an ASGI app in the same process: no socket, no network."""

from __future__ import annotations

import httpx

from .._serving._asgi import App

__all__ = ["in_process"]


def in_process(app: App) -> httpx.AsyncClient:
    """Return a client whose requests *app* answers; nothing is left open if it is not closed."""
    return httpx.AsyncClient(transport=httpx.ASGITransport(app=app))
