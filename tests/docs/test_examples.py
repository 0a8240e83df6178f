"""The examples as programs of their own, against a local site that checks what it is given."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from captcha_async._serving._asgi_server import serve_app
from captcha_async.emulator import Emulator, Latency
from examples.demo_site import Site

ROOT = Path(__file__).parents[2]
PATIENCE = 50
"""Seconds after which a program is held to hang."""

CRAWLERS = [f"{name}_crawler" for name in ("httpx", "aiohttp", "scrapy", "crawlee")]
every_crawler = pytest.mark.parametrize("crawler", CRAWLERS)
sends_sigint = pytest.mark.skipif(sys.platform == "win32", reason="sends SIGINT")

Program = subprocess.Popen[str]
Start = Callable[..., Program]


@contextmanager
def served(site: Site) -> Iterator[str]:
    """Serve the site and its service from a thread, and give its address."""
    server = serve_app(site.app, "127.0.0.1", 0, "the site")
    with (
        start_blocking_portal() as portal,
        portal.wrap_async_context_manager(site.app.router.lifespan_context(site.app)),
        portal.wrap_async_context_manager(server) as url,
    ):
        yield url


@pytest.fixture
def start(tmp_path: Path) -> Generator[Start]:
    """Return a function that starts an example; what still runs at the end is killed."""
    started: list[Program] = []

    def start(
        name: str, *arguments: str, url: str = "", key: str = "emulator-key", **variables: str
    ) -> Program:
        environment = {
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "NO_PROXY": "127.0.0.1",
            "SITE_URL": f"{url}/",
            "CAPTCHA_BASE_URL": f"{url}/captcha",
            "CAPTCHA_API_KEY": key,
            **variables,
        }
        program = subprocess.Popen(
            [sys.executable, "-W", "error::ResourceWarning", "-m", f"examples.{name}", *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=tmp_path,
            env=environment,
        )
        started.append(program)
        return program

    yield start
    for program in started:
        program.kill()
        program.communicate()
    assert list(tmp_path.iterdir()) == [], "an example leaves nothing behind"


def finish(program: Program) -> tuple[int, dict[str, str], str]:
    """Wait for a crawler; return its exit code, its pages by path, and what it logged."""
    out, errors = program.communicate(timeout=PATIENCE)
    assert "Exception ignored" not in errors, errors
    assert "never" not in errors, errors  # awaited, or retrieved
    pages = [json.loads(line) for line in out.splitlines()]
    return program.returncode, {page["url"]: page["text"] for page in pages}, errors


def reported(emulator: Emulator) -> list[str]:
    """Return the tokens that were reported as wrong."""
    return sorted(
        task.solution["gRecaptchaResponse"] for task in emulator.tasks.values() if task.reported
    )


# -- crawlers -------------------------------------------------------------------------------------


@every_crawler
def test_every_page_is_read(crawler: str, start: Start) -> None:
    """Every token is used once, on its page; refused ones are reported; trouble is overcome."""
    emulator = Emulator(latency=Latency.fixed(0))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    emulator.refuse("ERROR_NO_SLOT_AVAILABLE", times=1)
    emulator.break_http("getTaskResult", status=502)
    site = Site(emulator, pages=12, refuse_every=5)
    with served(site) as url:
        code, pages, errors = finish(start(crawler, f"{url}/", url=url))
    assert (code, errors) == (0, "")
    expected = {f"{url}/pages/{number}": f"This is page {number}." for number in range(1, 13)}
    assert pages == expected
    assert len(site.accepted) == 8
    assert site.rejected == []
    assert len(site.refused) == 1
    assert reported(emulator) == sorted(site.refused)
    assert emulator.violations == []


@every_crawler
def test_a_page_that_takes_no_answer_is_given_up(crawler: str, start: Start) -> None:
    """After three attempts, each of them reported; the other pages are read."""
    emulator = Emulator()
    emulator.answer_at_once()
    site = Site(emulator, pages=3, refuse_every=1)
    with served(site) as url:
        code, pages, errors = finish(start(crawler, f"{url}/", url=url))
    assert code == 1
    assert pages == {f"{url}/pages/3": "This is page 3."}
    for number in (1, 2):
        assert f"{url}/pages/{number}: no answer was taken" in errors
    assert len(site.refused) == 6
    assert reported(emulator) == sorted(site.refused)


@every_crawler
def test_a_wrong_key_stops_the_crawl(crawler: str, start: Start) -> None:
    """It is told once, and the service is left alone from then on."""
    site = Site(Emulator(), pages=50)
    with served(site) as url:
        code, _, errors = finish(start(crawler, f"{url}/", url=url, key="not-the-key"))
    assert code == 2
    assert errors.count("stopped: ") == 1
    assert "check the API key" in errors
    assert "not-the-key" not in errors
    assert len(site.emulator.requests) <= 8
    assert site.accepted == []


@sends_sigint
@every_crawler
def test_an_interrupted_crawl_ends_cleanly(crawler: str, start: Start) -> None:
    """Ctrl-C while captchas are solved: exit code 130, and nothing of a traceback."""
    solving = threading.Event()

    def latency(*_: object) -> float:
        solving.set()
        return 1.0

    site = Site(Emulator(latency=latency), pages=50)
    with served(site) as url:
        program = start(crawler, f"{url}/", url=url)
        assert solving.wait(PATIENCE)
        program.send_signal(signal.SIGINT)
        code, pages, errors = finish(program)
    assert code == 130
    assert "Traceback" not in errors
    assert len(pages) < 50
    assert site.emulator.violations == []


@every_crawler
def test_a_site_that_is_down_is_told(crawler: str, start: Start) -> None:
    """No page, an error line, and exit code 1."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    code, pages, errors = finish(start(crawler, f"{url}/", url=url))
    assert (code, pages) == (1, {})
    assert "ERROR" in errors


