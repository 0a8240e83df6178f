"""Other ways to build the lanes, to measure them as well, for `benchmarks.transport`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import patch

import orjson

from benchmarks._reference import Reference
from captcha_async._transport import HttpTransport, _direct_lane
from captcha_async._transport._direct_lane import DirectLane
from captcha_async._transport._h11_framing import H11Reader
from captcha_async._transport._httpx_lane import HttpxLane
from captcha_async._transport._lanes import Lane, LanePool
from captcha_async._transport._links import Link, open_stream_link
from captcha_async._transport._messages import Call, RawReply
from captcha_async._transport._tls import default_ssl_context

Post = Callable[[], Awaitable[Any]]


@asynccontextmanager
async def _posting(
    open_lane: Callable[[], Lane], info: Reference, connections: int, body: bytes, path: str
) -> AsyncIterator[Post]:
    transport = HttpTransport(connections=connections)
    transport._lanes = LanePool(open_lane, connections)

    async def post() -> Any:
        reply = await transport.post(info.url + path, body, timeout=30)
        return orjson.loads(reply.body)

    try:
        yield post
    finally:
        await transport.aclose()


def _context(info: Reference) -> Any:
    return info.ssl_context() if info.authority else default_ssl_context()


@asynccontextmanager
async def httpx_lanes(
    info: Reference, connections: int, body: bytes, path: str
) -> AsyncIterator[Post]:
    """One single-connection httpx transport for each lane."""
    context = _context(info)
    async with _posting(lambda: HttpxLane(context), info, connections, body, path) as post:
        yield post


@asynccontextmanager
async def streams(info: Reference, connections: int, body: bytes, path: str) -> AsyncIterator[Post]:
    """The same lane over anyio's streams, as on trio."""
    context = _context(info)
    async with _posting(lambda: _StreamLane(context), info, connections, body, path) as post:
        yield post


@asynccontextmanager
async def h11_reader(
    info: Reference, connections: int, body: bytes, path: str
) -> AsyncIterator[Post]:
    """The same lane with h11 for all replies, as for those that are not plain without httptools."""
    context = _context(info)
    with (
        patch.object(_direct_lane, "read_plain", lambda _: None),
        patch.object(_direct_lane, "make_reader", H11Reader),
    ):
        async with _posting(lambda: DirectLane(context), info, connections, body, path) as post:
            yield post


class _StreamLane(DirectLane):
    async def exchange(self, call: Call) -> RawReply:
        if self._link is None:
            origin = call.head.origin
            context = self._ssl_context if origin.secure else None
            link: Link = await open_stream_link(origin, context)
            self._link, self._origin = link, origin
        return await super().exchange(call)
