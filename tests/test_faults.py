"""The fault matrix: each fault at each step, over real sockets.

Whatever goes wrong once: createTask is carried out at most once, no id and no answer is lost, the
journal tells the truth, and the next solve works.
"""

from __future__ import annotations

import datetime
import socket
import ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import fault_server as f
import pytest
import trustme
from fault_server import Fault, FaultServer
from journal_files import rows
from local import TOKEN_TASK

from captcha_async import (
    CAPMONSTER,
    AccountBlocked,
    CaptchaClient,
    CaptchaError,
    FixedPolling,
    Limits,
    PendingTask,
    ProtocolError,
    Retries,
    Solved,
    SubmitUncertain,
    TaskExpired,
    TransportError,
)

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


def unsent(fault: Fault | str, *, tls: bool = False) -> Case:
    """Nothing has left, so everything is sent again."""
    return Case(fault, None, None, None, None, tls=tls)


def fine(fault: Fault) -> Case:
    """It only looks odd."""
    return Case(fault, None, None, None, None)


def everywhere(fault: Fault, error: type[CaptchaError]) -> Case:
    """The service says at each step what it means, and nothing is sent again."""
    return Case(fault, error, error, error, error)


def lost(fault: Fault, report: Outcome = TransportError) -> Case:
    """The request may have been carried out; what changes nothing is sent again."""
    return Case(fault, SubmitUncertain, None, report, None)


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
    "expired certificate": unsent("expired", tls=True),
    "unknown authority": unsent("unknown", tls=True),
    "reset before the request is read": lost(f.reset_unread),
    "reset after the request": lost(f.reset_after_request),
    "reset in the reply": lost(f.reset_in_reply),
    "cut in the reply": lost(f.cut_reply),
    "half-closed": lost(f.half_close),
    "stall after the request": lost(f.stall),
    "stall before the request is read": lost(f.stall_unread),
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
    "429 with Retry-After": fine(f.refusal("", LIMITED, b"retry-after: 0\r\n")),
    "429 without a word": fine(f.refusal("", LIMITED)),
    "no slot": fine(f.refusal(NO_SLOT)),
    "down with a word": fine(f.refusal("ERROR_SERVICE_NOT_AVAILABLE")),
    "banned": everywhere(f.refusal("ERROR_IP_BANNED"), AccountBlocked),
    "result expired": everywhere(f.refusal("ERROR_NO_SUCH_CAPCHA_ID"), TaskExpired),
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


@asynccontextmanager
async def world(case: Case, folder: Path, patch: pytest.MonkeyPatch) -> AsyncGenerator[World]:
    """Open the world of a case."""
    server = FaultServer(server_context(authority()) if case.tls else None)
    names = Names(patch)
    async with server.serve() as url:

        async def break_once() -> None:
            if case.fault == "restart":
                await server.restart(0.05)
            elif case.fault == "dns":
                names.fail_once()
            else:
                fault = case.fault
                server.arm(bad_certificate(fault) if isinstance(fault, str) else fault)

        service = CAPMONSTER.evolve(base_url=url, min_poll_gap=0.01, ban_window=0.05)
        async with CaptchaClient(
            "the-key",
            service=service,
            journal=folder / "captchas.db",
            limits=Limits(request_timeout=0.4),
            polling=FixedPolling(first=0, interval=0.01),
            retries=Retries(attempts=20, backoff=0.02, max_backoff=0.05),
            ssl_context=client_context() if case.tls else None,
        ) as client:
            yield World(server, client, folder / "captchas.db", names, break_once)


