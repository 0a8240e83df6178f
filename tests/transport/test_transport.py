"""The transport over real sockets: lanes are reused, or closed when they must not be."""

from __future__ import annotations

import gzip
import ssl

import anyio
import httpx
import pytest
import trustme
from anyio.lowlevel import checkpoint
from raw_server import raw_server, read_request, reply

from captcha_async import CaptchaClient, Limits
from captcha_async._transport import HttpTransport
from captcha_async._transport._settings import environment_proxy
from captcha_async.errors import TransportError

pytestmark = pytest.mark.real_time

OK = reply(b'{"errorId": 0}')

# The lanes of our own, and those made of httpx's transport.
both_kinds = pytest.mark.parametrize("httpx_lanes", [False, True], ids=["direct", "httpx"])


class Server:
    """Answers every request, and counts connections."""

    def __init__(self, answer: bytes = OK, *, close: bool = False) -> None:
        self.answer = answer
        self.close = close
        self.connections = 0
        self.requests = 0

    async def __call__(self, stream: anyio.abc.ByteStream) -> None:
        self.connections += 1
        while True:
            await read_request(stream)
            self.requests += 1
            await stream.send(self.answer)
            if self.close:
                return


async def post(transport: HttpTransport, url: str, timeout: float = 5.0) -> bytes:
    """Post something and return the reply's body."""
    return (await transport.post(f"{url}/createTask", b"{}", timeout=timeout)).body


@both_kinds
async def test_a_lane_is_used_again(httpx_lanes: bool) -> None:
    """Requests in a row need one connection."""
    server = Server()
    transport = HttpTransport(httpx_lanes=httpx_lanes)
    async with raw_server(server) as url:
        for _ in range(5):
            assert await post(transport, url) == b'{"errorId": 0}'
        numbers = transport.statistics()
        assert numbers is not None
        assert (numbers.busy, numbers.idle, numbers.opened) == (0, 1, 1)
        await transport.aclose()
    assert (server.connections, server.requests) == (1, 5)


async def test_no_more_lanes_are_opened_than_allowed() -> None:
    """More requests than lanes wait their turn, in the account."""
    server = Server(reply(b'{"errorId":0,"balance":1}'))
    limits = Limits(connections=3)
    async with (
        raw_server(server) as url,
        CaptchaClient("key", base_url=url, limits=limits) as client,
        anyio.create_task_group() as group,
    ):
        for _ in range(30):
            group.start_soon(client.balance)
    assert server.requests == 30
    assert server.connections <= 3


@both_kinds
async def test_a_lane_that_the_server_closed_is_opened_anew(httpx_lanes: bool) -> None:
    """A service that ends connections after each reply costs connections, not errors."""
    server = Server(close=True)
    transport = HttpTransport(httpx_lanes=httpx_lanes)
    async with raw_server(server) as url:
        for _ in range(3):
            assert await post(transport, url)
            await checkpoint()
    await transport.aclose()
    assert server.requests == 3


@both_kinds
async def test_a_cancelled_request_takes_its_lane_along(httpx_lanes: bool) -> None:
    """What is left of its reply must not become the next request's."""
    started = anyio.Event()

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        if not started.is_set():
            started.set()
            await stream.send(OK[:30])
            await anyio.sleep_forever()
        await stream.send(OK)

    transport = HttpTransport(connections=1, httpx_lanes=httpx_lanes)
    async with raw_server(handler) as url:
        async with anyio.create_task_group() as group:
            group.start_soon(post, transport, url)
            await started.wait()
            group.cancel_scope.cancel()
        numbers = transport.statistics()
        assert numbers is not None
        assert (numbers.busy, numbers.idle, numbers.discarded) == (0, 0, 1)
        assert await post(transport, url) == b'{"errorId": 0}'
    await transport.aclose()


@both_kinds
async def test_many_cancelled_connects_leave_no_dead_lane(httpx_lanes: bool) -> None:
    """Waves of cancellations while lanes are being opened: the next request still goes through."""
    server = Server()
    transport = HttpTransport(connections=20, httpx_lanes=httpx_lanes)
    async with raw_server(server) as url:
        for wave in range(10):
            async with anyio.create_task_group() as group:
                for _ in range(40):
                    group.start_soon(post, transport, url)
                for _ in range(wave):
                    await checkpoint()
                group.cancel_scope.cancel()
        async with anyio.create_task_group() as group:
            for _ in range(40):
                group.start_soon(post, transport, url)
        numbers = transport.statistics()
        assert numbers is not None
        assert numbers.busy == 0
        assert 1 <= numbers.idle <= 20
    await transport.aclose()


