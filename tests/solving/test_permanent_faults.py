"""What can never work ends at once, and what may pass is tried again: counted over real sockets."""

from __future__ import annotations

import logging
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
import trustme
from local import TOKEN_TASK
from raw_server import raw_server, read_request, reply

from captcha_async import (
    CaptchaClient,
    CaptchaError,
    Limits,
    Retries,
    SolveTimeout,
    SubmitUncertain,
    TransportError,
)
from captcha_async._transport._tls import default_ssl_context

pytestmark = pytest.mark.real_time

Ask = Callable[[CaptchaClient], Awaitable[Any]]
WAYS: dict[str, Callable[[], dict[str, Any]]] = {
    "lanes": dict,
    "client": lambda: {"http_client": httpx.AsyncClient()},
}
every_way = pytest.mark.parametrize("way", WAYS)


async def solve(client: CaptchaClient) -> Any:
    """Ask for what costs money."""
    return await client.solve(TOKEN_TASK, timeout=20)


async def balance(client: CaptchaClient) -> Any:
    """Ask for what changes nothing."""
    return await client.balance()


both = pytest.mark.parametrize("ask", [solve, balance])


@asynccontextmanager
async def opened(way: str, url: str, **options: Any) -> AsyncGenerator[CaptchaClient]:
    """Open a client that would make five attempts."""
    given = {**WAYS[way](), **options}
    retries = Retries(attempts=5, backoff=0.01)
    async with CaptchaClient("the-key", base_url=url, retries=retries, **given) as client:
        yield client
    if "http_client" in given:
        await given["http_client"].aclose()


async def failed(ask: Ask, client: CaptchaClient) -> CaptchaError:
    """Return the error that comes of it."""
    try:
        await ask(client)
    except CaptchaError as error:
        return error
    raise AssertionError("there was no error")


@both
@every_way
async def test_an_untrusted_certificate_is_tried_once(way: str, ask: Ask) -> None:
    """It will not be trusted a second later; the error says what to do."""
    handshakes = 0

    def count(*_: object) -> None:
        nonlocal handshakes
        handshakes += 1

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("localhost").configure_cert(context)
    context.sni_callback = count
    async with (
        raw_server(answer_well, context) as url,
        opened(way, url.replace("127.0.0.1", "localhost")) as client,
    ):
        error = await failed(ask, client)
    assert isinstance(error, TransportError)
    assert not error.sent
    assert not error.retryable
    assert "SSL_CERT_FILE" in str(error)
    assert "ssl_context=" in str(error)
    assert handshakes == 1


@both
@every_way
@pytest.mark.parametrize(
    ("host", "last_day", "advice"),
    [
        ("other.example", 30, "another host's: check base_url"),
        ("localhost", -1, "check this machine's clock"),
    ],
)
async def test_a_certificate_that_does_not_fit_is_told_apart(
    way: str, ask: Ask, host: str, last_day: int, advice: str
) -> None:
    """To trust another authority would not help against the name or the date."""
    authority = trustme.CA()
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    until = datetime.now(UTC) + timedelta(days=last_day)
    cert = authority.issue_cert(host, not_before=until - timedelta(days=60), not_after=until)
    cert.configure_cert(context)
    ours = ssl.create_default_context()
    authority.configure_trust(ours)
    given: dict[str, Any] = {"ssl_context": ours}
    if way == "client":
        given = {"http_client": httpx.AsyncClient(verify=ours)}
    async with (
        raw_server(answer_well, context) as url,
        opened(way, url.replace("127.0.0.1", "localhost"), **given) as client,
    ):
        error = await failed(ask, client)
    assert isinstance(error, TransportError)
    assert advice in str(error)
    assert "SSL_CERT_FILE" not in str(error)
    assert error.attempts_worth == 1


