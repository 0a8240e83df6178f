"""A client of the user's: its settings hold, and none of them loses a reply or leaks the key."""

from __future__ import annotations

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import anyio
import httpx
import pytest
from anyio.lowlevel import checkpoint
from raw_server import raw_server, read_request, reply

from captcha_async._transport import HttpTransport
from captcha_async.errors import TransportError

pytestmark = pytest.mark.real_time

BODY = b'{"clientKey": "the-key"}'
ANSWER = b'{"errorId": 1, "errorCode": "ERROR_ZERO_BALANCE"}'


class Service:
    """Answers everything alike, and keeps what it got."""

    def __init__(self, *answers: bytes) -> None:
        self.answers = list(answers)
        self.requests: list[bytes] = []

    async def __call__(self, stream: anyio.abc.ByteStream) -> None:
        while True:
            self.requests.append(await read_request(stream))
            await stream.send(self.answers.pop(0) if len(self.answers) > 1 else self.answers[0])


@asynccontextmanager
async def serving(service: Service, **options: Any) -> AsyncGenerator[tuple[HttpTransport, str]]:
    """Serve, and open a transport over a client with these options."""
    async with raw_server(service) as url, httpx.AsyncClient(**options) as client:
        yield HttpTransport(http_client=client), url


async def raise_for_status(response: httpx.Response) -> None:
    """Raise as many clients are set up to."""
    response.raise_for_status()


async def read_and_raise(response: httpx.Response) -> None:
    """Raise after having read the body, as the documentation of httpx shows it."""
    await response.aread()
    response.raise_for_status()


async def raise_something(response: httpx.Response) -> None:
    """Raise an error that carries nothing."""
    raise LookupError("a bug in a hook")


@pytest.mark.parametrize("hook", [raise_for_status, read_and_raise, raise_something])
@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize(
    "status",
    [
        b"200 OK",
        b"302 Found",
        b"402 Payment Required",
        b"429 Too Many Requests",
        b"500 Internal Server Error",
        b"503 Service Unavailable",
    ],
)
async def test_a_reply_is_read_whatever_a_hook_raises(status: bytes, once: bool, hook: Any) -> None:
    """The reply came: the hook's opinion of it changes nothing, and its body is there."""
    service = Service(reply(ANSWER, status, headers=b"retry-after: 7\r\n"))
    async with serving(service, event_hooks={"response": [hook]}) as (transport, url):
        found = await transport.post(url, BODY, timeout=5, once=once)
    assert found.status == int(status[:3])
    assert found.body == ANSWER
    assert found.retry_after == "7"
    assert len(service.requests) == 1


class Raising(httpx.AsyncBaseTransport):
    """A transport that raises for a status itself, as those that count failures do."""

    def __init__(self, *, read: bool, close: bool) -> None:
        self.inner = httpx.AsyncHTTPTransport()
        self.read, self.close = read, close

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        response = await self.inner.handle_async_request(request)
        response.request = request
        if self.read:
            await response.aread()
        if self.close:
            await response.aclose()
        response.raise_for_status()
        return response

    async def aclose(self) -> None:
        await self.inner.aclose()


@pytest.mark.parametrize(
    ("read", "close", "body"), [(True, True, ANSWER), (False, False, ANSWER), (False, True, b"")]
)
async def test_a_reply_that_an_error_carries_is_read(read: bool, close: bool, body: bytes) -> None:
    """Also if it comes out of the transport; of one that was closed unread the status is left."""
    service = Service(reply(ANSWER, b"402 Payment Required", headers=b"retry-after: 7\r\n"))
    async with serving(service, transport=Raising(read=read, close=close)) as (transport, url):
        found = await transport.post(url, BODY, timeout=5, once=True)
    assert (found.status, found.body, found.retry_after) == (402, body, "7")


class Refusing(httpx.Auth):
    """An auth that does not like the reply."""

    def auth_flow(self, request: httpx.Request) -> Any:
        yield request
        raise PermissionError("not with me")


async def test_a_reply_is_read_whatever_an_auth_raises() -> None:
    """The same for what an auth does with it."""
    async with serving(Service(reply(ANSWER)), auth=Refusing()) as (transport, url):
        assert (await transport.post(url, BODY, timeout=5)).body == ANSWER


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_never_followed(status: int) -> None:
    """The key goes to the configured host alone, whatever the client is set to."""
    elsewhere = Service(reply(b"{}"))
    async with raw_server(elsewhere) as other:
        location = b"location: %b/createTask\r\n" % other.encode()
        moved = Service(reply(b"", b"%d Moved" % status, headers=location))
        for options in ({"follow_redirects": True}, {}):
            async with serving(moved, **options) as (transport, url):
                assert (await transport.post(url, BODY, timeout=5)).status == status
                assert (await transport.get(url, timeout=5)).status == status
    transport = HttpTransport()
    async with raw_server(moved) as url:
        assert (await transport.post(url, BODY, timeout=5)).status == status
        await transport.aclose()
    assert elsewhere.requests == []


