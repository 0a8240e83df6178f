"""Whether anything has left: every way to the service, and every way in which it can be barred."""

from __future__ import annotations

import ssl
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import h2.config
import h2.connection
import h2.events
import httpx
import pytest
from raw_server import Handler, raw_server, read_request, reply

from captcha_async._transport import HttpTransport
from captcha_async.errors import TransportError

OK = reply(b'{"errorId": 0, "taskId": 1}')
SERVICE = "https://api.service.example"

Ways = Callable[[str], HttpTransport]


def by_lanes(proxy: str) -> HttpTransport:
    """Go through a proxy that the library was told of."""
    return HttpTransport(proxy=proxy)


def by_a_client(proxy: str) -> HttpTransport:
    """Go through a proxy that only the user's client knows of."""
    return HttpTransport(http_client=httpx.AsyncClient(proxy=proxy))


class Wrapping(httpx.AsyncBaseTransport):
    """A transport of the user's around httpx's own."""

    def __init__(self, **options: Any) -> None:
        self.inner = httpx.AsyncHTTPTransport(**options)

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.inner.handle_async_request(request)

    async def aclose(self) -> None:
        await self.inner.aclose()


def by_a_wrapped_transport(proxy: str) -> HttpTransport:
    """Go through a proxy behind a transport that nobody knows."""
    return HttpTransport(http_client=httpx.AsyncClient(transport=Wrapping(proxy=proxy)))


every_way = pytest.mark.parametrize("way", [by_lanes, by_a_client, by_a_wrapped_transport])


class Attempt:
    """One createTask, and what is known of it."""

    def __init__(self) -> None:
        self.told = 0
        self.error: TransportError | None = None
        self.body: bytes | None = None

    async def run(
        self, transport: HttpTransport, url: str = SERVICE, timeout: float = 5
    ) -> Attempt:
        """Make it."""
        try:
            answer = await transport.post(
                f"{url}/createTask", b'{"a": 1}', timeout=timeout, sending=self._sending, once=True
            )
            self.body = answer.body
        except TransportError as error:
            self.error = error
        return self

    def _sending(self) -> None:
        self.told += 1

    @property
    def sent(self) -> bool:
        """Whether the error says so."""
        assert self.error is not None
        return self.error.sent


@asynccontextmanager
async def closing(transport: HttpTransport) -> AsyncGenerator[HttpTransport]:
    """Close the transport at the end, and a client that it was given."""
    try:
        yield transport
    finally:
        await transport.aclose()
        if transport._client is not None:
            await transport._client._client.aclose()


# -- a proxy --------------------------------------------------------------------------------------


