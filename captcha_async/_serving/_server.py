"""An HTTP/1.1 server inside the caller's event loop, on asyncio, uvloop and trio."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator, Generator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager

from anyio.lowlevel import current_token

from ..errors import invalid
from ._messages import Bounds, Handler
from ._protocol_server import serve_by_protocol
from ._stream_server import serve_by_streams

__all__ = ["bind", "listen", "serve"]

BACKLOG = 2048


@asynccontextmanager
async def listen(
    handler: Handler,
    host: str,
    port: int,
    bounds: Bounds = Bounds(),  # noqa: B008 (frozen)
) -> AsyncGenerator[str]:
    """Serve *handler* over HTTP and yield its base URL; see `bind` and `serve`."""
    with bind(host, port) as (listener, url):
        async with serve(listener, handler, bounds):
            yield url


@contextmanager
def bind(host: str, port: int) -> Generator[tuple[socket.socket, str]]:
    """Yield a socket that listens, and its base URL.

    Args:
        host: the address to listen on.
        port: the port; 0 takes a free one.

    Raises:
        InvalidArgument: the port is none.
        OSError: the address cannot be used.
    """
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise invalid("port", port, "a whole number from 0 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=BACKLOG) as listener:
        listener.setblocking(False)
        yield listener, _url(listener, host)


def serve(
    listener: socket.socket, handler: Handler, bounds: Bounds
) -> AbstractAsyncContextManager[None]:
    """Serve what comes to a socket that listens, as long as the block lasts.

    At the end the port is free at once; requests that are under way have a second.
    """
    if isinstance(current_token().native_token, asyncio.AbstractEventLoop):
        return serve_by_protocol(listener, handler, bounds)
    return serve_by_streams(listener, handler, bounds)


def _url(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
