"""A neutral, fast service for the benchmarks, in a process of its own: httptools on uvloop.

It knows createTask, getTaskResult and getBalance, takes seeded times to solve, and counts what a
benchmark wants to know of its clients. It shares no code with the library.

    python -m benchmarks._reference --port 8000 --tls authority.pem

or `async with reference(tls=True) as info` from Python.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import math
import random
import ssl
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, cast

import anyio
import anyio.to_thread

from benchmarks._delivery import Deliveries

ROOT = Path(__file__).parent.parent
FIRST_ID = 1_000_000
TOKEN = "03AFcWeA" + "reference-" * 50
HEAD = (
    b"HTTP/1.1 200 OK\r\nServer: reference\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"Content-Type: application/json; charset=utf-8\r\nContent-Length: %d\r\n\r\n%b"
)


# -- for the benchmarks ---------------------------------------------------------------------------


@dataclass(frozen=True)
class Settings:
    """How the service behaves."""

    mean: float = 6.0
    """Mean seconds to solve a task; the times are log-normal."""
    sigma: float = 0.35
    """Their spread; 0 makes all equal."""
    gap: float = 2.0
    """Polls of one task that are closer than this count as early."""
    seed: int = 1
    kept: int = 0
    """1 to keep the connections of callbacks, as a reverse proxy does."""
    port: int = 0


@dataclass(frozen=True)
class Reference:
    """A running reference service."""

    url: str
    authority: Path | None
    """File with the certificate to trust, with TLS."""

    def ssl_context(self) -> ssl.SSLContext:
        """Make TLS settings that trust the service."""
        return ssl.create_default_context(cafile=self.authority)

    async def statistics(self) -> dict[str, Any]:
        """Ask for the numbers since the start or the last reset; see `Counters`."""
        return await anyio.to_thread.run_sync(self._call, "/statistics")

    async def reset(self, seed: int | None = None) -> None:
        """Forget all tasks and numbers, and start the times anew, perhaps by another seed."""
        await anyio.to_thread.run_sync(self._call, "/reset", {"seed": seed})

    def _call(self, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        context = self.ssl_context() if self.authority else None
        # The control calls must not go through a proxy of the environment.
        opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context)
        )
        with opener.open(
            self.url + path, data=json.dumps(body or {}).encode(), timeout=30
        ) as reply:
            result: dict[str, Any] = json.load(reply)
        return result


@asynccontextmanager
async def reference(*, tls: bool = False, **settings: Any) -> AsyncIterator[Reference]:
    """Run the service in a process of its own.

    Args:
        tls: serve https.
        settings: see `Settings`.
    """
    with tempfile.TemporaryDirectory() as folder:
        authority = Path(folder, "authority.pem") if tls else None
        command = [sys.executable, "-m", "benchmarks._reference", "--child"]
        for name, value in asdict(Settings(**settings)).items():
            command += [f"--{name}", str(value)]
        if authority is not None:
            command += ["--tls", str(authority)]
        async with await anyio.open_process(command, cwd=ROOT, stderr=None) as process:
            assert process.stdout is not None
            line = b""
            while not line.endswith(b"\n"):
                line += await process.stdout.receive()
            try:
                yield Reference(line.decode().strip(), authority)
            finally:
                process.terminate()


# -- the service ----------------------------------------------------------------------------------


@dataclass
class Counters:
    """What the service saw."""

    connections: int = 0
    """Opened so far, control calls included."""
    open_connections: int = 0
    most_connections: int = 0
    """Open at the same time."""
    requests: int = 0
    created: int = 0
    solved: int = 0
    """Tasks whose solution was fetched."""
    polls: int = 0
    early_polls: int = 0
    """Closer than the gap to the poll before of the same task."""
    closest_polls: float | None = None
    """Seconds between the two closest polls of one task."""
    most_polls: int = 0
    """Of one task."""
    pick_up: list[float] = field(default_factory=list)
    """For each solved task the seconds from ready to the first reply that said so."""

    def summary(self) -> dict[str, Any]:
        """Return the numbers for JSON; the delays as mean and quantiles."""
        numbers = {**vars(self), "cpu": time.process_time()}
        delays = sorted(numbers.pop("pick_up"))
        polls = self.polls / self.solved if self.solved else None
        return {**numbers, "polls_per_solve": polls, "pick_up": _quantiles(delays)}


def _quantiles(delays: list[float]) -> dict[str, float] | None:
    if not delays:
        return None
    last = len(delays) - 1
    marks = {"p50": 0.5, "p90": 0.9, "p99": 0.99, "max": 1.0}
    found = {name: delays[round(share * last)] for name, share in marks.items()}
    return {"mean": sum(delays) / len(delays), **found}


@dataclass(slots=True)
class _Job:
    ready_at: float
    polled_at: float = -math.inf
    polls: int = 0
    fetched: bool = False


class Service:
    """The methods, on JSON objects."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.counters = Counters()
        self._methods = {
            b"/createTask": self._create_task,
            b"/getTaskResult": self._get_task_result,
            b"/getBalance": lambda _: {"errorId": 0, "balance": 345.6789},
            b"/statistics": lambda _: self.counters.summary(),
            b"/reset": lambda body: self._reset(json.loads(body).get("seed")),
        }
        self._reset(None)

    def answer(self, path: bytes, body: bytes) -> dict[str, Any]:
        """Answer a request."""
        method = self._methods.get(path)
        if method is None:
            return _error("ERROR_NO_SUCH_METHOD")
        self.counters.requests += 1
        return method(body)

    def _reset(self, seed: int | None) -> dict[str, Any]:
        now_open = self.counters.open_connections
        self.counters = Counters(open_connections=now_open, most_connections=now_open)
        self._random = random.Random(self._settings.seed if seed is None else seed)
        self._jobs: dict[int, _Job] = {}
        self._deliveries = Deliveries(keep_alive=bool(self._settings.kept))
        return {"errorId": 0}

    def _create_task(self, body: bytes) -> dict[str, Any]:
        fields = json.loads(body)
        if not fields.get("task"):
            return _error("ERROR_TASK_ABSENT")
        task_id = FIRST_ID + len(self._jobs)
        job = self._jobs[task_id] = _Job(time.monotonic() + self._latency())
        if fields.get("callbackUrl"):
            # The moment goes with it, for the delay to be measured at the other end.
            solution = {"gRecaptchaResponse": TOKEN, "readyAt": job.ready_at}
            result = {"errorId": 0, "status": "ready", "solution": solution}
            self._deliveries.post_at(job.ready_at, fields["callbackUrl"], result)
        self.counters.created += 1
        return {"errorId": 0, "taskId": task_id}

    def _get_task_result(self, body: bytes) -> dict[str, Any]:
        job = self._jobs.get(int(json.loads(body).get("taskId", 0)))
        if job is None:
            return _error("ERROR_NO_SUCH_CAPCHA_ID")
        now = time.monotonic()
        self._count_poll(job, now)
        if now < job.ready_at:
            return {"errorId": 0, "status": "processing", "solution": None}
        if not job.fetched:
            job.fetched = True
            self.counters.solved += 1
            self.counters.pick_up.append(now - job.ready_at)
        # So that the client's side can tell how long the answer took to reach the program.
        token = f"{job.ready_at:.6f}|{TOKEN}"
        return {"errorId": 0, "status": "ready", "solution": {"gRecaptchaResponse": token}}

    def _count_poll(self, job: _Job, now: float) -> None:
        counters = self.counters
        apart = now - job.polled_at
        job.polled_at = now
        job.polls += 1
        counters.polls += 1
        counters.most_polls = max(counters.most_polls, job.polls)
        if job.polls > 1:
            counters.early_polls += apart < self._settings.gap
            closest = counters.closest_polls
            counters.closest_polls = apart if closest is None else min(closest, apart)

    def _latency(self) -> float:
        sigma = self._settings.sigma
        # So that the mean, not the median, is what was asked for.
        mu = math.log(self._settings.mean) - sigma * sigma / 2
        return self._random.lognormvariate(mu, sigma)


