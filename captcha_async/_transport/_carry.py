"""One request through a transport of httpx's: when it leaves, its reply wholly read, what is left.

httpcore tells by its trace what it does. Checked in its sources (1.0.9): `send_request_headers`
is also told of a CONNECT; a connection that is opened for a request is told of in that request's
trace; an exception raised inside of the trace closes an HTTP/1.1 connection on which nothing was
sent; bytes beyond a reply stay in the connection's parser and are read as the next request's reply.
"""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import anyio
import httpx
from anyio.lowlevel import cancel_shielded_checkpoint

from ._departure import Departure
from ._messages import MAX_REPLY_BYTES, RawReply, too_large
from ._quiet import holds_more

__all__ = ["NOT_SENT", "UsedConnection", "Watch", "carry", "connection_of", "is_silent", "read_raw"]

NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.ProxyError,
    httpx.UnsupportedProtocol,
)
"""No connection, so that the service has seen nothing."""

Trace = Callable[[str, Any], Awaitable[None]]


# After so many chunks others get their turn: httpcore takes 60 µs for one, however small.
CHUNKS_IN_A_ROW = 256


class UsedConnection(Exception):
    """The connection has carried other requests; nothing was sent over it, and it is closed."""


class SentAgain(httpx.TransportError):
    """The transport was about to send by itself what must not be sent a second time."""


class Watch:
    """Watches one request on its way through a transport of httpx's.

    Args:
        departure: told when the first byte may leave.
        once: it cannot be sent again, also not by the transport itself.
        unused: refuse a connection that has carried another request, if it is HTTP/1.1.
    """

    def __init__(self, departure: Departure, *, once: bool = False, unused: bool = False) -> None:
        self._departure = departure
        self._once = once
        self._unused = unused
        # A connection that was opened for it, and its stream until the request's head is begun.
        self._opened = False
        self._stream: Any = None
        # Whether the transport has told anything, has begun the request's head, wanted its body.
        self._told = self._begun = self._taken = False

    def attach(self, request: httpx.Request, body: bytes) -> None:
        """Look after *request*; a trace that it has already goes on being called."""
        given = request.extensions.get("trace")
        if isinstance(given, _Tracing):
            # An auth sends one request several times; each is watched by itself.
            given = given.given
        tracing = _Tracing(self._note, given)
        request.extensions = {**request.extensions, "trace": tracing}
        request.stream = _Body(body, self._take)

    async def settle(self, error: BaseException) -> None:
        """Find out whether a request that failed with *error* has certainly not left.

        A connection that never carried anything is closed; httpcore forgets it where SOCKS fails.
        """
        if self._stream is not None:
            with anyio.move_on_after(1, shield=True), suppress(Exception):
                await self._stream.aclose()
        if self._told:
            # A head that cannot be written is found before its first byte; and without its body
            # there is no request that a service could carry out.
            refused = isinstance(error, (*NOT_SENT, httpx.LocalProtocolError))
            certain = not self._taken and (refused or not self._begun)
        else:
            certain = isinstance(error, NOT_SENT)
        if certain:
            self._departure.stayed()

    def _take(self) -> None:
        self._refuse_a_second()
        self._taken = True
        self._departure.leaving()

    def _refuse_a_second(self) -> None:
        # httpcore does it after an HTTP/2 GOAWAY, and a transport of the user's after anything.
        if self._once and self._taken:
            raise SentAgain("the transport wanted to send the request a second time")

    def _note(self, event: str, info: Any) -> None:
        self._told = True
        protocol, _, step = event.partition(".")
        if step in ("connect_tcp.started", "connect_unix_socket.started"):
            self._opened = True
        elif step == "connect_tcp.complete":
            self._stream = info.get("return_value")
        elif step == "send_request_headers.started":
            request = info.get("request") if isinstance(info, dict) else None
            if getattr(request, "method", b"") == b"CONNECT":
                return
            if self._unused and not self._opened and protocol == "http11":
                raise UsedConnection
            self._refuse_a_second()
            self._begun = True
            self._stream = None
            self._departure.leaving()


class _Tracing:
    """A trace, as httpcore calls it."""

    def __init__(self, note: Callable[[str, Any], None], given: Trace | None) -> None:
        self._note = note
        self.given = given

    async def __call__(self, event: str, info: Any) -> None:
        self._note(event, info)
        if self.given is not None:
            await self.given(event, info)


