"""The floor: the same job written by hand, with as little as it can be done with.

No error is handled, no time-out kept, nothing but this one service understood: fixed requests over
asyncio's own protocols, a few connections, and a first poll at the 20th percentile of the solve
times, which is known here by heart. What a client costs above this is what it does for its user.
"""

from __future__ import annotations

import asyncio
import json
import ssl
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from run import Batch

PACKAGES = ()
BATCH = True
CONNECTIONS = 8
# Seconds to the first poll of a task and, after its reply, to each further one.
FIRST, GAP = 4.2, 2.0

Take = Callable[[dict[str, Any]], None]


class Connection(asyncio.Protocol):
    """One connection, kept; carries one request at a time."""

    def __init__(self, now_idle: Callable[[Connection], None]) -> None:
        self._now_idle = now_idle
        self._data = b""
        # Who gets the next reply.
        self._take: Take

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes, take: Take) -> None:
        """Send a request; *take* is given the reply."""
        self._take = take
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        """Hand a whole reply over."""
        self._data += data
        head, _, body = self._data.partition(b"\r\n\r\n")
        if len(body) < int(head.partition(b"Content-Length: ")[2] or "1"):
            return
        self._data = b""
        take = self._take
        self._now_idle(self)
        take(json.loads(body))


class Floor:
    """The service, by its address, over a few connections."""

    def __init__(self, url: str, context: ssl.SSLContext | None = None) -> None:
        address = urlsplit(url)
        self._host, self._port = str(address.hostname), address.port
        self._context = context
        if context is None and address.scheme == "https":
            self._context = ssl.create_default_context()
        self._heads = {
            path: (
                f"POST /{path} HTTP/1.1\r\nhost: {address.netloc}\r\n"
                "content-type: application/json\r\ncontent-length: "
            ).encode()
            for path in ("createTask", "getTaskResult")
        }
        self._opened: list[Connection] = []
        self._idle: list[Connection] = []
        self._waiting: deque[tuple[bytes, Take]] = deque()

    async def open(self) -> None:
        """Open all connections."""
        loop = asyncio.get_running_loop()
        for _ in range(CONNECTIONS):
            _, connection = await loop.create_connection(
                lambda: Connection(self._now_idle), self._host, self._port, ssl=self._context
            )
            self._opened.append(connection)
            self._idle.append(connection)

    def close(self) -> None:
        """Close them."""
        for connection in self._opened:
            connection.transport.close()

    def create(self, number: int, take: Take) -> None:
        """Send createTask."""
        body = (
            b'{"clientKey":"00000000000000000000000000000000","task":{"type":"RecaptchaV2Task",'
            b'"websiteURL":"https://example.com/%d","websiteKey":"6Lc_bench"}}'
        ) % number
        self._send("createTask", body, take)

    def poll(self, task_id: int, take: Take) -> None:
        """Send getTaskResult."""
        body = b'{"clientKey":"00000000000000000000000000000000","taskId":%d}' % task_id
        self._send("getTaskResult", body, take)

    def _send(self, path: str, body: bytes, take: Take) -> None:
        request = b"%b%d\r\n\r\n%b" % (self._heads[path], len(body), body)
        if self._idle:
            self._idle.pop().send(request, take)
        else:
            self._waiting.append((request, take))

    def _now_idle(self, connection: Connection) -> None:
        if self._waiting:
            connection.send(*self._waiting.popleft())
        else:
            self._idle.append(connection)


class Task:
    """One captcha."""

    __slots__ = ("_floor", "_id", "_loop", "_solved")

    def __init__(self, floor: Floor, number: int, solved: Callable[[str], None]) -> None:
        self._floor = floor
        self._solved = solved
        self._loop = asyncio.get_running_loop()
        floor.create(number, self._created)

    def _created(self, reply: dict[str, Any]) -> None:
        self._id = reply["taskId"]
        self._loop.call_later(FIRST, self._poll)

    def _poll(self) -> None:
        self._floor.poll(self._id, self._polled)

    def _polled(self, reply: dict[str, Any]) -> None:
        if reply["status"] == "ready":
            self._solved(reply["solution"]["gRecaptchaResponse"])
        else:
            self._loop.call_later(GAP, self._poll)


@asynccontextmanager
async def open_solver(url: str) -> AsyncIterator[Batch]:
    """Open the connections at the first batch, so that they count as other clients' do."""
    floor = Floor(url)

    async def solve(tasks: int) -> AsyncGenerator[str | Exception, None]:
        if not floor._opened:
            await floor.open()
        ended: asyncio.Queue[str] = asyncio.Queue()
        running = [Task(floor, number, ended.put_nowait) for number in range(tasks)]
        for _ in running:
            yield await ended.get()

    try:
        yield solve
    finally:
        floor.close()
