"""A lane of our own, straight to the service: an asyncio protocol, or anyio's streams on trio.

Measured: 0.14 ms of CPU per request by protocol, 0.2 ms by streams (`benchmarks.transport`).
"""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import TYPE_CHECKING

import anyio
import attrs
from anyio.lowlevel import checkpoint

from ._lane_errors import (
    ConnectError,
    ConnectTimeout,
    LaneError,
    ReadTimeout,
    WriteError,
    WriteTimeout,
)
from ._messages import NO_TIMEOUTS, Call, Origin, RawReply
from ._tls import default_ssl_context
from ._turn import asyncio_loop

if TYPE_CHECKING:
    from ._framing import ReplyReader
    from ._links import Link

try:
    from ._fast_framing import FastReader
except ImportError:
    from ._framing import PlainReader

    make_reader: Callable[[], ReplyReader] = PlainReader
else:
    make_reader = FastReader

__all__ = ["DirectLane"]

# So many bytes are parsed before others get their turn: in tiny chunks they cost 20 ms.
SLICE = 8192


class DirectLane:
    """One connection; it is opened for the first request.

    Args:
        ssl_context: TLS settings; the default ones without it, made when TLS is first spoken.
    """

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self._ssl_context = ssl_context
        self._reader = make_reader()
        self._link: Link | None = None
        self._origin: Origin | None = None
        # Set, once for all, when something has come beyond a reply.
        self._more = False
        self.reusable = False

    def is_ready_for(self, origin: Origin) -> bool:
        """Tell whether it leads to *origin* and the server has not closed it."""
        return self._origin == origin and self._link is not None and self._link.is_quiet()

    async def exchange(self, call: Call) -> RawReply:
        """Send a request and read its whole reply."""
        self.reusable = False
        if self._link is None:
            self._link = await _open(call, self._ssl_context)
            self._origin = call.head.origin
        link = self._link
        data = call.encode()
        self._reader.start(call.head.method)
        call.departure.leaving()
        if link.sends_at_once is None or len(data) <= link.sends_at_once:
            await link.send(data, call.until(call.timeouts.write))
            reply = await self._read(link, call)
        else:
            reply = await self._read_while_sending(link, data, call)
        self.reusable = self._reader.finish() and link.is_flushed() and not self._more
        return reply

    async def aclose(self) -> None:
        """Close the connection."""
        self.reusable = False
        if self._link is not None:
            await self._link.aclose()

    def abandon(self) -> None:
        """Let go of the connection without its event loop, which has ended."""
        self.reusable = False
        link, self._link = self._link, None
        if link is not None:
            link.abandon()

    async def _read(self, link: Link, call: Call) -> RawReply:
        while True:
            data = await link.receive(call.until(call.timeouts.read))
            while len(data) > SLICE:
                reply = self._reader.feed(data[:SLICE])
                if reply is not None:
                    # What is left was not asked for.
                    self._more = True
                    return reply
                data = data[SLICE:]
                await checkpoint()
            reply = self._reader.feed(data)
            if reply is not None:
                return reply

    async def _read_while_sending(self, link: Link, data: bytes, call: Call) -> RawReply:
        """Send a long request; a server may refuse it before it has seen all of it."""
        failure: LaneError | None = None
        reply: RawReply | None = None
        reading = anyio.CancelScope()

        async def send() -> None:
            nonlocal failure
            try:
                await link.send(data, call.until(call.timeouts.write))
            except WriteError as error:
                # The reason may be in a reply that has already come.
                failure = error
            except WriteTimeout as error:
                failure = error
                reading.cancel()
            reading.deadline = call.until(call.timeouts.read)

        async with anyio.create_task_group() as children:
            children.start_soon(send)
            with reading:
                try:
                    reply = await self._read(link, attrs.evolve(call, timeouts=NO_TIMEOUTS))
                except LaneError as error:
                    failure = failure or error
            children.cancel_scope.cancel()
        if reply is None:
            raise failure or ReadTimeout("no reply came in time")
        return reply


async def _open(call: Call, ssl_context: ssl.SSLContext | None) -> Link:
    origin = call.head.origin
    context = (ssl_context or default_ssl_context()) if origin.secure else None
    try:
        with anyio.CancelScope(deadline=call.until(call.timeouts.connect)):
            # Each imported late: whoever does not run the one or the other need not load it.
            if asyncio_loop() is not None:
                from ._asyncio_link import open_asyncio_link

                return await open_asyncio_link(origin, context)
            from ._links import open_stream_link

            return await open_stream_link(origin, context)
    except (OSError, ValueError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        raise ConnectError(str(error.__cause__ or error)) from error
    raise ConnectTimeout("no connection in time")
