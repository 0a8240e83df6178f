"""What a lane needs of a connection, and a connection over anyio's streams, as used on trio."""

from __future__ import annotations

import select
import ssl
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Protocol

import anyio
import httpx
from anyio.abc import ByteStream, SocketAttribute
from anyio.streams.tls import TLSAttribute

from ._messages import Origin

__all__ = ["Link", "StreamLink", "holds_more", "is_readable", "open_stream_link", "readiness"]

READ_SIZE = 65536


class Link(Protocol):
    """One connection; carries bytes."""

    sends_at_once: int | None
    """So many bytes can be given to `send` before the reply is read; None means any number."""

    def is_quiet(self) -> bool:
        """Tell whether the connection is open and nothing has come that was not asked for."""
        ...

    def is_flushed(self) -> bool:
        """Tell whether all that was given to `send` has left."""
        ...

    async def send(self, data: bytes, deadline: float) -> None:
        """Send bytes, until a moment.

        Raises:
            NothingSent: the connection has ended, and certainly before the first of the bytes.
            httpx.WriteError: it has ended.
            httpx.WriteTimeout: the other side does not take them.
        """
        ...

    async def receive(self, deadline: float) -> bytes:
        """Wait for bytes until a moment; empty when the other side has ended the connection.

        Raises:
            httpx.ReadError: the connection broke.
            httpx.ReadTimeout: nothing came.
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
        self._unsent = False

    def is_quiet(self) -> bool:
        """Tell whether the connection is open and nothing has come that was not asked for."""
        if is_readable(self._socket.fileno()):
            return False
        return not holds_more(self._stream.extra(TLSAttribute.ssl_object, None))

    def is_flushed(self) -> bool:
        """Tell whether all that was given to `send` has left."""
        return not self._unsent

    async def send(self, data: bytes, deadline: float) -> None:
        """Send bytes, until a moment."""
        self._unsent = True
        try:
            with anyio.CancelScope(deadline=deadline):
                await self._stream.send(data)
                self._unsent = False
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise httpx.WriteError(_reason(error)) from error
        if self._unsent:
            raise httpx.WriteTimeout("the server takes no more of the request")

    async def receive(self, deadline: float) -> bytes:
        """Wait for bytes until a moment; empty when the other side has ended the connection."""
        try:
            with anyio.CancelScope(deadline=deadline):
                return await self._stream.receive(READ_SIZE)
            raise httpx.ReadTimeout("no reply came in time")
        except anyio.EndOfStream:
            return b""
        except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
            raise httpx.ReadError(_reason(error)) from error

    async def aclose(self) -> None:
        """Close the connection at once."""
        await anyio.aclose_forcefully(self._stream)

    def abandon(self) -> None:
        """Let go of the connection without its event loop, which has ended."""
        with suppress(OSError):
            self._socket.close()


async def open_stream_link(origin: Origin, ssl_context: ssl.SSLContext) -> StreamLink:
    """Connect; raises what anyio raises."""
    if not origin.secure:
        return StreamLink(await anyio.connect_tcp(origin.host, origin.port))
    stream = await anyio.connect_tcp(
        origin.host, origin.port, ssl_context=ssl_context, tls_standard_compatible=False
    )
    return StreamLink(stream)


def is_readable(descriptor: int) -> bool:
    """Ask the system whether a read would return at once; so it would if the other side closed."""
    return descriptor < 0 or bool(readiness(descriptor)(0))


def readiness(descriptor: int) -> Callable[[int], list[Any]]:
    """Return what waits so many milliseconds for a read of a connection to return at once."""
    if hasattr(select, "poll"):
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return poll.poll
    return lambda milliseconds: select.select([descriptor], [], [], milliseconds / 1000)[0]


def holds_more(tls: object) -> bool:
    """Tell whether a TLS session has data, or its end, that has arrived and that nobody has read.

    The system knows nothing of it: one read of the socket may bring several records along.
    """
    if not isinstance(tls, ssl.SSLObject):
        return False
    try:
        tls.read(1)
    except ssl.SSLWantReadError:
        return False
    except ssl.SSLError:
        pass
    return True


def _reason(error: BaseException) -> str:
    return str(error.__cause__ or error) or type(error).__name__
