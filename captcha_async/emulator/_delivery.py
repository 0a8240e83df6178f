"""The callback: one POST over a connection of its own, with nothing expected of the reply."""

from __future__ import annotations

import ssl
from urllib.parse import urlsplit

import anyio
import h11
from anyio.abc import ByteStream

__all__ = ["post"]

JSON = "application/json; charset=utf-8"


async def post(
    url: str,
    body: bytes,
    *,
    content_type: str = JSON,
    ssl_context: ssl.SSLContext | None = None,
) -> None:
    """POST a *body* and return when the receiver has begun to answer.

    Raises:
        OSError: the receiver cannot be reached, or goes away without an answer.
        ValueError: the URL is no http(s) URL.
    """
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError("the callback URL is no http(s) URL")
    tls = parts.scheme == "https"
    port = parts.port or (443 if tls else 80)
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    request = h11.Request(
        method="POST",
        target=target,
        headers=[
            ("host", parts.netloc.rpartition("@")[2]),
            ("content-type", content_type),
            ("content-length", str(len(body))),
            ("connection", "close"),
        ],
    )
    stream: ByteStream
    if tls:
        stream = await anyio.connect_tcp(
            parts.hostname, port, ssl_context=ssl_context, tls=True, tls_standard_compatible=False
        )
    else:
        stream = await anyio.connect_tcp(parts.hostname, port)
    async with stream:
        await _exchange(stream, request, body)


async def _exchange(stream: ByteStream, request: h11.Request, body: bytes) -> None:
    connection = h11.Connection(h11.CLIENT)
    events = (request, h11.Data(data=body), h11.EndOfMessage())
    try:
        await stream.send(b"".join(connection.send(event) or b"" for event in events))
        while not isinstance(event := connection.next_event(), h11.Response):
            if event is h11.NEED_DATA:
                connection.receive_data(await stream.receive())
    except (anyio.BrokenResourceError, anyio.EndOfStream, h11.ProtocolError):
        raise ConnectionError("the callback's receiver gave no answer") from None