async def test_the_clients_own_settings_hold() -> None:
    """Headers, auth, cookies, hooks and what a subclass does are the user's."""
    seen: list[bytes] = []

    async def look(request: httpx.Request) -> None:
        seen.append(request.content)
        request.headers["x-hook"] = "was here"

    class Client(httpx.AsyncClient):
        async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
            request.headers["x-subclass"] = "as well"
            return await super().send(request, **options)

    service = Service(reply(b"{}", headers=b"set-cookie: lane=7\r\n"))
    options: dict[str, Any] = {
        "headers": {"x-mine": "yes", "accept-encoding": "br, zstd"},
        "auth": ("user", "password"),
        "event_hooks": {"request": [look]},
    }
    async with raw_server(service) as url, Client(**options) as client:
        transport = HttpTransport(http_client=client)
        await transport.post(url, BODY, timeout=5)
        client.headers["x-later"] = "too"
        await transport.post(url, BODY, timeout=5)
        assert dict(client.cookies) == {"lane": "7"}
        assert client.event_hooks["request"] == [look]
        assert type(client._transport) is httpx.AsyncHTTPTransport
        assert not client.is_closed
    first, second = (request.lower() for request in service.requests)
    assert seen == [BODY, BODY]
    for line in (
        b"x-mine: yes",
        b"x-hook: was here",
        b"x-subclass: as well",
        b"authorization: basic",
    ):
        assert line in first
    # What cannot be unpacked within bounds is not asked for.
    assert b"accept-encoding: gzip, deflate\r\n" in first
    assert b"x-later: too" in second
    assert b"cookie: lane=7" in second


async def test_a_login_in_the_address_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """httpx logs each URL with its password."""
    caplog.set_level(logging.DEBUG)
    service = Service(reply(b"{}"))
    async with serving(service) as (transport, url):
        await transport.post(url.replace("://", "://user:S3cret@"), BODY, timeout=5)
    assert b"authorization: basic dxnlcjpTM2NyZXQ=".lower() in service.requests[0].lower()
    assert "HTTP Request" in caplog.text
    assert "S3cret" not in caplog.text


async def test_responses_that_a_transport_makes_up_are_read() -> None:
    """Such as those of a mock, whose bodies are there already or come piece by piece."""

    async def pieces() -> AsyncGenerator[bytes]:
        yield ANSWER[:5]
        yield ANSWER[5:]

    def handler(request: httpx.Request) -> httpx.Response:
        assert request.content == BODY
        if request.url.path == "/pieces":
            return httpx.Response(200, content=pieces())
        return httpx.Response(200, content=ANSWER)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as client:
        transport = HttpTransport(http_client=client)
        for path in ("pieces", "whole"):
            for once in (False, True):
                found = await transport.post(f"http://x/{path}", BODY, timeout=5, once=once)
                assert found.body == ANSWER


async def test_mounted_transports_are_watched_too() -> None:
    """A client may have a transport for each host, or none."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused")

    mounts = {"all://mounted.example": httpx.MockTransport(handler), "all://bare.example": None}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, content=ANSWER))
    async with httpx.AsyncClient(transport=transport, mounts=mounts) as client:
        ours = HttpTransport(http_client=client)
        assert (await ours.post("http://bare.example", BODY, timeout=5)).body == ANSWER
        with pytest.raises(TransportError) as caught:
            await ours.post("http://mounted.example", BODY, timeout=5)
    assert not caught.value.sent


async def test_an_unknown_kind_of_client_is_taken_to_send_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Where httpx keeps its transports elsewhere some day, nothing is certain any more."""

    class Odd(httpx.AsyncClient):
        def __copy__(self) -> httpx.AsyncClient:
            return httpx.AsyncClient.__new__(httpx.AsyncClient)

        async def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
            raise KeyError("somewhere inside")

    async with Odd() as client:
        marks: list[str] = []
        with pytest.raises(TransportError) as caught:
            await HttpTransport(http_client=client).post(
                "http://x", BODY, timeout=5, sending=lambda: marks.append("sending")
            )
    assert caught.value.sent
    assert marks == ["sending"]


async def test_a_pool_of_used_connections_only_is_an_error() -> None:
    """However a transport hands out connections, the search for a new one ends."""

    class Reusing(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            trace = request.extensions["trace"]
            await trace("http11.send_request_headers.started", {"request": None})
            return httpx.Response(200, content=ANSWER)

    async with httpx.AsyncClient(transport=Reusing()) as client:
        transport = HttpTransport(http_client=client)
        assert (await transport.post("http://x", BODY, timeout=5)).body == ANSWER
        with pytest.raises(TransportError, match="not used before") as caught:
            await transport.post("http://x", BODY, timeout=5, once=True)
    assert not caught.value.sent


async def test_tiny_chunks_leave_others_their_turn() -> None:
    """httpcore takes its time for each, and never waits while it has any."""
    body = b"".join(b"1\r\n%c\r\n" % byte for byte in ANSWER + b" " * 20_000)
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    turns = 0

    async def take_turns() -> None:
        nonlocal turns
        while True:
            await checkpoint()
            turns += 1

    async with (
        serving(Service(head + body + b"0\r\n\r\n")) as (transport, url),
        anyio.create_task_group() as group,
    ):
        group.start_soon(take_turns)
        found = await transport.post(url, BODY, timeout=20)
        group.cancel_scope.cancel()
    assert found.body.rstrip() == ANSWER
    assert turns > 20_000 // 256


async def test_a_trace_of_the_users_goes_on_being_called() -> None:
    """Ours is put before it, not in its place."""
    events: list[str] = []

    async def trace(event: str, info: Any) -> None:
        events.append(event)

    async def hook(request: httpx.Request) -> None:
        request.extensions = {**request.extensions, "trace": trace}

    marks: list[str] = []
    async with serving(Service(reply(b"{}")), event_hooks={"request": [hook]}) as (transport, url):
        await transport.post(url, BODY, timeout=5, sending=lambda: marks.append("sending"))
    assert "http11.send_request_headers.started" in events
    assert marks == ["sending"]
