"""An HTTP/1.1 server inside the caller's event loop, on asyncio, uvloop and trio."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from anyio.lowlevel import current_token

from ..errors import invalid
from ._messages import Bounds, Handler
from ._protocol_server import serve_by_protocol
from ._stream_server import serve_by_streams

__all__ = ["listen"]

BACKLOG = 2048


@asynccontextmanager
async def listen(
    handler: Handler,
    host: str,
    port: int,
    bounds: Bounds = Bounds(),  # noqa: B008 (frozen)
) -> AsyncGenerator[str]:
    """Serve *handler* over HTTP and yield its base URL.

    At the end the port is free at once; requests that are under way have a second.

    Args:
        handler: what answers the requests.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        bounds: what is put up with.

    Raises:
        InvalidArgument: the port is none.
        OSError: the address cannot be used.
    """
    if isinstance(port, bool) or not isinstance(port, int) or not 0 <= port <= 65535:
        raise invalid("port", port, "a whole number from 0 to 65535")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, port), family=family, backlog=BACKLOG) as listener:
        listener.setblocking(False)
        url = _url(listener, host)
        native = isinstance(current_token().native_token, asyncio.AbstractEventLoop)
        serve = serve_by_protocol if native else serve_by_streams
        async with serve(listener, handler, bounds):
            yield url


def _url(listener: socket.socket, host: str) -> str:
    port = listener.getsockname()[1]
    shown = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"