def answering(answer: bytes) -> Handler:
    """Make a proxy that reads the CONNECT and says this."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await stream.receive()
        if answer:
            await stream.send(answer)

    return handler


REFUSALS = {
    "407": (b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n", 1),
    "403": (b"HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n", None),
    "502": (b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n", None),
    "a page": (reply(b"<html>no</html>", b"500 Oh"), None),
    "hang up": (b"", None),
    "half a head": (b"HTTP/1.1 20", None),
    "no HTTP": (b"SSH-2.0-OpenSSH_9\r\n\r\n", None),
    "no TLS behind it": (b"HTTP/1.1 200 OK\r\n\r\nnonsense that is no TLS", None),
}


@pytest.mark.real_time
@pytest.mark.parametrize("name", REFUSALS)
@every_way
async def test_a_proxy_that_refuses_has_sent_nothing(way: Ways, name: str) -> None:
    """A CONNECT is not the request: the service has seen nothing of it."""
    answer, worth = REFUSALS[name]
    async with raw_server(answering(answer)) as proxy, closing(way(proxy)) as transport:
        attempt = await Attempt().run(transport)
        assert not attempt.sent
        assert attempt.error is not None
        assert attempt.error.attempts_worth == worth
        assert attempt.error.reason in str(attempt.error)
        if way is not by_a_wrapped_transport:
            assert attempt.told == 0


@pytest.mark.real_time
@pytest.mark.parametrize("way", [by_lanes, by_a_client])
async def test_a_silent_proxy_can_be_left_at_once(way: Ways) -> None:
    """Nothing has left, so nobody is told to wait for a reply, and a time-out says so."""

    async def silent(stream: anyio.abc.ByteStream) -> None:
        await stream.receive()
        await anyio.sleep_forever()

    async with raw_server(silent) as proxy, closing(way(proxy)) as transport:
        attempt = Attempt()
        with anyio.move_on_after(0.2) as scope:
            await attempt.run(transport)
        assert scope.cancelled_caught
        assert attempt.told == 0
        await attempt.run(transport, timeout=0.2)
        assert attempt.told == 0
        assert not attempt.sent
        assert attempt.error is not None
        assert attempt.error.reason == "no connection within 0.2 s"


@pytest.mark.real_time
async def test_a_silent_proxy_of_an_unknown_transport_has_sent_nothing() -> None:
    """Nobody knows beforehand what such a transport does; afterwards its trace has told."""

    async def silent(stream: anyio.abc.ByteStream) -> None:
        await stream.receive()
        await anyio.sleep_forever()

    async with raw_server(silent) as proxy, closing(by_a_wrapped_transport(proxy)) as transport:
        assert not (await Attempt().run(transport, timeout=0.2)).sent


SOCKS = {
    "hang up": (b"", None),
    "wants a login": (b"\x05\xff", 1),
    "nonsense": (b"HTTP/1.1 400 Bad\r\n\r\n", None),
}


@pytest.mark.real_time
@pytest.mark.parametrize("name", SOCKS)
@every_way
async def test_a_socks_proxy_that_refuses_has_sent_nothing(way: Ways, name: str) -> None:
    """The same with the other kind of proxy, whose library has errors of its own."""
    answer, worth = SOCKS[name]
    async with (
        raw_server(answering(answer)) as url,
        closing(way(url.replace("http://", "socks5://"))) as transport,
    ):
        attempt = await Attempt().run(transport)
    assert not attempt.sent
    assert attempt.error is not None
    assert attempt.error.attempts_worth == worth


@pytest.mark.real_time
@every_way
async def test_a_407_of_a_forwarding_proxy_is_the_proxys(way: Ways) -> None:
    """Without TLS the proxy's refusal comes in place of the service's reply."""
    async with (
        raw_server(answering(REFUSALS["407"][0])) as proxy,
        closing(way(proxy)) as transport,
    ):
        attempt = await Attempt().run(transport, "http://service.invalid")
    assert not attempt.sent
    assert attempt.error is not None
    assert attempt.error.attempts_worth == 1


@pytest.mark.real_time
@every_way
async def test_behind_a_proxy_a_lost_reply_is_uncertain(way: Ways) -> None:
    """From the request's own first byte on nobody knows."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)

    async with raw_server(handler) as proxy, closing(way(proxy)) as transport:
        attempt = await Attempt().run(transport, "http://service.invalid")
    assert attempt.sent
    assert attempt.told == 1


# -- our own side ---------------------------------------------------------------------------------


class Breaking(httpx.Auth):
    """An auth whose own work goes wrong before the request leaves."""

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        raise RuntimeError("no token")
        yield request


async def breaking_hook(request: httpx.Request) -> None:
    """Fail as a hook of the user's may."""
    request.read()
    raise KeyError("no signature")


LOCAL: dict[str, dict[str, Any]] = {
    "a hook": {"event_hooks": {"request": [breaking_hook]}},
    "an auth": {"auth": Breaking()},
    "a header": {"headers": {"x-name": "a\nb"}},
}


@pytest.mark.real_time
@pytest.mark.parametrize("name", LOCAL)
@pytest.mark.parametrize("wrapped", [False, True])
async def test_what_fails_on_our_side_was_not_sent(name: str, wrapped: bool) -> None:
    """A hook, an auth or a header of the user's that fails: nothing has left, nor will it."""
    seen = 0

    async def handler(stream: anyio.abc.ByteStream) -> None:
        nonlocal seen
        await read_request(stream)
        seen += 1

    options: dict[str, Any] = dict(LOCAL[name])
    if wrapped:
        options["transport"] = Wrapping()
    async with (
        raw_server(handler) as url,
        closing(HttpTransport(http_client=httpx.AsyncClient(**options))) as transport,
    ):
        attempt = await Attempt().run(transport, url)
    assert not attempt.sent
    assert seen == 0
    assert attempt.error is not None
    assert attempt.error.attempts_worth == 1
    assert not attempt.error.retryable


