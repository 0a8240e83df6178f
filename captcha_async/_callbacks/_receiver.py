"""CallbackReceiver: the ASGI app to which services post results."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING

import anyio

from .._serving._asgi import Receive, Scope, Send
from .._serving._messages import Bounds, Response
from ..errors import invalid
from ..tasks._fields import check_url
from ._callback import Callback
from ._reception import MOST_BYTES, Foreign, Reception
from ._tally import CallbackStatistics, Tally
from ._tokens import Tokens

if TYPE_CHECKING:
    from .._sharing._callbacks import SharedCallbacks

__all__ = ["CallbackReceiver"]


class CallbackReceiver:
    """Receives the results that services post, for any number of clients. An ASGI app.

    ```python
    receiver = CallbackReceiver("https://crawler.example/captcha")
    app.mount("/captcha", receiver)  # or: async with receiver.serve("0.0.0.0", 8080):
    client = CaptchaClient(callbacks=receiver)
    ```

    It belongs to the event loop of its clients. What it answers: 200 to a callback, also to a
    repeated or a late one; 404 to an unknown token, 405 to another method, 413 to a body over
    256 KiB, 400 to one that cannot be read or that names another task; 200 to GET and HEAD of
    `health`, for who watches over it. A callback of another process that shares the account is
    handed over to it; it is answered with 503 when that cannot be, for the service to try again.

    Args:
        public_url: where the services reach it; the token follows as the last part of the path.
            Without it, the address that `serve` listens on.
        verify: have each callback confirmed by one getTaskResult before it is trusted.

    Raises:
        InvalidArgument: an argument is certainly wrong.
    """

    def __init__(self, public_url: str | None = None, *, verify: bool = False) -> None:
        if public_url is not None:
            check_url("public_url", public_url)
            if "?" in public_url or "#" in public_url:
                raise invalid("public_url", public_url, "a URL without query and fragment")
        if not isinstance(verify, bool):
            raise invalid("verify", verify, "True or False")
        self._public_url = public_url
        self._verify = verify
        self._tokens = Tokens()
        self._tally = Tally()
        self._reception = Reception(self._tokens, self._tally)
        # Whether `serve` is entered; where it listens, while it does; and whether it did and does
        # not any more.
        self._served = False
        self._served_at: str | None = None
        self._stopped = False

    def __repr__(self) -> str:
        return f"<CallbackReceiver: {len(self._tokens)} awaited, {self._tally.by_callback} came>"

    def statistics(self) -> CallbackStatistics:
        """Return what has become of the callbacks so far."""
        return self._tally.snapshot()

    def expect_again(self, token: str, tally: Tally) -> Callback:
        """Make the callback of a task that was submitted elsewhere; clients call this."""
        address = self._public_url or self._served_at or ""
        tallies = (self._tally, tally)
        return self._tokens.add(address, verify=self._verify, tallies=tallies, token=token)

    def expect(self, tally: Tally | None = None, token: str | None = None) -> Callback | None:
        """Make the callback of a submission; clients call this.

        Args:
            tally: where it is counted beside the receiver's own.
            token: the secret in its URL; a new one without.

        Returns:
            None if nobody listens any more; the task is polled for then.

        Raises:
            InvalidArgument: there is no address to give to the service.
        """
        if self._stopped:
            return None
        address = self._public_url or self._served_at
        if address is None:
            rule = "given, or the receiver be served before a task is submitted"
            raise invalid("public_url", None, rule)
        tallies = (self._tally,) if tally is None else (self._tally, tally)
        return self._tokens.add(address, verify=self._verify, tallies=tallies, token=token)

    def relay(self, shared: SharedCallbacks) -> None:
        """Hand over what comes for other processes of a shared account; clients call this."""
        self._reception.relays[shared] = self._reception.relays.get(shared, 0) + 1

    def unrelay(self, shared: SharedCallbacks) -> None:
        """Take back one `relay`."""
        users = self._reception.relays.pop(shared) - 1
        if users:
            self._reception.relays[shared] = users

    def posted(self, token: str, body: bytes, keeper: SharedCallbacks) -> bool:
        """Take a callback that came to another process; tell whether it is of a client of ours."""
        return self._reception.take_over(token, body, keeper)

    def serve(self, host: str = "127.0.0.1", port: int = 0) -> AbstractAsyncContextManager[str]:
        """Listen on an address of its own, and give it as a URL.

        Afterwards the port is free, and tasks in flight are polled for. One task may enter it and
        another leave it, as fixtures and start-up hooks do. TLS is left to a reverse proxy in
        front.

        Args:
            host: the address to listen on.
            port: the port; 0 takes a free one.

        Raises:
            RuntimeError: it is served already.
            OSError: the address cannot be used.
        """
        # Imported late, as below: most clients never serve, and need not load all of it.
        from .._serving._own_task import OwnTask

        return OwnTask(self._serve(host, port), "the callback receiver")

    @asynccontextmanager
    async def _serve(self, host: str, port: int) -> AsyncGenerator[str]:
        from .._serving._server import listen

        if self._served:
            raise RuntimeError("this CallbackReceiver is served already")
        self._served = True
        try:
            async with anyio.create_task_group() as group:
                self._reception.spawn = group.start_soon
                bounds = Bounds(body_bytes=MOST_BYTES)
                try:
                    async with listen(self._reception, host, port, bounds) as url:
                        self._served_at, self._stopped = url, False
                        try:
                            yield url
                        finally:
                            self._served_at, self._stopped = None, True
                finally:
                    # What is being handed over then is sent again by the service.
                    group.cancel_scope.cancel()
        finally:
            self._served, self._reception.spawn = False, None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's lifespan."""
        if scope["type"] == "lifespan":
            await _live(receive, send)
        elif scope["type"] != "http":
            raise ValueError(f"a CallbackReceiver speaks http, not {scope['type']}")
        elif (response := await self._receive(scope, receive)) is not None:
            await _answer(send, response, head_only=scope["method"] == "HEAD")

    async def _receive(self, scope: Scope, receive: Receive) -> Response | None:
        """Return the answer; None if the sender went away."""
        # Below where the app is mounted.
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        query = scope["query_string"]
        callback = self._reception.admit(scope["method"], path, query)
        if isinstance(callback, Response):
            return callback
        ours = callback if isinstance(callback, Callback) else None
        headers = {name.lower(): value for name, value in scope["headers"]}
        length = headers.get(b"content-length", b"")
        if length.isdigit() and int(length[:20]) > MOST_BYTES:
            return self._reception.refuse(413, ours)
        body = await _read(receive)
        if body is None:
            return None
        content_type = headers.get(b"content-type", b"")
        if isinstance(callback, Foreign):
            return await self._reception.hand_over(callback, content_type, body, query)
        return self._reception.put_down(callback, content_type, body, query)


async def _read(receive: Receive) -> bytes | None:
    """Return the body, up to a little over the bound; None if the sender went away."""
    chunks: list[bytes] = []
    size = 0
    while size <= MOST_BYTES:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if not message.get("more_body", False):
            break
    return b"".join(chunks)


async def _answer(send: Send, response: Response, *, head_only: bool) -> None:
    headers = [*response.headers, (b"content-length", b"%d" % len(response.body))]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": b"" if head_only else response.body})


async def _live(receive: Receive, send: Send) -> None:
    await receive()
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