@both
@pytest.mark.parametrize("content", [None, "no certificate"])
async def test_a_file_of_authorities_that_cannot_be_loaded_is_named(
    ask: Ask, content: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is not looked for again, and the network is not blamed."""
    file = tmp_path / "authorities.pem"
    if content is not None:
        file.write_text(content)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    default_ssl_context.cache_clear()
    try:
        async with opened("lanes", "https://127.0.0.1:9") as client:
            error = await failed(ask, client)
    finally:
        default_ssl_context.cache_clear()
    assert isinstance(error, TransportError)
    assert "SSL_CERT_FILE cannot be loaded" in str(error)
    assert not error.sent
    assert error.attempts_worth == 1


async def answer_well(stream: anyio.abc.ByteStream) -> None:
    """Answer everything as a service does."""
    while True:
        await read_request(stream)
        await stream.send(reply(b'{"errorId": 0, "taskId": 1, "balance": 1}'))


@both
@every_way
# uvloop looks names up by itself.
@pytest.mark.parametrize("anyio_backend", ["asyncio-real", "trio-real"], indirect=True)
@pytest.mark.parametrize(
    ("code", "attempts"), [(socket.EAI_NONAME, 2), (socket.EAI_NODATA, 2), (socket.EAI_AGAIN, 5)]
)
async def test_a_name_that_does_not_exist_is_tried_twice(
    way: str, ask: Ask, code: int, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A resolver may have forgotten it for a moment; one that knows nothing now is tried on."""
    asked = 0
    real = socket.getaddrinfo

    def look_up(host: Any, *arguments: Any, **options: Any) -> Any:
        nonlocal asked
        flags = options.get("flags") or (arguments[4] if len(arguments) > 4 else 0)
        if host not in ("no.such.example", b"no.such.example"):
            return real(host, *arguments, **options)
        if not flags & socket.AI_NUMERICHOST:
            asked += 1
            raise socket.gaierror(code, "not known")
        raise socket.gaierror(socket.EAI_NONAME, "no number")

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    async with opened(way, "http://no.such.example") as client:
        error = await failed(ask, client)
    assert isinstance(error, TransportError)
    assert not error.sent
    assert error.retryable is (attempts == 5)
    assert asked == attempts


PROXIES = {
    b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n": 1,
    b"HTTP/1.1 502 Bad Gateway\r\ncontent-length: 0\r\n\r\n": 5,
    b"": 5,
}


@both
@pytest.mark.parametrize("answer", PROXIES)
async def test_a_proxy_that_refuses_costs_nothing(answer: bytes, ask: Ask) -> None:
    """A wrong login stays wrong, a bad gateway may get better; no task exists either way."""
    tries = 0

    async def proxy(stream: anyio.abc.ByteStream) -> None:
        nonlocal tries
        await stream.receive()
        tries += 1
        if answer:
            await stream.send(answer)

    async with (
        raw_server(proxy) as url,
        opened("lanes", "https://api.service.example", proxy=url) as client,
    ):
        error = await failed(ask, client)
        assert client.statistics().uncertain == 0
    assert isinstance(error, TransportError)
    assert not error.sent
    assert tries == PROXIES[answer]


async def test_a_silent_proxy_obeys_the_solves_own_time_out() -> None:
    """Before the first byte of the request nothing is shielded."""

    async def proxy(stream: anyio.abc.ByteStream) -> None:
        await stream.receive()
        await anyio.sleep_forever()

    limits = Limits(request_timeout=30)
    async with raw_server(proxy) as url:
        options = {"proxy": url, "limits": limits}
        async with opened("lanes", "https://api.service.example", **options) as client:
            with anyio.fail_after(5), pytest.raises(SolveTimeout):
                await client.solve(TOKEN_TASK, timeout=0.2)
            with anyio.move_on_after(0.2) as scope:
                await client.solve(TOKEN_TASK)
            assert scope.cancelled_caught
            assert client.statistics().uncertain == 0


@pytest.mark.parametrize("reason", ["no reply within 0.2 s", "closed the connection"])
@every_way
async def test_an_uncertain_task_names_its_cause(way: str, reason: str) -> None:
    """Whoever has to look at the account is told why."""

    async def handler(stream: anyio.abc.ByteStream) -> None:
        await read_request(stream)
        if "within" in reason:
            await anyio.sleep_forever()

    async with (
        raw_server(handler) as url,
        opened(way, url, limits=Limits(request_timeout=0.2)) as client,
    ):
        error = await failed(solve, client)
    assert isinstance(error, SubmitUncertain)
    if way == "lanes" or "within" in reason:
        assert reason in str(error)
    else:
        assert "RemoteProtocolError" in str(error)


async def test_the_key_is_in_no_log_of_a_fault(caplog: pytest.LogCaptureFixture) -> None:
    """A peer that is no HTTP server may send back what it got."""
    caplog.set_level(logging.DEBUG, logger="captcha_async")

    async def echo(stream: anyio.abc.ByteStream) -> None:
        await stream.send((await read_request(stream)).partition(b"\r\n\r\n")[2] + b"\r\n\r\n")

    async with raw_server(echo) as url, opened("lanes", url) as client:
        error = await failed(solve, client)
    assert isinstance(error, SubmitUncertain)
    assert "the-key" not in f"{error} {error.__cause__} {caplog.text}"
