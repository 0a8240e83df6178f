"""The emulator behind a real socket, served by uvicorn inside the caller's event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from .._asgi import serve_app
from ._emulator import Emulator

__all__ = ["serve"]


@asynccontextmanager
async def serve(emulator: Emulator, host: str = "127.0.0.1", port: int = 0) -> AsyncGenerator[str]:
    """Serve *emulator* over HTTP and yield its base URL, for `service.evolve(base_url=...)`.

    Args:
        emulator: it delivers callbacks meanwhile, whether it was entered before or not.
        host: the address to listen on.
        port: the port; 0 takes a free one.

    Raises:
        RuntimeError: uvicorn is not installed, or the event loop is not asyncio's.
        OSError: the address cannot be used.
    """
    on_trio = "use httpx.ASGITransport(app=emulator)"
    async with (
        serve_app(emulator, host, port, what="the emulator", on_trio=on_trio) as url,
        emulator.running(),
    ):
        yield url