async def test_a_closed_client_has_sent_nothing() -> None:
    """It says so itself, and stays closed."""
    client = httpx.AsyncClient()
    transport = HttpTransport(http_client=client)
    await client.aclose()
    attempt = await Attempt().run(transport)
    assert not attempt.sent
    assert attempt.told == 0
    assert attempt.error is not None
    assert "closed" in attempt.error.reason
    assert attempt.error.attempts_worth == 1


@pytest.mark.parametrize(
    ("error", "sent"),
    [
        (httpx.ConnectError("refused"), False),
        (httpx.ConnectTimeout("slow"), False),
        (httpx.PoolTimeout("full"), False),
        (httpx.ProxyError("502 Bad Gateway"), False),
        (httpx.UnsupportedProtocol("ftp"), False),
        (httpx.ReadError("reset"), True),
        (httpx.WriteError("reset"), True),
        (httpx.ReadTimeout("slow"), True),
        (httpx.LocalProtocolError("ours"), True),
        (httpx.RemoteProtocolError("theirs"), True),
        (ValueError("a bug"), True),
    ],
)
async def test_a_transport_that_tells_nothing_is_judged_by_its_error(
    error: Exception, sent: bool
) -> None:
    """Only what comes of having no connection is certain."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise error

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        attempt = await Attempt().run(HttpTransport(http_client=client))
    assert attempt.sent is sent
    assert attempt.told == 1


class Stubborn(Wrapping):
    """Sends everything again that fails, whatever it costs."""

    def __init__(self, second: str) -> None:
        super().__init__()
        self.second = second

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        try:
            return await super().handle_async_request(request)
        except httpx.TransportError:
            request.url = httpx.URL(self.second)
            return await super().handle_async_request(request)


@pytest.mark.real_time
async def test_a_transport_does_not_send_a_second_time_by_itself() -> None:
    """A createTask is held back, and uncertain; a poll is the transport's own affair."""
    requests: list[bytes] = []

    async def handler(stream: anyio.abc.ByteStream) -> None:
        requests.append(await read_request(stream))
        if b"/again" in requests[-1]:
            await stream.send(OK)

    async with raw_server(handler) as url:
        client = httpx.AsyncClient(transport=Stubborn(f"{url}/again"))
        async with closing(HttpTransport(http_client=client)) as transport:
            attempt = await Attempt().run(transport, url)
            assert attempt.sent
            assert len(requests) == 1
            found = await transport.post(f"{url}/poll", b"{}", timeout=5)
    assert found.status == 200
    assert len(requests) == 3


@pytest.mark.real_time
async def test_a_transport_that_sends_again_by_itself_is_uncertain() -> None:
    """The last attempt found no connection, but the first one may have been carried out."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)

    async with raw_server(handler) as url:
        client = httpx.AsyncClient(transport=Stubborn("http://127.0.0.1:1/createTask"))
        async with closing(HttpTransport(http_client=client)) as transport:
            assert (await Attempt().run(transport, url)).sent


@pytest.mark.real_time
async def test_a_challenge_to_log_in_is_no_answer() -> None:
    """A digest auth makes two requests of one; the service has taken neither until it answers."""
    logins: list[bool] = []

    async def handler(stream: anyio.abc.ByteStream) -> None:
        request = await read_request(stream)
        logins.append(b"authorization: digest" in request.lower())
        if logins[-1]:
            await stream.send(OK)
        else:
            header = b'www-authenticate: Digest realm="a", nonce="b", qop="auth"\r\n'
            await stream.send(reply(b"", b"401 Unauthorized", headers=header))

    client = httpx.AsyncClient(auth=httpx.DigestAuth("user", "password"))
    async with (
        raw_server(handler) as url,
        closing(HttpTransport(http_client=client)) as transport,
    ):
        attempt = await Attempt().run(transport, url)
    assert attempt.body == b'{"errorId": 0, "taskId": 1}'
    assert logins == [False, True]


class FetchingToken(httpx.Auth):
    """Asks another host for a token, and then fails to use it."""

    requires_response_body = True

    def __init__(self, url: str) -> None:
        self.url = url

    def auth_flow(self, request: httpx.Request) -> Iterator[httpx.Request]:  # type: ignore[override]
        response = yield httpx.Request("POST", self.url, json={"user": "me"})
        raise RuntimeError(f"no token in {response.text!r}")  # type: ignore[attr-defined]


@pytest.mark.real_time
async def test_the_reply_to_another_request_of_an_auth_is_not_ours() -> None:
    """What an auth asks of somebody else is neither sent nor answered by the service."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        await stream.send(OK)

    async with raw_server(handler) as url:
        client = httpx.AsyncClient(auth=FetchingToken(f"{url}/token"))
        async with closing(HttpTransport(http_client=client)) as transport:
            attempt = await Attempt().run(transport, url)
    assert attempt.body is None
    assert not attempt.sent


