"""ASGI framing: the body in, the reply out, and waiting for a caller to give up."""

from __future__ import annotations

from .._serving._asgi import Receive, Scope, Send
from ._exchange import Request
from ._replies import Reply

__all__ = ["read_request", "send_reply", "wait_for_hang_up"]


async def read_request(scope: Scope, receive: Receive) -> Request | None:
    """Return the whole request, or None if the caller went away before its end."""
    chunks: list[bytes] = []
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return None
        chunks.append(message.get("body", b""))
        if not message.get("more_body", False):
            break
    return Request(
        verb=scope["method"],
        path=scope["path"].removeprefix(scope.get("root_path", "")),
        headers={
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        },
        content=b"".join(chunks),
    )


async def send_reply(send: Send, reply: Reply) -> None:
    """Send a reply that has a status."""
    content = reply.content
    headers = [(name.lower().encode(), value.encode()) for name, value in reply.headers]
    if not any(name == b"content-length" for name, _ in headers):
        headers.append((b"content-length", str(len(content)).encode()))
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": content})


async def wait_for_hang_up(receive: Receive) -> None:
    """Return when the caller has gone away."""
    while (await receive())["type"] != "http.disconnect":
        pass
