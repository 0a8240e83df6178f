"""Rule 11: no secret in anything that a program may print, log or leave on the disk.

One long run meets every kind of trouble; then everything it left is searched for each secret.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.lowlevel
import httpx
import orjson
import pytest
from anyio.from_thread import start_blocking_portal
from callback_calls import PUBLIC, Poster
from command_line import run
from journal_files import all_bytes

from captcha_async import (
    CallbackReceiver,
    CaptchaClient,
    CaptchaError,
    Event,
    FixedPolling,
    FuseBlown,
    Journal,
    Limits,
    Proxy,
    RecaptchaV2Task,
    Retries,
    TaskFailed,
    TaskRef,
    TaskSolved,
    TransportError,
)
from captcha_async._transport import HttpTransport
from captcha_async.emulator import Emulator, Latency, serve
from captcha_async.services import CAPMONSTER

KEY = "the4secret4key"
SUFFIXED = f"{KEY}__nocache"
PASSWORD = "the4proxy4password"
TOKEN = "the4solution4token"
PROXY = Proxy.from_url(f"http://user:{PASSWORD}@203.0.113.7:8080")
TASK = RecaptchaV2Task(website_url="https://example.com/", website_key="6Lc-key", proxy=PROXY)
GAP = 0.01
SOLUTION = {"gRecaptchaResponse": TOKEN}


class Traces:
    """Everything that a run leaves."""

    def __init__(self) -> None:
        self.found: list[tuple[str, str]] = []
        self.secrets = {KEY, PASSWORD, TOKEN}

    def see(self, *things: object) -> None:
        """Note how things show themselves, and all things of the library that they are made of."""
        for thing in things:
            for part in parts(thing, set()):
                self.found += [(type(part).__name__, repr(part)), (type(part).__name__, str(part))]
                if isinstance(part, BaseException):
                    text = "".join(traceback.format_exception(part))
                    self.found.append((type(part).__name__, text))

    def see_logs(self, records: Iterable[logging.LogRecord]) -> None:
        """Note log records with their arguments."""
        for record in records:
            if f"POST {PUBLIC}" in record.getMessage():
                continue  # the emulator's request, made in this process with httpx
            text = f"{record.getMessage()} {record.args!r} {record.exc_text}"
            self.found.append((f"log of {record.name}", text))

    def check(self) -> None:
        """Look for the secrets."""
        leaks = [
            (place, secret, text[:300])
            for place, text in self.found
            for secret in self.secrets
            if secret in text
        ]
        assert leaks == []


def parts(thing: object, seen: set[int]) -> Iterator[object]:
    """Walk over objects of the library and errors, through whatever they are kept in."""
    if id(thing) in seen or isinstance(thing, type):
        return
    seen.add(id(thing))
    ours = type(thing).__module__.startswith("captcha_async")
    if ours or isinstance(thing, BaseException):
        yield thing
        inner: Iterable[object] = inside(thing)
    elif isinstance(thing, dict):
        inner = [*thing.keys(), *thing.values()]
    elif isinstance(thing, list | tuple | set | frozenset):
        inner = thing
    else:
        return
    for item in inner:
        yield from parts(item, seen)


def inside(thing: object) -> list[object]:
    """Return the values of an object's attributes."""
    slots = [name for cls in type(thing).__mro__ for name in getattr(cls, "__slots__", ())]
    values: list[object] = [getattr(thing, name, None) for name in slots if isinstance(name, str)]
    more = [getattr(thing, name, None) for name in ("__cause__", "__context__")]
    return [*values, *vars(thing).values(), *more] if hasattr(thing, "__dict__") else values


# -- the runs -------------------------------------------------------------------------------------


def make_emulator(**options: Any) -> Emulator:
    """Make a service that answers with the token."""
    service = CAPMONSTER.evolve(min_poll_gap=GAP, ban_window=0.0)
    emulator = Emulator(service, api_keys=KEY, latency=Latency.fixed(0.02), **options)
    emulator.answer_with(SOLUTION)
    return emulator


QUICK: dict[str, Any] = {
    "polling": FixedPolling(first=0, interval=GAP),
    "retries": Retries(attempts=2, backoff=0),
    "limits": Limits(request_timeout=0.5),
}


@asynccontextmanager
async def in_process(
    journal: Journal, **options: Any
) -> AsyncGenerator[tuple[CaptchaClient, Emulator, Any]]:
    """Open a client without sockets, with callbacks."""
    receiver = CallbackReceiver(PUBLIC)
    emulator = make_emulator(deliver=Poster(receiver))
    transport = httpx.ASGITransport(app=emulator)
    async with (
        emulator,
        httpx.AsyncClient(transport=transport) as http_client,
        CaptchaClient(
            SUFFIXED,
            service=emulator.service,
            http_client=http_client,
            journal=journal,
            callbacks=receiver,
            **QUICK,
            **options,
        ) as client,
    ):
        yield client, emulator, receiver