@both_kinds
async def test_nobody_listens(httpx_lanes: bool) -> None:
    """A refused connection was certainly not sent."""
    listener = await anyio.create_tcp_listener(local_host="127.0.0.1")
    port = listener.extra(anyio.abc.SocketAttribute.local_port)
    await listener.aclose()
    transport = HttpTransport(httpx_lanes=httpx_lanes)
    marks: list[str] = []
    with pytest.raises(TransportError, match="could not be reached") as caught:
        await transport.post(
            f"http://127.0.0.1:{port}/", b"{}", timeout=5, sending=lambda: marks.append("sending")
        )
    assert not caught.value.sent
    assert marks == []
    await transport.aclose()


@pytest.mark.parametrize(
    "answer", [b"", OK[:20], OK[:-3], b"nonsense\r\n\r\n"], ids=["none", "head", "body", "no HTTP"]
)
async def test_a_connection_that_dies_after_the_request_may_have_sent_it(answer: bytes) -> None:
    """From the first byte on nobody knows."""
    transport = HttpTransport()
    marks: list[str] = []
    async with raw_server(Server(answer, close=True)) as url:
        with pytest.raises(TransportError) as caught:
            await transport.post(url, b"{}", timeout=5, sending=lambda: marks.append("sending"))
    assert caught.value.sent
    assert marks == ["sending"]
    await transport.aclose()


@both_kinds
async def test_a_reply_that_never_comes_ends_with_the_timeout(httpx_lanes: bool) -> None:
    """The time-out covers the whole exchange, also when bytes trickle in."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        for byte in OK:
            await stream.send(bytes([byte]))
            await anyio.sleep(0.02)

    transport = HttpTransport(httpx_lanes=httpx_lanes)
    async with raw_server(handler) as url:
        with pytest.raises(TransportError, match=r"no reply within 0.2 s") as caught:
            await post(transport, url, timeout=0.2)
    assert caught.value.sent
    await transport.aclose()


@both_kinds
async def test_a_reply_without_end_is_not_read_to_the_end(httpx_lanes: bool) -> None:
    """A reply that is far too large ends with an error, not with a full memory."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        await stream.send(b"HTTP/1.1 200 OK\r\ncontent-length: 99999999999\r\n\r\n")
        while True:
            await stream.send(bytes(65536))

    transport = HttpTransport(httpx_lanes=httpx_lanes)
    async with raw_server(handler) as url:
        with pytest.raises(TransportError, match="more than"):
            await post(transport, url, timeout=20)
    await transport.aclose()


@both_kinds
async def test_compressed_and_chunked_replies_are_read(httpx_lanes: bool) -> None:
    """gzip and chunks are httpx's business, and it does it."""
    packed = gzip.compress(b'{"errorId": 0}')
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    chunked = head + b'5\r\n{"err\r\n9\r\norId": 0}\r\n0\r\n\r\n'
    for answer in (reply(packed, headers=b"content-encoding: gzip\r\n"), chunked):
        transport = HttpTransport(httpx_lanes=httpx_lanes)
        async with raw_server(Server(answer)) as url:
            assert await post(transport, url) == b'{"errorId": 0}'
        await transport.aclose()


async def test_a_reply_that_unpacks_to_a_giant_is_refused() -> None:
    """A few kilobytes must not fill the memory."""
    packed = gzip.compress(bytes(50 * 1024 * 1024))
    transport = HttpTransport()
    answer = reply(packed, headers=b"content-encoding: gzip\r\n")
    async with raw_server(Server(answer)) as url:
        with pytest.raises(TransportError, match="more than") as caught:
            await post(transport, url)
    assert caught.value.sent
    await transport.aclose()


async def test_a_page_is_got() -> None:
    """GET has no body, and tells no length of one."""
    seen: list[bytes] = []

    async def handler(stream: anyio.abc.ByteStream) -> None:
        seen.append(await read_request(stream))
        await stream.send(reply(b"Mozilla/5.0", headers=b"retry-after: 3\r\ndate: now\r\n"))

    transport = HttpTransport()
    async with raw_server(handler) as url:
        found = await transport.get(f"{url}/user-agent", timeout=5)
    assert (found.status, found.body) == (200, b"Mozilla/5.0")
    assert (found.retry_after, found.date) == ("3", "now")
    assert seen[0].startswith(b"GET /user-agent HTTP/1.1\r\n")
    assert b"content-length" not in seen[0].lower()
    await transport.aclose()


async def test_a_login_in_the_address_is_sent_as_a_header() -> None:
    """A self-hosted service may stand behind one."""
    seen: list[bytes] = []

    async def handler(stream: anyio.abc.ByteStream) -> None:
        seen.append(await read_request(stream))
        await stream.send(OK)

    transport = HttpTransport()
    async with raw_server(handler) as url:
        await post(transport, url.replace("://", "://user:password@"))
    assert b"authorization: basic dxnlcjpwyxnzd29yza==" in seen[0].lower()
    assert b"password" not in seen[0]
    await transport.aclose()


