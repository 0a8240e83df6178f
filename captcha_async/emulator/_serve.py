"""The emulator behind a real socket, served by uvicorn inside the caller's event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from .._asgi import serve_app
from .._serving._own_task import OwnTask
from ._emulator import Emulator

__all__ = ["serve"]


def serve(
    emulator: Emulator, host: str = "127.0.0.1", port: int = 0
) -> AbstractAsyncContextManager[str]:
    """Serve *emulator* over HTTP and give its base URL, for `service.evolve(base_url=...)`.

    One task may enter it and another leave it, as fixtures and start-up hooks do.

    Args:
        emulator: it delivers callbacks meanwhile, whether it was entered before or not.
        host: the address to listen on.
        port: the port; 0 takes a free one.

    Raises:
        RuntimeError: uvicorn is not installed, or the event loop is not asyncio's.
        OSError: the address cannot be used.
    """
    return OwnTask(_serve(emulator, host, port), "the emulator")


@asynccontextmanager
async def _serve(emulator: Emulator, host: str, port: int) -> AsyncGenerator[str]:
    on_trio = "use httpx.ASGITransport(app=emulator)"
    async with (
        serve_app(emulator, host, port, what="the emulator", on_trio=on_trio) as url,
        emulator.running(),
    ):
        yield url
