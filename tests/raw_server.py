"""A TCP server whose every byte the test decides."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from ssl import SSLContext

import anyio
from anyio.abc import SocketAttribute, SocketStream
from anyio.streams.tls import TLSListener

Handler = Callable[[anyio.abc.ByteStream], Awaitable[None]]


@asynccontextmanager
async def raw_server(handler: Handler, ssl_context: SSLContext | None = None) -> AsyncIterator[str]:
    """Serve *handler* on a free loopback port, and yield the base URL."""

    async def serve(stream: anyio.abc.ByteStream) -> None:
        with suppress(anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError):
            async with stream:
                await handler(stream)

    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(SocketAttribute.local_port)
    scheme = "http"
    served: anyio.abc.Listener[SocketStream] | TLSListener = listener
    if ssl_context is not None:
        scheme = "https"
        served = TLSListener(listener, ssl_context, standard_compatible=False)
    async with listener, anyio.create_task_group() as group:
        group.start_soon(served.serve, serve)
        try:
            yield f"{scheme}://127.0.0.1:{port}"
        finally:
            group.cancel_scope.cancel()


@asynccontextmanager
async def deaf_server(answer: bytes = b"") -> AsyncIterator[str]:
    """Serve one connection: read its first bytes, send *answer*, and read nothing more."""

    async def serve() -> None:
        await anyio.wait_readable(listener)
        connection, _ = listener.accept()
        with connection:
            await anyio.wait_readable(connection)
            connection.recv(100)
            connection.sendall(answer)
            await anyio.sleep_forever()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        # The connection takes it over: the system keeps little of what is not read.
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
        async with anyio.create_task_group() as group:
            group.start_soon(serve)
            try:
                yield f"http://127.0.0.1:{listener.getsockname()[1]}"
            finally:
                group.cancel_scope.cancel()


async def read_request(stream: anyio.abc.ByteStream) -> bytes:
    """Read one request with a content-length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += await stream.receive()
    head, _, body = data.partition(b"\r\n\r\n")
    length = 0
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.lower() == b"content-length":
            length = int(value)
    while len(body) < length:
        body += await stream.receive()
    return head + b"\r\n\r\n" + body


def reply(body: bytes, status: bytes = b"200 OK", *, headers: bytes = b"") -> bytes:
    """Make a reply with a content-length."""
    head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\n%s\r\n"
    return head % (status, len(body), headers) + body
