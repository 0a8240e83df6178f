"""One request to the service: bytes in, bytes out; on failure, whether it may have been sent."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from importlib import import_module
from itertools import count
from typing import TYPE_CHECKING, Any

import anyio

from .._secrets import Secrets, login_of, writings
from ..errors import TransportError
from ..wire._replies import Reply
from ._departure import Departure, Sending
from ._heads import json_head, page_head
from ._lane_errors import LaneTimeout
from ._lanes import Lane, LanePool, LaneStatistics
from ._messages import Call, RawReply
from ._settings import (
    check_base_url,
    check_http_client,
    check_proxy,
    check_ssl_context,
    environment_proxy,
)
from ._unpacking import unpack

if TYPE_CHECKING:
    import ssl

    import httpx

    from ._users_client import UsersClient

__all__ = ["HttpTransport", "Reply", "Sending"]

_JSON = {"content-type": "application/json", "accept": "application/json"}


class HttpTransport:
    """Requests to one service, over lanes of its own or over a client of the user's.

    Args:
        http_client: a client of the user's, to send everything with.
        connections: lanes at most.
        ssl_context: TLS settings; httpx's own ones without it.
        proxy: URL of the proxy; the environment's without it.
        base_url: where the requests will go, to see whether the environment has a proxy for it.
        httpx_lanes: use httpx's own transport for the lanes, as is always done with a proxy.

    Raises:
        InvalidArgument: a setting can never work; the environment's proxy is one.
    """

    def __init__(
        self,
        *,
        http_client: httpx.AsyncClient | None = None,
        connections: int = 64,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        base_url: str = "",
        httpx_lanes: bool = False,
    ) -> None:
        self._client: UsersClient | None = None
        self._closed = False
        self._lanes: LanePool | None = None
        check_base_url(base_url)
        self._secrets = Secrets(*login_of(base_url))
        if http_client is not None:
            check_http_client(http_client)
            from ._users_client import UsersClient

            self._client = UsersClient(http_client)
            return
        check_ssl_context(ssl_context)
        proxy = environment_proxy(base_url) if proxy is None else check_proxy(proxy)
        self._secrets = self._secrets.plus(*login_of(proxy or ""))
        open_lane = _lane_maker(ssl_context, proxy, httpx_lanes=httpx_lanes)
        self._lanes = LanePool(open_lane, connections)

    def post(
        self,
        url: str,
        body: bytes,
        *,
        timeout: float,
        sending: Sending | None = None,
        once: bool = False,
        secrets: Callable[[], Secrets] | None = None,
    ) -> Coroutine[Any, Any, Reply]:
        """Post JSON.

        Args:
            url: where to.
            body: the JSON text.
            timeout: seconds for the whole exchange.
            sending: called no later than when the first byte may leave.
            once: it cannot be sent again, so it goes over no connection that may have died.
            secrets: tells what the request holds that no error may show; asked on failure.

        Raises:
            TransportError: no reply; its `sent` tells whether the service may have seen it.
        """
        if self._client is None:
            call = Call(json_head(url), body, sending, once=once)
            return self._over_lanes(call, timeout, secrets)
        sent = partial(self._client.exchange, "POST", url, body, _JSON, once=once)
        return self._by_client(sent, Departure(sending), timeout, secrets)

    def get(self, url: str, *, timeout: float) -> Coroutine[Any, Any, Reply]:
        """Get a page.

        Raises:
            TransportError: no reply came.
        """
        if self._client is None:
            return self._over_lanes(Call(page_head(url), b""), timeout)
        sent = partial(self._client.exchange, "GET", url, None, {})
        return self._by_client(sent, Departure(), timeout)

    @property
    def closed(self) -> bool:
        """Whether it was closed; its lanes are not kept any more then."""
        return self._closed

    async def aclose(self) -> None:
        """Close what is ours; a client of the user's stays open."""
        self._closed = True
        if self._lanes is not None:
            await self._lanes.aclose()

    def abandon(self) -> None:
        """Let go of connections whose event loop has ended."""
        self._closed = True
        if self._lanes is not None:
            self._lanes.abandon()

    def statistics(self) -> LaneStatistics | None:
        """Return the lanes' numbers, or None with a client of the user's."""
        return None if self._lanes is None else self._lanes.statistics()

    async def _over_lanes(
        self, call: Call, timeout: float, secrets: Callable[[], Secrets] | None = None
    ) -> Reply:
        """Send a request over a lane; each of its steps keeps to the deadline of the whole."""
        assert self._lanes is not None
        try:
            raw = await self._lanes.exchange(call, timeout)
            if raw.plain:
                return Reply(raw.status, raw.body)
            raw.body = unpack(raw)
        except Exception as error:
            seconds = timeout if isinstance(error, LaneTimeout) else None
            raise self._failure(error, call, seconds, secrets) from error
        return _reply(raw)

    async def _by_client(
        self,
        sent: Callable[[float, Departure], Awaitable[RawReply]],
        departure: Departure,
        timeout: float,
        secrets: Callable[[], Secrets] | None = None,
    ) -> Reply:
        """Send a request by the user's client, which knows no deadline of the whole."""
        scope = anyio.CancelScope()
        try:
            with anyio.fail_after(timeout) as scope:
                raw = await sent(timeout, departure)
        except Exception as error:
            timed_out = isinstance(error, TimeoutError) and scope.cancelled_caught
            seconds = timeout if timed_out else None
            raise self._failure(error, departure, seconds, secrets) from error
        return _reply(raw)

    def _failure(
        self,
        error: Exception,
        departure: Departure,
        timed_out: float | None,
        secrets: Callable[[], Secrets] | None,
    ) -> TransportError:
        """Make the error of a failed request; *timed_out* is how long it had, if that is why."""
        known = self._secrets if secrets is None else secrets().joined(self._secrets)
        known.in_error(error)
        from ._failures import failure

        return failure(error, sent=departure.may_have_left, timed_out=timed_out)


def _reply(raw: RawReply) -> Reply:
    if raw.status == 407:
        from ._failures import refused_by_proxy

        raise refused_by_proxy(raw.status)
    retry_after = raw.header(b"retry-after")
    if retry_after is None:
        return Reply(raw.status, raw.body)
    return Reply(raw.status, raw.body, retry_after, raw.header(b"date"))


def _lane_maker(
    ssl_context: ssl.SSLContext | None, proxy: str | None, *, httpx_lanes: bool
) -> Callable[[], Lane]:
    opened = count(1)

    def open_lane() -> Lane:
        _load_for(next(opened))
        # Imported late, with httpx: what a client needs before its first request is cheap.
        if proxy is not None or httpx_lanes:
            from ._httpx_lane import HttpxLane
            from ._tls import default_ssl_context

            return HttpxLane(ssl_context or default_ssl_context(), proxy)
        from ._direct_lane import DirectLane

        return DirectLane(ssl_context)

    if ssl_context is not None:
        ssl_context.set_alpn_protocols(["http/1.1"])
    return open_lane


def _load_for(lane: int) -> None:
    """Load what troubles will need: once files have run out, nothing can be loaded any more.

    That is what tells of a failure for the first lane, and for the second one what reads odd
    replies, which takes longer: whoever solves but one task may never see any.
    """
    if lane == 1:
        import_module("._failures", __package__)
        writings()
    elif lane == 2:
        import_module("._h11_framing", __package__)
        import_module("._direct_lane", __package__).make_reader()
