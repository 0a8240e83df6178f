"""What a lane needs of a connection, and a connection over anyio's streams, as used on trio."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable
from contextlib import suppress
from typing import Protocol

import anyio
from anyio.abc import ByteStream, SocketAttribute

from ._lane_errors import ReadError, ReadTimeout, WriteError, WriteTimeout
from ._messages import Origin
from ._quiet import holds_more, is_readable

__all__ = ["Link", "StreamLink", "open_stream_link"]

READ_SIZE = 65536


class Link(Protocol):
    """One connection; carries bytes."""

    sends_at_once: int | None
    """So many bytes can be given to `send` before the reply is read; None means any number."""
    flushed: bool
    """Whether all that was given to `send` has left."""

    def is_quiet(self) -> bool:
        """Tell whether the connection is open and nothing has come that was not asked for."""
        ...

    async def send(self, data: bytes, deadline: float) -> None:
        """Send bytes, until a moment.

        Raises:
            NothingSent: the connection has ended, and certainly before the first of the bytes.
            WriteError: it has ended.
            WriteTimeout: the other side does not take them.
        """
        ...

    def receive(self, deadline: float) -> Awaitable[bytes]:
        """Wait for bytes until a moment; empty when the other side has ended the connection.

        Raises:
            ReadError: the connection broke.
            ReadTimeout: nothing came.
        """
        ...

    async def aclose(self) -> None:
        """Close the connection at once."""
        ...

    def abandon(self) -> None:
        """Let go of the connection without its event loop, which has ended."""
        ...


class StreamLink:
    """A connection over anyio's streams."""

    sends_at_once: int | None = READ_SIZE

    def __init__(self, stream: ByteStream) -> None:
        self._stream = stream
        self._socket = stream.extra(SocketAttribute.raw_socket)
        self.flushed = True

    def is_quiet(self) -> bool:
        """Tell whether the connection is open and nothing has come that was not asked for."""
        if is_readable(self._socket.fileno()):
            return False
        from anyio.streams.tls import TLSAttribute

        return not holds_more(self._stream.extra(TLSAttribute.ssl_object, None))

    async def send(self, data: bytes, deadline: float) -> None:
        """Send bytes, until a moment."""
        self.flushed = False
        try:
            with anyio.CancelScope(deadline=deadline):
                await self._stream.send(data)
                self.flushed = True
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise WriteError(_reason(error)) from error
        if not self.flushed:
            raise WriteTimeout("the server takes no more of the request")

    async def receive(self, deadline: float) -> bytes:
        """Wait for bytes until a moment; empty when the other side has ended the connection."""
        try:
            with anyio.CancelScope(deadline=deadline):
                return await self._stream.receive(READ_SIZE)
            raise ReadTimeout("no reply came in time")
        except anyio.EndOfStream:
            return b""
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise ReadError(_reason(error)) from error

    async def aclose(self) -> None:
        """Close the connection at once."""
        await anyio.aclose_forcefully(self._stream)

    def abandon(self) -> None:
        """Let go of the connection without its event loop, which has ended."""
        with suppress(OSError):
            self._socket.close()


async def open_stream_link(origin: Origin, ssl_context: ssl.SSLContext | None) -> StreamLink:
    """Connect, by TLS with its settings; raises what anyio raises."""
    if ssl_context is None:
        return StreamLink(await anyio.connect_tcp(origin.host, origin.port))
    stream = await anyio.connect_tcp(
        origin.host, origin.port, ssl_context=ssl_context, tls_standard_compatible=False
    )
    return StreamLink(stream)


def _reason(error: BaseException) -> str:
    return str(error.__cause__ or error) or type(error).__name__
