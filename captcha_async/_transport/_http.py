"""One request to the service: bytes in, bytes out; on failure, whether it may have been sent."""

from __future__ import annotations

import ssl
from collections.abc import Awaitable, Callable, Iterator
from functools import lru_cache
from urllib.parse import urlsplit

import anyio
import httpx

from ..errors import TransportError
from ..wire._replies import Reply
from ._httpx_lane import HttpxLane, default_ssl_context
from ._lanes import Lane, LanePool, LaneStatistics
from ._messages import MAX_REPLY_BYTES, Call, Head, RawReply, Sending

__all__ = ["HttpTransport", "Reply", "Sending"]

# The service has seen nothing of a request that failed with one of these.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)

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
        self._client = http_client
        self._closed = False
        self._lanes: LanePool | None = None
        if http_client is None:
            proxy = proxy or _environment_proxy(base_url)
            open_lane = _lane_maker(ssl_context, proxy, httpx_lanes=httpx_lanes)
            self._lanes = LanePool(open_lane, connections)

    async def post(
        self, url: str, body: bytes, *, timeout: float, sending: Sending | None = None
    ) -> Reply:
        """Post JSON.

        Args:
            url: where to.
            body: the JSON text.
            timeout: seconds for the whole exchange.
            sending: called no later than when the first byte may leave.

        Raises:
            TransportError: no reply; its `sent` tells whether the service may have seen it.
        """

        async def send(start: Sending) -> Reply:
            if self._client is not None:
                request = self._client.build_request("POST", url, content=body, headers=_JSON)
                return await self._send_by_client(self._client, request, timeout, start)
            return await self._send_by_lane(Call(_json_head(url), body, sending=start))

        return await _within(timeout, send, sending)

    async def get(self, url: str, *, timeout: float) -> Reply:
        """Get a page.

        Raises:
            TransportError: no reply came.
        """

        async def send(start: Sending) -> Reply:
            if self._client is not None:
                request = self._client.build_request("GET", url)
                return await self._send_by_client(self._client, request, timeout, start)
            head = _head(httpx.Request("GET", url, headers=_OURS))
            return await self._send_by_lane(Call(head, b"", sending=start))

        return await _within(timeout, send, None)

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

    async def _send_by_lane(self, call: Call) -> Reply:
        # The lanes are called directly: of httpx's client nothing is needed here, and it would
        # cost more than all the rest.
        assert self._lanes is not None
        raw = await self._lanes.exchange(call)
        return Reply(raw.status, _decode(raw), raw.header(b"retry-after"), raw.header(b"date"))

    async def _send_by_client(
        self, client: httpx.AsyncClient, request: httpx.Request, timeout: float, start: Sending
    ) -> Reply:
        # Nothing is known of the user's transport: it may send at any moment from here on.
        start()
        request.extensions = {
            **request.extensions,
            "timeout": httpx.Timeout(timeout).as_dict(),
            "sending": start,
        }
        response = await client.send(request)
        headers = response.headers
        return Reply(
            response.status_code, response.content, headers.get("retry-after"), headers.get("date")
        )


async def _within(
    timeout: float, send: Callable[[Sending], Awaitable[Reply]], sending: Sending | None
) -> Reply:
    """Run *send* within *timeout*; of a failure, find out whether anything was sent."""
    started = False

    def start() -> None:
        nonlocal started
        started = True
        if sending is not None:
            sending()

    try:
        with anyio.fail_after(timeout):
            return await send(start)
    except TimeoutError as error:
        raise _failure(f"no reply within {timeout:g} s", sent=started) from error
    except Exception as error:
        sent = started and not isinstance(error, _NOT_SENT)
        raise _failure(_describe(error), sent=sent) from error


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


class _Pieces(httpx.SyncByteStream):
    """A body in pieces, so that one that unpacks to a giant is noticed while it grows."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Iterator[bytes]:
        for start in range(0, len(self._body), 4096):
            yield self._body[start : start + 4096]


def _decode(raw: RawReply) -> bytes:
    """Undo the reply's content-encoding."""
    if raw.header(b"content-encoding") is None:
        return raw.body
    response = httpx.Response(raw.status, headers=raw.headers, stream=_Pieces(raw.body))
    body = bytearray()
    for piece in response.iter_bytes():
        body += piece
        if len(body) > MAX_REPLY_BYTES:
            raise httpx.RemoteProtocolError(f"the reply has more than {MAX_REPLY_BYTES} bytes")
    return bytes(body)


def _failure(what: str, *, sent: bool) -> TransportError:
    return TransportError(
        f"The service could not be reached ({what}); check the network and try again.", sent=sent
    )


def _describe(error: Exception) -> str:
    """Name the error, and the reason that it or the first error behind it gives."""
    name = type(error).__name__
    reason: BaseException | None = error
    while reason is not None:
        text = " ".join(str(reason).split())
        if text:
            return f"{name}: {text[:200]}"
        reason = reason.__cause__ or reason.__context__
    return name


def _environment_proxy(base_url: str) -> str | None:
    """Find the proxy that HTTPS_PROXY and its kin name, unless NO_PROXY exempts the host."""
    # Imported late because it brings half of the standard library along.
    from urllib.request import getproxies, proxy_bypass

    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or proxy_bypass(host):
        return None
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{found}" if found and "://" not in found else found
