"""ASGI: its types, a plain reply, and uvicorn as the server of an app inside the caller's loop."""

from __future__ import annotations

import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, MutableMapping
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext
from typing import TYPE_CHECKING, Any

import anyio
from anyio.abc import TaskStatus

from .errors import invalid

if TYPE_CHECKING:
    from uvicorn import Server

__all__ = ["Message", "Receive", "Scope", "Send", "serve_app"]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

# Longer than the gap between two polls, so that connections are kept alive from one to the next.
KEEP_ALIVE = 75
# For replies that are still owed at the end: hanging ones would never be finished.
GRACE = 1


@asynccontextmanager
async def serve_app(
    app: App, host: str, port: int, *, what: str, on_trio: str
) -> AsyncGenerator[str]:
    """Serve *app* over HTTP and yield its base URL.

    Args:
        app: it gets no lifespan: whoever serves it here starts and ends it.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        what: what is served, for the error when uvicorn is missing.
        on_trio: what to do instead, for the error when the event loop is not asyncio's.

    Raises:
        RuntimeError: uvicorn is not installed, or the event loop is not asyncio's.
        OSError: the address cannot be used.
    """
    listener = _listen(host, port)
    error: Exception | None = None
    with listener:
        server = _make_server(app, what, on_trio)
        async with anyio.create_task_group() as task_group:
            await task_group.start(_run, server, listener)
            try:
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


def _make_server(app: App, what: str, on_trio: str) -> Server:
    import asyncio

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        raise RuntimeError(f"serve() needs asyncio, as uvicorn does; on trio {on_trio}") from None
    try:
        import uvicorn
    except ImportError:
        raise RuntimeError(
            f"serving {what} needs uvicorn: pip install 'captcha-async[serve]'"
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
        "proxy_headers": False,
        "server_header": False,
        "timeout_keep_alive": KEEP_ALIVE,
        "timeout_graceful_shutdown": GRACE,
    }
    return QuietServer(uvicorn.Config(app, **settings))


def _listen(host: str, port: int) -> socket.socket:
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise invalid("port", port, "a whole number from 0 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=2048)


def _url(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