# -- HTTP/2 ---------------------------------------------------------------------------------------

FAULTS = {
    # A WINDOW_UPDATE of 0, which h2 takes for an error of its own side.
    "malformed frame": b"\x00\x00\x04\x08\x00\x00\x00\x00\x01\x00\x00\x00\x00",
    "oversized frame": b"\xff\xff\xff\x00\x00\x00\x00\x00\x01",
    "reply to nobody": b"\x00\x00\x01\x01\x04\x00\x00\x00\x09\x88",
    "reset of the stream": b"\x00\x00\x04\x03\x00\x00\x00\x00\x01\x00\x00\x00\x02",
    # Of all the streams it says that it has taken none; httpcore would send the request again.
    "going away": b"\x00\x00\x08\x07\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
    "hang up": b"",
}


@pytest.mark.real_time
async def test_http2_does_not_send_a_second_time() -> None:
    """After a GOAWAY httpcore sends what was not taken again, as it may; a createTask may not."""
    received = 0

    async def handler(stream: anyio.abc.ByteStream) -> None:
        nonlocal received
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        await stream.send(connection.data_to_send())
        while True:
            for event in connection.receive_data(await stream.receive()):
                if isinstance(event, h2.events.StreamEnded):
                    received += 1
                    if received == 1:
                        connection.send_headers(event.stream_id, [(":status", "200")], True)
                    else:
                        connection.close_connection(last_stream_id=1)
            await stream.send(connection.data_to_send())

    async with raw_server(handler) as url:
        client = httpx.AsyncClient(http1=False, http2=True)
        async with closing(HttpTransport(http_client=client)) as transport:
            await transport.post(url, b"{}", timeout=5)
            attempt = await Attempt().run(transport, url, timeout=2)
    assert received == 2
    assert attempt.sent


@pytest.mark.real_time
@pytest.mark.parametrize("name", FAULTS)
async def test_a_fault_of_http2_after_the_request_is_uncertain(name: str) -> None:
    """Whoever's fault it is called: the service has the request."""
    received = 0

    async def handler(stream: anyio.abc.ByteStream) -> None:
        nonlocal received
        connection = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        connection.initiate_connection()
        await stream.send(connection.data_to_send())
        while True:
            for event in connection.receive_data(await stream.receive()):
                if isinstance(event, h2.events.StreamEnded):
                    received += 1
                    if not FAULTS[name]:
                        return
                    await stream.send(connection.data_to_send() + FAULTS[name])
            await stream.send(connection.data_to_send())

    async with raw_server(handler) as url:
        client = httpx.AsyncClient(http1=False, http2=True)
        async with closing(HttpTransport(http_client=client)) as transport:
            attempt = await Attempt().run(transport, url, timeout=1)
    assert attempt.sent
    assert received == 1
    assert attempt.told == 1


@pytest.mark.real_time
async def test_trust_fails_before_anything_is_sent() -> None:
    """A service whose certificate is not trusted: one attempt, and advice."""
    import trustme

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    ways: list[dict[str, Any]] = [
        {},
        {"httpx_lanes": True},
        {"http_client": httpx.AsyncClient()},
    ]
    for options in ways:
        async with (
            raw_server(answering(OK), context) as url,
            closing(HttpTransport(**options)) as transport,
        ):
            attempt = await Attempt().run(transport, url)
        assert not attempt.sent
        assert attempt.error is not None
        assert attempt.error.attempts_worth == 1
        assert "SSL_CERT_FILE" in str(attempt.error)