class _Body(httpx.AsyncByteStream):
    """A request's body. Not a generator as httpx's: a cancelled write would leave it half run."""

    def __init__(self, content: bytes, taken: Callable[[], None]) -> None:
        self._content = content
        self._taken = taken

    def __aiter__(self) -> AsyncIterator[bytes]:
        self._taken()
        return _Parts(self._content)


class _Parts(AsyncIterator[bytes]):
    def __init__(self, content: bytes) -> None:
        self._parts = [content] if content else []

    async def __anext__(self) -> bytes:
        if not self._parts:
            raise StopAsyncIteration
        return self._parts.pop()


async def carry(
    transport: httpx.AsyncBaseTransport, request: httpx.Request
) -> tuple[RawReply, httpx.Response, bool]:
    """Send *request* and read its reply, raw and bounded.

    Returns:
        The reply, what it came in, and whether its connection can carry another request: it can not
        if anything beyond the reply has come, or if nobody can tell.
    """
    response = await transport.handle_async_request(request)
    try:
        body = await read_raw(response)
        clean = _ends_there(response)
        if not clean and "network_stream" in response.extensions:
            _end(response.extensions["network_stream"])
    finally:
        await response.aclose()
    raw = RawReply(
        response.status_code,
        response.headers.raw,
        body,
        response.extensions.get("http_version", b"HTTP/1.1"),
        response.extensions.get("reason_phrase", b""),
    )
    return raw, response, clean


async def read_raw(response: httpx.Response) -> bytes:
    """Read a response's body as it came, within the bound.

    Raises:
        RemoteProtocolError: it is too large.
    """
    stream = response.stream
    if not isinstance(stream, httpx.AsyncByteStream):
        raise TypeError("the transport's response cannot be read asynchronously")
    body = bytearray()
    full = False
    count = 0
    with anyio.CancelScope() as scope:
        async for chunk in stream:
            count += 1
            if count % CHUNKS_IN_A_ROW == 0:
                # Shielded for the same reason as below; the next read can be cancelled.
                await cancel_shielded_checkpoint()
            if len(body) + len(chunk) > MAX_REPLY_BYTES:
                # Leaving the loop would leave httpcore's generators half run; a cancellation
                # inside of them ends them properly.
                full = True
                scope.cancel()
            else:
                body += chunk
    if full:
        raise too_large()
    return bytes(body)


def _ends_there(response: httpx.Response) -> bool:
    """Tell whether nothing has come beyond the reply. To be asked before the response is closed."""
    if "network_stream" not in response.extensions:
        # There is no connection that could carry anything, or none that anybody knows of.
        return True
    if response.extensions.get("http_version") == b"HTTP/2":
        # Its replies bear the number of their request.
        return True
    # The parser has what came along with the reply.
    parser = getattr(connection_of(response), "_h11_state", None)
    return getattr(parser, "trailing_data", None) == (b"", False) and is_silent(response)


def connection_of(response: httpx.Response) -> Any:
    """Return httpcore's connection that a response came over, or None.

    No public way leads to it. Where this one ends some day, connections are not used twice.
    """
    found: Any = response.stream
    for name in ("_httpcore_stream", "_stream", "_connection"):
        found = getattr(found, name, None)
    return found


def is_silent(response: httpx.Response) -> bool:
    """Tell whether nothing waits on the connection of a response that was read."""
    stream = response.extensions.get("network_stream")
    if stream is None:
        return True
    try:
        if stream.get_extra_info("is_readable"):
            return False
    except ValueError:
        # trio asks the system about a socket that is closed already.
        return False
    return not holds_more(stream.get_extra_info("ssl_object"))


def _end(stream: Any) -> None:
    """End a connection that is in a pool of httpcore's, which then finds it dead and closes it.

    Closed by us it would be an error there: on trio it asks a socket that is no more.
    """
    raw = stream.get_extra_info("socket")
    if raw is None:
        return
    with suppress(OSError), socket.fromfd(raw.fileno(), raw.family, raw.type) as twin:
        # By a twin, for uvloop's sockets cannot do it.
        twin.shutdown(socket.SHUT_RDWR)