@pytest.mark.parametrize("crawler", [*CRAWLERS, "fastapi_service"])
def test_without_a_key_it_says_so(crawler: str, start: Start) -> None:
    """One line that names the variable, and no traceback."""
    arguments = [] if crawler == "fastapi_service" else ["http://127.0.0.1:1/"]
    program = start(crawler, *arguments, url="http://127.0.0.1:1", key="")
    _, errors = program.communicate(timeout=PATIENCE)
    assert program.returncode == 1
    assert "CAPTCHA_API_KEY" in errors
    assert "Traceback" not in errors


# -- services -------------------------------------------------------------------------------------


@pytest.fixture
def free_port() -> int:
    """Return a port that nothing listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port


def wait_for(stream_of: Program, text: str) -> None:
    """Read the log of a program up to a line with this text."""
    assert stream_of.stderr is not None
    assert any(text in line for line in stream_of.stderr)


def end(program: Program) -> str:
    """Press Ctrl-C, and return what is still logged."""
    program.send_signal(signal.SIGINT)
    _, errors = program.communicate(timeout=PATIENCE)
    assert program.returncode == 0
    assert "Traceback" not in errors
    return errors


@sends_sigint
def test_the_service_is_called_back(start: Start, free_port: int) -> None:
    """Pages are read at once; every answer comes as a callback, and no poll is made."""
    emulator = Emulator(latency=Latency.fixed(0.2))
    site = Site(emulator, pages=12, refuse_every=4)
    with served(site) as url, httpx.Client(base_url=f"http://127.0.0.1:{free_port}") as http:
        program = start("fastapi_service", "--port", str(free_port), url=url)
        wait_for(program, "Uvicorn running")
        with ThreadPoolExecutor(13) as pool:
            replies = list(pool.map(lambda number: http.get(f"/pages/{number}"), range(1, 14)))
        log = end(program)
    assert [reply.status_code for reply in replies] == [200] * 12 + [404]
    assert [reply.json().get("text") for reply in replies[:12]] == [
        f"This is page {number}." for number in range(1, 13)
    ]
    numbers = emulator.statistics()
    assert (numbers.polls, numbers.callbacks) == (0, numbers.created)
    assert reported(emulator) == sorted(site.refused)
    assert site.rejected == []
    assert "/captcha/" not in log, "the path of a callback is a secret"


@sends_sigint
def test_the_service_answers_when_it_cannot_solve(start: Start, free_port: int) -> None:
    """A wrong key is told with 503; open pages are read all the same."""
    site = Site(Emulator(), pages=3)
    with served(site) as url, httpx.Client(base_url=f"http://127.0.0.1:{free_port}") as http:
        program = start("fastapi_service", "--port", str(free_port), url=url, key="not-the-key")
        wait_for(program, "Uvicorn running")
        refused, opened = http.get("/pages/1"), http.get("/pages/3")
        end(program)
    assert (refused.status_code, opened.status_code) == (503, 200)
    assert "check the API key" in refused.json()["detail"]


@sends_sigint
def test_the_site_can_be_started_by_hand(start: Start, free_port: int) -> None:
    """It prints what the examples need, and the service is under the address it prints."""
    program = start("demo_site", "--port", str(free_port), "--latency", "0")
    assert program.stdout is not None
    lines = [program.stdout.readline().removeprefix("export ").strip() for _ in range(3)]
    variables = dict(line.split("=", 1) for line in lines)
    wait_for(program, "Uvicorn running")
    crawler = start("httpx_crawler", variables["SITE_URL"], **variables)
    code, pages, _ = finish(crawler)
    assert code == 0
    assert len(pages) == 12
    end(program)


# -- browsers -------------------------------------------------------------------------------------


@pytest.mark.parametrize("library", ["playwright", "selenium"])
def test_a_browser_passes_the_form(library: str, start: Start, tmp_path: Path) -> None:
    """It takes the parameters from the page, hands the answer in, and reports a refused one."""
    pytest.importorskip(library, reason=f"needs {library}")
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    driver = shutil.which("chromedriver")
    if chromium is None or (library == "selenium" and driver is None):
        pytest.skip("needs chromium and chromedriver")
    emulator = Emulator(latency=Latency.fixed(0))
    emulator.fail_with("ERROR_CAPTCHA_UNSOLVABLE", times=1)
    site = Site(emulator, pages=3, refuse_every=2)
    variables = {"CHROMIUM": chromium, "CHROMEDRIVER": driver or "", "HOME": str(tmp_path.parent)}
    with served(site) as url:
        for number in (3, 1, 2):
            program = start(f"{library}_form", f"{url}/pages/{number}", url=url, **variables)
            out, errors = program.communicate(timeout=PATIENCE)
            assert (program.returncode, out) == (0, f"This is page {number}.\n"), errors
    assert (len(site.accepted), site.rejected) == (2, [])
    assert reported(emulator) == sorted(site.refused)
    assert len(site.refused) == 1
    assert emulator.violations == []