def _error(code: str) -> dict[str, Any]:
    return {"errorId": 1, "errorCode": code, "errorDescription": "see errorCode"}


class _Connection(asyncio.Protocol):
    """One connection; httptools calls the methods that start with `on_`."""

    def __init__(self, service: Service) -> None:
        import httptools

        self._service = service
        self._parser = httptools.HttpRequestParser(self)
        self._path = b""
        self._body = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        counters = self._service.counters
        counters.connections += 1
        counters.open_connections += 1
        counters.most_connections = max(counters.most_connections, counters.open_connections)

    def connection_lost(self, exc: Exception | None) -> None:
        self._service.counters.open_connections -= 1

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._path = self._body = b""

    def on_url(self, url: bytes) -> None:
        self._path += url

    def on_body(self, body: bytes) -> None:
        self._body += body

    def on_message_complete(self) -> None:
        reply = json.dumps(self._service.answer(self._path, self._body)).encode()
        self._transport.write(HEAD % (len(reply), reply))
        if not self._parser.should_keep_alive():
            self._transport.close()


# -- the process ----------------------------------------------------------------------------------


async def serve(settings: Settings, authority: Path | None, *, child: bool) -> None:
    """Serve until cancelled; a *child* only as long as its parent holds its input open."""
    loop = asyncio.get_running_loop()
    service = Service(settings)
    server = await loop.create_server(
        lambda: _Connection(service),
        "127.0.0.1",
        settings.port,
        ssl=None if authority is None else _tls(authority),
        backlog=4096,
    )
    port = server.sockets[0].getsockname()[1]
    print(f"http{'s' if authority else ''}://127.0.0.1:{port}", flush=True)
    ended = asyncio.Event()
    if child:
        loop.add_reader(sys.stdin.fileno(), ended.set)
    async with server:
        await ended.wait()


def _tls(authority: Path) -> ssl.SSLContext:
    import trustme

    maker = trustme.CA()
    maker.cert_pem.write_to_path(str(authority))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    maker.issue_cert("127.0.0.1").configure_cert(context)
    return context


def main() -> None:
    """Read the arguments and serve."""
    import uvloop

    parser = argparse.ArgumentParser(description="The benchmarks' reference service.")
    for name, default in asdict(Settings()).items():
        parser.add_argument(f"--{name}", type=type(default), default=default)
    parser.add_argument("--tls", type=Path, metavar="FILE", help="serve https; write its CA here")
    parser.add_argument("--child", action="store_true", help="end when the input is closed")
    given = vars(parser.parse_args())
    authority, child = given.pop("tls"), given.pop("child")
    uvloop.run(serve(Settings(**given), authority, child=child))


if __name__ == "__main__":
    main()
