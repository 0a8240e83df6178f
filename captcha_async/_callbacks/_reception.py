"""What a request to the receiver is answered, whichever server has read it."""

from __future__ import annotations

import logging
from urllib.parse import unquote

from .._serving._messages import Exchange, Request, Response
from ..wire._posted import read_posted
from ._callback import Callback
from ._tally import Tally
from ._tokens import Tokens

__all__ = ["MOST_BYTES", "Reception"]

MOST_BYTES = 256 * 1024
"""Largest body that is accepted."""

HEALTH = "health"
"""The last part of the path that a load balancer may ask for; no token is as short."""

_HEALTHY = Response(200, ((b"content-type", b"text/plain"),), b"ok\n")
_ANSWERS = {status: Response(status) for status in (200, 400, 404, 413)}
_ANSWERS[405] = Response(405, ((b"allow", b"POST"),))

logger = logging.getLogger("captcha_async")


class Reception:
    """Finds the callback of a request and puts the body down there. A `Handler` of our server.

    Args:
        tokens: the callbacks.
        tally: where refusals are counted that belong to none of them.
    """

    def __init__(self, tokens: Tokens, tally: Tally) -> None:
        self._tokens = tokens
        self._tally = tally

    # -- for any server ---------------------------------------------------------------------------

    def admit(self, method: str, path: str, query: bytes) -> Callback | Response:
        """Return whose body may come, or the answer to a request that may have none."""
        token = path.rpartition("/")[2]
        if token == HEALTH and method in ("GET", "HEAD"):
            return _HEALTHY
        callback = self._tokens.find(token)
        if method != "POST" and not (method == "GET" and query):
            return self.refuse(405, callback)
        return self.refuse(404, None) if callback is None else callback

    def put_down(
        self, callback: Callback, content_type: bytes, body: bytes, query: bytes
    ) -> Response:
        """Give a body to its callback."""
        if len(body) > MOST_BYTES:
            return self.refuse(413, callback)
        posted = read_posted(content_type.decode("latin-1"), body, query)
        if posted is None or not callback.offer(posted.reply, posted.task_id):
            return self.refuse(400, callback)
        return _ANSWERS[200]

    def refuse(self, status: int, callback: Callback | None) -> Response:
        """Count a refusal and return the answer."""
        # The path holds a secret, perhaps of a callback that is awaited.
        logger.debug("a callback was refused with HTTP %d", status)
        if callback is None:
            self._tally.refused += 1
        else:
            callback.count("refused")
        return _ANSWERS[status]

    # -- for our own server -----------------------------------------------------------------------

    def judge(self, head: Request) -> Response | None:
        """Refuse a request before its body is read."""
        method, path, query = _parts(head)
        # What is admitted is looked for again with its body, which may be long in coming.
        admitted = self.admit(method, path, query)
        return admitted if isinstance(admitted, Response) else None

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Answer a request."""
        method, path, query = _parts(request)
        admitted = self.admit(method, path, query)
        if isinstance(admitted, Response):
            exchange.respond(admitted)
        elif request.overflow:
            exchange.respond(self.refuse(413, admitted))
        else:
            content_type = request.header(b"content-type")
            exchange.respond(self.put_down(admitted, content_type, request.body, query))


def _parts(request: Request) -> tuple[str, str, bytes]:
    path, _, query = request.target.partition(b"?")
    text = path.decode("latin-1")
    return request.method.decode("ascii"), unquote(text) if "%" in text else text, query
