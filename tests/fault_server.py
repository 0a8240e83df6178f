"""A small captcha-solving service over real sockets, each connection of which may go wrong.

One request per connection, so that a fault that is armed meets just the next request.
"""

from __future__ import annotations

import gzip
import socket
import ssl
import struct
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from typing import Any

import anyio
import anyio.lowlevel
import orjson
from anyio.abc import ByteStream, SocketAttribute, SocketStream
from anyio.streams.tls import TLSStream
from raw_server import read_request, reply

CLOSE = b"connection: close\r\n"

Fault = Callable[["FaultServer", SocketStream], Awaitable[None]]
"""Treats one connection, from its first byte to its end."""


class FaultServer:
    """The service.

    Args:
        tls: what a proper connection is wrapped in.
    """

    def __init__(self, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        # What was carried out, by method.
        self.requests: Counter[str] = Counter()
        self.created: list[int] = []
        # Moments at which connections came, from the one with the fault on.
        self.arrivals: list[float] = []
        self._fault: Fault | None = None
        self._times = 0
        self._port = 0
        self._seconds_down = 0.0

    def arm(self, fault: Fault, times: int = 1) -> None:
        """Let the next connections go wrong."""
        self._fault, self._times = fault, times
        self.arrivals.clear()

    def disarm(self) -> None:
        """Let no connection go wrong any more."""
        self._times = 0

    @property
    def armed(self) -> bool:
        """Whether the fault has yet to happen."""
        return self._times > 0

    @asynccontextmanager
    async def serve(self) -> AsyncGenerator[str]:
        """Serve on a free port; yields the base URL."""
        async with anyio.create_task_group() as group:
            await group.start(self._listen)
            scheme = "http" if self.tls is None else "https"
            try:
                yield f"{scheme}://localhost:{self._port}"
            finally:
                group.cancel_scope.cancel()

    def go_down(self, seconds: float) -> None:
        """Go down, in the middle of whatever is under way, and come up again after some time."""
        self._seconds_down = seconds
        self._listening.cancel()

    async def restart(self, seconds: float) -> None:
        """Go down, and be down when this returns; come up again after some time."""
        self.go_down(seconds)
        await self._down.wait()

    async def _listen(self, *, task_status: anyio.abc.TaskStatus[None]) -> None:
        while True:
            self._down = anyio.Event()
            with anyio.CancelScope() as self._listening:
                listener = await anyio.create_tcp_listener(
                    local_host="127.0.0.1", local_port=self._port
                )
                async with listener:
                    if not self._port:
                        self._port = listener.extra(SocketAttribute.local_port)
                        task_status.started()
                    await listener.serve(self._treat)
            self._down.set()
            await anyio.sleep(self._seconds_down)

    async def _treat(self, stream: SocketStream) -> None:
        gone = (anyio.BrokenResourceError, anyio.EndOfStream, anyio.ClosedResourceError)
        self.arrivals.append(anyio.current_time())
        with suppress(*gone, ssl.SSLError):
            async with stream:
                if self._times:
                    self._times -= 1
                    assert self._fault is not None
                    await self._fault(self, stream)
                else:
                    await serve_well(self, stream)

    async def wrap(self, stream: SocketStream) -> ByteStream:
        """Return the stream to speak HTTP over."""
        if self.tls is None:
            return stream
        return await TLSStream.wrap(
            stream, server_side=True, ssl_context=self.tls, standard_compatible=False
        )

    def carry_out(self, request: bytes) -> bytes:
        """Do what a request wants, and return the body of the reply."""
        head, _, body = request.partition(b"\r\n\r\n")
        method = head.split()[1].decode().strip("/")
        self.requests[method] += 1
        answer: dict[str, Any] = {"errorId": 0}
        if method == "createTask":
            self.created.append(1000 + len(self.created))
            answer["taskId"] = self.created[-1]
        elif method == "getTaskResult":
            token = f"token of {orjson.loads(body)['taskId']}"
            answer |= {"status": "ready", "solution": {"gRecaptchaResponse": token}}
        elif method == "getBalance":
            answer["balance"] = 1.5
        else:
            answer["status"] = "success"
        return orjson.dumps(answer)


async def serve_well(server: FaultServer, stream: SocketStream) -> None:
    """Answer one request."""
    http = await server.wrap(stream)
    await http.send(reply(server.carry_out(await read_request(http)), headers=CLOSE))
    # The caller has everything when it closes; only then the socket may go.
    await http.receive(1)


# -- faults ---------------------------------------------------------------------------------------


def reset(stream: SocketStream) -> None:
    """Let the connection end with RST when it is closed."""
    raw = stream.extra(SocketAttribute.raw_socket)
    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def reset_unread(server: FaultServer, stream: SocketStream) -> None:
    """Reset without reading."""
    reset(stream)


async def reset_after_request(server: FaultServer, stream: SocketStream) -> None:
    """Read the request, carry it out, and reset."""
    server.carry_out(await read_request(stream))
    reset(stream)


async def reset_in_reply(server: FaultServer, stream: SocketStream) -> None:
    """Send half of the reply, and reset."""
    answer = reply(server.carry_out(await read_request(stream)), headers=CLOSE)
    await stream.send(answer[: len(answer) - 8])
    reset(stream)


async def cut_reply(server: FaultServer, stream: SocketStream) -> None:
    """Send half of the reply, and close."""
    answer = reply(server.carry_out(await read_request(stream)), headers=CLOSE)
    await stream.send(answer[: len(answer) - 8])


async def half_close(server: FaultServer, stream: SocketStream) -> None:
    """Carry out the request, and end the sending side without a word."""
    server.carry_out(await read_request(stream))
    await stream.send_eof()
    await stream.receive(1)


async def restart(server: FaultServer, stream: SocketStream) -> None:
    """Carry out the request, and be restarted before it is answered."""
    server.carry_out(await read_request(stream))
    server.go_down(0.05)
    await anyio.sleep_forever()


async def stall(server: FaultServer, stream: SocketStream) -> None:
    """Carry out the request, and say nothing more."""
    server.carry_out(await read_request(stream))
    await stream.receive(1)


async def stall_unread(server: FaultServer, stream: SocketStream) -> None:
    """Take the connection, and do nothing."""
    await anyio.sleep(1)


async def slow_bytes(server: FaultServer, stream: SocketStream) -> None:
    """Send the reply byte by byte."""
    for byte in reply(server.carry_out(await read_request(stream)), headers=CLOSE):
        await stream.send(bytes([byte]))
        await anyio.lowlevel.checkpoint()
    await stream.receive(1)


async def drip(server: FaultServer, stream: SocketStream) -> None:
    """Send a reply without end, a byte now and then."""
    server.carry_out(await read_request(stream))
    await stream.send(b"HTTP/1.1 200 OK\r\n")
    while True:
        await stream.send(b"x-more: 1\r\n")
        await anyio.sleep(0.02)


def page(status: bytes, body: bytes = b"<html>trouble</html>", headers: bytes = b"") -> Fault:
    """Carry out the request, and send a page in place of the answer."""

    async def fault(server: FaultServer, stream: SocketStream) -> None:
        server.carry_out(await read_request(stream))
        await stream.send(reply(body, status, headers=CLOSE + headers))
        await stream.receive(1)

    return fault


def refusal(code: str, status: bytes = b"200 OK", headers: bytes = b"") -> Fault:
    """Carry out nothing, and answer with an error code, or with a bare status without one."""

    async def fault(server: FaultServer, stream: SocketStream) -> None:
        http = await server.wrap(stream)
        await read_request(http)
        body = orjson.dumps({"errorId": 1, "errorCode": code}) if code else b""
        await http.send(reply(body, status, headers=CLOSE + headers))
        await http.receive(1)

    return fault


async def truncated_json(server: FaultServer, stream: SocketStream) -> None:
    """Send half of the JSON, as if that was all."""
    body = server.carry_out(await read_request(stream))
    await stream.send(reply(body[:13], headers=CLOSE))
    await stream.receive(1)


async def gzipped(server: FaultServer, stream: SocketStream) -> None:
    """Send the answer packed."""
    body = gzip.compress(server.carry_out(await read_request(stream)))
    await stream.send(reply(body, headers=CLOSE + b"content-encoding: gzip\r\n"))
    await stream.receive(1)


async def plain_called_gzip(server: FaultServer, stream: SocketStream) -> None:
    """Send the answer as it is, and call it packed."""
    body = server.carry_out(await read_request(stream))
    await stream.send(reply(body, headers=CLOSE + b"content-encoding: gzip\r\n"))
    await stream.receive(1)


async def gzip_in_layers(server: FaultServer, stream: SocketStream) -> None:
    """Send the answer packed twice, which unpacks to any size."""
    body = gzip.compress(gzip.compress(server.carry_out(await read_request(stream))))
    await stream.send(reply(body, headers=CLOSE + b"content-encoding: gzip, gzip\r\n"))
    await stream.receive(1)


async def giant(server: FaultServer, stream: SocketStream) -> None:
    """Send a few kilobytes that unpack to a giant."""
    server.carry_out(await read_request(stream))
    body = gzip.compress(bytes(50 * 1024 * 1024))
    await stream.send(reply(body, headers=CLOSE + b"content-encoding: gzip\r\n"))
    await stream.receive(1)


async def tiny_chunks(server: FaultServer, stream: SocketStream) -> None:
    """Send the answer, and a lot of nothing, in chunks of one byte."""
    body = server.carry_out(await read_request(stream)) + b" " * 20_000
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body)
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n" + CLOSE + b"\r\n"
    await stream.send(head + chunks + b"0\r\n\r\n")
    await stream.receive(1)


