"""A lane of our own, straight to the service: an asyncio protocol, or anyio's streams on trio.

Measured: 0.14 ms of CPU per request by protocol, 0.2 ms by streams (`benchmarks.transport`).
"""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING

import anyio
from anyio.lowlevel import checkpoint

from ._lane_errors import (
    ConnectError,
    ConnectTimeout,
    LaneError,
    ReadTimeout,
    WriteError,
    WriteTimeout,
)
from ._messages import EVER, Call, Origin, RawReply
from ._plain_reply import read_plain
from ._tls import default_ssl_context
from ._turn import asyncio_loop

if TYPE_CHECKING:
    from ._framing import ReplyReader
    from ._links import Link

__all__ = ["DirectLane"]

# So many bytes are parsed before others get their turn: in tiny chunks they cost 20 ms.
SLICE = 8192


def make_reader() -> ReplyReader:
    """Make what reads any reply. Imported late: most connections see nothing but plain ones."""
    try:
        from ._fast_framing import FastReader
    except ImportError:
        from ._h11_framing import H11Reader

        return H11Reader()
    return FastReader()


class DirectLane:
    """One connection; it is opened for the first request.

    Args:
        ssl_context: TLS settings; the default ones without it, made when TLS is first spoken.
    """

    def __init__(self, ssl_context: ssl.SSLContext | None = None) -> None:
        self._ssl_context = ssl_context
        self._link: Link | None = None
        self._origin: Origin | None = None
        # What reads the replies that are not plain; made for the first of them.
        self._reader: ReplyReader | None = None
        self.reusable = False

    def is_ready_for(self, origin: Origin) -> bool:
        """Tell whether it leads to *origin* and the server has not closed it."""
        return self._origin == origin and self._link is not None and self._link.is_quiet()

    async def exchange(self, call: Call) -> RawReply:
        """Send a request and read its whole reply."""
        self.reusable = False
        link = self._link
        if link is None:
            link = self._link = await _open(call, self._ssl_context)
            self._origin = call.head.origin
        data = call.encode()
        call.leaving()
        if link.sends_at_once is not None and len(data) > link.sends_at_once:
            return await self._read_while_sending(link, data, call)
        await link.send(data, call.deadline)
        data = await link.receive(call.deadline)
        reply = None if call.head.method == "HEAD" else read_plain(data)
        if reply is None:
            return await self._parse(link, data, call, call.deadline)
        self.reusable = link.flushed
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

    async def _parse(self, link: Link, data: bytes, call: Call, deadline: float) -> RawReply:
        """Read any reply that begins with *data*."""
        if self._reader is None:
            self._reader = make_reader()
        reader = self._reader
        reader.start(call.head.method)
        while True:
            while len(data) > SLICE:
                reply = reader.feed(data[:SLICE])
                if reply is not None:
                    # What is left was not asked for.
                    return reply
                data = data[SLICE:]
                await checkpoint()
            reply = reader.feed(data)
            if reply is not None:
                self.reusable = reader.finish() and link.flushed
                return reply
            data = await link.receive(deadline)

    async def _read_while_sending(self, link: Link, data: bytes, call: Call) -> RawReply:
        """Send a long request; a server may refuse it before it has seen all of it."""
        failure: LaneError | None = None
        reply: RawReply | None = None
        reading = anyio.CancelScope()

        async def send() -> None:
            nonlocal failure
            try:
                await link.send(data, call.deadline)
            except WriteError as error:
                # The reason may be in a reply that has already come.
                failure = error
            except WriteTimeout as error:
                failure = error
                reading.cancel()
            reading.deadline = call.deadline

        async with anyio.create_task_group() as children:
            children.start_soon(send)
            with reading:
                try:
                    reply = await self._parse(link, await link.receive(EVER), call, EVER)
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
        with anyio.CancelScope(deadline=call.deadline):
            # Each imported late: whoever does not use the one or the other need not load it.
            if asyncio_loop() is not None and context is not None:
                from ._tls_link import open_tls_link

                return await open_tls_link(origin, context)
            if asyncio_loop() is not None:
                from ._asyncio_link import open_asyncio_link

                return await open_asyncio_link(origin)
            from ._links import open_stream_link

            return await open_stream_link(origin, context)
    except (OSError, ValueError, anyio.BrokenResourceError, anyio.EndOfStream) as error:
        raise ConnectError(str(error.__cause__ or error)) from error
    raise ConnectTimeout("no connection in time")
