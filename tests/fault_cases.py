"""The faults, what comes of each at each step, and a world in which one can be made to happen."""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import fault_server as f
import httpx
import pytest
import trustme
from fault_server import Fault, FaultServer

from captcha_async import (
    CAPMONSTER,
    AccountBlocked,
    CaptchaClient,
    CaptchaError,
    FixedPolling,
    Limits,
    ProtocolError,
    Retries,
    SubmitUncertain,
    TaskExpired,
    TransportError,
)
from captcha_async._transport._tls import default_ssl_context

Outcome = type[CaptchaError] | None
"""The error that the user gets; None if all goes well in the end."""


@attrs.frozen
class Case:
    """A fault, and what comes of it at each step."""

    fault: Fault | str
    submit: Outcome
    poll: Outcome
    report: Outcome
    balance: Outcome
    tls: bool = False
    pause: float = 0.0
    """Seconds for which nothing may be sent afterwards."""
    request_timeout: float = 30.0
    """Seconds; short only where the fault is that nothing comes, else a busy machine is a fault."""


def unsent(fault: Fault | str, *, tls: bool = False) -> Case:
    """Nothing has left, so everything is sent again."""
    return Case(fault, None, None, None, None, tls=tls)


def hopeless(fault: Fault | str) -> Case:
    """Nothing has left, and nothing will; only an answer that was paid for is asked for again."""
    return Case(fault, TransportError, None, TransportError, TransportError, tls=True)


def fine(fault: Fault) -> Case:
    """It only looks odd."""
    return Case(fault, None, None, None, None)


def everywhere(fault: Fault, error: type[CaptchaError]) -> Case:
    """The service says at each step what it means, and nothing is sent again."""
    return Case(fault, error, error, error, error)


def lost(fault: Fault, report: Outcome = TransportError) -> Case:
    """The request may have been carried out; what changes nothing is sent again."""
    return Case(fault, SubmitUncertain, None, report, None)


def silent(fault: Fault) -> Case:
    """Only the time-out ends it."""
    return attrs.evolve(lost(fault), request_timeout=1.0)


def unreadable(fault: Fault) -> Case:
    """A reply came, but tells nothing; only a poll may be followed by another."""
    return Case(fault, SubmitUncertain, None, ProtocolError, ProtocolError)


LIMITED = b"429 Too Many Requests"
NO_SLOT = "ERROR_NO_SLOT_AVAILABLE"

CASES = {
    "connection refused": unsent("restart"),
    "no such host": unsent("dns"),
    "no TLS": unsent(f.no_tls, tls=True),
    "TLS cut off": unsent(f.cut_tls, tls=True),
    "expired certificate": hopeless("expired"),
    "unknown authority": hopeless("unknown"),
    "reset before the request is read": lost(f.reset_unread),
    "reset after the request": lost(f.reset_after_request),
    "reset in the reply": lost(f.reset_in_reply),
    "cut in the reply": lost(f.cut_reply),
    "half-closed": lost(f.half_close),
    "restart in the middle": lost(f.restart),
    "stall after the request": silent(f.stall),
    "stall before the request is read": silent(f.stall_unread),
    "bytes that are too slow": silent(f.drip),
    "500": lost(f.page(b"500 Internal Server Error"), report=None),
    "502": lost(f.page(b"502 Bad Gateway"), report=None),
    "503": lost(f.page(b"503 Service Unavailable"), report=None),
    "504": lost(f.page(b"504 Gateway Timeout"), report=None),
    "empty body": unreadable(f.page(b"200 OK", b"")),
    "HTML with 200": unreadable(f.page(b"200 OK")),
    "truncated JSON": unreadable(f.truncated_json),
    "slow bytes": fine(f.slow_bytes),
    "gzip": fine(f.gzipped),
    "wrong content type": fine(f.wrong_type),
    "plain JSON that is called gzip": fine(f.plain_called_gzip),
    "a reply in tiny chunks": fine(f.tiny_chunks),
    "a reply too many": fine(f.surplus),
    "gzip in layers": lost(f.gzip_in_layers),
    "a giant in gzip": lost(f.giant),
    "no HTTP but an echo": lost(f.echo),
    "a redirect": Case(
        f.refusal("", b"307 Moved", b"location: http://127.0.0.1:1/elsewhere\r\n"),
        ProtocolError,
        None,
        ProtocolError,
        ProtocolError,
    ),
    "a proxy that wants a login": Case(
        f.refusal("", b"407 Proxy Authentication Required"),
        TransportError,
        None,
        TransportError,
        TransportError,
    ),
    "429 with Retry-After": Case(
        f.refusal("", LIMITED, b"retry-after: 1\r\n"), None, None, None, None, pause=1.0
    ),
    "429 without a word": fine(f.refusal("", LIMITED)),
    "no slot": fine(f.refusal(NO_SLOT)),
    "down with a word": fine(f.refusal("ERROR_SERVICE_NOT_AVAILABLE")),
    "banned": everywhere(f.refusal("ERROR_IP_BANNED"), AccountBlocked),
    # Within seconds of createTask it is asked for once more before it is believed.
    "result expired": attrs.evolve(
        everywhere(f.refusal("ERROR_NO_SUCH_CAPCHA_ID"), TaskExpired), poll=None
    ),
}
STEPS = ("submit", "poll", "report", "balance")