@asynccontextmanager
async def over_lanes(
    journal: Journal, **options: Any
) -> AsyncGenerator[tuple[CaptchaClient, Emulator, Any]]:
    """Open a client with lanes of its own."""
    emulator = make_emulator()
    async with serve(emulator) as url:
        service = emulator.service.evolve(base_url=url)
        async with CaptchaClient(
            SUFFIXED, service=service, journal=journal, **QUICK, **options
        ) as client:
            yield client, emulator, None


@asynccontextmanager
async def over_httpx(
    journal: Journal, **options: Any
) -> AsyncGenerator[tuple[CaptchaClient, Emulator, Any]]:
    """Open a client over httpx's own transport, which logs more than anybody wants."""
    emulator = make_emulator()
    async with serve(emulator) as url, httpx.AsyncClient() as http_client:
        service = emulator.service.evolve(base_url=url)
        async with CaptchaClient(
            SUFFIXED,
            service=service,
            http_client=http_client,
            journal=journal,
            **QUICK,
            **options,
        ) as client:
            yield client, emulator, None


async def meet_trouble(client: CaptchaClient, emulator: Emulator, traces: Traces) -> None:
    """Let everything go well once, and then wrong in every way."""
    solved = await client.solve(TASK)
    assert solved.solution.token == TOKEN
    pending = await client.submit(TASK)
    traces.see(solved, pending, await client.submit(TASK), await client.solve_all([TASK, TASK]))
    for order, action in troubles(client, emulator):
        order()
        try:
            traces.see(await action())
        except CaptchaError as error:
            traces.see(error)
        client.reset_fuse()
    traces.see(client, client.statistics(), client.orphans, await client.uncertain(), emulator)


def troubles(client: CaptchaClient, emulator: Emulator) -> list[tuple[Callable[[], Any], Any]]:
    """Return what may go wrong, and what is tried then."""

    async def solve() -> Any:
        return await client.solve(TASK, timeout=2)

    async def in_a_hurry() -> Any:
        return await client.solve(TASK, timeout=0.05)

    async def fail() -> Any:
        return await client.solve_all([TASK, cast("Any", object())], timeout=0.05)

    async def unknown() -> Any:
        return await client.report_incorrect(TaskRef("capmonster", 4711, "RecaptchaV2Task"))

    # A service may tell its caller anything.
    echo = {
        "errorId": 1,
        "errorCode": "ERROR_X",
        "errorDescription": f"{KEY} {SUFFIXED} {PASSWORD}",
    }
    odd = orjson.dumps({"errorId": 0, "status": "ready", "solution": {"odd": TOKEN}})
    leak = orjson.dumps(echo)
    return [
        (lambda: emulator.refuse("ERROR_KEY_DOES_NOT_EXIST", times=1), solve),
        (lambda: emulator.refuse("ERROR_PROXY_BANNED", times=1), solve),
        (lambda: emulator.break_http("createTask", status=200, body=leak), solve),
        (lambda: emulator.break_http("getTaskResult", status=200, body=leak), solve),
        (lambda: emulator.break_http("createTask", status=502, body=leak), solve),
        (lambda: emulator.break_http("createTask", status=200, body=leak[:-9]), solve),
        (lambda: emulator.break_http("getTaskResult", status=200, body=odd), solve),
        (lambda: emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1), solve),
        (lambda: emulator.hang("createTask"), solve),
        (lambda: emulator.answer_with(SOLUTION, after=30, times=1), in_a_hurry),
        (lambda: emulator.answer_with(SOLUTION, after=30, times=2), fail),
        (lambda: None, unknown),
    ]


