"""One connection of a server, without I/O and clock: bytes in, requests out; answers in, bytes out.

Both kinds of event loop drive the same conversation, so that it has one reading.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from enum import Enum, auto

from ._h11_requests import H11Requests
from ._messages import (
    CONTINUE,
    BadRequest,
    Bounds,
    Exchange,
    Handler,
    Request,
    RequestReader,
    Response,
)
from ._plain_request import read_plain

try:
    from ._fast_requests import FastRequests
except ImportError:
    make_reader: Callable[[Bounds], RequestReader] = H11Requests
else:
    make_reader = FastRequests

__all__ = ["Conversation", "Phase", "answer_at_once"]

logger = logging.getLogger("captcha_async")

LINGER = 2.0
"""Seconds in which the other side may take an answer that came before the end of its request."""


class Phase(Enum):
    """Where a conversation is. From each the next one follows, and the last from any."""

    FIRST = auto()
    """Nothing came yet."""
    HEAD = auto()
    """A part of a head has come; HEAD follows IDLE and FIRST."""
    BODY = auto()
    """A head has come, and a part of its body."""
    ANSWERING = auto()
    """A whole request has come, its answer has not been given. BODY and HEAD may be skipped."""
    IDLE = auto()
    """An answer has been given; the next request may follow."""
    LINGERING = auto()
    """The last answer has been given, while the other side may still be sending."""
    ENDED = auto()
    """Nothing follows, in either direction."""


def answer_at_once(handler: Handler, bounds: Bounds, data: bytes) -> bytes | None:
    """Answer what a connection began with, if that is all; None if it takes a conversation.

    All is a plain request that closes, and that the handler answers at once.
    """
    request = read_plain(data, bounds)
    if request is None or request.keep_alive:
        return None
    try:
        response = handler.answer(request)
    except Exception:
        logger.exception("a request could not be answered")
        response = Response(500)
    return None if response is None else response.encode(close=True)


class Conversation:
    """What one connection says, and by when.

    Whoever carries its bytes does: `receive` what came and `hang_up` at the end of it; then
    `proceed`, send what `take` gives, and close the connection if it has `ended`; `expire` it when
    `deadline` has passed. All moments are those of the event loop's clock.

    Args:
        handler: what the requests are given to.
        exchange: what the handler answers by.
        bounds: what is put up with.
        now: the moment that the connection was made.
    """

    __slots__ = (
        "_answered",
        "_bounds",
        "_exchange",
        "_handler",
        "_out",
        "_plain",
        "_reader",
        "_request",
        "_stopping",
        "deadline",
        "phase",
    )

    def __init__(self, handler: Handler, exchange: Exchange, bounds: Bounds, now: float) -> None:
        self._handler = handler
        self._exchange = exchange
        self._bounds = bounds
        # Made for the first bytes that are not a plain request.
        self._reader: RequestReader | None = None
        # A plain request that has come; gone when it is given to the handler.
        self._plain: Request | None = None
        # See `Phase` for how it changes, and `deadline` with it: the moment at which it expires.
        self.phase = Phase.FIRST
        self.deadline = now + bounds.head_time
        # The request that is answered now; only in that phase.
        self._request: Request | None = None
        # What is to be sent; emptied by `take`.
        self._out: list[bytes] = []
        # Requests answered since the last bytes came.
        self._answered = 0
        # Set for good by `stop`: the next answer is the last one.
        self._stopping = False

    @property
    def ended(self) -> bool:
        """Whether the connection is to be closed, once all is sent."""
        return self.phase is Phase.ENDED

    @property
    def lingers(self) -> bool:
        """Whether the connection is to be closed for what we send only."""
        return self.phase is Phase.LINGERING

    @property
    def is_answering(self) -> bool:
        """Whether the handler owes an answer."""
        return self.phase is Phase.ANSWERING

    @property
    def is_idle(self) -> bool:
        """Whether closing the connection would harm nobody."""
        return self.phase is Phase.IDLE or self.phase is Phase.FIRST

    def receive(self, data: bytes) -> None:
        """Take in what came."""
        self._answered = 0
        if self.phase in (Phase.LINGERING, Phase.ENDED):
            return
        if self.is_idle and self._is_fresh():
            self._plain = read_plain(data, self._bounds)
            if self._plain is not None:
                return
        if self._reader is None:
            self._reader = make_reader(self._bounds)
        self._reader.feed(data)

    def hang_up(self) -> None:
        """Take in that nothing more will come: nobody waits for an answer any more."""
        self.phase, self._request = Phase.ENDED, None

    def proceed(self, now: float) -> None:
        """Give the handler what can be given."""
        while (request := self._next(now)) is not None:
            self.phase, self.deadline, self._request = Phase.ANSWERING, math.inf, request
            try:
                self._handler.handle(request, self._exchange)
            except Exception:
                logger.exception("a request could not be answered")
                self.respond(Response(500), now)

    def respond(self, response: Response, now: float) -> None:
        """Answer the request of now; nothing happens if there is none any more."""
        request, self._request = self._request, None
        if request is None:
            return
        self._answered += 1
        surplus = self._answered >= self._bounds.pipelined and not self._is_fresh()
        if request.overflow or surplus:
            self._finish(response, now, head_only=request.method == b"HEAD")
            return
        close = self._stopping or not request.keep_alive
        self._out.append(response.encode(close=close, head_only=request.method == b"HEAD"))
        if close:
            self.phase = Phase.ENDED
        else:
            self.phase, self.deadline = Phase.IDLE, now + self._bounds.idle_time

    def take(self) -> bytes:
        """Return what is to be sent, which is then taken for sent."""
        out = self._out
        if not out:
            return b""
        data = out[0] if len(out) == 1 else b"".join(out)
        out.clear()
        return data

    def expire(self, now: float) -> None:
        """End it, since the deadline has passed."""
        if self.phase in (Phase.HEAD, Phase.BODY):
            self._finish(Response(408), now)
        else:
            self.hang_up()

    def stop(self) -> None:
        """End it at the next answer, or at once if none is owed."""
        self._stopping = True
        if self.is_idle:
            self.phase = Phase.ENDED

    def _next(self, now: float) -> Request | None:
        if self.phase in (Phase.ANSWERING, Phase.LINGERING, Phase.ENDED):
            return None
        request, self._plain = self._plain, None
        if request is not None or self._reader is None:
            return request
        try:
            request = self._reader.next()
        except BadRequest as error:
            self._finish(Response(error.status), now)
            return None
        if request is None:
            self._look_ahead(self._reader, now)
        return request

    def _is_fresh(self) -> bool:
        """Tell whether no byte of the next request has come."""
        return self._plain is None and (self._reader is None or self._reader.is_fresh())

    def _look_ahead(self, reader: RequestReader, now: float) -> None:
        """See how far the next request has come."""
        head = reader.head()
        if head is None:
            if self.is_idle and not reader.is_fresh():
                # The first head's time is counted from the beginning.
                if self.phase is Phase.IDLE:
                    self.deadline = now + self._bounds.head_time
                self.phase = Phase.HEAD
        elif self.phase is not Phase.BODY:
            refusal = self._handler.judge(head)
            if refusal is not None:
                self._finish(refusal, now, head_only=head.method == b"HEAD")
                return
            if reader.expects_continue():
                self._out.append(CONTINUE)
            self.phase, self.deadline = Phase.BODY, now + self._bounds.body_time

    def _finish(self, response: Response, now: float, *, head_only: bool = False) -> None:
        """Answer for the last time while more may come, which would break the connection."""
        self._out.append(response.encode(close=True, head_only=head_only))
        self._request = None
        self.phase, self.deadline = Phase.LINGERING, now + LINGER
