"""One request to the service: bytes in, bytes out; on failure, whether it may have been sent."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Coroutine
from functools import lru_cache
from typing import Any

import anyio
import httpx

from .._secrets import NO_SECRETS, Secrets, login_of
from ..wire._replies import Reply
from ._departure import Departure, Sending
from ._failures import failure, refused_by_proxy
from ._httpx_lane import HttpxLane, default_ssl_context
from ._lanes import Lane, LanePool, LaneStatistics
from ._messages import Call, Head, RawReply
from ._settings import check_http_client, check_proxy, check_ssl_context, environment_proxy
from ._unpacking import unpack
from ._users_client import UsersClient

__all__ = ["HttpTransport", "Reply", "Sending"]

_JSON = {"content-type": "application/json", "accept": "application/json"}
_OURS = {"user-agent": "captcha-async", "accept-encoding": "gzip, deflate"}


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
        self._secrets = Secrets(*login_of(base_url))
        if http_client is not None:
            check_http_client(http_client)
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
        secrets: Secrets = NO_SECRETS,
    ) -> Coroutine[Any, Any, Reply]:
        """Post JSON.

        Args:
            url: where to.
            body: the JSON text.
            timeout: seconds for the whole exchange.
            sending: called no later than when the first byte may leave.
            once: it cannot be sent again, so it goes over no connection that may have died.
            secrets: what the request holds that no error may show.

        Raises:
            TransportError: no reply; its `sent` tells whether the service may have seen it.
        """

        departure = Departure(sending)

        def send() -> Awaitable[RawReply]:
            if self._lanes is not None:
                return self._lanes.exchange(
                    Call(_json_head(url), body, departure=departure, once=once)
                )
            assert self._client is not None
            return self._client.exchange(
                "POST", httpx.URL(url), body, _JSON, timeout, departure, once=once
            )

        return self._within(timeout, send, departure, secrets)

    def get(self, url: str, *, timeout: float) -> Coroutine[Any, Any, Reply]:
        """Get a page.

        Raises:
            TransportError: no reply came.
        """
        departure = Departure()

        def send() -> Awaitable[RawReply]:
            if self._lanes is not None:
                head = _head(httpx.Request("GET", url, headers=_OURS))
                return self._lanes.exchange(Call(head, b"", departure=departure))
            assert self._client is not None
            return self._client.exchange("GET", httpx.URL(url), None, {}, timeout, departure)

        return self._within(timeout, send, departure, NO_SECRETS)

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

    async def _within(
        self,
        timeout: float,
        send: Callable[[], Awaitable[RawReply]],
        departure: Departure,
        secrets: Secrets,
    ) -> Reply:
        """Run *send* within *timeout*; of a failure, find out whether anything was sent."""
        scope = anyio.CancelScope()
        try:
            with anyio.fail_after(timeout) as scope:
                raw = await send()
            if self._lanes is not None:
                raw.body = unpack(raw)
        except Exception as error:
            secrets.joined(self._secrets).in_error(error)
            timed_out = isinstance(error, TimeoutError) and scope.cancelled_caught
            raise failure(
                error, sent=departure.may_have_left, timed_out=timeout if timed_out else None
            ) from error
        if raw.status == 407:
            raise refused_by_proxy(raw.status)
        return Reply(raw.status, raw.body, raw.header(b"retry-after"), raw.header(b"date"))


def _lane_maker(
    ssl_context: ssl.SSLContext | None, proxy: str | None, *, httpx_lanes: bool
) -> Callable[[], Lane]:
    # h11 is only needed from here on; importing the library stays cheap without it.
    from ._direct_lane import DirectLane

    def open_lane() -> Lane:
        context = ssl_context or default_ssl_context()
        if proxy is not None or httpx_lanes:
            return HttpxLane(context, proxy)
        return DirectLane(context)

    if ssl_context is not None:
        ssl_context.set_alpn_protocols(["http/1.1"])
    return open_lane


@lru_cache(maxsize=64)
def _json_head(url: str) -> Head:
    """Make the head of a POST; a service has only a handful of them."""
    return _head(httpx.Request("POST", url, content=b"", headers={**_OURS, **_JSON}))


def _head(request: httpx.Request) -> Head:
    url = request.url
    if url.userinfo:
        login = httpx.BasicAuth(url.username, url.password)
        request = next(login.auth_flow(request))
    return Head.of(request)
