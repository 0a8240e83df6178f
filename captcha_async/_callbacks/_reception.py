"""What a request to the receiver is answered, whichever server has read it."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING
from urllib.parse import unquote

import attrs

from .._serving._messages import Exchange, Request, Response
from ..errors import AccountUnavailable
from ..wire._posted import read_posted
from ._callback import Callback
from ._tally import Tally
from ._tokens import Tokens

if TYPE_CHECKING:
    from .._sharing._callbacks import SharedCallbacks

__all__ = ["MOST_BYTES", "Foreign", "Reception"]

MOST_BYTES = 256 * 1024
"""Largest body that is accepted."""

HEALTH = "health"
"""The last part of the path that a load balancer may ask for; no token is as short."""

_HEALTHY = Response(200, ((b"content-type", b"text/plain"),), b"ok\n")
_ANSWERS = {status: Response(status) for status in (200, 400, 404, 413, 503)}
_ANSWERS[405] = Response(405, ((b"allow", b"POST"),))

logger = logging.getLogger("captcha_async")


@attrs.frozen
class Foreign:
    """A callback of another process that shares an account."""

    relay: SharedCallbacks
    token: str = attrs.field(repr=False)


class Reception:
    """Finds the callback of a request and puts the body down there. A `Handler` of our server.

    Args:
        tokens: the callbacks.
        tally: where refusals are counted that belong to none of them.
    """

    def __init__(self, tokens: Tokens, tally: Tally) -> None:
        self._tokens = tokens
        self._tally = tally
        # {callbacks of a shared account: how many clients use them}
        self.relays: dict[SharedCallbacks, int] = {}
        # Starts what an answer of our own server waits for, while that serves.
        self.spawn: Callable[..., object] | None = None

    # -- for any server ---------------------------------------------------------------------------

    def admit(self, method: str, path: str, query: bytes) -> Callback | Foreign | Response:
        """Return whose body may come, or the answer to a request that may have none."""
        token = path.rpartition("/")[2]
        if token == HEALTH and method in ("GET", "HEAD"):
            return _HEALTHY
        callback = self._tokens.find(token)
        if method != "POST" and not (method == "GET" and query):
            return self.refuse(405, callback)
        if callback is not None:
            return callback
        for relay in self.relays:
            if relay.owner(token) is not None:
                return Foreign(relay, token)
        return self.refuse(404, None)

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

    async def hand_over(
        self, foreign: Foreign, content_type: bytes, body: bytes, query: bytes
    ) -> Response:
        """Give a body to the process whose it is, and return the answer."""
        if len(body) > MOST_BYTES:
            return self.refuse(413, None)
        if read_posted(content_type.decode("latin-1"), body, query) is None:
            return self.refuse(400, None)
        try:
            await foreign.relay.hand_over(foreign.token, _pack(content_type, body, query))
        except AccountUnavailable as error:
            logger.debug("a callback could not be handed over: %s", error)
            self._tally.undelivered += 1
            return _ANSWERS[503]
        self._tally.handed_over += 1
        return _ANSWERS[200]

    def take_over(self, token: str, packed: bytes, keeper: SharedCallbacks) -> bool:
        """Put down what another process has handed over; tell whether it is of a client of ours."""
        callback = self._tokens.find(token)
        if callback is None:
            return False
        callback.keep(keeper)
        self.put_down(callback, *_unpack(packed))
        return True

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

    def answer(self, request: Request) -> Response | None:
        """Answer a request, unless it is another process's."""
        answer = self._take(request)
        return answer if isinstance(answer, Response) else None

    def handle(self, request: Request, exchange: Exchange) -> None:
        """Answer a request, perhaps when it has been handed over."""
        answer = self._take(request)
        if isinstance(answer, Response):
            exchange.respond(answer)
        elif self.spawn is not None:
            self.spawn(self._answer, answer, request, exchange)
        else:
            exchange.respond(_ANSWERS[503])

    def _take(self, request: Request) -> Response | Foreign:
        method, path, query = _parts(request)
        admitted = self.admit(method, path, query)
        if isinstance(admitted, Response):
            return admitted
        if request.overflow:
            return self.refuse(413, admitted if isinstance(admitted, Callback) else None)
        if isinstance(admitted, Foreign):
            return admitted
        return self.put_down(admitted, request.header(b"content-type"), request.body, query)

    async def _answer(self, foreign: Foreign, request: Request, exchange: Exchange) -> None:
        content_type, query = request.header(b"content-type"), _parts(request)[2]
        exchange.respond(await self.hand_over(foreign, content_type, request.body, query))


def _pack(content_type: bytes, body: bytes, query: bytes) -> bytes:
    """Return a request as it is handed over: what tells its form, and its body."""
    return b"%b\n%b\n%b" % (content_type.replace(b"\n", b" "), query, body)


def _unpack(packed: bytes) -> tuple[bytes, bytes, bytes]:
    """Return content type, body and query."""
    content_type, _, rest = packed.partition(b"\n")
    query, _, body = rest.partition(b"\n")
    return content_type, body, query


def _parts(request: Request) -> tuple[str, str, bytes]:
    path, _, query = request.target.partition(b"?")
    text = path.decode("latin-1")
    return request.method.decode("ascii"), unquote(text) if "%" in text else text, query
