"""The emulator behind a real socket, inside the caller's event loop."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from .._serving._asgi_server import serve_app
from .._serving._own_task import OwnTask
from ._emulator import Emulator

__all__ = ["serve"]

WHAT = "the emulator"


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
        InvalidArgument: the port is none.
        OSError: the address cannot be used.
    """
    return OwnTask(_serve(emulator, host, port), WHAT)


@asynccontextmanager
async def _serve(emulator: Emulator, host: str, port: int) -> AsyncGenerator[str]:
    async with serve_app(emulator, host, port, WHAT) as url, emulator.running():
        yield url