async def test_sending_is_told_before_the_first_byte() -> None:
    """When the service has the request, the caller has long been told."""
    marks: list[str] = []

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        assert marks == ["sending"]
        await stream.send(OK)

    transport = HttpTransport()
    async with raw_server(handler) as url:
        await transport.post(url, b"{}", timeout=5, sending=lambda: marks.append("sending"))
    assert marks == ["sending"]
    await transport.aclose()


@both_kinds
async def test_tls_is_verified(httpx_lanes: bool) -> None:
    """A certificate that nobody vouches for is refused before anything is sent."""
    authority = trustme.CA()
    certificate = authority.issue_cert("127.0.0.1")
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    certificate.configure_cert(server_context)
    client_context = ssl.create_default_context()
    authority.configure_trust(client_context)
    async with raw_server(Server(), server_context) as url:
        trusting = HttpTransport(ssl_context=client_context, httpx_lanes=httpx_lanes)
        assert await post(trusting, url) == b'{"errorId": 0}'
        await trusting.aclose()
        doubting = HttpTransport(httpx_lanes=httpx_lanes)
        with pytest.raises(TransportError, match="CERTIFICATE_VERIFY_FAILED") as caught:
            await post(doubting, url)
        assert not caught.value.sent
        await doubting.aclose()


@both_kinds
async def test_who_speaks_no_tls_is_told_apart_from_the_network(httpx_lanes: bool) -> None:
    """https to a port of http fails each time, and its cause is the address."""

    async def speaks_http(stream: anyio.abc.ByteStream) -> None:
        await stream.receive()
        await stream.send(reply(b"Bad Request", status=b"400 Bad Request"))

    async with raw_server(speaks_http) as url:
        transport = HttpTransport(httpx_lanes=httpx_lanes)
        with pytest.raises(TransportError, match="is for http or https, and its port") as caught:
            await post(transport, url.replace("http://", "https://"))
        assert (caught.value.sent, caught.value.retryable) == (False, False)
        await transport.aclose()


@both_kinds
async def test_closing_the_transport_closes_busy_lanes_when_they_are_done(
    httpx_lanes: bool,
) -> None:
    """A request on its way gets its reply, and then its connection goes."""
    arrived, go_on = anyio.Event(), anyio.Event()

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        arrived.set()
        await go_on.wait()
        await stream.send(OK)

    transport = HttpTransport(httpx_lanes=httpx_lanes)
    bodies: list[bytes] = []
    async with raw_server(handler) as url, anyio.create_task_group() as group:

        async def request() -> None:
            bodies.append(await post(transport, url))

        group.start_soon(request)
        await arrived.wait()
        await transport.aclose()
        go_on.set()
    assert bodies == [b'{"errorId": 0}']
    numbers = transport.statistics()
    assert numbers is not None
    assert (numbers.busy, numbers.idle) == (0, 0)
    assert "0 busy, 0 idle" in repr(transport._lanes)


async def test_a_users_client_counts_as_sent_from_the_start() -> None:
    """Nothing is known of it but that some errors come before sending."""

    def handler(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/never-sent":
            raise httpx.ConnectError("refused")
        raise httpx.ReadError("reset")

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http_client:
        transport = HttpTransport(http_client=http_client)
        assert transport.statistics() is None
        for path, sent in (("never-sent", False), ("sent", True)):
            with pytest.raises(TransportError) as caught:
                await transport.post(f"http://x/{path}", b"", timeout=1)
            assert caught.value.sent is sent
        await transport.aclose()
        assert not http_client.is_closed


async def test_a_proxy_carries_the_requests() -> None:
    """The way out may need a proxy."""
    server = Server()
    async with raw_server(server) as url:
        transport = HttpTransport(proxy=url)
        assert await post(transport, "http://service.invalid") == b'{"errorId": 0}'
        await transport.aclose()
    assert server.requests == 1


async def test_the_environments_proxy_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """HTTPS_PROXY is honoured as by httpx, NO_PROXY and the own machine excepted."""
    for name in ("ALL_PROXY", "HTTP_PROXY", "http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("https_proxy", "proxy.example:3128")
    monkeypatch.setenv("NO_PROXY", "mirror.example")
    assert environment_proxy("https://api.capmonster.cloud") == "http://proxy.example:3128"
    assert environment_proxy("https://mirror.example/v1") is None
    assert environment_proxy("https://127.0.0.1:8000") is None
    assert environment_proxy("http://api.example") is None
