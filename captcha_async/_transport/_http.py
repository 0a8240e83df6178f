"""One request to the service: bytes in, bytes out; on failure, whether it may have been sent."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import anyio
import attrs
import httpx

from ..errors import TransportError
from ._httpx_lane import HttpxLane
from ._lanes import LanePool, LaneStatistics

__all__ = ["HttpTransport", "Reply", "Sending"]

Sending = Callable[[], None]
"""Called before the first byte of a request may leave."""

# The service has seen nothing of a request that failed with one of these.
_NOT_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.UnsupportedProtocol,
    httpx.LocalProtocolError,
)


@attrs.frozen
class Reply:
    """What came back."""

    status: int
    body: bytes = attrs.field(repr=False)
    retry_after: str | None = None
    """The header of that name."""
    date: str | None = None
    """The header of that name."""


class HttpTransport:
    """Requests to one service, over lanes of its own or over a client of the user's."""

    def __init__(
        self,
        *,
        http_client: httpx.AsyncClient | None = None,
        connections: int = 64,
        ssl_context: ssl.SSLContext | None = None,
        proxy: str | None = None,
        base_url: str = "",
    ) -> None:
        self._lanes: LanePool | None = None
        if http_client is None:
            outer_proxy = proxy or _environment_proxy(base_url)
            self._lanes = LanePool(lambda: HttpxLane(ssl_context, outer_proxy), connections)
            http_client = httpx.AsyncClient(transport=self._lanes, trust_env=False)
        self._client = http_client

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
        headers = {"content-type": "application/json", "accept": "application/json"}
        request = self._client.build_request("POST", url, content=body, headers=headers)
        return await self._send(request, timeout, sending)

    async def get(self, url: str, *, timeout: float) -> Reply:
        """Get a page.

        Raises:
            TransportError: no reply came.
        """
        return await self._send(self._client.build_request("GET", url), timeout, None)

    async def aclose(self) -> None:
        """Close what is ours; a client of the user's stays open."""
        if self._lanes is not None:
            await self._client.aclose()

    def statistics(self) -> LaneStatistics | None:
        """Return the lanes' numbers, or None with a client of the user's."""
        return None if self._lanes is None else self._lanes.statistics()

    async def _send(self, request: httpx.Request, timeout: float, sending: Sending | None) -> Reply:
        started = False

        def start() -> None:
            nonlocal started
            started = True
            if sending is not None:
                sending()

        if self._lanes is None:
            # Nothing is known of the user's transport: it may send at any moment from here on.
            start()
        request.extensions = {
            **request.extensions,
            "timeout": httpx.Timeout(timeout).as_dict(),
            "sending": start,
        }
        try:
            with anyio.fail_after(timeout):
                response = await self._client.send(request)
        except TimeoutError as error:
            raise _failure(f"no reply within {timeout:g} s", sent=started) from error
        except Exception as error:
            sent = started and not isinstance(error, _NOT_SENT)
            raise _failure(_describe(error), sent=sent) from error
        headers = response.headers
        return Reply(
            response.status_code, response.content, headers.get("retry-after"), headers.get("date")
        )


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
    parts = urlsplit(base_url)
    host = parts.hostname or ""
    if host in ("localhost", "127.0.0.1", "::1") or proxy_bypass(host):
        return None
    proxies = getproxies()
    found = proxies.get(parts.scheme) or proxies.get("all")
    return f"http://{found}" if found and "://" not in found else found
