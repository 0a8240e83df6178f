"""Requests over an httpx client of the user's: its settings hold, and none of them costs money.

A client may follow redirects, raise for a status in a hook, fail before anything is sent, unpack a
reply without bound, or send over a connection that has long died. So its transports are watched:
each request goes out through a copy of the client that has watching ones in their places, while
its hooks, its auth, its cookies and its own `send` go on working as they are.
"""

from __future__ import annotations

import copy
from contextlib import suppress
from typing import Any

import anyio
import attrs
import httpx

from .._secrets import error_chain
from ._carry import UsedConnection, Watch, carry, connection_of, read_raw
from ._departure import Departure
from ._lane_errors import LaneError
from ._messages import FRESH, RawReply
from ._unpacking import unpack

__all__ = ["UsersClient"]

# The pool of a client may hold as many idle connections, each of which is to be refused.
MOST_USED = 200

# What we can unpack; a client's own setting may name more.
_ACCEPTED = {"accept-encoding": "gzip, deflate"}
# Of no meaning once the body is unpacked.
_OF_THE_BODY = (b"content-encoding", b"content-length", b"transfer-encoding")


class UsersClient:
    """Sends requests by a client of the user's."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client
        # The HTTP/2 connection of the last reply, when it came, and how many requests are under
        # way: after a while in silence it is not trusted with what cannot be sent again.
        self._shared: Any = None
        self._shared_at = 0.0
        self._busy = 0

    async def exchange(
        self,
        method: str,
        url: str,
        body: bytes | None,
        headers: dict[str, str],
        timeout: float,
        departure: Departure,
        *,
        once: bool = False,
    ) -> RawReply:
        """Send a request and return its reply, unpacked.

        Args:
            method: the HTTP method.
            url: where to.
            body: what to send.
            headers: beside the client's own.
            timeout: seconds for each step.
            departure: told when the first byte may leave.
            once: send it over a connection of its own, since it cannot be sent again.

        Raises:
            Exception: no reply came; whatever the client, its hooks or its auth raise.
        """
        if self._client.is_closed:
            raise RuntimeError("the httpx client that was given as http_client is closed")
        exchange = _Exchange(self, departure, once=once)
        client = exchange.watched(self._client)
        where = httpx.URL(url)
        request = client.build_request(
            method,
            where.copy_with(userinfo=b"") if where.userinfo else where,
            content=body,
            headers={**_ACCEPTED, **headers},
            timeout=timeout,
        )
        exchange.expect(request)
        options: dict[str, Any] = {}
        if where.userinfo and client.auth is None:
            # Not in the URL, which httpx logs with its password.
            options["auth"] = httpx.BasicAuth(where.username, where.password)
        self._busy += 1
        try:
            response = await client.send(request, follow_redirects=False, **options)
        except Exception:
            if exchange.reply is None:
                raise
            # The service has answered; what a hook thinks of it changes nothing.
            return exchange.reply
        finally:
            self._busy -= 1
        return _of(response)

    async def renew_shared(self) -> None:
        """Close an HTTP/2 connection that has been silent too long to be trusted."""
        if self._shared is None or self._busy > 1:
            return
        if anyio.current_time() - self._shared_at > FRESH:
            connection, self._shared = self._shared, None
            with anyio.move_on_after(1, shield=True):
                await connection.aclose()

    def note(self, response: httpx.Response) -> None:
        """Remember the connection of a reply, if it is one that requests share."""
        if response.extensions.get("http_version") == b"HTTP/2":
            self._shared = connection_of(response)
            self._shared_at = anyio.current_time()


class _Exchange:
    """One exchange, which the auth of a client may make several requests of."""

    def __init__(self, owner: UsersClient, departure: Departure, *, once: bool) -> None:
        self._owner = owner
        self._request: httpx.Request | None = None
        self._departure = departure
        self._once = once
        # The reply to the last request to the service, unpacked, from when it is wholly read.
        self.reply: RawReply | None = None

    def watched(self, client: httpx.AsyncClient) -> httpx.AsyncClient:
        """Return a copy of *client* whose transports are watched."""
        own = copy.copy(client)
        parts = vars(own)
        transport, mounts = parts.get("_transport"), parts.get("_mounts")
        if not isinstance(transport, httpx.AsyncBaseTransport) or not isinstance(mounts, dict):
            # Another httpx than the ones known: from here on anything may be sent.
            self._departure.leaving()
            return client
        parts["_transport"] = _Watched(transport, self)
        parts["_mounts"] = {
            pattern: mounted and _Watched(mounted, self) for pattern, mounted in mounts.items()
        }
        return own

    def expect(self, request: httpx.Request) -> None:
        """Tell which of the requests that may be made is the one that this is about."""
        self._request = copy.copy(request)

    async def _is_ours(self, request: httpx.Request) -> bool:
        """Tell it from what an auth asks of somebody else, such as a token."""
        ours = self._request
        assert ours is not None
        if (request.method, request.url) == (ours.method, ours.url):
            return True
        # A hook may have sent it elsewhere.
        return bool(ours.content) and await request.aread() == ours.content

    async def send(
        self, transport: httpx.AsyncBaseTransport, request: httpx.Request
    ) -> httpx.Response:
        """Send one request through a transport of the client's."""
        if not await self._is_ours(request):
            return await transport.handle_async_request(request)
        self.reply = None
        before = self._departure.may_have_left
        watch = Watch(self._departure, once=self._once, unused=self._once)
        watch.attach(request, await request.aread())
        if not isinstance(transport, httpx.AsyncHTTPTransport):
            # Nobody knows whether it tells when it sends.
            self._departure.leaving()
        try:
            raw, response = await self._carry(transport, request)
        except BaseException as error:
            await watch.settle(error)
            if before:
                # The auth has made a request before, of which nobody knows.
                self._departure.leaving()
            if isinstance(error, Exception):
                self.reply = await _carried(error)
            raise
        self._owner.note(response)
        body = unpack(raw)
        headers = [pair for pair in raw.headers if pair[0].lower() not in _OF_THE_BODY]
        self.reply = RawReply(raw.status, headers, body, raw.version, raw.reason)
        if raw.status in (401, 407) and not before:
            # A request to log in; what follows is another request.
            self._departure.stayed()
        return httpx.Response(
            raw.status,
            headers=headers,
            content=body,
            request=request,
            extensions=response.extensions,
        )

    async def _carry(
        self, transport: httpx.AsyncBaseTransport, request: httpx.Request
    ) -> tuple[RawReply, httpx.Response]:
        if self._once:
            await self._owner.renew_shared()
        for _ in range(MOST_USED):
            try:
                raw, response, _ = await carry(transport, request)
            except UsedConnection:
                continue
            return raw, response
        raise httpx.PoolTimeout("the client's pool has no connection that was not used before")


