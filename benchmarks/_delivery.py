"""The reference service's callbacks: POSTs, each over a connection of its own or over kept ones."""

from __future__ import annotations

import asyncio
import json
from typing import Any, cast
from urllib.parse import urlsplit

__all__ = ["Deliveries"]


class Deliveries:
    """Posts results when they are ready, and counts what they are answered.

    Args:
        keep_alive: use connections again, as a reverse proxy before the receiver does; without it
            each callback opens one, as the services' documentation says.
    """

    def __init__(self, *, keep_alive: bool) -> None:
        self.accepted = 0
        self.failed = 0
        self._keep_alive = keep_alive
        self._idle: list[_Connection] = []
        # asyncio keeps no strong reference to the ones under way.
        self._posting: set[asyncio.Task[None]] = set()

    def post_at(self, moment: float, url: str, body: dict[str, Any]) -> None:
        """Post *body* at a *moment* of the loop's clock."""
        loop = asyncio.get_running_loop()
        loop.call_at(moment, self._start, url, json.dumps(body).encode())

    def _start(self, url: str, body: bytes) -> None:
        posting = asyncio.create_task(self._post(url, body))
        self._posting.add(posting)
        posting.add_done_callback(self._posting.discard)

    async def _post(self, url: str, body: bytes) -> None:
        parts = urlsplit(url)
        kept = "keep-alive" if self._keep_alive else "close"
        head = (
            f"POST {parts.path} HTTP/1.1\r\nHost: {parts.netloc}\r\n"
            "Content-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\nConnection: {kept}\r\n\r\n"
        )
        try:
            async with asyncio.timeout(2):
                connection = await self._connect(parts.hostname, parts.port)
                accepted = await connection.send(head.encode() + body)
        except OSError:
            accepted = False
        else:
            self._put_back(connection)
        self.accepted += accepted
        self.failed += not accepted

    async def _connect(self, host: str | None, port: int | None) -> _Connection:
        if self._idle:
            return self._idle.pop()
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, host, port)
        return connection

    def _put_back(self, connection: _Connection) -> None:
        if self._keep_alive and not connection.lost:
            self._idle.append(connection)
        else:
            connection.close()


class _Connection(asyncio.Protocol):
    """Sends a request, and reads the first line of the reply."""

    lost = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes) -> asyncio.Future[bool]:
        self._answered: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answered

    def data_received(self, data: bytes) -> None:
        self._answer(data.startswith(b"HTTP/1.1 200 "))

    def connection_lost(self, exc: Exception | None) -> None:
        self.lost = True
        self._answer(False)

    def close(self) -> None:
        self._transport.close()

    def _answer(self, accepted: bool) -> None:
        if not self._answered.done():
            self._answered.set_result(accepted)
