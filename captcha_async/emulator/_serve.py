"""The emulator behind a real socket, served by uvicorn inside the caller's event loop."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskStatus

from ..errors import invalid
from ._emulator import Emulator

if TYPE_CHECKING:
    from uvicorn import Server

__all__ = ["serve"]

# Longer than the gap between two polls, so that connections are kept alive from one to the next.
KEEP_ALIVE = 75
# For replies that are still owed at the end: hanging ones would never be finished.
GRACE = 1


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
    listener = _listen(host, port)
    error: Exception | None = None
    with listener:
        server = _make_server(emulator)
        async with anyio.create_task_group() as task_group:
            await task_group.start(_run, server, listener)
            try:
                async with emulator.running():
                    yield _url(listener, host)
            except Exception as raised:
                # Raised again below: the task group would wrap it in a group.
                error = raised
            finally:
                server.should_exit = True
    if error is not None:
        raise error


async def _run(server: Server, listener: socket.socket, *, task_status: TaskStatus[None]) -> None:
    # uvicorn leaves its connections open when it is cancelled, so it is only told to end.
    with anyio.CancelScope(shield=True):
        task_status.started()
        await server.serve(sockets=[listener])


def _make_server(emulator: Emulator) -> Server:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(
            "serve() needs asyncio, as uvicorn does; on trio use httpx.ASGITransport(app=emulator)"
        ) from None
    try:
        import uvicorn
    except ImportError:
        raise RuntimeError(
            "serving the emulator needs uvicorn: pip install 'captcha-async[serve]'"
        ) from None

    class QuietServer(uvicorn.Server):
        """Leaves the process's signal handlers alone."""

        def capture_signals(self) -> AbstractContextManager[None]:  # type: ignore[override]
            return nullcontext()

    settings: dict[str, Any] = {
        "lifespan": "off",
        "ws": "none",
        "log_config": None,
        "log_level": "warning",
        "access_log": False,
        "timeout_keep_alive": KEEP_ALIVE,
        "timeout_graceful_shutdown": GRACE,
    }
    return QuietServer(uvicorn.Config(emulator, **settings))


def _listen(host: str, port: int) -> socket.socket:
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise invalid("port", port, "a whole number from 0 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _url(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