class Names:
    """The look-up of names, which may fail."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.failures = 0
        self._real = socket.getaddrinfo
        patch.setattr(socket, "getaddrinfo", self._look_up)

    def fail_once(self) -> None:
        """Let the next look-up fail."""
        self.failures = 1

    def _look_up(self, host: Any, *arguments: Any, **options: Any) -> Any:
        flags = options.get("flags") or (arguments[4] if len(arguments) > 4 else 0)
        if self.failures and not flags & socket.AI_NUMERICHOST:
            self.failures -= 1
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return self._real(host, *arguments, **options)


# -- the matrix -----------------------------------------------------------------------------------


async def attempt(action: Callable[[], Any]) -> Any:
    """Return what the user gets: a value or an error."""
    try:
        return await action()
    except CaptchaError as error:
        return error


def check(outcome: Any, expected: Outcome, kind: type[Any] = object) -> None:
    """Compare what the user got with the table."""
    if expected is None:
        assert isinstance(outcome, kind), repr(outcome)
        assert not isinstance(outcome, CaptchaError), repr(outcome)
    else:
        assert type(outcome) is expected, repr(outcome)
        assert "the-key" not in str(outcome)


async def check_the_rest(place: World, known: set[Any], *, uncertain: int) -> None:
    """The next solve works, the books are right, and nothing is left behind."""
    client, server = place.client, place.server
    assert not server.armed
    assert not place.names.failures
    client.reset_fuse()
    # A server that is coming up again is nothing new.
    solved = await client.solve(TOKEN_TASK, timeout=10)
    assert solved.solution.token == f"token of {solved.task_id}"
    known |= {solved.task_id} | {orphan.task_id for orphan in client.orphans}
    unknown = set(server.created) - known
    assert len(unknown) <= uncertain
    assert client.statistics().uncertain == uncertain
    assert len(await client.uncertain()) == uncertain
    assert client.statistics().in_flight == 0
    await client.aclose()
    assert rows(place.journal).count("uncertain") == uncertain
    assert not {"sending", "open"} & set(rows(place.journal))


REAL = ["asyncio-real", "trio-real"]
matrix = pytest.mark.parametrize(
    ("case", "anyio_backend"),
    [
        pytest.param(case, backend, id=f"{name}-{backend}")
        for name, case in CASES.items()
        for backend in REAL
    ],
    indirect=["anyio_backend"],
)


@pytest.mark.real_time
@pytest.mark.parametrize("step", STEPS)
@matrix
async def test_each_fault_at_each_step(
    case: Case, step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The user gets what the table says, and nothing is lost or paid twice."""
    async with world(case, tmp_path, monkeypatch) as place:
        await STEP[step](place, getattr(case, step))


async def fault_in_submit(place: World, expected: Outcome) -> None:
    """createTask goes wrong."""
    await place.break_once()
    outcome = await attempt(lambda: place.client.submit(TOKEN_TASK))
    check(outcome, expected, PendingTask)
    assert place.server.requests["createTask"] <= 1
    known: set[Any] = set()
    if expected is None:
        assert place.server.requests["createTask"] == 1
        known.add((await outcome).task_id)
    await check_the_rest(place, known, uncertain=int(expected is SubmitUncertain))


async def fault_in_poll(place: World, expected: Outcome) -> None:
    """A poll goes wrong."""
    pending = await place.client.submit(TOKEN_TASK)
    await place.break_once()
    outcome = await attempt(lambda: pending.result(timeout=10))
    check(outcome, expected, Solved)
    if expected is AccountBlocked:
        # The id is not lost: after the ban its answer comes.
        assert outcome.ref == pending.ref
        assert place.client.orphans == (pending,)
        place.client.reset_fuse()
        outcome = await pending
    if isinstance(outcome, Solved):
        assert outcome.solution.token == f"token of {pending.task_id}"
    else:
        assert outcome.task_id == pending.task_id
    await check_the_rest(place, {pending.task_id}, uncertain=0)
    assert place.server.requests["createTask"] == 2


async def fault_in_report(place: World, expected: Outcome) -> None:
    """A report goes wrong."""
    solved = await place.client.solve(TOKEN_TASK)
    await place.break_once()
    check(await attempt(lambda: place.client.report_incorrect(solved)), expected)
    await check_the_rest(place, {solved.task_id}, uncertain=0)
    assert place.server.requests["createTask"] == 2


async def fault_in_balance(place: World, expected: Outcome) -> None:
    """A question for the balance goes wrong."""
    await place.break_once()
    outcome = await attempt(place.client.balance)
    check(outcome, expected, Decimal)
    await check_the_rest(place, set(), uncertain=0)


STEP: dict[str, Callable[[World, Outcome], Awaitable[None]]] = dict(
    zip(STEPS, (fault_in_submit, fault_in_poll, fault_in_report, fault_in_balance), strict=True)
)