async def surplus(server: FaultServer, stream: SocketStream) -> None:
    """Send the answer, and one that nobody has asked for."""
    answer = reply(server.carry_out(await read_request(stream)))
    await stream.send(answer + reply(b'{"errorId": 0, "taskId": 666, "status": "ready"}'))
    await stream.receive(1)


async def echo(server: FaultServer, stream: SocketStream) -> None:
    """Carry out the request, and send back what is in it, which is no HTTP."""
    request = await read_request(stream)
    server.carry_out(request)
    await stream.send(request.partition(b"\r\n\r\n")[2] + b"\r\n\r\n")
    await stream.receive(1)


async def wrong_type(server: FaultServer, stream: SocketStream) -> None:
    """Call the JSON an image."""
    answer = reply(server.carry_out(await read_request(stream)), headers=CLOSE)
    await stream.send(answer.replace(b"application/json", b"image/png"))
    await stream.receive(1)


async def no_tls(server: FaultServer, stream: SocketStream) -> None:
    """Answer the greeting of TLS with something else."""
    await stream.receive()
    await stream.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")


async def cut_tls(server: FaultServer, stream: SocketStream) -> None:
    """End the connection in the middle of the greeting."""
    await stream.receive()


def other_certificate(context: ssl.SSLContext) -> Fault:
    """Present a certificate that is not to be trusted."""

    async def fault(server: FaultServer, stream: SocketStream) -> None:
        await TLSStream.wrap(stream, server_side=True, ssl_context=context)

    return fault