@pytest.mark.real_time
@pytest.mark.parametrize("anyio_backend", ["asyncio-real"], indirect=True)
@pytest.mark.parametrize("world", [in_process, over_lanes, over_httpx])
async def test_a_run_leaves_no_secret(
    world: Any, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Reprs, texts, tracebacks, events, logs of every library, and the journal's file."""
    caplog.set_level(logging.DEBUG)
    traces, events = Traces(), list[Event]()
    path = tmp_path / "captchas.db"
    async with world(Journal(path), on_event=events.append) as (client, emulator, receiver):
        await meet_trouble(client, emulator, traces)
        traces.see(receiver)
        for request in emulator.requests_to("createTask"):
            url = request.body.get("callbackUrl")
            if url is not None:
                traces.secrets.add(url.rpartition("/")[2])
        traces.found.append(("journal", all_bytes(path).decode("latin-1")))
    traces.found.append(("journal", all_bytes(path).decode("latin-1")))
    traces.see_logs(caplog.records)
    traces.see(events)
    assert {TaskSolved, TaskFailed, FuseBlown} <= {type(event) for event in events}
    assert (len(traces.secrets) > 3) is (receiver is not None)
    assert len(traces.found) > 300
    assert world is not over_httpx or any("httpcore" in place for place, _ in traces.found)
    traces.check()


async def test_a_proxy_on_the_way_is_not_told(caplog: pytest.LogCaptureFixture) -> None:
    """Neither its password nor the key, when it cannot be reached."""
    caplog.set_level(logging.DEBUG)
    traces = Traces()
    client = CaptchaClient(
        KEY,
        service=CAPMONSTER.evolve(base_url="http://service.invalid"),
        proxy=f"http://user:{PASSWORD}@127.0.0.1:9",
        retries=Retries(attempts=1),
    )
    async with client:
        with pytest.raises(TransportError) as caught:
            await client.submit(TASK)
        traces.see(client, caught.value)
    traces.see_logs(caplog.records)
    traces.check()


async def test_a_transport_that_talks_is_not_repeated() -> None:
    """What a foreign transport says of the request is not ours to tell on, except its kind."""

    def handler(request: httpx.Request) -> httpx.Response:
        raise httpx.ConnectError("refused", request=request)

    async with httpx.AsyncClient(transport=httpx.MockTransport(handler)) as http_client:
        transport = HttpTransport(http_client=http_client)
        with pytest.raises(TransportError) as caught:
            await transport.post("https://x.example/", KEY.encode(), timeout=1)
    traces = Traces()
    traces.see(caught.value)
    traces.check()


def test_the_command_line_shows_no_secret() -> None:
    """The answer is what the user asked for; everything else is kept, also in errors."""
    emulator = make_emulator()
    widget = ("--url", "https://example.com/", "--key", "6Lc-key")
    proxied = ("--proxy", f"http://user:{PASSWORD}@203.0.113.7:8080")
    outputs: list[str] = []
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(emulator)) as url,
    ):
        at = ("--base-url", url)
        solved = run("solve", "recaptcha-v2", *widget, *proxied, *at, key=KEY)
        outputs += [solved.stdout.replace(TOKEN, "", 1), solved.stderr]
        emulator.refuse("ERROR_PROXY_BANNED", times=1)
        emulator.refuse("ERROR_KEY_DOES_NOT_EXIST", "getBalance")
        for arguments in (
            ("solve", "recaptcha-v2", *widget, *proxied, *at),
            ("solve", "recaptcha-v2", "--url", "no url", "--key", "k", *proxied, *at),
            ("solve", "recaptcha-v2", *widget, "--proxy", f"ftp://user:{PASSWORD}@x:1", *at),
            ("balance", *at),
        ):
            result = run(*arguments, key=KEY)
            outputs += [result.stdout, result.stderr, repr(result.exception)]
    assert not any(secret in text for text in outputs for secret in (KEY, PASSWORD, TOKEN))


def test_a_batch_of_the_command_line_shows_no_secret(tmp_path: Path) -> None:
    """The file has the solutions, and nothing else of what went out; the terminal has neither."""
    emulator = make_emulator()
    task = {"type": "RecaptchaV2Task", "websiteURL": "https://example.com/", "websiteKey": "6Lc"}
    proxy = {"proxyType": "http", "proxyAddress": "203.0.113.7", "proxyPort": 8080}
    proxied = {**task, **proxy, "proxyLogin": "user", "proxyPassword": PASSWORD}
    lines = [orjson.dumps(each).decode() for each in (proxied, {**proxied, "proxyPort": "x"}, task)]
    sheet, results = tmp_path / "tasks.jsonl", tmp_path / "results.jsonl"
    sheet.write_text("\n".join([*lines, lines[0][:-1]]), encoding="utf-8")
    emulator.refuse("ERROR_PROXY_BANNED", times=1)
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(serve(emulator)) as url,
    ):
        ran = run("batch", str(sheet), "-o", str(results), "--base-url", url, key=KEY)
    shown = ran.stdout + ran.stderr + repr(ran.exception)
    assert not any(secret in shown for secret in (KEY, PASSWORD, TOKEN))
    written = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path != sheet).decode(
        "latin-1"
    )
    assert TOKEN in written
    assert not any(secret in written for secret in (KEY, PASSWORD))


def test_reading_a_secret_wrong_does_not_show_it() -> None:
    """The error of an argument tells the rule, and not the value."""
    for make in (
        lambda: CaptchaClient(f" {KEY} "),
        lambda: CaptchaClient(KEY.encode()),  # type: ignore[arg-type]
        lambda: Proxy.from_url(f"gopher://user:{PASSWORD}@203.0.113.7:8080"),
        lambda: Proxy.from_url(f"http://user:{PASSWORD}@203.0.113.7:port"),
        lambda: TASK.evolve(proxy=f"user:{PASSWORD}"),
    ):
        with pytest.raises(CaptchaError) as caught:
            make()
        traces = Traces()
        traces.see(caught.value)
        traces.check()


@pytest.mark.parametrize("anyio_backend", ["asyncio"], indirect=True)
async def test_the_search_finds_what_is_there() -> None:
    """A check of the check: secrets in places where they would be found."""
    traces = Traces()
    error = CaptchaError("outside")
    error.__cause__ = ValueError(f"inside {TOKEN}")
    traces.see([{"deep": error}])
    with pytest.raises(AssertionError):
        traces.check()
    await anyio.lowlevel.checkpoint()