class _Watched(httpx.AsyncBaseTransport):
    """Stands in a copied client for one of its transports, which is never closed by it."""

    def __init__(self, transport: httpx.AsyncBaseTransport, exchange: _Exchange) -> None:
        self._transport = transport
        self._exchange = exchange

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Send one request."""
        return await self._exchange.send(self._transport, request)


async def _carried(error: BaseException) -> RawReply | None:
    """Return the reply that an error of a transport carries, as that of `raise_for_status` does."""
    for found in error_chain(error):
        response = getattr(found, "response", None)
        if isinstance(response, httpx.Response):
            try:
                return _of(response)
            except httpx.ResponseNotRead:
                return await _unread(response)
    return None


async def _unread(response: httpx.Response) -> RawReply:
    raw = RawReply(response.status_code, response.headers.raw, b"", b"HTTP/1.1", b"")
    # Without a body the status still tells something.
    with suppress(httpx.HTTPError, httpx.StreamError, LaneError):
        if not response.is_closed:
            body = await read_raw(response)
            await response.aclose()
            raw.body = unpack(attrs.evolve(raw, body=body))
    return raw


def _of(response: httpx.Response) -> RawReply:
    headers = [pair for pair in response.headers.raw if pair[0].lower() not in _OF_THE_BODY]
    version = response.extensions.get("http_version", b"HTTP/1.1")
    return RawReply(response.status_code, headers, response.content, version, b"")