# -- TLS ------------------------------------------------------------------------------------------


@cache
def authority() -> trustme.CA:
    """Return the authority that the client trusts."""
    return trustme.CA()


def server_context(ca: trustme.CA, **options: Any) -> ssl.SSLContext:
    """Make the TLS settings of a server."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    ca.issue_cert("localhost", **options).configure_cert(context)
    return context


def client_context() -> ssl.SSLContext:
    """Make the TLS settings of the client."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


def bad_certificate(name: str) -> Fault:
    """Make the fault with a certificate that is not to be trusted."""
    if name == "unknown":
        return f.other_certificate(server_context(trustme.CA()))
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    expired = server_context(authority(), not_before=past, not_after=past.replace(year=2021))
    return f.other_certificate(expired)


# -- the world ------------------------------------------------------------------------------------


@attrs.frozen
class World:
    """A server, a client of it, and a way to make things go wrong."""

    server: FaultServer
    client: CaptchaClient
    journal: Path
    names: Names
    break_once: Callable[[], Awaitable[None]]


async def raise_for_status(response: httpx.Response) -> None:
    """Raise for what the library has to read."""
    response.raise_for_status()


@asynccontextmanager
async def way_out(case: Case, *, users: bool) -> AsyncGenerator[dict[str, Any]]:
    """Yield the settings of the way to the service: our lanes, or a client of the user's."""
    context = client_context() if case.tls else None
    if not users:
        yield {"ssl_context": context}
        return
    async with httpx.AsyncClient(
        verify=context or default_ssl_context(),
        follow_redirects=True,
        event_hooks={"response": [raise_for_status]},
    ) as client:
        yield {"http_client": client}


@asynccontextmanager
async def world(
    case: Case, folder: Path, patch: pytest.MonkeyPatch, *, users: bool = False
) -> AsyncGenerator[World]:
    """Open the world of a case."""
    server = FaultServer(server_context(authority()) if case.tls else None)
    names = Names(patch)
    async with server.serve() as url:

        async def break_once() -> None:
            if case.fault == "restart":
                await server.restart(0.05)
            elif case.fault == "dns":
                names.fail()
            else:
                fault = case.fault
                server.arm(bad_certificate(fault) if isinstance(fault, str) else fault)

        service = CAPMONSTER.evolve(base_url=url, min_poll_gap=0.01, ban_window=0.05)
        async with (
            way_out(case, users=users) as options,
            CaptchaClient(
                "the-key",
                service=service,
                journal=folder / "captchas.db",
                limits=Limits(request_timeout=case.request_timeout),
                polling=FixedPolling(first=0, interval=0.01),
                retries=Retries(attempts=20, backoff=0.02, max_backoff=0.05),
                **options,
            ) as client,
        ):
            yield World(server, client, folder / "captchas.db", names, break_once)


class Names:
    """The look-up of names, which may fail."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.failures = 0
        self._real = socket.getaddrinfo
        patch.setattr(socket, "getaddrinfo", self._look_up)

    def fail(self, times: int = 1) -> None:
        """Let the next look-ups fail."""
        self.failures = times

    def _look_up(self, host: Any, *arguments: Any, **options: Any) -> Any:
        flags = options.get("flags") or (arguments[4] if len(arguments) > 4 else 0)
        if self.failures and not flags & socket.AI_NUMERICHOST:
            self.failures -= 1
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self._real(host, *arguments, **options)
