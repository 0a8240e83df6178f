"""An ASGI app behind our server: requests and answers are whole, not streamed."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from urllib.parse import unquote

import anyio
from anyio.abc import TaskGroup

from ._asgi import App, Message, Scope
from ._messages import Bounds, Exchange, Request, Response
from ._own_task import OwnTask
from ._server import bind, serve

__all__ = ["serve_app"]

# A task may carry large pictures, and a benchmark many connections.
BOUNDS = Bounds(body_bytes=64 * 1024 * 1024, connections=10_000)

logger = logging.getLogger("captcha_async")


def serve_app(app: App, host: str, port: int, what: str) -> AbstractAsyncContextManager[str]:
    """Serve *app* over HTTP and give its base URL.

    One task may enter it and another leave it.

    Args:
        app: it gets no lifespan: whoever serves it here starts and ends it.
        host: the address to listen on.
        port: the port; 0 takes a free one.
        what: what is served, for errors.

    Raises:
        InvalidArgument: the port is none.
        OSError: the address cannot be used.
    """
    return OwnTask(_serve(app, host, port), what)


@asynccontextmanager
async def _serve(app: App, host: str, port: int) -> AsyncGenerator[str]:
    with bind(host, port) as (listener, url):
        async with anyio.create_task_group() as task_group:
            try:
                async with serve(listener, _Apps(app, task_group), BOUNDS):
                    yield url
            finally:
                # Those that still run work for callers that were hung up on.
                task_group.cancel_scope.cancel()


class _Apps:
    """Has each request answered by the app, in a task of its own."""

    def __init__(self, app: App, task_group: TaskGroup) -> None:
        self._app = app
        self._task_group = task_group

    def judge(self, head: Request) -> Response | None:
        """Read every body."""
        return None

    def answer(self, request: Request) -> Response | None:
        """Leave it to the app, which may take its time."""
        return None

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Start the app."""
        if request.overflow:
            exchange.respond(Response(413))
        else:
            self._task_group.start_soon(_Call(request, exchange).run, self._app)


class _Call:
    """One request, as the app sees it."""

    def __init__(self, request: Request, exchange: Exchange) -> None:
        self._request = request
        self._exchange = exchange
        # Whether the app has taken the body.
        self._received = False
        # Set when nothing more comes: the answer is complete, or nobody waits for it any more.
        self._over = anyio.Event()
        exchange.when_gone(self._over.set)
        # What the app has sent so far.
        self._status = 500
        self._headers: tuple[tuple[bytes, bytes], ...] = ()
        self._parts: list[bytes] = []

    async def run(self, app: App) -> None:
        """Call the app; whatever it does, there is an answer."""
        try:
            await app(self._scope(), self._receive, self._send)
        except Exception:
            logger.exception("the app failed")
        # This says nothing if there was an answer.
        self._exchange.respond(Response(500))

    def _scope(self) -> Scope:
        path, _, query = self._request.target.partition(b"?")
        return {
            "type": "http",
            "asgi": {"version": "3.0", "spec_version": "2.4"},
            "http_version": "1.1",
            "method": self._request.method.decode("ascii"),
            "scheme": "http",
            "path": unquote(path.decode("ascii", "replace")),
            "raw_path": path,
            "query_string": query,
            "root_path": "",
            "headers": self._request.headers,
            "client": None,
            "server": None,
        }

    async def _receive(self) -> Message:
        if not self._received:
            self._received = True
            return {"type": "http.request", "body": self._request.body, "more_body": False}
        await self._over.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._status = message["status"]
            # The answer to a HEAD tells a length that its body has not.
            keep = self._request.method == b"HEAD"
            self._headers = tuple(
                (name, value)
                for name, value in message.get("headers", ())
                if keep or name.lower() not in (b"content-length", b"transfer-encoding")
            )
            return
        self._parts.append(message.get("body", b""))
        if not message.get("more_body", False):
            self._exchange.respond(Response(self._status, self._headers, b"".join(self._parts)))
            self._over.set()
